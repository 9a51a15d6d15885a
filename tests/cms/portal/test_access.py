"""Every page of the portal, asked by everybody."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import get_resolver

from accounts.choices import Role
from accounts.models import Membership
from cms.portal import trade_urls
from cms.portal.urls import urlpatterns
from tests.cms.portal.conftest import World
from tests.factories import make_membership, make_operator, make_user

ROOMS = [
    "/operator/",
    "/operator/sessions/",
    "/operator/map/",
    "/operator/locations/",
    "/operator/stations/",
    "/operator/firmware/",
]
# Forms that make something, for those who may.
MAKING = ["/operator/new-station/", "/operator/new-location/"]
FILES = ["/operator/stations.csv"]


def test_the_team_sees_every_page(world: World, owner: Client) -> None:
    for path in [*ROOMS, *MAKING, *FILES, *world.paths]:
        response = owner.get(path)
        assert response.status_code == 200, path
        assert "no-store" in response.headers["Cache-Control"], path
        assert response.headers["Content-Security-Policy"].startswith("default-src 'self'"), path


def test_a_stranger_is_sent_to_the_door(world: World) -> None:
    for path in [*ROOMS, *MAKING, *FILES, *world.paths]:
        response = Client().get(path)
        assert response.status_code == 302, path
        assert response.headers["Location"].startswith("/login/?next="), path


def test_another_operators_things_do_not_exist(
    world: World, client_as: Callable[..., Client]
) -> None:
    foreign = client_as(make_operator(), Role.OWNER)
    for path in world.paths:
        assert foreign.get(path).status_code == 404, path
        assert foreign.post(path, {"reason": "x"}).status_code in (404, 405), path
    for path in (
        f"/operator/handshakes/{world.failure.pk}/mend/",
        f"/operator/handshakes/{world.failure.pk}/dismiss/",
        f"/operator/commands/{world.command.pk}/cancel/",
        f"/operator/security-events/{world.alarm.pk}/acknowledge/",
    ):
        assert foreign.post(path).status_code == 404, path
    for path in [*ROOMS, *FILES]:
        page = foreign.get(path)
        assert world.station.identity.encode() not in page.getvalue(), path


def test_a_driver_reads_that_there_is_no_team_yet(world: World, driver_client: Client) -> None:
    for path in [*ROOMS, *MAKING, *FILES, *world.paths]:
        response = driver_client.get(path)
        assert response.status_code == 403, path
        assert "No operator team yet" in response.content.decode(), path


def test_a_viewer_reads_but_may_ask_nothing_of_a_station(world: World, viewer: Client) -> None:
    for path in [*ROOMS, *MAKING, *FILES, *world.paths]:
        asks = ("/new-password/", "/revoke/")
        is_question = "/ask/" in path or path.endswith(asks) or path in MAKING
        assert viewer.get(path).status_code == (403 if is_question else 200), path


def test_ids_that_can_be_nobodys_are_not_found(world: World, owner: Client) -> None:
    for path in (
        "/operator/sessions/0/",
        "/operator/sessions/99999999999999999999/",
        "/operator/sessions/x/",
        "/operator/handshakes/-1/",
        "/operator/unknown-id-tokens/nothing/",
        "/operator/stations/NOBODY/",
        f"/operator/stations/{world.station.identity}/ask/explode/",
    ):
        assert owner.get(path).status_code == 404, path


def test_odd_query_parameters_show_a_page(world: World, owner: Client) -> None:
    for path in (
        "/operator/?show=nonsense&after=%00%27",
        "/operator/sessions/?status=x&station=%00&before=%00",
        "/operator/sessions/?before=99999999999999999999",
        "/operator/stations/?q=%00&status=x&location=%27&model=%00&sort=-x&after=%00",
        "/operator/stations/?location=99999999999999999999&sort=seen&after=WyJhIiwieCIsIjEiXQ",
        f"/operator/stations/{world.station.identity}/trace/?action=%00&direction=x&before=%00",
        f"/operator/stations/{world.station.identity}/commands/?before=x",
        f"/operator/stations/{world.station.identity}/sessions/?before=-1",
    ):
        assert owner.get(path).status_code == 200, path


def test_every_address_of_the_portal_is_walked(world: World, owner: Client) -> None:
    """A page that is added to the URL configuration has to be added to this file."""
    resolver = get_resolver()
    pages = [*ROOMS, *MAKING, *FILES, *world.paths]
    walked = {resolver.resolve(path.split("?")[0]).url_name for path in pages}
    by_post_only = {
        "switch-operator",
        "mend-handshake",
        "dismiss-handshake",
        "cancel-command",
        "acknowledge-security-event",
    }
    without_team = {"home", "login", "logout", "set-language", "design"}
    in_test_trade_access = {pattern.name for pattern in trade_urls.urlpatterns}
    in_test_smart_charging = {
        "charging-profiles",
        "new-charging-profile",
        "charging-profile",
        "delete-charging-profile",
    }
    in_test_upkeep_room = {"log-file"}
    walked |= by_post_only | without_team | in_test_trade_access | in_test_smart_charging
    walked |= in_test_upkeep_room
    assert {pattern.name for pattern in urlpatterns} == walked
    for path in (
        "/operator/switch/",
        f"/operator/handshakes/{world.failure.pk}/mend/",
        f"/operator/handshakes/{world.failure.pk}/dismiss/",
        f"/operator/commands/{world.command.pk}/cancel/",
    ):
        assert owner.get(path).status_code == 405


@pytest.mark.django_db
def test_signing_in_leads_to_the_overview_and_out_to_the_door() -> None:
    membership = make_membership()
    client = Client()
    response = client.post(
        "/login/", {"username": membership.user.email.upper(), "password": "let-me-in-9"}
    )
    assert response.headers["Location"] == "/"
    assert client.get("/").headers["Location"] == "/operator/"
    assert client.get("/login/").status_code == 302
    assert client.post("/logout/").headers["Location"] == "/"
    assert client.get("/operator/").status_code == 302


@pytest.mark.django_db
def test_a_wrong_password_is_refused_without_saying_which_half_was_wrong() -> None:
    user = make_user()
    pages = [
        Client().post("/login/", {"username": name, "password": "wrong-password"})
        for name in (user.email, "nobody@example.org")
    ]
    for page in pages:
        assert page.status_code == 200
        assert "do not belong together" in page.content.decode()


def test_a_member_of_two_teams_switches_between_them(world: World) -> None:
    other = make_operator()
    user = make_membership(world.operator, Role.VIEWER).user
    Membership.objects.create(operator=other, user=user, role=Role.OWNER)
    client = Client()
    client.force_login(user)
    own_page = f"/operator/stations/{world.station.identity}/"

    client.post("/operator/switch/", {"operator": other.slug})
    assert client.get(own_page).status_code == 404
    client.post("/operator/switch/", {"operator": world.operator.slug})
    assert client.get(own_page).status_code == 200

    client.post("/operator/switch/", {"operator": make_operator().slug})
    assert client.get(own_page).status_code == 200


def test_switching_never_leads_to_another_site(world: World, owner: Client) -> None:
    response = owner.post("/operator/switch/", {"next": "https://elsewhere.example/"})
    assert response.headers["Location"] == "/operator/"
