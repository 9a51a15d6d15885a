"""What a charging profile must be before a station hears of it: the schema, and the rules beside it. Pure.

A profile is OCPP 2.0.1's ChargingProfileType as a mapping. An `id` is chosen at each installation.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from cms.base.errors import Invalid
from stations.ocpp.validation import validate_command
from stations.ocpp.versions import Version

MAX_PROFILE = "ChargingStationMaxProfile"
TX_DEFAULT_PROFILE = "TxDefaultProfile"
TX_PROFILE = "TxProfile"
PURPOSES = (MAX_PROFILE, TX_DEFAULT_PROFILE, TX_PROFILE)
KINDS = ("Absolute", "Recurring", "Relative")

_INT_MAX = 2**31 - 1
_PREFIX = "chargingProfile"
Faults = Iterator[tuple[str, str]]


def check_profile(profile: Mapping[str, Any]) -> dict[str, Any]:
    """The profile as it is kept: without its id, schedules numbered where they are not.

    Raises:
        Invalid: it does not fit OCPP 2.0.1's schema or breaks a rule; fields are named below `profile`.

    Source: OCPP 2.0.1 Part 2, K01.FR.26 to K01.FR.41; OCPP 1.6 §3.13, §7.8 to §7.14.
    """
    checked = {name: value for name, value in profile.items() if name != "id"}
    schedules = checked.get("chargingSchedule")
    if isinstance(schedules, list):
        checked["chargingSchedule"] = [
            {"id": number, **schedule} if isinstance(schedule, Mapping) else schedule
            for number, schedule in enumerate(schedules, start=1)
        ]
    request = {"evseId": 1, _PREFIX: {"id": 1, **checked}}
    faults = [
        (path.removeprefix(_PREFIX).removeprefix("."), sentence.replace(f"{_PREFIX}.", "", 1))
        for path, sentence in validate_command(Version.V201, "SetChargingProfile", request)
    ]
    faults = faults or [*_profile_faults(checked), *_schedule_faults(checked)]
    if faults:
        fields: dict[str, list[str]] = {}
        for path, sentence in faults:
            fields.setdefault(f"profile.{path}" if path else "profile", []).append(sentence)
        raise Invalid.fields(fields)
    return checked


def constant_limit(unit: str, limit: int | Decimal, *, purpose: str = TX_PROFILE) -> dict[str, Any]:
    """A profile that allows the same power (`unit` W) or current (A, each phase) all along."""
    return {
        "stackLevel": 0,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute" if purpose == MAX_PROFILE else "Relative",
        "chargingSchedule": [
            {
                "id": 1,
                "chargingRateUnit": unit,
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
            }
        ],
    }


def _profile_faults(profile: Mapping[str, Any]) -> Faults:
    purpose, kind = profile["chargingProfilePurpose"], profile["chargingProfileKind"]
    if purpose not in PURPOSES:
        yield "chargingProfilePurpose", f"{purpose} is set by others than the CSMS."
    if kind == "Relative" and purpose == MAX_PROFILE:
        yield (
            "chargingProfileKind",
            f"A {MAX_PROFILE} holds without a transaction, so it cannot be relative to the start of one.",
        )
    if kind == "Recurring" and "recurrencyKind" not in profile:
        yield "recurrencyKind", "A recurring profile says whether it recurs Daily or Weekly."
    if kind != "Recurring" and "recurrencyKind" in profile:
        yield "recurrencyKind", "Only a recurring profile has this."
    if not 0 <= profile["stackLevel"] <= _INT_MAX:
        yield "stackLevel", "A stack level is 0 or more."
    yield from _time_faults("", profile, "validFrom", "validTo")
    valid_from, valid_to = (read_moment(profile.get(name, "")) for name in ("validFrom", "validTo"))
    if valid_from and valid_to and valid_from >= valid_to:
        yield "validTo", "It would end before it begins."
    if "transactionId" in profile and purpose != TX_PROFILE:
        yield "transactionId", f"Only a {TX_PROFILE} belongs to a transaction."


def _schedule_faults(profile: Mapping[str, Any]) -> Faults:
    kind = profile["chargingProfileKind"]
    for number, schedule in enumerate(profile["chargingSchedule"]):
        place = f"chargingSchedule[{number}]"
        periods = schedule["chargingSchedulePeriod"]
        has_start = "startSchedule" in schedule
        if kind == "Recurring" and not has_start:
            yield f"{place}.startSchedule", "A recurring profile says when it first begins."
        if kind == "Absolute" and not has_start and len(periods) > 1:
            yield (
                f"{place}.startSchedule",
                "An absolute profile of several periods says when the first begins; one that begins with"
                " the transaction is Relative.",
            )
        if kind == "Relative" and has_start:
            yield (
                f"{place}.startSchedule",
                "A relative profile begins with the transaction, so it has no start of its own.",
            )
        yield from _time_faults(f"{place}.", schedule, "startSchedule")
        if not 0 < schedule.get("duration", 1) <= _INT_MAX:
            yield f"{place}.duration", "A duration is more than 0 seconds."
        yield from _rate_faults(f"{place}.minChargingRate", schedule.get("minChargingRate", 0))
        yield from _period_faults(f"{place}.chargingSchedulePeriod", periods)


def _period_faults(place: str, periods: list[Mapping[str, Any]]) -> Faults:
    if periods[0]["startPeriod"] != 0:
        yield f"{place}[0].startPeriod", "The first period begins at 0."
    for index, period in enumerate(periods):
        if index and period["startPeriod"] <= periods[index - 1]["startPeriod"]:
            yield (
                f"{place}[{index}].startPeriod",
                "Each period begins later than the one before it.",
            )
        if not -_INT_MAX <= period["startPeriod"] <= _INT_MAX:
            yield f"{place}[{index}].startPeriod", "That is more seconds than a station can count."
        yield from _rate_faults(f"{place}[{index}].limit", period["limit"])
        if period.get("numberPhases", 3) not in (1, 2, 3):
            yield f"{place}[{index}].numberPhases", "There are 1, 2 or 3 phases."
        if "phaseToUse" in period and period.get("numberPhases") != 1:
            yield f"{place}[{index}].phaseToUse", "Only with one phase it matters which."


def _rate_faults(path: str, rate: int | Decimal | float) -> Faults:
    exact = Decimal(str(rate))
    if exact < 0:
        yield path, "A limit is 0 or more."
    elif exact != round(exact, 1):
        yield path, "Limits have at most one decimal."


def _time_faults(place: str, holder: Mapping[str, Any], *names: str) -> Faults:
    for name in names:
        if name in holder and read_moment(holder[name]) is None:
            yield f"{place}{name}", "No station could read this time."


def read_moment(text: str) -> datetime | None:
    """A time of a profile; None for what RFC 3339 allows and no clock shows, such as 24:00."""
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:
        return None
