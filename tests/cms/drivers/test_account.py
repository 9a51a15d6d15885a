"""From the form to the open account, and back after a forgotten password."""

import re

import pytest
from django.core import mail
from django.test import Client

from accounts.models import AuditEntry, Driver, IdToken, User
from billing.models import ChargingSession
from cms.base import outbox
from cms.base.models import OutboxItem
from tests.billing.factories import make_ended, tell
from tests.cms.drivers.conftest import Site, browser_of, give_card, make_site
from tests.factories import make_user, unique

PASSWORD = "wet-and-windy-7"


@pytest.fixture
def email(db: None) -> str:
    return f"{unique('driver')}@example.org"


def deliver(email: str) -> str:
    """Send what the outbox holds for this person; the link of the newest mail, without its host."""
    user = User.objects.get(email__iexact=email)
    rows = OutboxItem.objects.filter(key=str(user.pk), topic__startswith="driver.", done_at=None)
    for row in rows.order_by("id"):
        for function in outbox._handlers[row.topic]:
            function(row.key, row.payload)
    rows.update(done_at=user.joined_at)
    links = re.findall(r"https?://[^/]+(/\S+)", mail.outbox[-1].body)
    return links[0]


def test_registering_at_a_connector_leads_back_to_it(site: Site, email: str) -> None:
    browser = Client(enforce_csrf_checks=False)
    page = browser.get(site.page).content.decode()
    register = re.search(r'href="(/me/register/\?next=[^"]+)"', page)
    assert register is not None
    assert f'name="next" value="{site.page}"' in browser.get(register[1]).content.decode()
    sent = browser.post(
        "/me/register/", {"email": email, "password": PASSWORD, "name": "Al", "next": site.page}
    )
    assert sent.headers["Location"] == "/me/register/sent/"

    link = deliver(email)
    telephone = Client()
    shown = telephone.get(link)
    assert email in shown.content.decode()
    # A mail filter that follows the link opens nothing.
    assert not User.objects.get(email=email).is_active
    assert telephone.post(link).headers["Location"] == site.page
    assert "Start charging" in telephone.get(site.page).content.decode()
    assert telephone.get(link).status_code == 410
    assert browser.login(username=email, password=PASSWORD)


def test_the_way_back_never_leads_to_another_site(email: str) -> None:
    browser = Client()
    form = {"email": email, "password": PASSWORD, "next": "https://evil.example/"}
    browser.post("/me/register/", form)
    assert browser.post(deliver(email)).headers["Location"] == "/sites/"


def test_a_known_address_gets_the_same_page_and_a_mail_that_says_so(email: str) -> None:
    make_user(email=email)
    form = {"email": email, "password": PASSWORD}
    unknown = Client().post("/me/register/", form | {"email": f"x{email}"})
    known = Client().post("/me/register/", form)
    assert (known.status_code, known.headers["Location"]) == (
        unknown.status_code,
        unknown.headers["Location"],
    )
    assert deliver(email) == "/login/"
    assert "It has an account" in mail.outbox[-1].body


def test_cards_given_to_an_address_are_its_owners_once_it_is_proven(site: Site, email: str) -> None:
    elsewhere = make_site()
    cards = [
        give_card(site, email.upper()),
        give_card(site, email.upper()),
        give_card(elsewhere, email),
    ]
    given_to = {card.driver_id for card in cards}
    assert len(given_to) == 2, "operators do not learn of each other's drivers"
    tell("transaction.ended", make_ended(elsewhere.station, energy_wh=7_000, id_token=cards[2]))
    stranger = give_card(site, f"x{email}")

    Client().post("/me/register/", {"email": email, "password": PASSWORD, "name": "Al"})
    assert not Driver.objects.filter(user__email=email).exists(), "nothing is proven yet"
    assert {IdToken.objects.get(pk=card.pk).driver_id for card in cards} == given_to

    telephone = Client()
    telephone.post(deliver(email))
    shown = telephone.get("/me/cards/").content.decode()
    assert all(card.uid[-4:] in shown for card in cards)
    driver = Driver.objects.get(user__email=email)
    assert (driver.name, driver.email) == ("Al", email)
    assert set(driver.id_tokens.all()) == set(cards)
    assert list(Driver.objects.filter(email__iexact=email)) == [driver], "nobody is there twice"
    session = ChargingSession.objects.get(id_token=cards[2])
    assert telephone.get(f"/me/sessions/{session.pk}/").status_code == 200
    assert stranger.driver_id is not None
    assert IdToken.objects.get(pk=stranger.pk).driver_id == stranger.driver_id

    moved = [card for card in cards if card.driver_id != driver.pk]
    entries = AuditEntry.objects.filter(action="id_token.adopt", user=driver.user)
    assert {entry.object_id for entry in entries} == {str(card.pk) for card in moved}
    assert {entry.operator_id for entry in entries} == {card.operator_id for card in moved}


def test_a_driver_with_an_account_of_the_same_address_keeps_it(site: Site, email: str) -> None:
    """Two rows of one address, of which one is somebody's: that one is not for the taking."""
    other = make_user(email=f"x{email}")
    theirs = Driver.objects.create(user=other, email=email)
    Client().post("/me/register/", {"email": email, "password": PASSWORD})
    telephone = Client()
    telephone.post(deliver(email))
    assert telephone.get("/me/cards/").status_code == 200
    assert Driver.objects.get(user__email=email).pk != theirs.pk
    assert Driver.objects.get(user=other) == theirs
    assert browser_of(theirs).get("/me/cards/").status_code == 200


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"email": "a@example.org", "password": "12345678"}, "too common"),
        ({"email": "nobody", "password": PASSWORD}, "valid email"),
        ({}, "This field is required."),
    ],
)
def test_what_is_wrong_with_the_form_is_said_beside_it(
    db: None, form: dict[str, str], words: str
) -> None:
    response = Client().post("/me/register/", form)
    assert response.status_code == 400
    assert words in response.content.decode()


def test_a_forgotten_password_is_replaced_by_the_link_alone(email: str) -> None:
    user = make_user(email=email)
    browser, elsewhere = Client(), Client()
    elsewhere.force_login(user)
    assert browser.post("/me/password/", {"email": email}).status_code == 302
    # The token goes into the session and out of the address.
    link = deliver(email)
    form_page = browser.get(link).headers["Location"]
    assert "set-password" in form_page
    passwords = {"new_password1": PASSWORD, "new_password2": PASSWORD}
    assert browser.post(form_page, passwords).headers["Location"] == "/me/password/done/"
    assert browser.login(username=email, password=PASSWORD)
    assert elsewhere.get("/me/").status_code == 302
    assert "no longer works" in Client().get(link).content.decode()


def test_an_unknown_address_gets_the_same_answer_and_no_mail(email: str) -> None:
    for path in ("/me/password/", "/me/register/again/"):
        response = Client().post(path, {"email": email})
        assert response.headers["Location"] == "/me/register/sent/"
    assert mail.outbox == []
