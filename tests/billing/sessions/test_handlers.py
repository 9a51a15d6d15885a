"""From a transaction's facts to its CDR, however the outbox delivers them."""

from datetime import timedelta
from decimal import Decimal

import pytest

from accounts.models import Operator
from accounts.services.actors import Actor
from billing.choices import SessionStatus
from billing.models import CDR, ChargingSession, Tariff, TariffVersion
from billing.tariffs.services import change_tariff
from cms.base import outbox
from cms.base.models import OutboxItem
from stations.choices import ReviewReason, TransactionStatus
from stations.models import ChargingStation, Transaction
from tests.billing.factories import (
    assign,
    component,
    hours_ago,
    make_ended,
    make_reading,
    make_status,
    make_tariff,
    tell,
)
from tests.factories import (
    make_id_token,
    make_location,
    make_station,
    make_transaction,
)


def session_of(tx: Transaction) -> ChargingSession:
    return ChargingSession.objects.get(transaction=tx)


def reasons_of(tx: Transaction) -> list[str]:
    return Transaction.objects.get(pk=tx.pk).review_reasons


# --- the usual way ---------------------------------------------------------------------------


def test_opens_a_session_with_the_start(station: ChargingStation) -> None:
    token = make_id_token(station.operator)
    tx = make_transaction(station, id_token=token)
    tell("transaction.started", tx)
    session = session_of(tx)
    assert session.status == SessionStatus.ACTIVE
    assert session.station == station
    assert session.id_token == token
    assert session.tariff_version is not None
    assert not CDR.objects.filter(session=session).exists()


def test_prices_the_session_with_the_stop(station: ChargingStation) -> None:
    tx = make_ended(station, energy_wh=10_000, hours=1)
    tell("transaction.started", tx)
    tell("transaction.ended", tx)
    session = session_of(tx)
    cdr = CDR.objects.get(session=session)
    assert session.status == SessionStatus.COMPLETED
    assert (cdr.net_minor, cdr.tax_minor, cdr.gross_minor) == (400, 80, 480)
    assert (cdr.currency, cdr.energy_wh, cdr.duration_s) == ("EUR", 10_000, 3600)
    assert (cdr.started_at, cdr.ended_at) == (tx.started_at, tx.ended_at)
    assert cdr.station_identity == station.identity
    assert cdr.id_token_uid == tx.id_token_uid
    assert cdr.price["final"] is True
    assert reasons_of(tx) == []


def test_cdr_keeps_the_tariff_and_the_facts_it_was_priced_by(station: ChargingStation) -> None:
    tx = make_ended(station, energy_wh=10_000, start_wh=5_000)
    make_reading(tx, tx.started_at + timedelta(minutes=30), 9_000)
    make_status(station, tx.started_at + timedelta(minutes=50), "SuspendedEV")
    tell("transaction.ended", tx)
    cdr = CDR.objects.get(session=session_of(tx))
    assert cdr.tariff["version"] == 1
    price = cdr.tariff["content"]["elements"][0]["price_components"][0]["price"]
    assert (price, str(price)) == (Decimal("0.40"), "0.40")
    assert (cdr.facts["meter_start_wh"], cdr.facts["meter_stop_wh"]) == (5_000, 15_000)
    assert [wh for _, wh in cdr.facts["readings"]] == [9_000]
    assert [status for _, status in cdr.facts["statuses"]] == ["SuspendedEV"]


def test_outbox_rows_end_in_a_cdr(station: ChargingStation) -> None:
    tx = make_ended(station)
    for topic in ("transaction.started", "transaction.ended"):
        outbox.enqueue(topic, str(tx.pk), {"transaction_id": tx.pk})
    outbox.work()
    assert not OutboxItem.objects.filter(
        topic__startswith="transaction.", key=str(tx.pk), done_at__isnull=True
    ).exists()
    assert CDR.objects.filter(session__transaction=tx).count() == 1


# --- at least once, in any order -------------------------------------------------------------------


def test_an_end_before_its_start_gives_the_same_bill(station: ChargingStation) -> None:
    tx = make_ended(station)
    tell("transaction.ended", tx)
    tell("transaction.started", tx)
    assert session_of(tx).status == SessionStatus.COMPLETED
    assert CDR.objects.get(session__transaction=tx).gross_minor == 480


@pytest.mark.parametrize(
    "topic", ["transaction.started", "transaction.ended", "transaction.corrected"]
)
def test_repeated_delivery_changes_nothing(station: ChargingStation, topic: str) -> None:
    tx = make_ended(station)
    tell("transaction.started", tx)
    tell("transaction.ended", tx)
    before = CDR.objects.filter(session__transaction=tx).values_list("pk", "number").get()
    tell(topic, tx, times=3)
    assert ChargingSession.objects.filter(transaction=tx).count() == 1
    assert CDR.objects.filter(session__transaction=tx).values_list("pk", "number").get() == before
    assert session_of(tx).status == SessionStatus.COMPLETED
    assert reasons_of(tx) == []


def test_an_end_that_comes_while_the_transaction_runs_waits(station: ChargingStation) -> None:
    tx = make_transaction(station, started_at=hours_ago(1))
    tell("transaction.ended", tx)
    assert session_of(tx).status == SessionStatus.ACTIVE
    assert not CDR.objects.filter(session__transaction=tx).exists()


@pytest.mark.parametrize(
    "topic", ["transaction.started", "transaction.ended", "transaction.corrected"]
)
def test_a_transaction_that_is_gone_needs_no_session(station: ChargingStation, topic: str) -> None:
    tx = make_ended(station)
    pk = tx.pk
    tx.delete()
    tx.pk = pk
    tell(topic, tx)
    assert not ChargingSession.objects.filter(station=station).exists()


# --- the gate before money ----------------------------------------------------------------------------


def test_open_review_reasons_keep_the_session_for_a_person(station: ChargingStation) -> None:
    tx = make_ended(station, review_reasons=[ReviewReason.METER_DECREASED])
    tell("transaction.ended", tx, times=2)
    assert session_of(tx).status == SessionStatus.IN_REVIEW
    assert reasons_of(tx) == [ReviewReason.METER_DECREASED]
    assert not CDR.objects.filter(session__transaction=tx).exists()


def test_more_energy_than_the_connector_gives_goes_to_review(station: ChargingStation) -> None:
    fits, exceeds = 22_000 * 11 // 10, 939_000
    tx = make_ended(station, energy_wh=fits, hours=1)
    other = make_ended(station, energy_wh=exceeds, hours=1)
    tell("transaction.ended", tx)
    tell("transaction.ended", other, times=2)
    assert session_of(tx).status == SessionStatus.COMPLETED
    assert session_of(other).status == SessionStatus.IN_REVIEW
    assert reasons_of(other) == [ReviewReason.IMPLAUSIBLE_ENERGY]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"energy_wh": -1}, ReviewReason.METER_STOP_BELOW_START),
        ({"energy_wh": None}, ReviewReason.NO_STOP),
        ({"hours": 14 * 24}, ReviewReason.IMPLAUSIBLE_DURATION),
        ({"hours": -1}, ReviewReason.IMPLAUSIBLE_DURATION),
        ({"meter_start_wh": None}, ReviewReason.UNKNOWN_TRANSACTION),
    ],
)
def test_what_cannot_be_right_goes_to_review(
    station: ChargingStation, changes: dict[str, object], reason: ReviewReason
) -> None:
    tx = make_ended(station, **changes)
    tell("transaction.ended", tx, times=2)
    assert session_of(tx).status == SessionStatus.IN_REVIEW
    assert reason in reasons_of(tx)
    assert len(reasons_of(tx)) == len(set(reasons_of(tx)))


def test_a_duration_between_two_clocks_goes_to_review(station: ChargingStation) -> None:
    """Started offline by the station's clock, ended by ours: the difference is no duration."""
    ended_at = hours_ago(0)
    tx = make_ended(
        station,
        started_at=ended_at - timedelta(hours=20),
        received_started_at=ended_at,
        ended_at=ended_at,
        device_ended_at=None,
    )
    tell("transaction.ended", tx)
    assert reasons_of(tx) == [ReviewReason.CLOCK_IMPLAUSIBLE]


def test_no_tariff_goes_to_review_and_never_costs_nothing(operator: Operator) -> None:
    tx = make_ended(make_station(operator))
    tell("transaction.ended", tx, times=3)
    session = session_of(tx)
    assert session.status == SessionStatus.IN_REVIEW
    assert session.tariff_version is None
    assert reasons_of(tx) == [ReviewReason.NO_TARIFF]
    assert not CDR.objects.filter(session=session).exists()


def test_a_tariff_that_came_during_the_session_prices_it(operator: Operator) -> None:
    station = make_station(operator)
    tx = make_ended(station)
    tell("transaction.started", tx)
    assert session_of(tx).tariff_version is None
    assign(make_tariff(operator))
    tell("transaction.ended", tx)
    assert session_of(tx).status == SessionStatus.COMPLETED


# --- starts that we refused ------------------------------------------------------------------------------


def test_a_refused_start_without_energy_costs_nothing(operator: Operator) -> None:
    station = make_station(operator)
    assign(make_tariff(operator, component("FLAT", "1.00")))
    tx = make_ended(station, energy_wh=0, authorization_status="Blocked")
    tell("transaction.ended", tx, times=2)
    assert session_of(tx).status == SessionStatus.CANCELLED
    assert reasons_of(tx) == []
    assert not CDR.objects.filter(session__transaction=tx).exists()


def test_energy_taken_on_a_refused_token_is_billed(station: ChargingStation) -> None:
    tx = make_ended(station, authorization_status="ConcurrentTx")
    tell("transaction.ended", tx)
    assert CDR.objects.get(session__transaction=tx).gross_minor == 480


def test_energy_taken_on_a_token_that_nobody_knows_goes_to_review(station: ChargingStation) -> None:
    tx = make_ended(station, authorization_status="Invalid", id_token=None, id_token_uid="NOBODY")
    tell("transaction.ended", tx, times=2)
    assert session_of(tx).status == SessionStatus.IN_REVIEW
    assert not CDR.objects.filter(session__transaction=tx).exists()


# --- corrections ---------------------------------------------------------------------------------------


def test_a_late_stop_prices_what_waited_for_it(station: ChargingStation) -> None:
    """Ended by a superseding start; the stop comes an hour later and the review reasons go."""
    tx = make_ended(
        station, energy_wh=None, received_ended_at=None, review_reasons=["superseded", "no_stop"]
    )
    tell("transaction.ended", tx)
    assert session_of(tx).status == SessionStatus.IN_REVIEW
    Transaction.objects.filter(pk=tx.pk).update(
        meter_stop_wh=15_000, received_ended_at=tx.ended_at, review_reasons=[]
    )
    tell("transaction.corrected", tx)
    assert CDR.objects.get(session__transaction=tx).energy_wh == 10_000


def test_an_end_that_nobody_told_says_nothing_of_the_clock(station: ChargingStation) -> None:
    """The start was kept offline for half an hour, and the end is assumed from the last reading."""
    tx = make_ended(
        station,
        device_ended_at=None,
        received_ended_at=None,
        received_started_at=hours_ago(0.5),
        review_reasons=["superseded", "no_stop"],
    )
    tell("transaction.ended", tx)
    assert reasons_of(tx) == ["superseded", "no_stop"]


def test_a_correction_leaves_the_bill_and_says_so(station: ChargingStation) -> None:
    tx = make_ended(station)
    tell("transaction.ended", tx)
    before = CDR.objects.filter(session__transaction=tx).values().get()
    Transaction.objects.filter(pk=tx.pk).update(meter_stop_wh=99_000)
    tell("transaction.corrected", tx, times=2)
    assert CDR.objects.filter(session__transaction=tx).values().get() == before
    assert reasons_of(tx) == [ReviewReason.CONFLICTING_STOP]
    assert session_of(tx).status == SessionStatus.COMPLETED


# --- which tariff, which currency, which zone -------------------------------------------------------------


def test_a_change_during_the_session_does_not_touch_it(station: ChargingStation) -> None:
    tx = make_transaction(
        station, started_at=hours_ago(1), id_token=make_id_token(station.operator)
    )
    tell("transaction.started", tx)
    tariff = session_of(tx).tariff_version.tariff
    change_tariff(
        actor=Actor.system(station.operator),
        tariff=tariff,
        data={"elements": [{"price_components": [component("ENERGY", "9.99")]}]},
    )
    Transaction.objects.filter(pk=tx.pk).update(
        status=TransactionStatus.ENDED,
        is_current=False,
        ended_at=hours_ago(0),
        device_ended_at=hours_ago(0),
        meter_stop_wh=10_000,
    )
    tell("transaction.ended", tx)
    cdr = CDR.objects.get(session__transaction=tx)
    assert (cdr.tariff["version"], cdr.gross_minor) == (1, 480)
    new = make_ended(station)
    tell("transaction.ended", new)
    assert CDR.objects.get(session__transaction=new).tariff["version"] == 2


def test_a_start_that_comes_at_once_takes_the_newest_price(station: ChargingStation) -> None:
    """The station's clock is a little behind: its start seems older than the change before it."""
    tariff = Tariff.objects.get(operator=station.operator)
    change_tariff(
        actor=Actor.system(station.operator),
        tariff=tariff,
        data={"elements": [{"price_components": [component("ENERGY", "0.80")]}]},
    )
    first, second = TariffVersion.objects.filter(tariff=tariff).order_by("version")
    clock_reads = first.created_at
    now = second.created_at + timedelta(seconds=1)
    online = make_transaction(
        station, started_at=clock_reads, device_started_at=clock_reads, received_started_at=now
    )
    tell("transaction.started", online)
    assert session_of(online).tariff_version == second
    offline = make_transaction(
        station,
        evse_id=2,
        started_at=clock_reads,
        device_started_at=clock_reads,
        received_started_at=now + timedelta(hours=1),
    )
    tell("transaction.started", offline)
    assert session_of(offline).tariff_version == first


@pytest.mark.parametrize(
    ("currency", "price", "vat", "amounts"),
    [
        ("JPY", "55.5", "10", (684, 68, 752)),
        ("KWD", "0.0255", "5", (314, 16, 330)),
        ("EUR", "0.4567", "19", (563, 107, 670)),
    ],
)
def test_prices_in_minor_units_of_the_currency(
    operator: Operator, currency: str, price: str, vat: str, amounts: tuple[int, int, int]
) -> None:
    """12.321 kWh: 683.8155 JPY and 68.38 tax; 0.3141855 KWD and 0.0157; 5.6270007 EUR and 1.0691."""
    station = make_station(operator)
    assign(make_tariff(operator, component("ENERGY", price, vat=vat), currency=currency))
    tx = make_ended(station, energy_wh=12_321)
    tell("transaction.ended", tx)
    cdr = CDR.objects.get(session__transaction=tx)
    assert cdr.currency == currency
    assert (cdr.net_minor, cdr.tax_minor, cdr.gross_minor) == amounts
    assert sum(line["gross_minor"] for line in cdr.price["lines"]) == cdr.gross_minor


def test_parking_follows_the_connectors_statuses(operator: Operator) -> None:
    station = make_station(operator)
    assign(
        make_tariff(
            operator,
            component("ENERGY", "0.40"),
            component("PARKING_TIME", "6.00"),
            x_magetsi={"idle_grace_s": 600},
        )
    )
    tx = make_ended(station, hours=2)
    full_at = tx.started_at + timedelta(hours=1)
    make_reading(tx, full_at, tx.meter_stop_wh)
    make_status(station, full_at, "SuspendedEV")
    make_status(station, full_at, "Available", connector_id=2)
    tell("transaction.ended", tx)
    cdr = CDR.objects.get(session__transaction=tx)
    lines = {line["dimension"]: line["net_minor"] for line in cdr.price["lines"]}
    assert cdr.idle_s == 3600
    assert lines == {"ENERGY": 400, "PARKING_TIME": 500}


def test_restrictions_follow_the_clock_of_the_location(operator: Operator) -> None:
    """20:00 UTC is 22:00 in Lusaka; the night price begins there at 21:00."""
    station = make_station(operator, location=make_location(operator, time_zone="Africa/Lusaka"))
    night = {
        "price_components": [component("ENERGY", "0.10", vat=None)],
        "restrictions": {"start_time": "21:00", "end_time": "23:59"},
    }
    day = {"price_components": [component("ENERGY", "0.90", vat=None)]}
    assign(make_tariff(operator, elements=[night, day]))
    ended_at = hours_ago(24).replace(hour=21, minute=0, second=0)
    tx = make_ended(station, ended_at=ended_at, hours=1)
    tell("transaction.ended", tx)
    assert CDR.objects.get(session__transaction=tx).gross_minor == 100


def test_registers_that_count_from_the_start_are_put_on_the_register(operator: Operator) -> None:
    """A station whose readings begin at nothing while its start and stop are absolute."""
    station = make_station(operator)
    assign(make_tariff(operator, component("PARKING_TIME", "6.00", vat=None)))
    tx = make_ended(station, hours=2, energy_wh=10_000, start_wh=5_000_000)
    make_reading(tx, tx.started_at + timedelta(hours=1), 10_000)
    tell("transaction.ended", tx)
    assert CDR.objects.get(session__transaction=tx).idle_s == 3600


def test_readings_inside_the_vehicle_do_not_count(operator: Operator) -> None:
    station = make_station(operator)
    assign(make_tariff(operator, component("PARKING_TIME", "6.00", vat=None)))
    tx = make_ended(station, hours=2, energy_wh=10_000, start_wh=0)
    half = tx.started_at + timedelta(hours=1)
    make_reading(tx, half, 10_000)
    make_reading(tx, half, 2_000, location="Inlet")
    make_reading(tx, half, 3_000, phase="L1")
    tell("transaction.ended", tx)
    cdr = CDR.objects.get(session__transaction=tx)
    assert [wh for _, wh in cdr.facts["readings"]] == [10_000]
