"""Charging profiles between OCPP 2.0.1's words, which we keep, and 1.6's, which the station hears. Pure.

What 1.6 cannot say is refused with a sentence, never dropped: a limit that is silently wider is dangerous.

Source: OCPP 1.6 §7.8 ChargingProfile, §7.13 ChargingSchedule; OCPP 2.0.1 Part 2, 2.10 to 2.13.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from cms.base.errors import Invalid

_MAX_201, _MAX_16 = "ChargingStationMaxProfile", "ChargePointMaxProfile"
_PROFILE = ("stackLevel", "chargingProfileKind", "recurrencyKind", "validFrom", "validTo")
_SCHEDULE = ("duration", "startSchedule", "chargingRateUnit", "minChargingRate")
_PERIOD = ("startPeriod", "limit", "numberPhases")
# Of a schedule, 2.0.1 wants an id that 1.6 does not have.
_SCHEDULE_ID = 1


def purpose_to_v16(purpose: str) -> str:
    """The 1.6 word for what a profile is for."""
    return _MAX_16 if purpose == _MAX_201 else purpose


def purpose_from_v16(purpose: str) -> str:
    """The 2.0.1 word for what a profile is for."""
    return _MAX_201 if purpose == _MAX_16 else purpose


def profile_to_v16(
    profile: Mapping[str, Any],
    *,
    profile_id: int | None = None,
    ocpp_transaction_id: str | None = None,
) -> dict[str, Any]:
    """A 2.0.1 ChargingProfileType as 1.6 sends it; without `profile_id` it is left for the queue to fill in.

    Raises:
        Invalid: it says what 1.6 has no words for; fields are named below `profile`.
    """
    faults = dict(_unsayable(profile))
    if ocpp_transaction_id is not None and not _is_int(ocpp_transaction_id):
        faults["transactionId"] = "OCPP 1.6 knows whole numbers as transaction ids only."
    if faults:
        raise Invalid.fields({f"profile.{path}": [said] for path, said in faults.items()})
    schedule = profile["chargingSchedule"][0]
    translated: dict[str, Any] = {} if profile_id is None else {"chargingProfileId": profile_id}
    if ocpp_transaction_id is not None:
        translated["transactionId"] = int(ocpp_transaction_id)
    periods = [_picked(period, _PERIOD) for period in schedule["chargingSchedulePeriod"]]
    return translated | {
        **_picked(profile, _PROFILE),
        "chargingProfilePurpose": purpose_to_v16(profile["chargingProfilePurpose"]),
        "chargingSchedule": {
            **_picked(schedule, _SCHEDULE),
            "chargingSchedulePeriod": periods,
        },
    }


def profile_from_v16(payload: Mapping[str, Any]) -> dict[str, Any]:
    """A 1.6 ChargingProfile that fits its schema, in 2.0.1's words and without its id."""
    profile = {
        **_picked(payload, _PROFILE),
        "chargingProfilePurpose": purpose_from_v16(payload["chargingProfilePurpose"]),
        "chargingSchedule": [schedule_from_v16(payload["chargingSchedule"])],
    }
    if "transactionId" in payload:
        profile["transactionId"] = str(payload["transactionId"])
    return profile


def schedule_from_v16(payload: Mapping[str, Any]) -> dict[str, Any]:
    """A 1.6 ChargingSchedule in 2.0.1's words."""
    return {
        "id": _SCHEDULE_ID,
        **_picked(payload, _SCHEDULE),
        "chargingSchedulePeriod": [
            _picked(period, _PERIOD) for period in payload["chargingSchedulePeriod"]
        ],
    }


def clear_to_v16(
    *,
    profile_id: int | None = None,
    evse_id: int | None = None,
    purpose: str | None = None,
    stack_level: int | None = None,
) -> dict[str, Any]:
    """The payload of ClearChargingProfile; what is not given matches everything (OCPP 1.6 §5.3)."""
    criteria = {
        "id": profile_id,
        "connectorId": evse_id,
        "chargingProfilePurpose": None if purpose is None else purpose_to_v16(purpose),
        "stackLevel": stack_level,
    }
    return {name: value for name, value in criteria.items() if value is not None}


def clear_from_v16(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The criteria of a ClearChargingProfile as `clear_to_v16` takes them."""
    purpose = payload.get("chargingProfilePurpose")
    return {
        "profile_id": payload.get("id"),
        "evse_id": payload.get("connectorId"),
        "purpose": None if purpose is None else purpose_from_v16(purpose),
        "stack_level": payload.get("stackLevel"),
    }


def _unsayable(profile: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Fields that 1.6 has no place for, each with why."""
    schedules = profile["chargingSchedule"]
    if len(schedules) != 1:
        yield (
            "chargingSchedule",
            "OCPP 1.6 takes one schedule in a profile. Make a profile of each, with stack levels of their own.",
        )
    if "customData" in profile:
        yield "customData", _nothing_like("customData")
    for number, schedule in enumerate(schedules):
        for name in ("salesTariff", "customData"):
            if name in schedule:
                yield f"chargingSchedule[{number}].{name}", _nothing_like(name)
        for index, period in enumerate(schedule["chargingSchedulePeriod"]):
            for name in ("phaseToUse", "customData"):
                if name in period:
                    path = f"chargingSchedule[{number}].chargingSchedulePeriod[{index}].{name}"
                    yield path, _nothing_like(name)


def _nothing_like(name: str) -> str:
    return f"OCPP 1.6 has nothing like {name}; leave it out for this station."


def _picked(source: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: source[name] for name in names if source.get(name) is not None}


def _is_int(text: str) -> bool:
    return text.removeprefix("-").isascii() and text.removeprefix("-").isdigit()
