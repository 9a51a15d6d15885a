"""Vehicles at the stations right now: power, energy, cost, and who it is."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import QuerySet

from accounts.models.id_token import mask_uid
from accounts.services.actors import Actor
from billing.models import ChargingSession
from billing.sessions.running import running_prices
from billing.tariffs.price import Price
from stations.models import Transaction, TransactionProgress


@dataclass(frozen=True, slots=True)
class Charge:
    """One running transaction with its session, which may not be open yet, and its price so far."""

    tx: Transaction
    session: ChargingSession | None
    price: Price | None
    duration: timedelta

    @property
    def progress(self) -> TransactionProgress | None:
        return getattr(self.tx, "progress", None)

    @property
    def power_w(self) -> int | None:
        return self.progress.power_w if self.progress else None

    @property
    def soc_percent(self) -> int | None:
        return self.progress.soc_percent if self.progress else None

    @property
    def energy_wh(self) -> int | None:
        """Since the start; a register that began anew counts from there."""
        if self.progress is None or self.progress.register_wh is None:
            return None
        start_wh = self.tx.meter_start_wh or 0
        register_wh = self.progress.register_wh
        return register_wh - start_wh if register_wh >= start_wh else register_wh

    @property
    def who(self) -> str:
        """The driver's name, else the end of the token's uid."""
        return who_of(self.tx)


def who_of(tx: Transaction) -> str:
    """The driver's name, else the end of the token's uid. Needs `id_token__driver` loaded."""
    driver = tx.id_token.driver if tx.id_token else None
    return str(driver) if driver else mask_uid(tx.id_token_uid)


def running_transactions_for(actor: Actor) -> QuerySet[Transaction]:
    """The operator's running transactions, newest first, with what a `Charge` needs."""
    return (
        Transaction.objects.filter(operator=actor.operator, is_current=True)
        .select_related(
            "progress",
            "station__location",
            "station__operator",
            "id_token__driver",
            "charging_session__tariff_version",
        )
        .order_by("-id")
    )


def charges_of(transactions: Iterable[Transaction], *, now: datetime) -> list[Charge]:
    """Each with its session and its price so far; three queries, however many."""
    rows = [(tx, getattr(tx, "charging_session", None)) for tx in transactions]
    prices = running_prices([session for _, session in rows if session], now=now)
    return [
        Charge(
            tx=tx,
            session=session,
            price=prices.get(session.pk) if session else None,
            duration=max(now - tx.started_at, timedelta(0)),
        )
        for tx, session in rows
    ]
