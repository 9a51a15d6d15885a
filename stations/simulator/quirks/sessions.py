"""Sessions that end in odd ways, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..memory import LocalTransaction
from ..personalities import Personality

if TYPE_CHECKING:
    from ..outlet import Outlet


class NeverStops(Personality):
    """Sends no StopTransaction at all; the connector just becomes Available."""

    name = "never_stops"
    source = "evcc-io/evcc#30247 (Zaptec Go 2), steve#94"

    async def report_end(self, outlet: Outlet, tx: LocalTransaction, unplugged: bool) -> None:
        outlet.station.memory.forget(tx.key)
        await outlet.set_status(self.status_after(outlet, unplugged))


class AvailableBeforeStop(Personality):
    """Reports Available before the last MeterValues and the StopTransaction."""

    name = "available_before_stop"
    source = "lbbrhzn/ocpp#1777, #2075 (Ocular)"

    async def report_end(self, outlet: Outlet, tx: LocalTransaction, unplugged: bool) -> None:
        await outlet.set_status("Available" if outlet.operative else "Unavailable")
        outlet.queue_reading(tx)
        await outlet.station.delivery.settled(outlet.queue_stop(tx))


class ClosingReadingAfterStop(Personality):
    """Sends the closing reading of a session after its StopTransaction."""

    name = "closing_reading_after_stop"
    source = "lbbrhzn/ocpp#2075, #1777"

    async def report_end(self, outlet: Outlet, tx: LocalTransaction, unplugged: bool) -> None:
        outlet.queue_stop(tx)
        message = outlet.queue_reading(tx, "Transaction.End")
        await outlet.station.delivery.settled(message)
        await outlet.set_status(self.status_after(outlet, unplugged))


class RebootsMidSession(Personality):
    """Reboots after the second reading, forgets the session and comes back as Preparing."""

    name = "reboots_mid_session"
    source = "evcc-io/evcc#33909 (Grizzl-E)"

    async def after_sample(self, outlet: Outlet, tx: LocalTransaction) -> None:
        station = outlet.station
        if tx.samples_taken == 2:
            # What was measured has been sent: only the transaction itself is forgotten.
            await station.wait_until(lambda s: not s.memory.queue or not s.ready, None)
            await station.power_cycle(forget_transactions=True)
