"""The list of sessions, its file, and the story and price of one."""

import csv
import io
import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.core.handlers.asgi import ASGIRequest
from django.db import connection
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from accounts.choices import Role
from accounts.models import Driver
from billing.models import ChargingSession
from cms.portal.recorder import _round_step, decision_words
from cms.portal.tariff_words import explained
from stations.models import Connection, Transaction
from tests.billing.factories import (
    component,
    hours_ago,
    make_ended,
    make_reading,
    make_tariff,
    tell,
)
from tests.cms.portal.conftest import World
from tests.cms.portal.test_pages import text
from tests.factories import make_command, make_id_token, make_message, make_station


def _session(tx: Transaction) -> ChargingSession:
    tell("transaction.ended", tx)
    return ChargingSession.objects.get(transaction=tx)


def _shown(client: Client, query: str = "") -> set[str]:
    """The ids of the sessions that a list shows."""
    page = client.get(f"/operator/sessions/{query}").content.decode()
    return set(re.findall(r"/operator/sessions/(\d+)/", page))


def _rows(client: Client, query: str = "") -> list[dict[str, str]]:
    content = client.get(f"/operator/sessions.csv{query}").getvalue().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(content)))


def test_each_filter_finds_its_own(world: World, owner: Client) -> None:
    running = str(ChargingSession.objects.get(transaction=world.running).pk)
    completed, in_review = str(world.completed.pk), str(world.in_review.pk)
    everything = {running, completed, in_review}
    token = world.completed.id_token
    assert token is not None
    cdr = world.completed.cdrs.get()
    today = timezone.localdate()
    tomorrow, yesterday = today + timedelta(days=2), today - timedelta(days=2)
    for query, expected in {
        "": everything,
        "?status=completed": {completed},
        "?status=active": {running},
        "?review=on": {in_review},
        f"?station={world.station.identity.lower()}": everything,
        "?station=NOBODY": set(),
        f"?q={cdr.number}": {completed},
        f"?q={in_review}": {in_review},
        f"?q={world.running.ocpp_transaction_id}": {running},
        f"?q={token.uid.lower()}": everything,
        f"?q={token.uid[:-1]}": set(),
        "?q=ada": everything,
        f"?q={world.station.identity[3:]}": everything,
        f"?since={yesterday}&until={tomorrow}": everything,
        f"?since={tomorrow}": set(),
        f"?until={yesterday}": set(),
        f"?since={tomorrow}&until={yesterday}": set(),
        f"?status=completed&station={world.station.identity}&q=ada": {completed},
    }.items():
        assert _shown(owner, query) == expected, query
        assert {row["session"] for row in _rows(owner, query)} == expected, query


def test_days_are_the_operators_own(world: World, owner: Client) -> None:
    """23:30 UTC is half past midnight of the next day in Berlin, in winter."""
    started_at = timezone.now().replace(year=2026, month=1, day=14, hour=23, minute=30)
    tx = make_ended(world.station, started_at=started_at, ended_at=started_at + timedelta(hours=1))
    session = str(_session(tx).pk)
    assert session in _shown(owner, "?since=2026-01-15&until=2026-01-15")
    assert session not in _shown(owner, "?since=2026-01-14&until=2026-01-14")


def test_a_flag_on_what_is_billed_needs_a_review_too(world: World, owner: Client) -> None:
    Transaction.objects.filter(pk=world.completed.transaction_id).update(
        review_reasons=["conflicting_stop"]
    )
    assert _shown(owner, "?review=on") == {str(world.completed.pk), str(world.in_review.pk)}
    story = text(owner, f"/operator/sessions/{world.completed.pk}/")
    assert (
        "Something changed after it was billed A second stop told something else."
        in _without_times(story)
    )


def test_pages_turn_without_losing_or_repeating_one(
    world: World, owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for hours in range(3):
        _session(make_ended(world.station, hours=hours + 1))
    everything = _shown(owner)
    monkeypatch.setattr("cms.portal.paging.PER_PAGE", 2)
    seen: list[str] = []
    before = ""
    while True:
        page = owner.get(f"/operator/sessions/?status=&before={before}").content.decode()
        ids = list(dict.fromkeys(re.findall(r'href="/operator/sessions/(\d+)/"', page)))
        assert len(ids) <= 2
        seen += ids
        following = re.search(r"before=(\d+)\" rel=\"next\"", page)
        if following is None:
            break
        before = following[1]
    assert len(seen) == len(set(seen))
    assert set(seen) == everything


def test_the_file_says_what_the_list_shows(world: World, owner: Client) -> None:
    row = next(r for r in _rows(owner) if r["session"] == str(world.completed.pk))
    cdr = world.completed.cdrs.get()
    assert row["cdr"] == cdr.number
    assert row["station"] == world.station.identity
    assert Decimal(row["energy_kwh"]) == 10
    assert (row["net"], row["vat"], row["gross"]) == ("4.00", "0.80", "4.80")
    assert (row["currency"], row["price_is_final"], row["status"]) == ("EUR", "yes", "completed")
    assert row["duration_s"] == "3600"
    assert row["started_at"][-6:] in ("+01:00", "+02:00")
    review = next(r for r in _rows(owner) if r["session"] == str(world.in_review.pk))
    assert (review["status"], review["review_reasons"]) == ("in_review", "no_stop")


def test_a_drivers_name_runs_nothing_in_a_spreadsheet(world: World, owner: Client) -> None:
    driver = Driver.objects.create(name='=HYPERLINK("http://evil")')
    tx = make_ended(world.station, id_token=make_id_token(world.operator, driver=driver))
    session = _session(tx)
    row = next(r for r in _rows(owner) if r["session"] == str(session.pk))
    assert row["driver_or_card"] == '\'=HYPERLINK("http://evil")'


def test_the_query_count_of_the_list_does_not_grow_with_its_rows(
    world: World, owner: Client
) -> None:
    def queries(path: str) -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            owner.get(path).getvalue()
        return len(captured)

    paths = ("/operator/sessions/?q=ada&since=2020-01-01", "/operator/sessions.csv")
    before = [queries(path) for path in paths]
    driver = Driver.objects.create(name="Ada Another")
    for _ in range(6):
        _session(make_ended(world.station, id_token=make_id_token(world.operator, driver=driver)))
    assert [queries(path) for path in paths] == before
    assert max(before) <= 20


def _without_times(words: str) -> str:
    return re.sub(r"\d+ \w+ 20\d\d, \d\d:\d\d:\d\d( · message)? ", "", words)


@pytest.fixture
def told(world: World) -> Transaction:
    """A session with everything that a station and people can say of one."""
    now = timezone.now().replace(microsecond=0)
    start, end = now - timedelta(hours=3), now - timedelta(hours=1)
    token = make_id_token(world.operator, uid="CARD-0001-ABCD")
    tx = make_ended(
        world.station,
        energy_wh=20_000,
        started_at=start,
        ended_at=end,
        id_token=token,
        stop_reason="EVDisconnected",
        stop_id_token_uid=token.uid,
        ocpp_transaction_id="4711",
    )
    for minutes in range(0, 121, 10):
        make_reading(tx, start + timedelta(minutes=minutes), 5_000 + 20_000 * minutes // 120)
    make_reading(tx, start + timedelta(minutes=40), 44, measurand="SoC", unit="Percent")

    def say(seconds: int, action: str, payload: str, **fields: str) -> None:
        at = start + timedelta(seconds=seconds)
        make_message(world.station, at=at, action=action, payload=payload, **fields)

    say(-20, "Authorize", '{"idTag":"CARD-0001-ABCD"}', message_id="a1")
    answer = '{"idTagInfo":{"status":"Accepted","parentIdTag":"FLEET"}}'
    say(-19, "Authorize", answer, message_id="a1", type="result", direction="out")
    say(-10, "StatusNotification", '{"connectorId":1,"status":"Preparing","errorCode":"NoError"}')
    say(0, "StartTransaction", '{"connectorId":1,"idTag":"CARD-0001-ABCD"}', message_id="s1")
    say(5, "StatusNotification", '{"connectorId":1,"status":"Charging","errorCode":"NoError"}')
    say(6, "StatusNotification", '{"connectorId":2,"status":"Faulted","errorCode":"GroundFailure"}')
    say(
        5000, "StatusNotification", '{"connectorId":1,"status":"SuspendedEV","errorCode":"NoError"}'
    )
    say(7200, "StopTransaction", '{"transactionId":4711}')
    Connection.objects.create(
        station=world.station, generation=7, gateway_id="00000000-0000-0000-0000-000000000007",
        protocol="ocpp1.6", security_profile=1, remote_address="192.0.2.1",
        opened_at=start - timedelta(hours=1), closed_at=start + timedelta(minutes=30),
    )  # fmt: skip
    command = make_command(
        world.station,
        action="RemoteStopTransaction",
        payload={"transactionId": 4711},
        status="rejected",
        finished_at=end,
    )
    type(command).objects.filter(pk=command.pk).update(created_at=end - timedelta(minutes=5))
    _session(tx)
    return tx


def test_the_story_is_told_in_order_and_in_words(
    world: World, owner: Client, told: Transaction
) -> None:
    session = ChargingSession.objects.get(transaction=told)
    page = _without_times(text(owner, f"/operator/sessions/{session.pk}/"))
    story = page[page.index("What happened") : page.index("at most")]
    sentences = [
        "Card ••••ABCD was presented Accepted, because it is on your list, is not blocked and has "
        "not expired; it belongs to the group FLEET.",
        "Getting ready: a cable was plugged in",
        "Charging was started on card ••••ABCD Meter: 5.000 kWh.",
        "We let it charge",
        "The price was fixed: tariff",
        "It is assigned to everything you have.",
        "Energy flows",
        "5 kWh charged",
        "The connection to the station was lost",
        "10 kWh charged Battery at 44 %.",
        "Paused by the vehicle The vehicle takes no energy",
        "15 kWh charged",
        "Stop transaction 4711 Asked by a program or by Magetsi. The station: Rejected.",
        "20 kWh charged",
        "Stopped, because the cable was unplugged With card ••••ABCD. Meter: 25.000 kWh.",
        "Priced at 9.60 EUR Charge detail record",
    ]
    places = [story.index(sentence) for sentence in sentences]
    assert places == sorted(places)
    assert "GroundFailure" not in story
    assert "CARD-0001-ABCD" not in story


def test_a_step_leads_to_the_frame_that_says_so(
    world: World, owner: Client, told: Transaction
) -> None:
    session = ChargingSession.objects.get(transaction=told)
    page = owner.get(f"/operator/sessions/{session.pk}/").content.decode()
    linked = set(re.findall(r'href="#frame-(\d+)"', page))
    shown = set(re.findall(r'id="frame-(\d+)"', page))
    assert len(linked) >= 6
    assert linked <= shown


def test_a_review_and_its_release_are_part_of_the_story(world: World, owner: Client) -> None:
    path = f"/operator/sessions/{world.in_review.pk}/"
    before = _without_times(text(owner, path))
    assert "Held for a review The station never reported a stop." in before
    owner.post(path, {"reason": "Read off the meter", "energy_kwh": "12.5"})
    after = _without_times(text(owner, path))
    assert "Held for a review The station never reported a stop." in after
    assert "“Read off the meter” The energy was put at 12.500 kWh." in after
    assert "Released by" in after
    assert after.index("Released by") < after.index("Priced at 6.00 EUR")


def test_a_start_that_was_kept_offline_says_how_late_it_came(world: World, owner: Client) -> None:
    now = timezone.now()
    tx = make_ended(
        world.station,
        started_at=now - timedelta(hours=5),
        ended_at=now - timedelta(hours=4),
        received_started_at=now - timedelta(hours=1),
        received_ended_at=now - timedelta(hours=1),
    )
    page = text(owner, f"/operator/sessions/{_session(tx).pk}/")
    assert "The station kept this to itself and told us 4:00:00 later." in page


@pytest.fixture
def silent(world: World) -> Transaction:
    """Closed by itself: read last after 24 minutes, lost after 40, back after 5 hours without a stop."""
    start = timezone.now().replace(microsecond=0) - timedelta(hours=8)
    tx = make_ended(
        world.station,
        energy_wh=2_000,
        started_at=start,
        ended_at=start + timedelta(minutes=24),
        device_ended_at=None,
        received_ended_at=None,
        review_reasons=["no_stop", "estimated"],
    )
    for number, (opened, closed) in enumerate([(-60, 40), (300, 360), (370, None)], start=11):
        Connection.objects.create(
            station=world.station, generation=number, gateway_id=UUID(int=number),
            protocol="ocpp1.6", security_profile=1, remote_address="192.0.2.1",
            opened_at=start + timedelta(minutes=opened),
            closed_at=start + timedelta(minutes=closed) if closed else None,
        )  # fmt: skip
    _session(tx)
    return tx


def _story(client: Client, tx: Transaction) -> str:
    session = ChargingSession.objects.get(transaction=tx)
    page = _without_times(text(client, f"/operator/sessions/{session.pk}/"))
    return page[page.index("What happened") :]


def _stop_late(tx: Transaction) -> None:
    """The stop of a queue, as the gateway writes it: after an hour, 5 kWh."""
    ended_at = tx.started_at + timedelta(hours=1)
    Transaction.objects.filter(pk=tx.pk).update(
        ended_at=ended_at, device_ended_at=ended_at,
        received_ended_at=tx.started_at + timedelta(hours=8),
        meter_stop_wh=10_000, stop_reason="Local", review_reasons=[],
    )  # fmt: skip
    tell("transaction.corrected", tx)


def _in_order(story: str, *sentences: str) -> None:
    places = [story.index(sentence) for sentence in sentences]
    assert places == sorted(places)


def test_an_end_that_was_assumed_says_so_and_how_the_silence_began(
    owner: Client, silent: Transaction
) -> None:
    story = _story(owner, silent)
    _in_order(
        story,
        "Charging was started",
        "Ended by us: no stop came, and this must be over Meter: 7.000 kWh. These are the time and the meter of "
        "its last reading. If the station still tells its stop, the stop replaces them.",
        "Held for a review The station never reported a stop. Energy was estimated from readings.",
        "The connection to the station was lost",
        "The station is connected again",
    )
    assert story.count("The connection to the station was lost") == 1
    assert "another start came" not in story


def test_a_late_stop_tells_the_whole_story_without_a_review(
    owner: Client, silent: Transaction
) -> None:
    _stop_late(silent)
    story = _story(owner, silent)
    _in_order(
        story,
        "The connection to the station was lost",
        "Stopped at the station, with a card or a button Meter: 10.000 kWh. The station kept this to itself and "
        "told us 7:00:00 later.",
        "The station is connected again",
        "Priced at 2.40 EUR",
    )
    assert "Held for a review" not in story
    assert "Ended by us" not in story


def test_a_stop_after_the_bill_of_an_estimate_is_told_after_the_bill(
    owner: Client, silent: Transaction
) -> None:
    session = ChargingSession.objects.get(transaction=silent)
    owner.post(f"/operator/sessions/{session.pk}/", {"reason": "The driver agrees."})
    billed = _story(owner, silent)
    assert "Ended by us: no stop came" in billed
    assert "the stop replaces them" not in billed
    _stop_late(silent)
    _in_order(
        _story(owner, silent),
        "Stopped at the station",
        "Held for a review",
        "Released by",
        "Priced at 0.96 EUR",
        "Something changed after it was billed The station told its stop after all, and it differs from what was "
        "billed.",
    )


def test_the_queries_of_a_story_do_not_grow_with_it(
    world: World, owner: Client, told: Transaction
) -> None:
    session = ChargingSession.objects.get(transaction=told)
    path = f"/operator/sessions/{session.pk}/"

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            owner.get(path)
        return len(captured)

    before = queries()
    for minutes in range(30):
        at = told.started_at + timedelta(minutes=minutes)
        make_reading(told, at + timedelta(seconds=7), 5_000 + minutes)
        status = ("Charging", "SuspendedEV")[minutes % 2]
        payload = f'{{"connectorId":1,"status":"{status}","errorCode":"NoError"}}'
        make_message(world.station, at=at, action="StatusNotification", payload=payload)
        make_command(world.station, action="Reset", payload={"type": "Soft"})
    assert queries() == before


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("Invalid", "nobody has registered"),
        ("Blocked", "is blocked"),
        ("Expired", "time is over"),
        ("ConcurrentTx", "charges elsewhere"),
        ("", "No answer is kept."),
        ("SomethingNew", "SomethingNew"),
    ],
)
def test_every_decision_has_words(status: str, words: str) -> None:
    with translation.override("en"):
        assert words in decision_words(status, {})


@pytest.mark.parametrize(
    ("total_wh", "step_wh"),
    [(0, None), (999, None), (1_000, 500), (7_300, 2_000), (20_000, 5_000), (61_000, 20_000)],
)
def test_milestones_are_round_and_few(total_wh: int, step_wh: int | None) -> None:
    assert _round_step(total_wh) == step_wh


def test_each_price_line_proves_itself(world: World, owner: Client) -> None:
    page = text(owner, f"/operator/sessions/{world.completed.pk}/")
    assert "10 kWh × 0.40 EUR = 4.00 EUR; 4.00 EUR + 20 % VAT (0.80 EUR) = 4.80 EUR" in page
    assert "Total 4.00 EUR 0.80 EUR 4.80 EUR" in page


def test_a_rounded_product_and_a_bound_say_so(world: World, owner: Client) -> None:
    tariff = make_tariff(
        world.operator, component("ENERGY", "0.333"), max_price={"incl_vat": Decimal(2)}
    )
    page = text(
        owner,
        f"/operator/tariffs/{tariff.ocpi_id}/?example_kwh=7.7&example_minutes=60"
        "&example_idle=0&example_day=1&example_at=10:00",
    )
    assert "7.7 kWh × 0.333 EUR ≈ 2.56 EUR" in page
    assert "The total may not pass the maximum price" in page
    assert "2.00 EUR with VAT" in page


def test_a_minimum_is_told_from_a_start_fee() -> None:
    line = {
        "dimension": "FLAT", "unit": "session", "quantity": 1, "unit_price": Decimal("1.5"),
        "vat_percent": 0, "net_minor": 150, "tax_minor": 0, "gross_minor": 150,
        "from": "2026-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    lines = [line, {**line, "to": "2026-01-01T01:00:00Z"}]
    with translation.override("en"):
        fee, lift = explained({"currency": "EUR", "lines": lines})
    assert fee.how.startswith("1 × 1.50\u00a0EUR = ")
    assert "minimum price" in lift.how


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("closed_connections")
async def test_the_file_is_streamed_by_the_real_server_too(
    client_as: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    from asgiref.sync import sync_to_async

    from tests.factories import make_operator

    def make() -> tuple[str, str]:
        operator = make_operator()
        tell_about = make_ended(make_station(operator))
        session = _session(tell_about)
        client = client_as(operator, Role.VIEWER)
        return client.cookies["sessionid"].value, str(session.pk)

    cookie, session = await sync_to_async(make)()
    client = AsyncClient()
    client.cookies["sessionid"] = cookie
    response = await client.get("/operator/sessions.csv")
    assert isinstance(response.asgi_request, ASGIRequest)
    content = b"".join([part async for part in response.streaming_content]).decode("utf-8-sig")
    assert [row["session"] for row in csv.DictReader(io.StringIO(content))] == [session]


def test_a_session_is_closed_without_a_bill_and_the_story_says_by_whom(
    world: World, owner: Client
) -> None:
    path = f"/operator/sessions/{world.in_review.pk}/"
    assert owner.post(path, {"way": "waive", "waive-reason": ""}).status_code == 400
    assert owner.post(path, {"way": "waive", "waive-reason": "A test."}).status_code == 302
    page = text(owner, path)
    assert "Closed without a bill by" in page
    assert "“A test.”" in page
    assert "A person must look at this first" not in page
    refused = owner.post(path, {"way": "waive", "waive-reason": "Again."})
    assert refused.status_code == 400


def test_a_stop_of_nobody_is_given_to_the_session_it_ended(world: World, owner: Client) -> None:
    at = hours_ago(0.1)
    orphan = make_ended(
        world.station, orphan=True, evse_id=0, connector_id=0, id_token=None,
        started_at=at, ended_at=at, meter_start_wh=None, meter_stop_wh=900_000,
        authorization_status="", review_reasons=["unknown_transaction"],
    )  # fmt: skip
    tell("transaction.ended", orphan)
    path = f"/operator/sessions/{ChargingSession.objects.get(transaction=orphan).pk}/"
    running = world.running.charging_session
    page = text(owner, path)
    assert "Whose end is it?" in page
    assert "It ended this one" in page
    assert owner.post(path, {"way": "join", "session": world.completed.pk}).status_code == 400
    answer = owner.post(path, {"way": "join", "session": running.pk})
    assert answer.headers["Location"] == f"/operator/sessions/{running.pk}/"
    world.running.refresh_from_db()
    assert world.running.meter_stop_wh == 900_000
    assert "was given to session" in text(owner, path)
