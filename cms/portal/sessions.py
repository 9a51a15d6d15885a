"""Sessions as the portal shows them: with their transaction, energy and price."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Prefetch, QuerySet

from accounts.services.actors import Actor
from billing.choices import SessionStatus
from billing.models import CDR, ChargingSession
from billing.sessions.running import running_prices
from billing.tariffs.price import Price, price_to_json
from cms.base.ids import get_by_id, parse_id
from cms.portal.charges import Charge, who_of
from stations.models import Transaction

SESSIONS_PER_PAGE = 50


@dataclass(frozen=True, slots=True)
class SessionView:
    """One session. `price` has the shape of the REST API's; None where there is none."""

    session: ChargingSession
    tx: Transaction | None
    cdr: CDR | None
    price: dict[str, Any] | None
    now: datetime

    @property
    def energy_wh(self) -> int | None:
        """As billed, else as the registers say, else so far."""
        if self.cdr is not None:
            return self.cdr.energy_wh
        if self.tx is None:
            return None
        energy_wh: int | None = self.tx.energy_wh
        if energy_wh is not None:
            return energy_wh
        return Charge(self.tx, None, None, timedelta(0)).energy_wh

    @property
    def duration(self) -> timedelta | None:
        if self.tx is None:
            return None
        return max((self.tx.ended_at or self.now) - self.tx.started_at, timedelta(0))

    @property
    def who(self) -> str:
        if self.session.driver:
            return str(self.session.driver)
        return who_of(self.tx) if self.tx else ""

    @property
    def time_zone(self) -> str:
        """The site's, else the operator's."""
        station = self.session.station
        return (station.location or station.operator).time_zone

    @property
    def is_running(self) -> bool:
        return self.session.status in (SessionStatus.PENDING, SessionStatus.ACTIVE)


def sessions_for(actor: Actor) -> QuerySet[ChargingSession]:
    """The operator's sessions, newest first, with what a `SessionView` needs."""
    own_cdr = CDR.objects.filter(credit_of__isnull=True).defer("facts")
    return (
        ChargingSession.objects.filter(operator=actor.operator)
        .select_related(
            "station__location",
            "station__operator",
            "driver",
            "tariff_version__tariff",
            "transaction__progress",
            "transaction__station__location",
            "transaction__station__operator",
            "transaction__id_token__driver",
        )
        .prefetch_related(Prefetch("cdrs", own_cdr, to_attr="own_cdrs"))
        .order_by("-id")
    )


def get_session_for(actor: Actor, public_id: str, *, now: datetime) -> SessionView:
    """Raises NotFound for another operator's."""
    return session_views([get_by_id(sessions_for(actor), public_id)], now=now)[0]


def session_page_for(
    actor: Actor, *, status: str, station: str, before: str, now: datetime
) -> tuple[list[SessionView], str | None]:
    """One page of sessions older than the one called `before`, and where the next page begins."""
    sessions = sessions_for(actor)
    if status:
        sessions = sessions.filter(status=status)
    if station:
        sessions = sessions.filter(station__identity=station)
    if (before_pk := parse_id(before)) is not None:
        sessions = sessions.filter(pk__lt=before_pk)
    rows = list(sessions[: SESSIONS_PER_PAGE + 1])
    more = len(rows) > SESSIONS_PER_PAGE
    rows = rows[:SESSIONS_PER_PAGE]
    return session_views(rows, now=now), str(rows[-1].pk) if more else None


def session_views(sessions: list[ChargingSession], *, now: datetime) -> list[SessionView]:
    """Sessions read by `sessions_for`, each with its price: billed, or so far."""
    so_far = running_prices(sessions, now=now)
    return [_session_view(session, so_far.get(session.pk), now) for session in sessions]


def _session_view(session: ChargingSession, so_far: Price | None, now: datetime) -> SessionView:
    cdr = next(iter(session.own_cdrs), None)  # type: ignore[attr-defined]
    price = cdr.price if cdr else price_to_json(so_far) if so_far else None
    return SessionView(session, session.transaction, cdr, price, now)
