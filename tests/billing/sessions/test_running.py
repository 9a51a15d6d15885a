"""What a session has cost so far."""

from datetime import datetime, timedelta

import pytest

from accounts.models import Operator
from accounts.services.actors import Actor
from billing.models import ChargingSession
from billing.sessions.running import running_price, running_prices
from billing.sessions.selectors import sessions_for
from billing.sessions.services import open_session, settle_session
from billing.tariffs.price import Price
from stations.models import ChargingStation, Transaction, TransactionProgress
from tests.billing.factories import (
    assign,
    component,
    hours_ago,
    make_ended,
    make_reading,
    make_status,
    make_tariff,
)
from tests.factories import (
    make_connector,
    make_message,
    make_meter_value,
    make_station,
    make_transaction,
)


def start(station: ChargingStation, *, start_wh: int = 1_000, **fields: object) -> Transaction:
    return make_transaction(station, started_at=hours_ago(2), meter_start_wh=start_wh, **fields)


def meter(tx: Transaction, at: datetime, register_wh: int) -> None:
    """A reading, and the progress that the writer keeps beside it."""
    make_reading(tx, at, register_wh)
    TransactionProgress.objects.update_or_create(
        transaction=tx, defaults={"at": at, "register_wh": register_wh}
    )


def price_of(tx: Transaction, now: datetime) -> Price | None:
    session = open_session(transaction_id=tx.pk)
    assert session is not None
    loaded = sessions_for(Actor.system(tx.operator)).get(pk=session.pk)
    return running_price(loaded, now=now)


def net(price: Price | None) -> dict[str, int]:
    assert price is not None
    return {line.dimension.value: line.net_minor for line in price.lines}


def test_counts_up_to_the_newest_register(station: ChargingStation) -> None:
    tx = start(station)
    assert net(price_of(tx, tx.started_at)) == {}
    meter(tx, tx.started_at + timedelta(minutes=10), 3_500)
    price = price_of(tx, tx.started_at + timedelta(minutes=15))
    assert price is not None
    assert (price.final, price.net_minor, price.gross_minor) == (False, 100, 120)


def test_a_register_below_the_start_counts_from_the_start(station: ChargingStation) -> None:
    tx = start(station, start_wh=1_000_000)
    meter(tx, tx.started_at + timedelta(minutes=10), 2_500)
    assert net(price_of(tx, tx.started_at + timedelta(minutes=15))) == {"ENERGY": 100}


def test_the_time_since_the_newest_reading_is_not_taken_for_parking(operator: Operator) -> None:
    station = make_station(operator)
    assign(make_tariff(operator, component("TIME", "6.00"), component("PARKING_TIME", "12.00")))
    tx = start(station, start_wh=0)
    meter(tx, tx.started_at + timedelta(minutes=30), 5_000)
    assert net(price_of(tx, tx.started_at + timedelta(minutes=40))) == {"TIME": 400}


def test_parking_shows_while_it_goes_on(operator: Operator) -> None:
    station = make_station(operator)
    assign(make_tariff(operator, component("TIME", "6.00"), component("PARKING_TIME", "12.00")))
    tx = start(station, start_wh=0)
    meter(tx, tx.started_at + timedelta(minutes=30), 5_000)
    make_status(station, tx.started_at + timedelta(minutes=30), "SuspendedEV")
    price = price_of(tx, tx.started_at + timedelta(minutes=60))
    assert net(price) == {"TIME": 300, "PARKING_TIME": 600}


def test_without_a_tariff_there_is_no_price(operator: Operator) -> None:
    tx = start(make_station(operator))
    assert price_of(tx, hours_ago(0)) is None


def test_a_stop_that_waits_for_the_worker_bounds_the_price(station: ChargingStation) -> None:
    """Ended, but its outbox row has not been worked off yet."""
    tx = make_ended(station, energy_wh=2_500)
    price = price_of(tx, hours_ago(-5))
    assert net(price) == {"ENERGY": 100}
    assert price is not None
    assert not price.final


@pytest.mark.parametrize(("energy_wh", "expected"), [(2_500, 100), (None, None), (-100, None)])
def test_a_session_in_review_has_a_price_where_its_registers_give_one(
    station: ChargingStation, energy_wh: int | None, expected: int | None
) -> None:
    tx = make_ended(station, energy_wh=energy_wh, review_reasons=["estimated"])
    settle_session(transaction_id=tx.pk, now=hours_ago(0))
    price = price_of(tx, hours_ago(0))
    assert (price.net_minor if price else None) == expected


def test_a_settled_session_has_its_cdr_instead(station: ChargingStation) -> None:
    tx = make_ended(station)
    settle_session(transaction_id=tx.pk, now=hours_ago(0))
    assert price_of(tx, hours_ago(0)) is None


def test_a_page_of_sessions_costs_as_many_queries_as_one(
    operator: Operator, django_assert_num_queries: object
) -> None:
    """Sessions and CDRs, readings, currents, statuses."""
    element = {
        "price_components": [component("ENERGY", "0.40")],
        "restrictions": {"max_current": 32},
    }
    assign(make_tariff(operator, elements=[element]))
    for evse_id in range(1, 6):
        station = make_station(operator)
        make_connector(station, evse_id=evse_id)
        tx = start(station, evse_id=evse_id)
        meter(tx, tx.started_at + timedelta(minutes=30), 5_000)
        open_session(transaction_id=tx.pk)
    with django_assert_num_queries(5):  # type: ignore[operator]
        sessions = list(sessions_for(Actor.system(operator)))
        prices = running_prices(sessions, now=hours_ago(1))
    assert len(prices) == len(sessions) == 5


def test_current_is_the_sum_of_phases_or_the_overall_value_never_both(operator: Operator) -> None:
    """0.10 EUR/kWh from 30 A on, else 0.40: 3 × 11 A is above, an overall 20 A below."""
    fast = {
        "price_components": [component("ENERGY", "0.10", vat=None)],
        "restrictions": {"min_current": 30},
    }
    slow = {"price_components": [component("ENERGY", "0.40", vat=None)]}
    assign(make_tariff(operator, elements=[fast, slow]))
    station = make_station(operator)

    def charged(currents: dict[str | None, int]) -> int:
        tx = make_ended(station, energy_wh=10_000)
        for phase, ampere in currents.items():
            make_meter_value(
                tx,
                at=tx.started_at,
                measurand="Current.Import",
                unit="A",
                value=ampere,
                phase=phase,
            )
        session = settle_session(transaction_id=tx.pk, now=hours_ago(0))
        assert session is not None
        return ChargingSession.objects.get(pk=session.pk).cdrs.get().gross_minor

    assert charged({"L1": 11, "L2": 11, "L3": 11, "N": 1}) == 100
    assert charged({"L1": 11, "L2": 11, "L3": 11, None: 20}) == 400
    assert charged({}) == 400


def test_statuses_from_before_and_after_and_of_others_do_not_count(operator: Operator) -> None:
    station, other = make_station(operator), make_station(operator)
    assign(make_tariff(operator, component("PARKING_TIME", "6.00", vat=None)))
    tx = make_ended(station, hours=2, energy_wh=10_000)
    middle = tx.started_at + timedelta(hours=1)
    make_status(station, tx.started_at - timedelta(minutes=1), "SuspendedEV")
    make_status(other, middle, "SuspendedEV")
    make_status(station, middle, "Finishing", connector_id=2)
    make_message(
        station, at=middle, action="StatusNotification", payload="not json", direction="in"
    )
    make_message(
        station,
        at=middle,
        action="StatusNotification",
        payload='{"connectorId":1,"status":"Finishing"}',
        direction="out",
    )
    settle_session(transaction_id=tx.pk, now=hours_ago(0))
    cdr = ChargingSession.objects.get(transaction=tx).cdrs.get()
    assert cdr.facts["statuses"] == []
    assert cdr.idle_s == 0


def test_a_status_without_a_readable_time_counts_from_its_receipt(operator: Operator) -> None:
    station = make_station(operator)
    assign(make_tariff(operator))
    tx = make_ended(station, hours=2, energy_wh=10_000)
    middle = tx.started_at + timedelta(hours=1)
    make_message(
        station,
        at=middle,
        action="StatusNotification",
        payload='{"connectorId":1,"status":"SuspendedEV","timestamp":"yesterday"}',
    )
    settle_session(transaction_id=tx.pk, now=hours_ago(0))
    assert ChargingSession.objects.get(transaction=tx).cdrs.get().idle_s == 3600
