"""Several workers at once: one session, one bill, no gap in the numbers."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, transaction

from accounts.services.actors import Actor
from billing.choices import LedgerAccountKind, LedgerKind, SessionStatus
from billing.exceptions import NotReleasable
from billing.ledger.posting import Leg, post
from billing.models import CDR, ChargingSession, LedgerTransaction, Tariff, TariffVersion
from billing.sessions.cdrs import next_number
from billing.sessions.services import add_review_reasons, release_session, settle_session
from billing.tariffs.services import change_tariff
from stations.choices import ReviewReason
from stations.models import ChargingStation, Transaction
from tests.billing.factories import component, make_ended, tell

WORKERS = 6
NOW = datetime(2026, 7, 1, tzinfo=UTC)


def side_by_side(*jobs: Callable[[], Any]) -> list[Any]:
    """Run all jobs at one moment, each on a connection of its own; an exception is a result too."""
    barrier = Barrier(len(jobs))

    def run(job: Callable[[], Any]) -> Any:
        try:
            connection.ensure_connection()
            barrier.wait(timeout=30)
            return job()
        except Exception as error:  # noqa: BLE001 - the caller judges it
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


def test_numbers_have_no_gap_and_no_double(committed_station: ChargingStation) -> None:
    transactions = [make_ended(committed_station) for _ in range(WORKERS)]
    results = side_by_side(*[lambda tx=tx: tell("transaction.ended", tx) for tx in transactions])
    assert results == [None] * WORKERS
    numbers = CDR.objects.filter(operator=committed_station.operator).values_list(
        "number", flat=True
    )
    year = CDR.objects.filter(operator=committed_station.operator).first().created_at.year
    assert sorted(numbers) == [f"CDR-{year}-{n:06d}" for n in range(1, WORKERS + 1)]


def test_one_thing_that_many_post_is_posted_once(committed_station: ChargingStation) -> None:
    """They make the accounts at the same moment, too."""
    operator = committed_station.operator

    def post_sale() -> int | None:
        posted = post(
            operator_id=operator.pk,
            key="sale/1",
            kind=LedgerKind.SALE,
            currency="EUR",
            at=NOW,
            legs=[Leg(LedgerAccountKind.RECEIVABLE, 5), Leg(LedgerAccountKind.REVENUE, -5)],
        )
        return posted and posted.pk

    assert len(set(side_by_side(*[post_sale] * WORKERS))) == 1
    [posted] = LedgerTransaction.objects.filter(operator=operator)
    assert sorted(posted.entries.values_list("amount_minor", flat=True)) == [-5, 5]


def test_a_number_that_was_rolled_back_is_given_again(committed_station: ChargingStation) -> None:
    operator_id = committed_station.operator_id

    class Undone(Exception):
        pass

    with pytest.raises(Undone), transaction.atomic():
        assert next_number(operator_id=operator_id, kind="CDR", year=2026) == "CDR-2026-000001"
        raise Undone
    assert next_number(operator_id=operator_id, kind="CDR", year=2026) == "CDR-2026-000001"
    assert next_number(operator_id=operator_id, kind="CDR", year=2026) == "CDR-2026-000002"
    assert next_number(operator_id=operator_id, kind="CDR", year=2027) == "CDR-2027-000001"


def test_one_start_and_end_told_to_many_workers_make_one_bill(
    committed_station: ChargingStation,
) -> None:
    tx = make_ended(committed_station)
    jobs = [lambda: tell("transaction.started", tx), lambda: tell("transaction.ended", tx)] * 3
    assert side_by_side(*jobs) == [None] * 6
    session = ChargingSession.objects.get(transaction=tx)
    assert session.status == SessionStatus.COMPLETED
    assert CDR.objects.filter(session=session).count() == 1


def test_a_review_reason_opens_once(committed_station: ChargingStation) -> None:
    tx = make_ended(committed_station)
    side_by_side(
        *[lambda: add_review_reasons(tx.pk, [ReviewReason.NO_TARIFF, ReviewReason.NO_STOP])]
        * WORKERS
    )
    reasons = Transaction.objects.get(pk=tx.pk).review_reasons
    assert sorted(reasons) == [ReviewReason.NO_STOP, ReviewReason.NO_TARIFF]


def test_changes_of_a_tariff_come_one_after_the_other(committed_station: ChargingStation) -> None:
    operator = committed_station.operator
    tariff = Tariff.objects.get(operator=operator)

    def change(price: str) -> Tariff:
        elements = [{"price_components": [component("ENERGY", price)]}]
        return change_tariff(
            actor=Actor.system(operator), tariff=tariff, data={"elements": elements}
        )

    results = side_by_side(*[lambda n=n: change(f"0.5{n}") for n in range(WORKERS)])
    assert [type(result) for result in results] == [Tariff] * WORKERS
    versions = TariffVersion.objects.filter(tariff=tariff).values_list("version", flat=True)
    assert sorted(versions) == list(range(1, WORKERS + 2))


def test_two_people_release_a_session_once(committed_station: ChargingStation) -> None:
    tx = make_ended(committed_station, review_reasons=["meter_decreased"])
    session = settle_session(transaction_id=tx.pk, now=NOW)
    assert session is not None
    actor = Actor.system(committed_station.operator)

    def release() -> ChargingSession:
        return release_session(actor=actor, session=session, reason="Looked at it.", now=NOW)

    results = side_by_side(release, release)
    assert sorted(type(result).__name__ for result in results) == [
        ChargingSession.__name__,
        NotReleasable.__name__,
    ]
    assert CDR.objects.filter(session=session).count() == 1
