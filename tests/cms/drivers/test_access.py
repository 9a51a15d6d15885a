"""Every page, asked by the driver it belongs to, by another driver, by an operator's staff and by nobody."""

import pytest
from django.test import Client
from django.urls import URLPattern

from accounts.choices import Role
from accounts.models import Driver
from cms.drivers.urls import urlpatterns
from tests.cms.drivers.conftest import Site, Things
from tests.factories import make_membership

# Pages for everybody, and those that speak of nobody's own things.
OPEN = {
    "drivers-home", "sites", "site", "connector", None,
    "driver-register", "driver-mail-sent", "driver-resend", "driver-confirm",
    "driver-password", "driver-password-done", "driver-password-set",
}  # fmt: skip
OWN_LISTS = ["/me/", "/me/sessions/", "/me/cards/", "/me/cards/add/"]


def test_own_things_are_shown_to_their_driver_and_hidden_from_everybody_else(
    things: Things, browser: Client, other_browser: Client
) -> None:
    staff = Client()
    staff.force_login(make_membership(things.site.operator, Role.OWNER).user)
    for path in things.paths:
        assert browser.get(path).status_code == 200, path
        assert other_browser.get(path).status_code == 404, path
        assert staff.get(path).status_code == 404, path
        answer = Client().get(path)
        assert answer.status_code == 302, path
        assert answer.headers["Location"] == f"/login/?next={path}", path


def test_every_address_is_either_open_or_asks_who_one_is(things: Things, browser: Client) -> None:
    """A page that is added here and forgotten in these tests fails."""
    arguments = {
        "driver-start": things.start.pk,
        "driver-session": things.running.pk,
        "driver-session-stop": things.running.pk,
        "driver-receipt": things.billed.pk,
        "driver-card-block": things.card.pk,
        "driver-card-claim": 1,
        "driver-start-here": things.site.outlet.code,
    }
    for pattern in urlpatterns:
        assert isinstance(pattern, URLPattern)
        if pattern.name in OPEN:
            continue
        name, route = pattern.name, str(pattern.pattern)
        for converter in ("<str:id>", "<str:code>"):
            route = route.replace(converter, str(arguments.get(name or "")))
        answer = Client().get(f"/{route}")
        assert (answer.status_code, answer.headers["Location"][:12]) == (302, "/login/?next"), name


def test_posts_on_other_peoples_things_change_nothing(
    things: Things, other_browser: Client
) -> None:
    for path in (f"/me/sessions/{things.running.pk}/stop/", f"/me/cards/{things.card.pk}/block/"):
        assert other_browser.post(path).status_code == 404
    assert not things.site.station.commands.exists()
    things.card.refresh_from_db()
    assert things.card.status == "accepted"


@pytest.mark.parametrize("path", ["/", "/sites/", "/me/register/", "/me/password/"])
def test_pages_for_everybody_need_no_account(path: str, db: None) -> None:
    assert Client().get(path).status_code == 200


def test_ids_that_are_none_are_not_found(browser: Client) -> None:
    for path in ("/me/sessions/0/", "/me/sessions/x/", "/me/sessions/99999999999999999999/"):
        assert browser.get(path).status_code == 404
    for path in ("/sites/nope/", "/c/UUUUUUUU", "/c/0", "/c/00000000", "/me/starts/1e3/"):
        assert browser.get(path).status_code == 404, path


def test_staff_become_drivers_when_they_first_use_a_drivers_page(site: Site) -> None:
    user = make_membership(site.operator).user
    assert not Driver.objects.filter(user=user).exists()
    staff = Client()
    staff.force_login(user)
    for path in OWN_LISTS:
        assert staff.get(path).status_code == 200, path
    assert Driver.objects.get(user=user).email == user.email


def test_the_front_door_leads_staff_to_their_overview_and_drivers_to_the_sites(
    site: Site, browser: Client
) -> None:
    staff = Client()
    staff.force_login(make_membership(site.operator).user)
    assert staff.get("/").headers["Location"] == "/operator/"
    assert "Where do you want to charge" in browser.get("/").content.decode()
    assert staff.get("/sites/").status_code == 200
