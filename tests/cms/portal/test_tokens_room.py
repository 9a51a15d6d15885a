"""Cards: found, added, changed, blocked; unknown ones and groups."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.choices import IdTokenStatus, IdTokenType, Role
from accounts.models import AuditEntry, Driver, IdToken, IdTokenGroup, UnknownIdToken
from tests.cms.portal.conftest import World
from tests.cms.portal.test_pages import text
from tests.factories import make_id_token, make_id_token_group, make_operator, unique

FORM = {"type": "ISO14443", "status": "accepted"}


def _shown(client: Client, query: str) -> set[str]:
    page = client.get(f"/operator/tokens/{query}").content.decode()
    return set(re.findall(r"/operator/tokens/(\d+)/", page))


def test_each_filter_finds_its_own_and_parts_of_a_number_find_nothing(
    client_as: Callable[..., Client],
) -> None:
    operator = make_operator()
    group = make_id_token_group(operator)
    driver = Driver.objects.create(name="Grace Hopper", email="grace@example.org")
    mine = make_id_token(operator, uid="04A1B2C3D4", driver=driver, group=group)
    blocked = make_id_token(operator, status=IdTokenStatus.BLOCKED)
    lapsed = make_id_token(operator, expires_at=timezone.now() - timedelta(days=1))
    client = client_as(operator, Role.VIEWER)
    for query, expected in {
        "": {mine, blocked, lapsed},
        "?q=04a1b2c3d4": {mine},
        "?q=04A1B2": set(),
        "?q=hopper": {mine},
        "?q=grace@": {mine},
        f"?group={group.name}": {mine},
        "?status=accepted": {mine},
        "?status=blocked": {blocked},
        "?status=expired": {lapsed},
        "?status=blocked&q=hopper": set(),
    }.items():
        assert _shown(client, query) == {str(token.pk) for token in expected}, query
    page = client.get("/operator/tokens/").content.decode()
    assert "04A1B2C3D4" not in page
    assert "••••C3D4" in page


def test_the_list_asks_as_often_for_many_as_for_one(world: World, owner: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            owner.get("/operator/tokens/")
        return len(captured)

    before = queries()
    for number in range(8):
        make_id_token(
            world.operator,
            driver=Driver.objects.create(name=f"Driver {number}"),
            group=make_id_token_group(world.operator),
        )
    assert queries() == before


def test_a_card_is_added_with_all_it_may(world: World, owner: Client) -> None:
    group = make_id_token_group(world.operator)
    uid = unique("NEW")
    data = FORM | {
        "uid": uid, "group": group.pk, "max_concurrent": 2,
        "expires_at": "2027-07-01T12:00", "driver_email": "grace@example.org",
    }  # fmt: skip
    assert owner.post("/operator/new-token/", data).status_code == 302
    token = IdToken.objects.get(operator=world.operator, uid=uid)
    assert token.group == group
    assert token.max_concurrent == 2
    # Noon of the operator, which is in Berlin, in summer.
    assert token.expires_at == datetime(2027, 7, 1, 10, tzinfo=UTC)
    assert str(token.driver) == "grace@example.org"

    response = owner.post("/operator/new-token/", FORM | {"uid": uid.lower()})
    assert response.status_code == 400
    assert "It is taken." in response.content.decode()


def test_saving_a_card_as_it_is_changes_nothing(world: World, owner: Client) -> None:
    driver = Driver.objects.create(name="Grace Hopper", email="grace@example.org")
    expires_at = datetime(2027, 1, 1, 11, 30, tzinfo=UTC)
    token = make_id_token(
        world.operator, driver=driver, expires_at=expires_at, type=IdTokenType.EMAID
    )
    path = f"/operator/tokens/{token.pk}/"
    page = owner.get(path).content.decode()
    assert 'value="2027-01-01T12:30"' in page
    data = {
        "type": "eMAID", "status": "accepted", "expires_at": "2027-01-01T12:30",
        "driver_email": "grace@example.org",
    }  # fmt: skip
    assert owner.post(path, data).status_code == 302
    same = IdToken.objects.get(pk=token.pk)
    assert (same.driver, same.expires_at, same.type) == (driver, expires_at, "eMAID")
    assert not AuditEntry.objects.filter(object_type="id_token", object_id=str(token.pk)).exists()


def test_a_card_can_get_another_driver_or_none_but_no_other_number(
    world: World, owner: Client
) -> None:
    token = make_id_token(world.operator)
    path = f"/operator/tokens/{token.pk}/"
    owner.post(path, FORM | {"driver_email": "new@example.org", "uid": "OTHER"})
    changed = IdToken.objects.get(pk=token.pk)
    assert str(changed.driver) == "new@example.org"
    assert changed.uid == token.uid
    owner.post(path, FORM | {"driver_email": ""})
    assert IdToken.objects.get(pk=token.pk).driver is None


def test_a_group_of_somebody_else_cannot_be_chosen(world: World, owner: Client) -> None:
    foreign = make_id_token_group(make_operator())
    response = owner.post("/operator/new-token/", FORM | {"uid": unique("N"), "group": foreign.pk})
    assert response.status_code == 400


def test_blocking_says_what_happens_and_asks_once(world: World, owner: Client) -> None:
    token = make_id_token(world.operator)
    path = f"/operator/tokens/{token.pk}/block/"
    assert "Within a second" in text(owner, path)
    assert IdToken.objects.get(pk=token.pk).status == IdTokenStatus.ACCEPTED
    assert owner.post(path).status_code == 302
    assert IdToken.objects.get(pk=token.pk).status == IdTokenStatus.BLOCKED
    assert "Block…" not in text(owner, f"/operator/tokens/{token.pk}/")


def test_the_whole_number_is_shown_to_those_only_who_manage_cards(
    world: World, owner: Client, viewer: Client
) -> None:
    token = make_id_token(world.operator)
    path = f"/operator/tokens/{token.pk}/"
    assert token.uid in owner.get(path).content.decode()
    page = viewer.get(path).content.decode()
    assert token.uid not in page
    assert 'name="status"' not in page


def test_an_unknown_card_is_accepted_or_forgotten(world: World, owner: Client) -> None:
    unknown = world.unknown_id_token
    page = text(owner, "/operator/unknown-id-tokens/")
    assert str(unknown) in page
    assert unknown.uid not in page
    owner.post(f"/operator/unknown-id-tokens/{unknown.pk}/dismiss/")
    assert not UnknownIdToken.objects.filter(pk=unknown.pk).exists()
    assert "No unknown card was presented." in text(owner, "/operator/unknown-id-tokens/")


def test_groups_are_made_renamed_and_counted(world: World, owner: Client) -> None:
    assert owner.post("/operator/new-token-group/", {"name": "FLEET"}).status_code == 302
    group = IdTokenGroup.objects.get(operator=world.operator, name="FLEET")
    make_id_token(world.operator, group=group)
    path = f"/operator/token-groups/{group.pk}/"
    owner.post(path, {"name": "FLEET-B", "master": "on"})
    assert "FLEET-B 1 End anybody's session" in text(owner, "/operator/token-groups/").replace(
        "&#x27;", "'"
    )
    assert owner.post("/operator/new-token-group/", {"name": "FLEET-B"}).status_code == 400
    assert owner.post("/operator/new-token-group/", {"name": "Größe"}).status_code == 400


def test_a_new_operator_is_told_how_to_get_cards(client_as: Callable[..., Client]) -> None:
    client = client_as(make_operator(), Role.OWNER)
    assert "There are no cards yet." in text(client, "/operator/tokens/")
    assert "There are no groups yet." in text(client, "/operator/token-groups/")
