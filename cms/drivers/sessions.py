"""A driver's sessions: running, being settled, billed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Prefetch, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import Driver
from billing.choices import SessionStatus
from billing.models import CDR, ChargingSession
from billing.receipts.receipt import Receipt, ReceiptLine, price_lines, receipt_of
from billing.sessions.evidence import register_so_far
from billing.sessions.running import running_prices
from billing.tariffs.price import Price, price_to_json
from cms.base.errors import NotFound
from cms.base.ids import get_by_id, parse_id
from cms.drivers.charging import latest_stop, stop_stage
from cms.portal.looks import Look
from stations.models import ChargingStation, ConnectorStatus, Transaction
from stations.selectors.stations import is_online, with_presence

SESSIONS_PER_PAGE = 25

_CHARGING = Look(_("Charging"), "charging", "bolt")
_PAUSED_BY_CAR = Look(_("Paused by the car"), "busy", "pause")
_PAUSED_BY_STATION = Look(_("Paused by the station"), "busy", "pause")
_FAULTED = Look(_("Fault at the station"), "bad", "warning")
_OFFLINE = Look(_("No contact"), "offline", "ring")
_SETTLED: dict[str, Look] = {
    SessionStatus.PENDING: Look(_("Waiting for the car"), "busy", "clock"),
    SessionStatus.ACTIVE: Look(_("Being added up"), "busy", "clock"),
    SessionStatus.ENDED: Look(_("Being added up"), "busy", "clock"),
    SessionStatus.IN_REVIEW: Look(_("Being checked"), "warn", "flag"),
    SessionStatus.COMPLETED: Look(_("Billed"), "good", "check"),
    SessionStatus.CANCELLED: Look(_("Nothing charged"), "offline", "cross"),
}


@dataclass(frozen=True, slots=True)
class SessionView:
    """One session. `price` has the shape of the REST API's; None where there is none."""

    session: ChargingSession
    tx: Transaction | None
    cdr: CDR | None
    price: dict[str, Any] | None
    now: datetime

    @property
    def is_running(self) -> bool:
        """Energy may still flow."""
        return self.tx is not None and self.tx.is_current

    @property
    def stage(self) -> str:
        """running, settling, review, billed or cancelled: each has a page of its own look."""
        if self.is_running:
            return "running"
        return {
            SessionStatus.COMPLETED: "billed",
            SessionStatus.IN_REVIEW: "review",
            SessionStatus.CANCELLED: "cancelled",
        }.get(SessionStatus(self.session.status), "settling")

    @property
    def look(self) -> Look:
        return _CHARGING if self.is_running else _SETTLED[self.session.status]

    @property
    def time_zone(self) -> str:
        station = self.session.station
        return (station.location or station.operator).time_zone

    @property
    def place(self) -> str:
        """The site's name, else the station's."""
        station = self.session.station
        return str(station.location or station)

    @property
    def started_at(self) -> datetime:
        return self.tx.started_at if self.tx else self.session.created_at

    @property
    def duration_s(self) -> int:
        if self.cdr is not None:
            return self.cdr.duration_s
        if self.tx is None:
            return 0
        return max(0, int(((self.tx.ended_at or self.now) - self.tx.started_at).total_seconds()))

    @property
    def energy_wh(self) -> int | None:
        """As billed, else as the registers say, else so far."""
        if self.cdr is not None:
            return self.cdr.energy_wh
        if self.tx is None:
            return None
        if self.tx.energy_wh is not None:
            energy_wh: int = self.tx.energy_wh
            return energy_wh
        return register_so_far(self.tx) - (self.tx.meter_start_wh or 0)

    @property
    def lines(self) -> tuple[ReceiptLine, ...]:
        return price_lines(self.price, self.time_zone) if self.price else ()


@dataclass(frozen=True, slots=True)
class Live:
    """How a running session is doing right now. `fault` is a sentence where something is wrong."""

    look: Look
    power_w: int | None
    soc_percent: int | None
    read_at: datetime | None
    stop: str
    fault: str | Promise


def sessions_of(driver: Driver) -> QuerySet[ChargingSession]:
    """The driver's own sessions, newest first, with what a `SessionView` needs; two queries."""
    own_cdr = CDR.objects.filter(credit_of__isnull=True).defer("facts", "tariff")
    return (
        ChargingSession.objects.filter(driver=driver)
        .select_related(
            "station__location",
            "station__operator",
            "tariff_version__tariff",
            "transaction__progress",
            "transaction__station__location",
            "transaction__station__operator",
        )
        .prefetch_related(Prefetch("cdrs", own_cdr, to_attr="own_cdrs"))
        .order_by("-id")
    )


def get_session_for(driver: Driver, public_id: str, *, now: datetime) -> SessionView:
    """Raises NotFound for another driver's."""
    return _views([get_by_id(sessions_of(driver), public_id)], now)[0]


def running_sessions_of(driver: Driver | None, *, now: datetime) -> list[SessionView]:
    """What the driver charges at this moment; nothing for nobody."""
    if driver is None:
        return []
    return _views(list(sessions_of(driver).filter(transaction__is_current=True)[:10]), now)


def session_page_of(
    driver: Driver, *, before: str, now: datetime
) -> tuple[list[SessionView], str | None]:
    """Sessions older than the one called `before`, and where the next page begins."""
    sessions = sessions_of(driver)
    if (before_pk := parse_id(before)) is not None:
        sessions = sessions.filter(pk__lt=before_pk)
    rows = list(sessions[: SESSIONS_PER_PAGE + 1])
    more = len(rows) > SESSIONS_PER_PAGE
    rows = rows[:SESSIONS_PER_PAGE]
    return _views(rows, now), str(rows[-1].pk) if more else None


def live_of(view: SessionView) -> Live:
    """The newest readings and what the station says of itself; three queries."""
    tx = view.tx
    assert tx is not None  # noqa: S101 - a running session has one
    progress = getattr(tx, "progress", None)
    row = ConnectorStatus.objects.filter(
        station_id=tx.station_id, evse_id=tx.evse_id, connector_id=tx.connector_id
    ).first()
    station = with_presence(ChargingStation.objects.filter(pk=tx.station_id)).get()
    look, fault = _doing(row.status if row else "", online=is_online(station))
    return Live(
        look=look,
        power_w=progress.power_w if progress else None,
        soc_percent=progress.soc_percent if progress else None,
        read_at=progress.at if progress else None,
        stop=stop_stage(latest_stop(tx), view.now),
        fault=fault,
    )


def get_receipt_for(driver: Driver, public_id: str) -> Receipt:
    """The receipt of a billed session, with every amount as the CDR has it.

    Raises:
        NotFound: another driver's, or not billed yet.
    """
    pk = parse_id(public_id)
    cdr = (
        CDR.objects.filter(session_id=pk, session__driver=driver, credit_of__isnull=True)
        .select_related("operator", "session__driver", "session__station__location")
        .first()
        if pk is not None
        else None
    )
    if cdr is None:
        raise NotFound("There is no such receipt.")
    return receipt_of(cdr)


def _doing(status: str, *, online: bool) -> tuple[Look, str | Promise]:
    if not online:
        return _OFFLINE, _(
            "The station has lost its connection. Charging goes on; the figures come when it is back."
        )
    if status == "Faulted":
        return _FAULTED, _(
            "The station reports a fault. End charging at your car and unplug. "
            "You pay for what the meter has counted, nothing else."
        )
    if status == "SuspendedEV":
        return _PAUSED_BY_CAR, ""
    if status == "SuspendedEVSE":
        return _PAUSED_BY_STATION, ""
    return _CHARGING, ""


def _views(sessions: list[ChargingSession], now: datetime) -> list[SessionView]:
    so_far = running_prices(sessions, now=now)
    return [_view(session, so_far.get(session.pk), now) for session in sessions]


def _view(session: ChargingSession, so_far: Price | None, now: datetime) -> SessionView:
    cdr = next(iter(session.own_cdrs), None)  # type: ignore[attr-defined]
    price = cdr.price if cdr else price_to_json(so_far) if so_far else None
    return SessionView(session, session.transaction, cdr, price, now)
