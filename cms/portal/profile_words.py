"""Charging profiles for people: what they are for, what they allow and when, and the curve of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.formats import date_format, number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cms.portal.looks import Look
from cms.portal.past import Past
from stations.choices import ProfileStatus
from stations.models import InstalledProfile
from stations.ocpp.v16.charging_profiles import purpose_from_v16
from stations.services import charging_profiles as services
from stations.services.charging_profile_rules import (
    MAX_PROFILE,
    TX_DEFAULT_PROFILE,
    TX_PROFILE,
    read_moment,
)

WIDTH, HEIGHT = 1000, 200
_NBSP = "\u00a0"
_CYCLES_S = {"Daily": 86_400, "Weekly": 7 * 86_400}
_AFTER_LAST_S = 3600

PURPOSES: dict[str, str | Promise] = {
    TX_DEFAULT_PROFILE: gettext_lazy("Every session that has none of its own"),
    TX_PROFILE: gettext_lazy("One session"),
    MAX_PROFILE: gettext_lazy("The whole station"),
}

STATUS: dict[str, Look] = {
    ProfileStatus.REQUESTED: Look(ProfileStatus.REQUESTED.label, "busy", "clock"),
    ProfileStatus.INSTALLED: Look(ProfileStatus.INSTALLED.label, "good", "check"),
    ProfileStatus.REJECTED: Look(ProfileStatus.REJECTED.label, "bad", "cross"),
    ProfileStatus.CLEARED: Look(ProfileStatus.CLEARED.label, "offline", "cross"),
}

_REASONS: dict[str, str | Promise] = {
    services.REPLACED: gettext_lazy("A newer profile took its place."),
    services.TRANSACTION_ENDED: gettext_lazy("Its session has ended."),
    services.NO_ANSWER: gettext_lazy(
        "The station did not answer; whether it took it is not known."
    ),
    services.NOT_SENT: gettext_lazy("It was never sent."),
    services.NOT_STARTED: gettext_lazy("No session came of the start that it was sent with."),
    services.NOT_FOUND: gettext_lazy("The station had no such profile any more."),
    "Cleared": gettext_lazy("The station cleared it."),
    "Rejected": gettext_lazy("The station refused."),
    "NotSupported": gettext_lazy("The station cannot do smart charging."),
    "NotImplemented": gettext_lazy("The station cannot do smart charging."),
}


@dataclass(frozen=True, slots=True)
class Step:
    """A limit and when it begins; `seconds` since the schedule began."""

    seconds: int
    when: str
    limit: str


@dataclass(frozen=True, slots=True)
class Curve:
    """A step curve in a box of WIDTH × HEIGHT; `peak` is its top, `span` how long it is."""

    line: str
    area: str
    peak: str
    begins: str
    ends: str


@dataclass(frozen=True, slots=True)
class ScheduleView:
    """One schedule with its curve; `rhythm` says when it begins and whether it comes back."""

    steps: list[Step]
    curve: Curve
    rhythm: str
    validity: str


@dataclass(frozen=True, slots=True)
class InstalledView:
    """A profile at a station."""

    row: InstalledProfile
    schedule: ScheduleView

    @property
    def look(self) -> Look:
        return STATUS[self.row.status]

    @property
    def title(self) -> str:
        name = self.row.library_profile.name if self.row.library_profile else ""
        return name or str(PURPOSES.get(self.row.purpose, self.row.purpose))

    @property
    def purpose(self) -> str:
        return str(PURPOSES.get(self.row.purpose, self.row.purpose))

    @property
    def reason(self) -> str:
        """Why it is not there; the station's own word where we have none for it."""
        return str(_REASONS.get(self.row.reason, self.row.reason))

    @property
    def past(self) -> Past:
        row = self.row
        return Past(self.title, row.profile_id, row.evse_id, row.ended_at, self.look, self.reason)

    @property
    def is_present(self) -> bool:
        return self.row.status == ProfileStatus.INSTALLED


def limit_words(limit: Any, unit: str, phases: int | None = None) -> str:
    """`11 kW`, `16.5 A`, with the phases where they are fewer than three."""
    value = Decimal(str(limit))
    amount, name = (value / 1000, "kW") if unit == "W" else (value, "A")
    text = format(amount.normalize(), "f") if amount else "0"
    words = f"{number_format(text)}{_NBSP}{name}"
    if phases in (1, 2):
        words += _(" on %(count)s of 3 phases") % {"count": phases}
    return words


def schedule_view(
    profile: Mapping[str, Any], *, zone: str, schedule: Mapping[str, Any] | None = None
) -> ScheduleView:
    """The first schedule of a profile in 2.0.1's words, or the one given."""
    schedule = schedule or profile["chargingSchedule"][0]
    recurs = profile.get("recurrencyKind")
    begins_at = read_moment(schedule.get("startSchedule", ""))
    place = ZoneInfo(zone)
    steps = [
        Step(
            period["startPeriod"],
            _when(period["startPeriod"], begins_at, recurs, place),
            limit_words(period["limit"], schedule["chargingRateUnit"], period.get("numberPhases")),
        )
        for period in schedule["chargingSchedulePeriod"]
    ]
    return ScheduleView(
        steps=steps,
        curve=_curve(schedule, _span_s(schedule, recurs), begins_at, recurs, place),
        rhythm=_rhythm(profile, begins_at, place),
        validity=_validity(profile, place),
    )


def installed_view(row: InstalledProfile, *, zone: str) -> InstalledView:
    """A profile at a station, with times of its site."""
    return InstalledView(row, schedule_view(row.profile, zone=zone))


def profile_request_words(action: str, payload: Mapping[str, Any]) -> str:
    """What a 1.6 request about charging profiles asks for."""
    evse_id = payload.get("connectorId")
    match action:
        case "SetChargingProfile":
            asked = payload.get("csChargingProfiles") or {}
            purpose = purpose_from_v16(str(asked.get("chargingProfilePurpose", "")))
            periods = (asked.get("chargingSchedule") or {}).get("chargingSchedulePeriod") or []
            unit = str((asked.get("chargingSchedule") or {}).get("chargingRateUnit", ""))
            limits = ", ".join(limit_words(period["limit"], unit) for period in periods[:3])
            more = ", …" if len(periods) > 3 else ""
            words = _("Limit to %(limits)s: %(purpose)s") % {
                "limits": limits + more,
                "purpose": PURPOSES.get(purpose, purpose),
            }
            return words + at_evse(evse_id)
        case "ClearChargingProfile" if "id" in payload:
            return _("Clear charging profile %(id)s") % {"id": payload["id"]}
        case "ClearChargingProfile":
            purpose = purpose_from_v16(str(payload.get("chargingProfilePurpose", "")))
            words = _("Clear charging profiles")
            if purpose:
                words += f": {PURPOSES.get(purpose, purpose)}"
            return words + at_evse(evse_id)
    return _("Ask what may be drawn") + at_evse(evse_id)


def at_evse(evse_id: int | None) -> str:
    """Where; empty for the whole station."""
    return _(" at EVSE %(id)s") % {"id": evse_id} if evse_id else ""


def _when(offset_s: int, begins_at: datetime | None, recurs: str | None, zone: ZoneInfo) -> str:
    if begins_at is None:
        return _offset(offset_s)
    moment = (begins_at + timedelta(seconds=offset_s)).astimezone(zone)
    if recurs == "Daily":
        return date_format(moment, "H:i")
    return date_format(moment, "l H:i" if recurs else "j M Y, H:i")


def _offset(seconds: int) -> str:
    return f"{seconds // 3600}:{seconds % 3600 // 60:02d}"


def _rhythm(profile: Mapping[str, Any], begins_at: datetime | None, zone: ZoneInfo) -> str:
    recurs = profile.get("recurrencyKind")
    if recurs == "Daily":
        return _("every day")
    if recurs == "Weekly":
        return _("every week")
    if begins_at is not None:
        return _("once, from %(at)s") % {
            "at": date_format(begins_at.astimezone(zone), "j M Y, H:i")
        }
    if profile.get("chargingProfileKind") == "Relative":
        return _("counted from the start of the session")
    return _("always")


def _validity(profile: Mapping[str, Any], zone: ZoneInfo) -> str:
    words = []
    for name, sentence in (("validFrom", _("from %(at)s")), ("validTo", _("until %(at)s"))):
        moment = read_moment(profile.get(name, ""))
        if moment is not None:
            words.append(sentence % {"at": date_format(moment.astimezone(zone), "j M Y, H:i")})
    return " ".join(words)


def _span_s(schedule: Mapping[str, Any], recurs: str | None) -> int:
    """How much of a schedule is drawn: its duration, its cycle, or an hour more than its last step."""
    last_s = int(schedule["chargingSchedulePeriod"][-1]["startPeriod"])
    duration_s = schedule.get("duration")
    if duration_s:
        return int(duration_s)
    if recurs:
        return _CYCLES_S[recurs]
    return last_s + max(_AFTER_LAST_S, last_s // 4)


def _curve(
    schedule: Mapping[str, Any],
    span_s: int,
    begins_at: datetime | None,
    recurs: str | None,
    zone: ZoneInfo,
) -> Curve:
    periods = [p for p in schedule["chargingSchedulePeriod"] if 0 <= p["startPeriod"] < span_s]
    limits = [float(period["limit"]) for period in periods]
    # A little air above the highest step.
    peak = max([*limits, 0.0]) or 1.0
    points: list[tuple[float, float]] = []
    for index, period in enumerate(periods):
        ends_s = periods[index + 1]["startPeriod"] if index + 1 < len(periods) else span_s
        y = round(HEIGHT - limits[index] / (peak * 1.1) * HEIGHT, 1)
        points += [
            (round(edge_s / span_s * WIDTH, 1), y) for edge_s in (period["startPeriod"], ends_s)
        ]
    line = " ".join(f"{x},{y}" for x, y in points)
    return Curve(
        line=line,
        area=f"0,{HEIGHT} {line} {WIDTH},{HEIGHT}",
        peak=limit_words(max([*limits, 0.0]), schedule["chargingRateUnit"]),
        begins=_when(0, begins_at, recurs, zone),
        ends=_when(span_s, begins_at, recurs, zone),
    )
