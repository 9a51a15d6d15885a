"""A driver's way from a label to a bill, step by step."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.choices import IdTokenStatus
from accounts.models import AuditEntry, ChargingRight, Driver, IdToken
from billing.models import CDR, ChargingSession
from cms.base.time import utc_now
from cms.drivers.charging import STARTS_AN_HOUR
from stations.choices import CommandStatus, RegistrationStatus
from stations.models import ChargingStation, Command, ConnectorStatus, Transaction
from tests.billing.factories import tell
from tests.cms.drivers.conftest import (
    Site,
    answer,
    app_token,
    browser_of,
    make_billed,
    make_running,
    make_site,
)
from tests.factories import make_transaction


def text(client: Client, path: str, status: int = 200) -> str:
    response = client.get(path)
    assert response.status_code == status, (path, response.status_code)
    return response.content.decode()


# --- the page behind the label ----------------------------------------------------------------


def test_the_label_leads_to_state_price_and_start(site: Site) -> None:
    page = text(Client(), site.page)
    assert "Free" in page
    assert "22 kW" in page.replace("\xa0", " ")
    # 0.49 × 1.19, then the parking: 6 × 1.19 = 7.14 an hour, 0.119 a minute.
    assert page.index("€0.5831") < page.index("€0.119")
    assert "All prices include 19% VAT." in page
    # 20 kWh at 22 kW take 54.5 minutes, in steps of five 55; 20 × 0.49 = 9.80 net, 1.862 VAT.
    assert "20 kWh in 55 min cost €11.66." in page.replace("\xa0", " ")
    assert f"/login/?next={site.page}" in page
    assert "Sparks &amp; Sons bills this session." in page


@pytest.mark.parametrize("typed", ["{low}", "{low}/", "{dashed}"])
def test_a_code_is_found_however_it_is_typed(site: Site, typed: str) -> None:
    code = site.outlet.code
    path = typed.format(low=code.lower(), dashed=f"{code[:4]}-{code[4:]}")
    response = Client().get(f"/c/{path}", follow=True)
    assert response.status_code == 200
    if code.lower() != code or "-" in path:
        assert response.redirect_chain[-1][0] == site.page


def test_the_form_for_codes_opens_the_connector_or_says_what_is_wrong(site: Site) -> None:
    code = site.outlet.code
    response = Client().get("/sites/", {"code": f" {code[:4].lower()} {code[4:]}"})
    assert response.headers["Location"] == site.page
    assert "eight letters and digits" in text(Client(), "/sites/?code=12")


@pytest.mark.parametrize(
    ("status", "word", "may_start"),
    [
        ("Available", "Free", True),
        ("Preparing", "Plugged in", True),
        ("Charging", "In use", False),
        ("SuspendedEV", "In use", False),
        ("Finishing", "Still plugged in", False),
        ("Reserved", "Reserved", False),
        ("Unavailable", "Out of service", False),
        ("Faulted", "Out of order", False),
        ("Whatever", "Not ready yet", False),
    ],
)
def test_the_button_is_there_only_where_one_can_start(
    browser: Client, db: None, status: str, word: str, may_start: bool
) -> None:
    site = make_site(status=status)
    page = text(browser, site.page)
    assert word in page
    assert ("Start charging" in page) is may_start
    # Who presses an old button all the same gets the sentence, and the station no command.
    response = browser.post(site.start)
    assert response.status_code == (302 if may_start else 409)
    assert site.station.commands.count() == int(may_start)


def test_an_offline_station_an_unpriced_one_and_one_not_open_yet_cannot_be_started(
    browser: Client, db: None
) -> None:
    offline, unpriced, pending = make_site(online=False), make_site(priced=False), make_site()
    ChargingStation.objects.filter(pk=pending.station.pk).update(
        registration_status=RegistrationStatus.PENDING
    )
    for site, word in (
        (offline, "Offline"),
        (unpriced, "Nobody has set a price"),
        (pending, "Not open yet"),
    ):
        page = text(browser, site.page)
        assert word in page
        assert "Start charging" not in page
        assert browser.post(site.start).status_code == 409
        assert not site.station.commands.exists()


def test_a_running_transaction_counts_as_in_use_whatever_the_status_says(
    browser: Client, site: Site
) -> None:
    make_transaction(site.station)
    assert "In use" in text(browser, site.page)
    assert browser.post(site.start).status_code == 409


# --- start ------------------------------------------------------------------------------------


def test_starting_asks_the_station_with_the_drivers_own_token(
    browser: Client, driver: Driver, site: Site
) -> None:
    response = browser.post(site.start)
    command = Command.objects.get(station=site.station)
    assert response.headers["Location"] == f"/me/starts/{command.pk}/"
    token = IdToken.objects.get(driver=driver, operator=site.operator)
    assert (command.action, command.payload) == (
        "RemoteStartTransaction",
        {"connectorId": 1, "idTag": token.uid},
    )
    assert (token.type, len(token.uid)) == ("Central", 20)
    assert command.created_by == driver.user
    created = AuditEntry.objects.filter(operator=site.operator, action="command.create")
    assert [entry.user for entry in created] == [driver.user]
    assert token.uid not in text(browser, f"/me/starts/{command.pk}/")


def test_a_second_press_and_a_second_telephone_ask_for_nothing_more(
    browser: Client, driver: Driver, site: Site
) -> None:
    first = browser.post(site.start)
    assert browser.post(site.start).headers["Location"] == first.headers["Location"]
    assert browser_of(driver).post(site.start).headers["Location"] == first.headers["Location"]
    command = Command.objects.get(station=site.station)
    answer(command, CommandStatus.ACCEPTED)
    assert browser.post(site.start).headers["Location"] == first.headers["Location"]
    assert Command.objects.filter(station=site.station).count() == 1
    assert IdToken.objects.filter(driver=driver).count() == 1


def test_somebody_elses_start_under_way_is_waited_for(
    browser: Client, other_browser: Client, site: Site
) -> None:
    browser.post(site.start)
    response = other_browser.post(site.start)
    assert response.status_code == 409
    assert "Somebody else is starting here" in response.content.decode()
    assert Command.objects.filter(station=site.station).count() == 1


def test_a_start_that_is_over_may_be_made_again(
    browser: Client, other_browser: Client, site: Site
) -> None:
    for status in (CommandStatus.REJECTED, CommandStatus.TIMED_OUT, CommandStatus.CANCELLED):
        browser.post(site.start)
        answer(Command.objects.filter(station=site.station).latest("id"), status)
    assert other_browser.post(site.start).status_code == 302
    assert Command.objects.filter(station=site.station).count() == 4


def test_who_may_not_charge_is_told_before_plugging_in(
    browser: Client, driver: Driver, site: Site
) -> None:
    token = app_token(driver, site)
    token.status = IdTokenStatus.BLOCKED
    token.save()
    assert "has blocked your access" in browser.post(site.start).content.decode()
    token.status = IdTokenStatus.ACCEPTED
    token.save()
    ChargingRight.objects.create(id_token=token, allowed=False, reason="unpaid")
    assert browser.post(site.start).status_code == 409
    assert not Command.objects.filter(station=site.station).exists()


def test_nobody_keeps_connectors_from_others_by_starting_all_day(
    browser: Client, other_browser: Client, site: Site
) -> None:
    for _ in range(STARTS_AN_HOUR):
        assert browser.post(site.start).status_code == 302
        answer(Command.objects.filter(station=site.station).latest("id"), CommandStatus.REJECTED)
    assert "tried too often" in browser.post(site.start).content.decode()
    assert other_browser.post(site.start).status_code == 302


def test_starting_without_an_account_leads_back_to_the_price(site: Site, driver: Driver) -> None:
    response = Client().post(site.start)
    assert response.headers["Location"] == f"/login/?next={site.start}"
    signed_in = browser_of(driver).get(site.start)
    assert signed_in.headers["Location"] == site.page


@pytest.mark.parametrize(
    ("status", "age", "words"),
    [
        (CommandStatus.QUEUED, 0, "Asking the station"),
        (CommandStatus.SENT, 0, "Asking the station"),
        (CommandStatus.ACCEPTED, 0, "Plug in now"),
        (CommandStatus.ACCEPTED, 121, "No car was plugged in"),
        (CommandStatus.REJECTED, 0, "The station said no"),
        (CommandStatus.ERROR, 0, "The station said no"),
        (CommandStatus.TIMED_OUT, 0, "did not answer"),
        (CommandStatus.CANCELLED, 0, "did not answer"),
    ],
)
def test_each_end_of_a_start_is_said_in_words(
    browser: Client, site: Site, status: CommandStatus, age: int, words: str
) -> None:
    path = browser.post(site.start).headers["Location"]
    finished = None if status in ("queued", "sent") else utc_now() - timedelta(seconds=age)
    Command.objects.filter(station=site.station).update(status=status, finished_at=finished)
    page = text(browser, path)
    assert words in page
    is_open = words in ("Asking the station", "Plug in now")
    assert ("live.js" in page, 'http-equiv="refresh"' in page) == (is_open, is_open)
    assert ("Try again" in page) is not is_open


def test_the_wait_knows_that_the_car_is_plugged_in(browser: Client, site: Site) -> None:
    path = browser.post(site.start).headers["Location"]
    answer(Command.objects.get(station=site.station), CommandStatus.ACCEPTED)
    ConnectorStatus.objects.filter(station=site.station).update(status="Preparing")
    assert "Plugged in. Charging begins" in text(browser, path)


def test_the_wait_ends_at_the_session_once_the_transaction_is_there(
    browser: Client, driver: Driver, site: Site
) -> None:
    """Also where no worker has opened the session yet."""
    path = browser.post(site.start).headers["Location"]
    make_transaction(site.station, id_token=app_token(driver, site))
    response = browser.get(path)
    session = ChargingSession.objects.get(driver=driver)
    assert response.headers["Location"] == f"/me/sessions/{session.pk}/"
    assert browser.post(site.start).headers["Location"] == f"/me/sessions/{session.pk}/"
    assert "Your car is charging here." in text(browser, site.page)


def test_an_older_transaction_on_the_token_is_not_taken_for_this_start(
    browser: Client, driver: Driver, site: Site
) -> None:
    make_billed(driver, site)
    path = browser.post(site.start).headers["Location"]
    assert "Asking the station" in text(browser, path)


# --- live -------------------------------------------------------------------------------------


def live_page(browser: Client, tx: Transaction) -> str:
    return text(browser, f"/me/sessions/{tx.charging_session.pk}/").replace("\xa0", " ")


def test_the_live_session_shows_energy_power_time_and_cost(
    browser: Client, driver: Driver, site: Site
) -> None:
    page = live_page(browser, make_running(driver, site, energy_wh=4_200))
    for figure in ("4.20 kWh", "11 kW", "30 min", "57%"):
        assert figure in page
    # 4.2 × 0.49 = 2.058 → 2.06 net, 0.391 → 0.39 VAT.
    assert "€2.45" in page


def test_a_script_gets_the_regions_without_the_frame(
    browser: Client, driver: Driver, site: Site
) -> None:
    session = make_running(driver, site).charging_session
    response = browser.get(f"/me/sessions/{session.pk}/", headers={"HX-Request": "true"})
    page = response.content.decode()
    assert "<html" not in page
    assert 'data-stage="running"' in page
    assert 'id="figures"' in page
    assert "HX-Request" in response.headers["Vary"]


@pytest.mark.parametrize(
    ("status", "words"),
    [("Faulted", "End charging at your car"), ("SuspendedEV", "Paused by the car")],
)
def test_a_fault_and_a_pause_are_said_in_words(
    browser: Client, driver: Driver, site: Site, status: str, words: str
) -> None:
    tx = make_running(driver, site)
    ConnectorStatus.objects.filter(station=site.station).update(status=status)
    assert words in live_page(browser, tx)


def test_a_station_that_is_away_is_said_to_be(browser: Client, driver: Driver, db: None) -> None:
    page = live_page(browser, make_running(driver, make_site(online=False)))
    assert "The station has lost its connection" in page


def test_stopping_asks_once_and_sends_one_command(
    browser: Client, driver: Driver, site: Site
) -> None:
    tx = make_running(driver, site)
    session = tx.charging_session
    stop = f"/me/sessions/{session.pk}/stop/"
    assert stop in live_page(browser, tx)
    assert "Stop charging?" in text(browser, stop)
    assert not site.station.commands.exists()
    for _ in range(2):
        assert browser.post(stop).headers["Location"] == f"/me/sessions/{session.pk}/"
    command = Command.objects.get(station=site.station)
    assert command.payload == {"transactionId": int(tx.ocpp_transaction_id)}
    assert "is asked to stop" in live_page(browser, tx)


@pytest.mark.parametrize(
    "status", [CommandStatus.REJECTED, CommandStatus.ERROR, CommandStatus.TIMED_OUT]
)
def test_a_stop_that_failed_says_so_and_can_be_tried_again(
    browser: Client, driver: Driver, site: Site, status: CommandStatus
) -> None:
    tx = make_running(driver, site)
    stop = f"/me/sessions/{tx.charging_session.pk}/stop/"
    browser.post(stop)
    answer(Command.objects.get(station=site.station), status)
    assert "The station has not stopped" in live_page(browser, tx)
    browser.post(stop)
    assert Command.objects.filter(station=site.station).count() == 2


def test_stopping_what_is_over_leads_to_its_end(
    browser: Client, driver: Driver, site: Site
) -> None:
    session = make_billed(driver, site)
    response = browser.post(f"/me/sessions/{session.pk}/stop/")
    assert response.headers["Location"] == f"/me/sessions/{session.pk}/"
    assert not site.station.commands.exists()


# --- afterwards -------------------------------------------------------------------------------


def test_between_the_end_and_the_bill_the_page_waits(
    browser: Client, driver: Driver, site: Site
) -> None:
    tx = make_running(driver, site)
    Transaction.objects.filter(pk=tx.pk).update(
        is_current=False, status="ended", ended_at=timezone.now(), meter_stop_wh=6_000
    )
    page = live_page(browser, tx)
    assert "Your receipt is being made" in page
    assert "live.js" in page


def test_a_session_in_review_says_that_nothing_is_to_do(
    browser: Client, driver: Driver, site: Site
) -> None:
    session = make_running(driver, site).charging_session
    Transaction.objects.filter(pk=session.transaction_id).update(
        is_current=False,
        status="ended",
        ended_at=timezone.now(),
        received_ended_at=timezone.now(),
        meter_stop_wh=500,
    )
    tell("transaction.ended", Transaction.objects.get(pk=session.transaction_id))
    page = text(browser, f"/me/sessions/{session.pk}/")
    assert "being checked" in page
    assert "live.js" not in page


def test_history_turns_its_pages_and_shows_what_was_billed(
    browser: Client, driver: Driver, site: Site
) -> None:
    billed = make_billed(driver, site)
    cdr = CDR.objects.get(session=billed)
    pages = [text(browser, "/me/sessions/")]
    assert f"€{cdr.gross_minor / 100:.2f}" in pages[0]
    token = app_token(driver, site)
    ChargingSession.objects.bulk_create(
        ChargingSession(
            operator=site.operator,
            station=site.station,
            driver=driver,
            id_token=token,
            status="cancelled",
        )
        for _ in range(30)
    )
    first = text(browser, "/me/sessions/")
    assert f"/me/sessions/{billed.pk}/" not in first
    before = first.split("?before=")[1].split('"')[0]
    assert f"/me/sessions/{billed.pk}/" in text(browser, f"/me/sessions/?before={before}")


def test_a_driver_without_sessions_or_cards_is_told_what_to_do(browser: Client, db: None) -> None:
    assert "You have not charged yet" in text(browser, "/me/sessions/")
    assert "You have no card" in text(browser, "/me/cards/")
