"""Smart charging as OCPP 1.6 §3.13 has it: profiles by purpose and stack level, and what they allow together.

Limits are kept in watts at the outlet; a limit in ampere counts for each phase at mains voltage.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from .curve import MAINS_VOLTAGE_V, Current
from .wire import Payload

if TYPE_CHECKING:
    from .commands import FollowUp, Handler
    from .outlet import Outlet
    from .station import VirtualStation

MAX, TX_DEFAULT, TX = "ChargePointMaxProfile", "TxDefaultProfile", "TxProfile"
PURPOSES = (MAX, TX_DEFAULT, TX)
KINDS = ("Absolute", "Recurring", "Relative")
_RECURRENCE_S = {"Daily": 86_400, "Weekly": 7 * 86_400}
MAX_STACK_LEVEL = 8
MAX_PERIODS = 64
MAX_PROFILES = 32
_DC_VOLTAGE_V = 400.0


@dataclass(frozen=True)
class Profile:
    """One profile where it was put; `connector_id` 0 is the station. Raises ValueError for what it cannot be."""

    connector_id: int
    content: Payload

    def __post_init__(self) -> None:
        periods = self.content["chargingSchedule"]["chargingSchedulePeriod"]
        starts = [period["startPeriod"] for period in periods]
        if not starts or starts[0] != 0 or starts != sorted(set(starts)):
            raise ValueError("periods must begin at 0 and ascend")
        if self.purpose not in PURPOSES or self.kind not in KINDS:
            raise ValueError("unknown purpose or kind")
        if self.kind == "Recurring" and self.content.get("recurrencyKind") not in _RECURRENCE_S:
            raise ValueError("recurring how?")

    @property
    def id(self) -> int:
        return int(self.content["chargingProfileId"])

    @property
    def purpose(self) -> str:
        return str(self.content["chargingProfilePurpose"])

    @property
    def kind(self) -> str:
        return str(self.content["chargingProfileKind"])

    @property
    def stack_level(self) -> int:
        return int(self.content["stackLevel"])

    @property
    def transaction_id(self) -> int | None:
        return self.content.get("transactionId")

    def period_at(self, at: datetime, started_at: datetime | None) -> Payload | None:
        """The period in force, None where the profile says nothing. `started_at` is the transaction's."""
        schedule = self.content["chargingSchedule"]
        valid_from, valid_to = _time(self.content, "validFrom"), _time(self.content, "validTo")
        if (valid_from and at < valid_from) or (valid_to and at >= valid_to):
            return None
        begins = _time(schedule, "startSchedule")
        if self.kind == "Relative" or begins is None:
            begins = started_at
        if begins is None:
            # The maximum of the station holds without a transaction; a constant one needs no beginning.
            begins = at if self.purpose == MAX else None
        if begins is None or at < begins:
            return None
        elapsed_s = (at - begins).total_seconds()
        if self.kind == "Recurring":
            elapsed_s %= _RECURRENCE_S[str(self.content["recurrencyKind"])]
        duration_s = schedule.get("duration")
        if duration_s is not None and elapsed_s >= duration_s:
            return None
        periods = [p for p in schedule["chargingSchedulePeriod"] if p["startPeriod"] <= elapsed_s]
        return dict(periods[-1])

    def changes(
        self, begin: datetime, end: datetime, started_at: datetime | None
    ) -> Iterator[datetime]:
        """Moments of a span at which its limit may change."""
        schedule = self.content["chargingSchedule"]
        for moment in (_time(self.content, "validFrom"), _time(self.content, "validTo")):
            if moment is not None and begin < moment < end:
                yield moment
        anchor = _time(schedule, "startSchedule")
        if self.kind == "Relative" or anchor is None:
            anchor = started_at
        if anchor is None:
            return
        offsets = [p["startPeriod"] for p in schedule["chargingSchedulePeriod"]]
        offsets += [schedule["duration"]] if "duration" in schedule else []
        cycle_s = _RECURRENCE_S[str(self.content["recurrencyKind"])] if self._recurs else 0
        rounds = int((end - anchor).total_seconds() // cycle_s) if cycle_s else 0
        first = max(0, int((begin - anchor).total_seconds() // cycle_s)) if cycle_s else 0
        for number in range(first, max(first, rounds) + 1):
            for offset_s in offsets:
                moment = anchor + timedelta(seconds=number * cycle_s + offset_s)
                if begin < moment < end:
                    yield moment

    @property
    def _recurs(self) -> bool:
        return self.kind == "Recurring"


class SmartCharging:
    """The profiles of one station."""

    def __init__(self, station: VirtualStation) -> None:
        self._station = station
        self.profiles: list[Profile] = []
        # What came with a remote start, for the transaction to come: by connector.
        self._awaiting: dict[int, Payload] = {}

    def put(self, new: Profile) -> bool:
        """Keep a profile in place of what has its id or its place (§5.16); False where it cannot be kept."""
        if new.stack_level not in range(MAX_STACK_LEVEL + 1):
            return False
        if len(new.content["chargingSchedule"]["chargingSchedulePeriod"]) > MAX_PERIODS:
            return False
        kept = [old for old in self.profiles if not _replaces(new, old)]
        if len(kept) >= MAX_PROFILES:
            return False
        self.profiles = [*kept, new]
        return True

    def clear(self, **criteria: Any) -> int:
        """Drop what matches everything that is given; returns how many."""
        matching = [profile for profile in self.profiles if _matches(profile, criteria)]
        self.profiles = [profile for profile in self.profiles if profile not in matching]
        return len(matching)

    def await_transaction(self, connector_id: int, content: Payload | None) -> None:
        """Keep what came with a remote start for its transaction (§5.11); without anything, forget it."""
        self._awaiting.pop(connector_id, None)
        if content is not None:
            self._awaiting[connector_id] = content

    def begin_transaction(self, connector_id: int) -> None:
        """The profile that came with the start is the transaction's now."""
        content = self._awaiting.pop(connector_id, None)
        if content is not None:
            self.put(Profile(connector_id, content))

    def end_transaction(self, connector_id: int) -> None:
        """Its TxProfiles go with it (§3.13.1)."""
        self.profiles = [
            p for p in self.profiles if not (p.purpose == TX and p.connector_id == connector_id)
        ]

    def limit_w(self, outlet: Outlet, at: datetime) -> float:
        """What the outlet may draw at a moment, its own power included; the station's maximum is shared evenly."""
        allowed = min(outlet.spec.max_power_w, self._transaction_limit_w(outlet, at))
        station_w = self._leading_w(self._of(MAX, 0), None, at, None)
        if station_w is None:
            return allowed
        drawing = [o for o in self._station.outlets.values() if o.tx is not None]
        share = station_w / max(1, len(drawing) if outlet in drawing else len(drawing) + 1)
        return min(allowed, share)

    def composite(self, connector_id: int, begin: datetime, duration_s: int) -> list[list[float]]:
        """Steps `[start in s, limit in W]` over a span; connector 0 is all outlets together (§5.7)."""
        end = begin + timedelta(seconds=duration_s)
        outlets = self._station.outlets
        asked = list(outlets.values()) if connector_id == 0 else [outlets[connector_id]]
        moments = {begin}
        for profile in self.profiles:
            for outlet in asked:
                started_at = outlet.tx.started_at if outlet.tx else begin
                moments.update(profile.changes(begin, end, started_at))
        steps: list[list[float]] = []
        for moment in sorted(moments):
            limit = sum(self._composite_w(outlet, moment, begin) for outlet in asked)
            station_w = self._leading_w(self._of(MAX, 0), None, moment, None)
            if station_w is not None:
                limit = min(limit, station_w)
            if not steps or steps[-1][1] != limit:
                steps.append([int((moment - begin).total_seconds()), limit])
        return steps

    def _composite_w(self, outlet: Outlet, at: datetime, begin: datetime) -> float:
        """As if a transaction began now where none runs."""
        return min(outlet.spec.max_power_w, self._transaction_limit_w(outlet, at, begin))

    def _transaction_limit_w(
        self, outlet: Outlet, at: datetime, assumed_start: datetime | None = None
    ) -> float:
        """A TxProfile outdoes the default, the outlet's own default that of the station (§3.13.2)."""
        tx = outlet.tx
        started_at = tx.started_at if tx is not None else assumed_start
        own = [
            profile
            for profile in self._of(TX, outlet.connector_id)
            if tx is not None and profile.transaction_id in (None, tx.transaction_id)
        ]
        for stack in (own, self._of(TX_DEFAULT, outlet.connector_id), self._of(TX_DEFAULT, 0)):
            limit = self._leading_w(stack, outlet, at, started_at)
            if limit is not None:
                return limit
        return outlet.spec.max_power_w

    def _of(self, purpose: str, connector_id: int) -> list[Profile]:
        return [p for p in self.profiles if p.purpose == purpose and p.connector_id == connector_id]

    def _leading_w(
        self,
        stack: Iterable[Profile],
        outlet: Outlet | None,
        at: datetime,
        started_at: datetime | None,
    ) -> float | None:
        """The limit of the highest level that says anything about this moment."""
        for profile in sorted(stack, key=lambda p: p.stack_level, reverse=True):
            period = profile.period_at(at, started_at)
            if period is not None:
                unit = profile.content["chargingSchedule"]["chargingRateUnit"]
                return _watts(float(period["limit"]), unit, period.get("numberPhases"), outlet)
        return None


def _replaces(new: Profile, old: Profile) -> bool:
    same_place = (new.connector_id, new.purpose, new.stack_level) == (
        old.connector_id,
        old.purpose,
        old.stack_level,
    )
    return new.id == old.id or same_place


def _matches(profile: Profile, criteria: dict[str, Any]) -> bool:
    own = {
        "id": profile.id,
        "connectorId": profile.connector_id,
        "chargingProfilePurpose": profile.purpose,
        "stackLevel": profile.stack_level,
    }
    return all(value is None or own[name] == value for name, value in criteria.items())


def _watts(limit: float, unit: str, phases: int | None, outlet: Outlet | None) -> float:
    return limit if unit == "W" else limit * _volts(phases, outlet)


def _volts(phases: int | None, outlet: Outlet | None) -> float:
    """Watts that one ampere a phase is."""
    if outlet is not None and outlet.spec.current is Current.DC:
        return _DC_VOLTAGE_V
    available = outlet.spec.phases if outlet is not None else 3
    return MAINS_VOLTAGE_V * min(phases or available, available)


def _time(holder: Payload, name: str) -> datetime | None:
    text = holder.get(name)
    if text is None:
        return None
    at = datetime.fromisoformat(str(text).upper())
    return at if at.tzinfo else at.replace(tzinfo=UTC)


# --- commands -----------------------------------------------------------------------------------------


def read_profile(connector_id: int, content: Payload) -> Profile:
    """Raises KeyError, TypeError or ValueError for what is no profile."""
    profile = Profile(connector_id, content)
    profile.period_at(datetime.now(UTC), datetime.now(UTC))
    return profile


def handle_set_profile(
    station: VirtualStation, payload: Payload
) -> tuple[Payload, FollowUp | None]:
    connector_id = int(payload["connectorId"])
    profile = read_profile(connector_id, payload["csChargingProfiles"])
    rejected: tuple[Payload, None] = {"status": "Rejected"}, None
    if connector_id != 0 and connector_id not in station.outlets:
        return rejected
    if profile.purpose == MAX and (connector_id != 0 or profile.kind == "Relative"):
        return rejected
    if profile.purpose == TX:
        tx = station.outlets[connector_id].tx if connector_id else None
        if tx is None or profile.transaction_id not in (None, tx.transaction_id):
            return rejected
    if not station.smart_charging.put(profile):
        return rejected
    station.changed()
    return {"status": "Accepted"}, None


def handle_clear_profile(
    station: VirtualStation, payload: Payload
) -> tuple[Payload, FollowUp | None]:
    names = ("id", "connectorId", "chargingProfilePurpose", "stackLevel")
    cleared = station.smart_charging.clear(**{name: payload.get(name) for name in names})
    station.changed()
    return {"status": "Accepted" if cleared else "Unknown"}, None


def handle_composite_schedule(
    station: VirtualStation, payload: Payload
) -> tuple[Payload, FollowUp | None]:
    connector_id, duration_s = int(payload["connectorId"]), int(payload["duration"])
    if (connector_id != 0 and connector_id not in station.outlets) or duration_s <= 0:
        return {"status": "Rejected"}, None
    unit = payload.get("chargingRateUnit", "W")
    begin = station.now().replace(microsecond=0)
    outlet = station.outlets.get(connector_id)
    divisor = 1.0 if unit == "W" else _volts(None, outlet)
    periods = [
        {"startPeriod": int(start_s), "limit": round(watts / divisor, 1)}
        for start_s, watts in station.smart_charging.composite(connector_id, begin, duration_s)
    ]
    start = station.personality.timestamp(begin)
    return {
        "status": "Accepted",
        "connectorId": connector_id,
        "scheduleStart": start,
        "chargingSchedule": {
            "duration": duration_s,
            "startSchedule": start,
            "chargingRateUnit": unit,
            "chargingSchedulePeriod": periods,
        },
    }, None


SMART_CHARGING: dict[str, Handler] = {
    "ClearChargingProfile": handle_clear_profile,
    "GetCompositeSchedule": handle_composite_schedule,
    "SetChargingProfile": handle_set_profile,
}
