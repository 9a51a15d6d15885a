"""How a station behaves. The honest one follows OCPP 1.6; the others repeat what real ones do.

`Personality` is the list of places where firmware differs; each method is the honest way.
`quirks/` has the rest, one class per behaviour seen in the field, with its source.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar
from uuid import uuid4

from .configuration import decode_authorization_key
from .memory import LocalTransaction, QueuedMessage
from .wire import Call, Payload

if TYPE_CHECKING:
    from .client import Link
    from .outlet import Outlet
    from .station import VirtualStation


class Personality:
    """Does what the specification says."""

    name: ClassVar[str] = "honest"
    source: ClassVar[str] = "OCPP 1.6"
    # Part of "mixed": works against a server with ordinary settings and the station's own data.
    is_common: ClassVar[bool] = True

    answers_pings = True
    answers_commands = True
    redials_after_close = True

    def __init__(self) -> None:
        self.rng = random.Random(0)  # noqa: S311 - replaced by the station's

    @classmethod
    def does(cls) -> str:
        """One sentence for people."""
        return " ".join((cls.__doc__ or "").split())

    # Connection

    def subprotocols(self, own: str) -> Sequence[str] | None:
        return (own,)

    def password(self, key: str) -> bytes:
        """The Basic password after ChangeConfiguration AuthorizationKey = `key` (hex)."""
        return decode_authorization_key(key) or key.encode()

    def on_connected(self) -> None:
        """A new connection is up."""

    async def while_connected(self, station: VirtualStation, link: Link) -> None:
        """Runs beside each connection."""

    # Clock

    def on_power_up(self) -> None:
        """The station starts afresh."""

    def clock(self, true: datetime) -> datetime:
        return true

    def timestamp(self, at: datetime) -> str:
        return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"

    def status_timestamp(self, at: datetime) -> str:
        return self.timestamp(at)

    # Frames

    def message_id(self, number: int) -> str:
        """`number` counts this power cycle's messages, from 1."""
        return str(uuid4())

    def payload(self, action: str, payload: Payload) -> Payload:
        return payload

    def text(self, message_id: str, action: str, payload: Payload) -> str | None:
        """The frame to send instead of the right one, or None."""
        return None

    def frames_before(self, message_id: str, action: str, payload: Payload) -> Sequence[str]:
        return ()

    # Events

    async def after_boot(self, station: VirtualStation) -> None:
        """Accepted, and all statuses sent."""

    async def after_sample(self, outlet: Outlet, tx: LocalTransaction) -> None:
        """A periodic reading has been queued."""

    async def report_end(self, outlet: Outlet, tx: LocalTransaction, unplugged: bool) -> None:
        """Tell that a transaction is over."""
        await outlet.station.delivery.settled(outlet.queue_stop(tx))
        await outlet.set_status(self.status_after(outlet, unplugged))

    def status_after(self, outlet: Outlet, unplugged: bool) -> str:
        if not outlet.operative:
            return "Unavailable"
        return "Available" if unplugged else "Finishing"

    # Queue

    def holds(self, queue: Sequence[QueuedMessage]) -> bool:
        """Keep the queue back although online."""
        return False

    async def deliver(self, station: VirtualStation, message: QueuedMessage) -> Payload:
        """Send one queued message; return the answer that counts."""
        return await station.delivery.send(message)

    # Meter: registers in Wh, as reported

    def before_start(self, outlet: Outlet) -> None:
        """A transaction is about to start."""

    def start_register_wh(self, outlet: Outlet) -> int:
        return round(outlet.register_wh)

    def sample_register_wh(self, outlet: Outlet, tx: LocalTransaction | None) -> float:
        return outlet.register_wh

    def stop_register_wh(self, outlet: Outlet, tx: LocalTransaction) -> int:
        return round(outlet.register_wh)

    # Commands

    async def before_answer(self, station: VirtualStation) -> None:
        """A CALL has come in."""

    def answer_text(self, call: Call) -> str | None:
        """The answer frame to send instead of the right one, or None."""
        return None


def all_personalities() -> dict[str, type[Personality]]:
    """Name → class, honest first."""
    from . import quirks

    kinds: tuple[type[Personality], ...] = (Personality, *quirks.QUIRKS)
    return {kind.name: kind for kind in kinds}


def personality(name: str, rng: random.Random | None = None) -> Personality:
    """A fresh personality by name; "mixed" draws one of the common ones, every third time honest.

    Raises:
        ValueError: there is none of that name.
    """
    kinds = all_personalities()
    if name == "mixed":
        chance = rng or random.Random()  # noqa: S311
        common = [kind for kind in kinds.values() if kind.is_common]
        return Personality() if chance.random() < 1 / 3 else chance.choice(common)()
    if name not in kinds:
        raise ValueError(f"no personality {name!r}; there are: mixed, {', '.join(kinds)}")
    return kinds[name]()
