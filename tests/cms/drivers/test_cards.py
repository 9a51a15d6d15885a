"""A card becomes a driver's by being held to a reader, and nobody else's by any other way."""

import json
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEntry, Driver, IdToken
from tests.cms.drivers.conftest import Site, app_token, give_card, make_site
from tests.factories import (
    make_connector,
    make_id_token,
    make_message,
    make_transaction,
    make_unknown_id_token,
    unique,
)


def begin(browser: Client, site: Site) -> str:
    response = browser.post("/me/cards/add/", {"code": site.outlet.code})
    assert response.status_code == 302, response.content.decode()
    return str(response.headers["Location"])


def hold(site: Site, uid: str, **fields: object) -> None:
    """The station asks for a card that is held to its reader."""
    make_message(site.station, action="Authorize", payload=json.dumps({"idTag": uid}), **fields)


def read(browser: Client, path: str) -> str:
    response = browser.get(path)
    assert response.status_code == 200
    return response.content.decode()


def test_an_unknown_card_becomes_the_drivers(browser: Client, driver: Driver, site: Site) -> None:
    path = begin(browser, site)
    page = read(browser, path)
    assert "Hold your card to the reader now" in page
    assert "live.js" in page
    uid = unique("CARD")
    make_unknown_id_token(site.operator, uid=uid, station_identity=site.station.identity)
    hold(site, uid)
    for _ in range(2):
        assert "is yours" in read(browser, path)
    token = IdToken.objects.get(operator=site.operator, uid=uid)
    assert token.driver == driver
    cards = read(browser, "/me/cards/")
    assert uid[-4:] in cards
    assert uid not in cards


def test_a_new_card_of_the_operators_becomes_the_drivers(
    browser: Client, driver: Driver, site: Site
) -> None:
    token = make_id_token(site.operator)
    path = begin(browser, site)
    hold(site, token.uid.lower())
    assert "is yours" in read(browser, path)
    token.refresh_from_db()
    assert token.driver == driver


def test_a_card_given_to_the_drivers_own_address_becomes_theirs_even_if_used(
    browser: Client, driver: Driver, site: Site
) -> None:
    """The account was there before the operator gave the card, and the operator was not told."""
    token = give_card(site, driver.email.upper())
    IdToken.objects.filter(pk=token.pk).update(last_used_at=timezone.now())
    path = begin(browser, site)
    hold(site, token.uid)
    assert "is yours" in read(browser, path)
    token.refresh_from_db()
    assert token.driver == driver
    assert Driver.objects.filter(email__iexact=driver.email).count() == 1


def test_a_card_given_to_another_address_stays_there(
    browser: Client, driver: Driver, site: Site
) -> None:
    token = give_card(site, f"x{driver.email}")
    path = begin(browser, site)
    hold(site, token.uid)
    assert "This card cannot be added" in read(browser, path)
    before, token = token.driver, IdToken.objects.get(pk=token.pk)
    assert token.driver == before


def test_what_was_held_before_elsewhere_or_afterwards_does_not_count(
    browser: Client, site: Site
) -> None:
    elsewhere = make_site()
    hold(site, unique("EARLY"), at=timezone.now() - timedelta(seconds=1))
    path = begin(browser, site)
    hold(elsewhere, unique("THERE"))
    hold(site, unique("LATE"), at=timezone.now() + timedelta(minutes=2, seconds=5))
    assert "Hold your card to the reader now" in read(browser, path)


def test_two_cards_count_as_none(browser: Client, driver: Driver, site: Site) -> None:
    path = begin(browser, site)
    hold(site, unique("ONE"))
    hold(site, unique("TWO"))
    assert "More than one card" in read(browser, path)
    assert not IdToken.objects.filter(driver=driver).exists()


def test_somebody_elses_card_stays_theirs(
    browser: Client, other_driver: Driver, site: Site
) -> None:
    token = make_id_token(site.operator, driver=other_driver)
    path = begin(browser, site)
    hold(site, token.uid)
    assert "cannot be added" in read(browser, path)
    token.refresh_from_db()
    assert token.driver == other_driver


def test_a_telephone_that_starts_there_is_no_card(
    browser: Client, driver: Driver, other_driver: Driver, site: Site
) -> None:
    path = begin(browser, site)
    hold(site, app_token(other_driver, site).uid)
    hold(site, app_token(driver, site).uid)
    assert "is yours" not in read(browser, path)
    assert "You have no card" in read(browser, "/me/cards/")


def test_the_wait_ends_after_two_minutes(browser: Client, site: Site) -> None:
    path = begin(browser, site)
    AuditEntry.objects.filter(action="id_token.claim_begin", operator=site.operator).update(
        at=timezone.now() - timedelta(minutes=3)
    )
    page = read(browser, path)
    assert "No card was held to the reader" in page
    assert "live.js" not in page


def test_one_person_waits_at_a_station_at_a_time(
    browser: Client, other_browser: Client, site: Site
) -> None:
    begin(browser, site)
    begin(browser, site)
    response = other_browser.post("/me/cards/add/", {"code": site.outlet.code})
    assert "Somebody else is adding a card" in response.content.decode()


def test_nobody_can_wait_where_others_come_by(browser: Client, site: Site) -> None:
    """Where cars charge, strangers hold their cards to the reader."""
    make_connector(site.station, 2)
    make_transaction(site.station, evse_id=2)
    response = browser.post("/me/cards/add/", {"code": site.outlet.code})
    assert "A car is charging at this station" in response.content.decode()


@pytest.mark.parametrize("case", ["offline", "unknown"])
def test_a_station_that_cannot_ask_is_refused(browser: Client, db: None, case: str) -> None:
    code = make_site(online=False).outlet.code if case == "offline" else "00000000"
    response = browser.post("/me/cards/add/", {"code": code})
    assert response.status_code == 400


def test_attempts_are_few(browser: Client, driver: Driver, db: None) -> None:
    sites = [make_site() for _ in range(6)]
    for site in sites[:5]:
        begin(browser, site)
    response = browser.post("/me/cards/add/", {"code": sites[5].outlet.code})
    assert "tried too often" in response.content.decode()


def test_a_claim_is_its_drivers_alone(browser: Client, other_browser: Client, site: Site) -> None:
    path = begin(browser, site)
    hold(site, unique("CARD"))
    assert other_browser.get(path).status_code == 404
    assert "is yours" in read(browser, path)


def test_a_lost_card_is_blocked_after_one_question(
    browser: Client, driver: Driver, site: Site
) -> None:
    card = make_id_token(site.operator, driver=driver)
    path = f"/me/cards/{card.pk}/block/"
    assert "Only Sparks &amp; Sons can unblock it" in read(browser, path)
    card.refresh_from_db()
    assert card.status == "accepted"
    assert browser.post(path).headers["Location"] == "/me/cards/"
    card.refresh_from_db()
    assert card.status == "blocked"
    assert "Only the operator can unblock it." in read(browser, "/me/cards/")
