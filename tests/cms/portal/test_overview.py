"""The overview: faults first, the day's figures, the hours, what happened lately, the first steps."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.choices import Role
from accounts.models import Operator
from billing.models import CDR
from cms.portal.selectors import BAR_WIDTH, overview_for
from cms.portal.today import HOURS_HEIGHT, SLOTS, hours_of, today_of
from stations.models import TransactionProgress
from tests.billing.factories import assign, make_tariff
from tests.cms.portal.conftest import World
from tests.cms.portal.test_pages import text
from tests.factories import (
    make_actor,
    make_connector_status,
    make_gateway,
    make_id_token,
    make_operator,
    make_state,
    make_station,
    make_transaction,
)

NOON = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)


@pytest.fixture
def operator(db: None) -> Operator:
    return make_operator(time_zone="Africa/Nairobi")


def test_a_fault_stands_first_in_plain_words_with_the_way_to_its_remedy(
    world: World, owner: Client
) -> None:
    page = owner.get("/operator/").content.decode()
    attention = page.index('id="attention"')
    assert attention < page.index('id="figures"')
    assert "Current leaked to earth" in page[attention:]
    todo = page[attention : page.index('id="figures"')]
    assert f'href="/operator/stations/{world.station.identity}/"' in todo


def test_a_station_that_is_faulted_as_a_whole_needs_attention(
    operator: Operator, client_as: Callable[..., Client]
) -> None:
    station = make_station(operator)
    make_state(station, gateway=make_gateway(), status="Faulted", error_code="ResetFailure")
    page = text(client_as(operator), "/operator/")
    assert f"{station.identity} : The station could not restart." in page.replace("  ", " ")


def test_stations_that_do_not_call_any_more_are_one_thing_to_look_at(
    operator: Operator, client_as: Callable[..., Client]
) -> None:
    for _ in range(3):
        make_state(make_station(operator))
    make_station(operator)  # never connected, so nothing was lost
    page = text(client_as(operator), "/operator/")
    assert "3 stations that were connected before do not call any more" in page


def test_every_station_has_its_part_of_the_bar(operator: Operator) -> None:
    gateway = make_gateway()
    free, charging, faulted, both, _offline = (make_station(operator) for _ in range(5))
    for station in (free, charging, faulted, both):
        make_state(station, gateway=gateway)
    for station in (charging, both):
        make_transaction(station)
    for station in (faulted, both):
        make_connector_status(station, 2, status="Faulted")
    bar = overview_for(make_actor(operator), show="", after="", now=timezone.now()).bar
    assert [(part.show, part.count) for part in bar] == [
        ("faulted", 2),
        ("charging", 1),
        ("online", 1),
        ("offline", 1),
    ]
    assert sum(part.width for part in bar) == pytest.approx(BAR_WIDTH)


def test_today_begins_at_midnight_where_the_operator_is(operator: Operator) -> None:
    """21:00 UTC is midnight in Nairobi."""
    station = make_station(operator)
    midnight = datetime(2026, 6, 9, 21, 0, tzinfo=UTC)
    for started_at, wh in ((midnight - timedelta(minutes=1), 7_000), (midnight, 3_000)):
        make_transaction(
            station,
            started_at=started_at,
            ended_at=started_at + timedelta(hours=1),
            meter_start_wh=500,
            meter_stop_wh=500 + wh,
        )
    today = today_of(make_actor(operator), now=NOON)
    assert today.since == midnight
    assert (today.sessions_count, today.energy_wh) == (1, 3_000)


@pytest.mark.parametrize(("register_wh", "so_far_wh"), [(5_500, 4_500), (400, 400), (None, 0)])
def test_todays_energy_counts_what_still_flows(
    operator: Operator, register_wh: int | None, so_far_wh: int
) -> None:
    tx = make_transaction(make_station(operator), started_at=NOON, meter_start_wh=1_000)
    TransactionProgress.objects.create(transaction=tx, at=NOON, register_wh=register_wh)
    assert today_of(make_actor(operator), now=NOON).energy_wh == so_far_wh


def test_todays_money_is_what_was_billed_by_currency(world: World) -> None:
    cdr = CDR.objects.get(session=world.completed)
    today = today_of(make_actor(world.operator), now=timezone.now())
    assert today.billed == [(cdr.gross_minor, cdr.currency)]
    assert today_of(make_actor(), now=timezone.now()).billed == []


def test_the_hours_spread_a_sessions_energy_over_its_time(operator: Operator) -> None:
    """12 kWh from 09:15 to 10:45 are 8 kW: a half, two whole and a half slot."""
    begins = NOON - timedelta(hours=2, minutes=45)
    make_transaction(
        make_station(operator),
        started_at=begins,
        ended_at=begins + timedelta(minutes=90),
        meter_stop_wh=12_000,
    )
    hours = hours_of(make_actor(operator), now=NOON)
    powers = {slot.at.strftime("%H:%M"): slot.power_w for slot in hours.slots}
    assert powers == {"09:00": 4_000, "09:30": 8_000, "10:00": 8_000, "10:30": 4_000}
    assert hours.peak is not None
    assert hours.peak.height == HOURS_HEIGHT
    assert hours.ends_at - hours.starts_at == timedelta(minutes=30) * SLOTS


def test_the_hours_leave_out_what_cannot_be_drawn(operator: Operator) -> None:
    """Sessions without energy or duration, of another day, or of another operator."""
    station = make_station(operator)
    ago = NOON - timedelta(hours=3)
    make_transaction(station, started_at=ago, ended_at=ago, meter_stop_wh=500)
    make_transaction(station, started_at=ago, ended_at=NOON, meter_start_wh=900, meter_stop_wh=100)
    make_transaction(station, started_at=ago)
    old = NOON - timedelta(days=2)
    make_transaction(station, started_at=old, ended_at=old + timedelta(hours=1), meter_stop_wh=9)
    make_transaction(make_station(), started_at=ago, ended_at=NOON, meter_stop_wh=9_000)
    hours = hours_of(make_actor(operator), now=NOON)
    assert hours.slots == []
    assert hours.peak is None


def test_what_happened_lately_is_told_in_words_newest_first(world: World, owner: Client) -> None:
    page = text(owner, "/operator/")
    lately = page[page.index("Lately") : page.index("Charging now")]
    told = [
        "EVSE 2: Current leaked to earth",
        "Restart (soft): Waiting",
        "Ada Example started charging at EVSE 1",
    ]
    assert all(words in lately for words in told)
    assert lately.index("Restart (soft)") < lately.index("Ada Example started")


def test_the_first_steps_follow_what_is_done_and_end_with_a_session(
    operator: Operator, client_as: Callable[..., Client]
) -> None:
    client = client_as(operator, Role.OWNER)

    def step() -> str:
        beginning = client.get("/operator/").context["beginning"]
        return beginning.next_step if beginning else "over"

    assert step() == "station"
    station = make_station(operator)
    assert step() == "connect"
    make_state(station)
    assert step() == "tariff"
    assign(make_tariff(operator))
    assert step() == "card"
    make_id_token(operator)
    assert step() == "session"


def test_the_first_steps_are_gone_once_somebody_charged(world: World, owner: Client) -> None:
    assert owner.get("/operator/").context["beginning"] is None
