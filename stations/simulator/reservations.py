"""Reservations as OCPP 1.6 §5.13 has them: an outlet, or any outlet, kept free for one card until a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from .wire import Payload

if TYPE_CHECKING:
    from .commands import FollowUp, Handler
    from .outlet import Outlet
    from .station import VirtualStation

PROFILE = "Reservation"


@dataclass(frozen=True)
class Reservation:
    """`connector_id` 0 is any outlet of the station."""

    id: int
    connector_id: int
    id_tag: str
    expires_at: datetime

    def is_for(self, id_tag: str) -> bool:
        return self.id_tag.casefold() == id_tag.casefold()


class Reservations:
    """What one station holds. With `answer` set, it says that to whatever is asked and holds nothing new."""

    def __init__(self, station: VirtualStation) -> None:
        self._station = station
        self.held: dict[int, Reservation] = {}
        self.answer: str | None = None

    def at(self, connector_id: int) -> list[Reservation]:
        """What is held for exactly this connector."""
        return [r for r in self.held.values() if r.connector_id == connector_id]

    def reserve(self, new: Reservation) -> str:
        """Hold it, in place of one of the same id, or say why not."""
        old = self.held.pop(new.id, None)
        status = self.answer or self._obstacle(new)
        if status == "Accepted":
            self.held[new.id] = new
        elif old is not None:
            self.held[old.id] = old
        return status

    def _obstacle(self, new: Reservation) -> str:
        station = self._station
        if not station.configuration.supports(PROFILE) or new.expires_at <= station.now():
            return "Rejected"
        if new.connector_id in station.outlets:
            return self._state(station.outlets[new.connector_id])
        if new.connector_id != 0 or not station.configuration.flag("ReserveConnectorZeroSupported"):
            return "Rejected"
        states = [self._state(outlet) for outlet in station.outlets.values()]
        if states.count("Accepted") > len(self.at(0)):
            return "Accepted"
        return next((s for s in ("Occupied", "Unavailable", "Faulted") if s in states), "Occupied")

    def _state(self, outlet: Outlet) -> str:
        """How an outlet answers to being reserved."""
        if outlet.status in ("Faulted", "Unavailable"):
            return outlet.status
        is_free = outlet.tx is None and not outlet.is_plugged and not self.at(outlet.connector_id)
        return "Accepted" if is_free else "Occupied"

    def refuses(self, outlet: Outlet, id_tag: str) -> bool:
        """Whether somebody else's reservation keeps a card from starting there."""
        here = self.at(outlet.connector_id)
        if here:
            return not any(r.is_for(id_tag) for r in here)
        others = [r for r in self.at(0) if not r.is_for(id_tag)]
        free = [
            o for o in self._station.outlets.values() if o.is_free and not self.at(o.connector_id)
        ]
        return bool(others) and len(free) <= len(others)

    def use(self, outlet: Outlet, id_tag: str) -> int | None:
        """A card starts there: its reservation ends, and its id goes along with the start (§4.8)."""
        for reservation in [*self.at(outlet.connector_id), *self.at(0)]:
            if reservation.is_for(id_tag):
                return self.held.pop(reservation.id).id
        return None

    async def show(self, connector_id: int) -> None:
        """Let the outlet say whether it is reserved; one that is busy or broken says so later."""
        outlet = self._station.outlets.get(connector_id)
        if outlet is not None and outlet.status in ("Available", "Reserved"):
            await outlet.set_status("Available")

    async def watch(self, reservation: Reservation) -> None:
        """Show it, and drop it at its time unless it ended before."""
        await self.show(reservation.connector_id)
        station = self._station
        left_s = (reservation.expires_at - station.now()).total_seconds()
        try:
            await station.wait_until(
                lambda _: self.held.get(reservation.id) is not reservation, max(left_s, 0)
            )
        except TimeoutError:
            del self.held[reservation.id]
            station.note(f"reservation {reservation.id} expires")
            await self.show(reservation.connector_id)


# --- commands ----------------------------------------------------------------------------------------


def handle_reserve_now(
    station: VirtualStation, payload: Payload
) -> tuple[Payload, FollowUp | None]:
    expires_at = datetime.fromisoformat(str(payload["expiryDate"]).upper())
    new = Reservation(
        id=int(payload["reservationId"]),
        connector_id=int(payload["connectorId"]),
        id_tag=str(payload["idTag"]),
        expires_at=expires_at if expires_at.tzinfo else expires_at.replace(tzinfo=UTC),
    )
    old = station.reservations.held.get(new.id)
    status = station.reservations.reserve(new)
    station.changed()
    if status != "Accepted":
        return {"status": status}, None

    async def hold() -> None:
        if old is not None and old.connector_id != new.connector_id:
            await station.reservations.show(old.connector_id)
        await station.reservations.watch(new)

    return {"status": status}, hold


def handle_cancel_reservation(
    station: VirtualStation, payload: Payload
) -> tuple[Payload, FollowUp | None]:
    held = station.reservations.held.pop(int(payload["reservationId"]), None)
    station.changed()
    if held is None:
        return {"status": "Rejected"}, None
    return {"status": "Accepted"}, lambda: station.reservations.show(held.connector_id)


RESERVATIONS: dict[str, Handler] = {
    "CancelReservation": handle_cancel_reservation,
    "ReserveNow": handle_reserve_now,
}
