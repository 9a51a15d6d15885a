"""Sessions, cards, tariffs, refusals and team: every page, asked by every role, by strangers and by other teams."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.test import Client
from django.urls import get_resolver

from accounts.choices import Role
from accounts.services.actors import Actor
from accounts.services.api_keys import create_api_key
from accounts.services.permissions import Capability, allows
from cms.portal.trade_urls import urlpatterns
from tests.billing.factories import assign, make_tariff
from tests.cms.portal.conftest import World
from tests.factories import (
    make_id_token,
    make_id_token_group,
    make_membership,
    make_operator,
)


@dataclass(frozen=True)
class Page:
    """An address, who may see it, and whether it is about one thing of the operator's."""

    path: str
    needs: Capability = "read"
    is_own: bool = False
    is_post: bool = False


@pytest.fixture
def pages(world: World) -> list[Page]:
    operator = world.operator
    tariff = make_tariff(operator)
    assignment = assign(tariff, station=world.station, evse_id=1)
    token = f"/operator/tokens/{make_id_token(operator).pk}/"
    group = make_id_token_group(operator).pk
    member = f"/operator/team/{make_membership(operator).pk}/"
    api_key, _text = create_api_key(acting=Actor.system(operator), role=Role.VIEWER)
    priced = f"/operator/tariffs/{tariff.ocpi_id}/"
    return [
        Page("/operator/sessions/"),
        Page("/operator/sessions.csv"),
        Page(f"/operator/sessions/{world.completed.pk}/", is_own=True),
        Page("/operator/tokens/"),
        Page("/operator/new-token/", "tokens.change"),
        Page(token, is_own=True),
        Page(f"{token}block/", "tokens.change", is_own=True),
        Page("/operator/unknown-id-tokens/"),
        Page(
            f"/operator/unknown-id-tokens/{world.unknown_id_token.pk}/dismiss/",
            "tokens.change",
            is_own=True,
            is_post=True,
        ),
        Page("/operator/token-groups/"),
        Page("/operator/new-token-group/", "tokens.change"),
        Page(f"/operator/token-groups/{group}/", "tokens.change", is_own=True),
        Page("/operator/tariffs/"),
        Page("/operator/new-tariff/", "tariffs.change"),
        Page(f"/operator/tariff-choice/?station={world.station.identity}", is_own=True),
        Page(priced, is_own=True),
        Page(f"{priced}edit/", "tariffs.change", is_own=True),
        Page(f"{priced}edit/?as=json", "tariffs.change", is_own=True),
        Page(f"{priced}assign/", "tariffs.change", is_own=True),
        Page(f"{priced}status/retired/", "tariffs.change", is_own=True),
        Page(
            f"/operator/tariff-assignments/{assignment.pk}/remove/", "tariffs.change", is_own=True
        ),
        Page("/operator/handshakes/"),
        Page("/operator/team/"),
        Page("/operator/new-member/", "team.ownership"),
        Page(f"{member}role/", "team.ownership", is_own=True),
        Page(f"{member}remove/", "team.ownership", is_own=True),
        Page(f"{member}invite/", "team.ownership", is_own=True, is_post=True),
        Page("/operator/api-keys/", "team.change"),
        Page("/operator/new-api-key/", "team.change"),
        Page(f"/operator/api-keys/{api_key.pk}/revoke/", "team.change", is_own=True),
        Page("/operator/audit/", "audit.read"),
    ]


def test_every_address_is_walked(pages: list[Page]) -> None:
    """A page that is added to the URL configuration has to be added to this file."""
    resolver = get_resolver()
    walked = {resolver.resolve(page.path.split("?")[0]).url_name for page in pages}
    assert {pattern.name for pattern in urlpatterns} == walked | {"join"}


@pytest.mark.parametrize("role", list(Role))
def test_each_role_sees_what_it_may(
    world: World, client_as: Callable[..., Client], pages: list[Page], role: Role
) -> None:
    client = client_as(world.operator, role)
    for page in pages:
        response = client.get(page.path)
        allowed = allows(role, page.needs)
        expected = 405 if page.is_post else 200 if allowed else 403
        assert response.status_code == expected, page.path
        if response.status_code == 200:
            assert "no-store" in response.headers["Cache-Control"], page.path
        if not allowed:
            assert client.post(page.path).status_code in (403, 405), page.path


def test_a_stranger_is_sent_to_the_door(pages: list[Page]) -> None:
    for page in pages:
        for response in (Client().get(page.path), Client().post(page.path)):
            if response.status_code != 405:
                assert response.headers["Location"].startswith("/login/?next="), page.path


def test_a_driver_reads_that_there_is_no_team_yet(driver_client: Client, pages: list[Page]) -> None:
    for page in pages:
        response = driver_client.post(page.path) if page.is_post else driver_client.get(page.path)
        assert response.status_code == 403, page.path
        assert b"No operator team yet" in response.content, page.path


def test_another_teams_owner_finds_none_of_it(
    world: World, client_as: Callable[..., Client], pages: list[Page]
) -> None:
    foreign = client_as(make_operator(), Role.OWNER)
    for page in pages:
        if page.is_own:
            if not page.is_post:
                assert foreign.get(page.path).status_code == 404, page.path
            assert foreign.post(page.path).status_code in (404, 405), page.path
        else:
            content = foreign.get(page.path).getvalue()
            assert world.station.identity.encode() not in content, page.path
            assert world.unknown_id_token.uid[-4:].encode() not in content, page.path


def test_ids_that_can_be_nobodys_are_not_found(world: World, owner: Client) -> None:
    for path in (
        "/operator/tokens/0/",
        "/operator/tokens/99999999999999999999/",
        "/operator/token-groups/x/",
        "/operator/tariffs/no%00thing/",
        "/operator/tariffs/nothing/edit/",
        "/operator/tariff-assignments/-1/remove/",
        "/operator/tariff-choice/?station=NOBODY",
        "/operator/team/x/role/",
        "/operator/api-keys/0/revoke/",
    ):
        assert owner.get(path).status_code == 404, path


def test_odd_query_parameters_show_a_page(world: World, owner: Client) -> None:
    for path in (
        "/operator/sessions/?status=x&station=%00&before=%00&since=yesterday&until=0001-01-01&q=%00'",
        "/operator/sessions/?before=99999999999999999999&review=maybe",
        "/operator/sessions.csv?since=9999-99-99&status=nothing",
        "/operator/tokens/?q=%00&status=x&group=%00&before=x",
        "/operator/unknown-id-tokens/?before=99999999999999999999-1",
        "/operator/handshakes/?before=1-x&state=y&reason=z&q=%00",
        "/operator/handshakes/?before=١-1",
        "/operator/audit/?who=user-1;drop&object_type=x&since=0001-01-01&before=0",
        "/operator/tariff-choice/?card=%00&station=",
    ):
        assert owner.get(path).status_code == 200, path
