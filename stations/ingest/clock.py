"""Three clocks: what the station wrote, when we received it, and which of the two counts."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo

EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)
MAX_AHEAD = timedelta(minutes=5)

_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s*(?:([Zz])|([+-])(\d\d):?(\d\d))?"
)


@dataclass(frozen=True, slots=True)
class DeviceTime:
    """A station's timestamp judged at receipt. `device_at` is None where it could not be read or has no zone.

    `effective_at` is the device's time where that is plausible, else the time of receipt. `repaired` says that
    the text was read otherwise than it was written.
    """

    device_at: datetime | None
    effective_at: datetime
    plausible: bool
    repaired: bool = False


def read_device_time(
    text: str | None,
    *,
    received_at: datetime,
    not_before: datetime | None = None,
    naive_zone: tzinfo | None = None,
    z_means: tzinfo | None = None,
) -> DeviceTime:
    """Judge a timestamp: with a zone, not before 2020 nor `not_before`, at most 5 minutes ahead of us.

    Reads RFC 3339 and its common variants: lower-case `t`, a blank, a zone without a colon, 0 to 9 digits of a
    fraction, a leap second (taken for the second before) and 24:00 (the next day). A station's habits say what a
    time without a zone means (`naive_zone`) and which zone its `Z` stands for (`z_means`). Never raises.
    """
    read = _parse(text, naive_zone, z_means) if text else None
    device_at, repaired = read or (None, False)
    if device_at is None:
        return DeviceTime(None, received_at, False)
    plausible = EARLIEST <= device_at <= received_at + MAX_AHEAD
    if plausible and not_before is not None and device_at < not_before:
        plausible = False
    return DeviceTime(device_at, device_at if plausible else received_at, plausible, repaired)


def _parse(
    text: str, naive_zone: tzinfo | None, z_means: tzinfo | None
) -> tuple[datetime, bool] | None:
    match = _ISO.fullmatch(text.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, zulu, sign, zone_h, zone_m = match.groups()
    assumed = naive_zone if zulu is None and sign is None else z_means if zulu else None
    if zulu is None and sign is None and assumed is None:
        return None
    offset = timedelta(hours=int(zone_h or 0), minutes=int(zone_m or 0))
    next_day = hour == "24" and minute == "00" and second in (None, "00")
    try:
        zone = assumed or timezone(-offset if sign == "-" else offset)
        at = datetime(
            int(year),
            int(month),
            int(day),
            0 if next_day else int(hour),
            int(minute),
            min(int(second or 0), 59) if second == "60" else int(second or 0),
            int((fraction or "0").ljust(6, "0")[:6]),
            tzinfo=zone,
        )
        return at.astimezone(UTC) + timedelta(days=int(next_day)), assumed is not None
    except (ValueError, OverflowError):
        return None
