"""What a session has cost so far, while it has no CDR."""

from collections.abc import Iterable
from datetime import datetime

from billing.choices import SessionStatus
from billing.models import ChargingSession
from billing.sessions.evidence import (
    Evidence,
    Samples,
    final_evidence,
    gather,
    running_evidence,
    uses_current,
)
from billing.tariffs.ocpi import parse_tariff
from billing.tariffs.price import Price
from billing.tariffs.rate import rate
from stations.models import Transaction

_UNSETTLED = frozenset({SessionStatus.ACTIVE, SessionStatus.ENDED, SessionStatus.IN_REVIEW})


def running_price(session: ChargingSession, *, now: datetime) -> Price | None:
    """The price so far; None where no tariff applies, the session is settled, or its facts have no price."""
    return running_prices([session], now=now).get(session.pk)


def running_prices(sessions: Iterable[ChargingSession], *, now: datetime) -> dict[int, Price]:
    """Prices so far by session, of those in question that have one; `final` is False in each.

    Needs `transaction__progress`, `transaction__station__{operator,location}` and `tariff_version` loaded.
    Three queries at most, however many sessions.
    """
    unsettled = {
        session.pk: (session.transaction, session.tariff_version)
        for session in sessions
        if session.status in _UNSETTLED
    }
    pairs = {pk: (tx, version) for pk, (tx, version) in unsettled.items() if tx and version}
    tariffs = {
        version.pk: parse_tariff(version.content)
        for version in {version.pk: version for _, version in pairs.values()}.values()
    }
    samples = gather(
        [tx for tx, _ in pairs.values()],
        now=now,
        with_currents=[tx.pk for tx, v in pairs.values() if uses_current(tariffs[v.pk])],
    )
    prices = {}
    for pk, (tx, version) in pairs.items():
        evidence = _evidence_so_far(tx, samples[tx.pk], now)
        if evidence is not None:
            prices[pk] = rate(tariffs[version.pk], evidence.facts, final=False)
    return prices


def _evidence_so_far(tx: Transaction, samples: Samples, now: datetime) -> Evidence | None:
    """None for an end that has no price: no stop, a register that ran backwards."""
    if tx.ended_at is None:
        return running_evidence(tx, samples, now=now)
    if tx.energy_wh is None or tx.energy_wh < 0:
        return None
    return final_evidence(tx, samples)
