"""Tokens, groups and unknown tokens over REST."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.choices import Role
from accounts.models import AuditEntry, Driver, IdToken, IdTokenGroup, Operator, UnknownIdToken
from cms.base.time import rfc3339
from tests.api import Api, fields_of
from tests.factories import (
    make_id_token,
    make_id_token_group,
    make_unknown_id_token,
)


def uids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["uid"] for row in rows]


def test_a_token_is_made_with_sensible_values(api: Api) -> None:
    response = api.post("/id-tokens/", {"uid": "04 A2:b3"})
    assert response.status_code == 201
    token = IdToken.objects.get(uid="04 A2:b3")
    assert response.json() == {
        "id": str(token.pk),
        "uid": "04 A2:b3",
        "type": "ISO14443",
        "status": "accepted",
        "expires_at": None,
        "group": None,
        "driver": None,
        "max_concurrent": None,
        "last_used_at": None,
        "created_at": rfc3339(token.created_at),
    }
    assert api.get(f"/id-tokens/{token.pk}/").json() == response.json()


def test_a_uid_is_unique_without_case_within_its_operator_only(api: Api, stranger_api: Api) -> None:
    assert api.post("/id-tokens/", {"uid": "Card"}).status_code == 201
    response = api.post("/id-tokens/", {"uid": "cARD"})
    assert (response.status_code, response.json()["code"]) == (409, "conflict")
    assert "uid" in response.json()["data"]["fields"]
    assert stranger_api.post("/id-tokens/", {"uid": "card"}).status_code == 201


@pytest.mark.parametrize(
    "uid", ["<script>alert(1)</script>", "'; --", "{{7*7}}", "=cmd", "😀", " a "]
)
def test_an_odd_uid_is_kept_as_written(api: Api, uid: str) -> None:
    assert api.post("/id-tokens/", {"uid": uid}).json()["uid"] == uid
    assert uids(api.results("/id-tokens/", uid=uid)) == [uid]


def test_a_group_is_made_on_use_and_shared(api: Api, operator: Operator) -> None:
    for uid in ("A", "B"):
        api.post("/id-tokens/", {"uid": uid, "group": "Fleet"})
    groups = IdTokenGroup.objects.filter(operator=operator)
    assert [group.name for group in groups] == ["Fleet"]
    assert uids(api.results("/id-tokens/", group="Fleet")) == ["B", "A"]
    token = IdToken.objects.get(uid="A")
    assert api.patch(f"/id-tokens/{token.pk}/", {"group": None}).json()["group"] is None


def test_a_change_leaves_the_rest_and_an_audit_row_with_what_changed(
    api: Api, operator: Operator
) -> None:
    token = make_id_token(operator, max_concurrent=2)
    response = api.patch(f"/id-tokens/{token.pk}/", {"status": "blocked"})
    assert (response.json()["status"], response.json()["max_concurrent"]) == ("blocked", 2)
    entry = AuditEntry.objects.get(action="id_token.update")
    assert (entry.before, entry.after) == ({"status": "accepted"}, {"status": "blocked"})
    assert entry.api_key is not None


def test_a_change_of_nothing_leaves_no_audit_row(api: Api, operator: Operator) -> None:
    token = make_id_token(operator)
    shown = api.get(f"/id-tokens/{token.pk}/").json()
    for body in ({}, {"status": "accepted"}, shown):
        assert api.patch(f"/id-tokens/{token.pk}/", body).json() == shown
    assert not AuditEntry.objects.filter(action="id_token.update").exists()


def test_a_uid_can_be_corrected_but_not_to_anothers(api: Api, operator: Operator) -> None:
    token, other = make_id_token(operator), make_id_token(operator)
    assert api.patch(f"/id-tokens/{token.pk}/", {"uid": "Right"}).json()["uid"] == "Right"
    assert uids(api.results("/id-tokens/", uid="RIGHT")) == ["Right"]
    response = api.patch(f"/id-tokens/{token.pk}/", {"uid": other.uid.upper()})
    assert response.status_code == 409
    assert fields_of(api.patch(f"/id-tokens/{token.pk}/", {"uid": "ß" * 200}))


def test_expired_follows_from_the_clock_and_is_never_set(api: Api, operator: Operator) -> None:
    past, future = timezone.now() - timedelta(hours=1), timezone.now() + timedelta(hours=1)
    make_id_token(operator, uid="over", expires_at=past)
    make_id_token(operator, uid="good", expires_at=future)
    make_id_token(operator, uid="blocked", expires_at=past, status="blocked")
    shown = {row["uid"]: row["status"] for row in api.results("/id-tokens/")}
    assert shown == {"over": "expired", "good": "accepted", "blocked": "blocked"}
    for status in ("expired", "accepted", "blocked"):
        listed = api.results("/id-tokens/", status=status)
        assert uids(listed) == [uid for uid, was in shown.items() if was == status]
    assert "status" in fields_of(api.post("/id-tokens/", {"uid": "X", "status": "expired"}))


def test_an_id_of_another_type_than_text_names_nobody(api: Api, operator: Operator) -> None:
    for driver in ("7", "x", "9" * 19, 7, True):
        assert "driver" in fields_of(api.post("/id-tokens/", {"uid": "A", "driver": driver}))


def test_a_driver_can_get_a_second_token_but_not_another_operators_driver(
    api: Api, operator: Operator, stranger: Operator
) -> None:
    own, foreign = Driver.objects.create(), Driver.objects.create()
    make_id_token(operator, driver=own)
    make_id_token(stranger, driver=foreign)
    response = api.post("/id-tokens/", {"uid": "A", "driver": str(own.pk)})
    assert response.json()["driver"] == str(own.pk)
    assert "driver" in fields_of(api.post("/id-tokens/", {"uid": "B", "driver": str(foreign.pk)}))


def test_a_list_costs_the_same_for_many_tokens(
    api: Api, operator: Operator, django_assert_num_queries: Callable[..., Any]
) -> None:
    group = make_id_token_group(operator)
    for _ in range(5):
        make_id_token(operator, group=group)
    api.get("/operators/me/")
    with django_assert_num_queries(2):  # the key, the page
        assert len(api.results("/id-tokens/")) == 5


def test_groups_are_made_renamed_and_promoted(api: Api, operator: Operator) -> None:
    made = api.post("/id-token-groups/", {"name": "Staff"})
    assert made.status_code == 201
    group = made.json()
    assert group == {"id": group["id"], "name": "Staff", "master": False}
    changed = api.patch(f"/id-token-groups/{group['id']}/", {"name": "Crew", "master": True})
    assert changed.json() == {"id": group["id"], "name": "Crew", "master": True}
    assert api.get(f"/id-token-groups/{group['id']}/").json() == changed.json()
    make_id_token_group(operator, name="Guests")
    assert [row["name"] for row in api.results("/id-token-groups/")] == ["Guests", "Crew"]
    for response in (
        api.post("/id-token-groups/", {"name": "Guests"}),
        api.patch(f"/id-token-groups/{group['id']}/", {"name": "Guests"}),
    ):
        assert response.status_code == 409
    assert "name" in fields_of(api.post("/id-token-groups/", {"name": "x" * 37}))
    assert "master" in fields_of(api.post("/id-token-groups/", {"name": "y", "master": 1}))


def test_an_unknown_token_is_adopted_once(api: Api, operator: Operator) -> None:
    unknown = make_unknown_id_token(operator, uid="NewCard", station_identity="CP-9")
    row = api.results("/unknown-id-tokens/")[0]
    assert (row["uid"], row["station"], row["times_seen"]) == ("NewCard", "CP-9", 1)
    address = f"/unknown-id-tokens/{unknown.pk}/adopt/"
    response = api.post(address, {"group": "Fleet", "max_concurrent": 1})
    assert response.status_code == 201
    assert (response.json()["uid"], response.json()["group"]) == ("NewCard", "Fleet")
    assert not UnknownIdToken.objects.filter(operator=operator).exists()
    assert api.post(address, {}).status_code == 404


def test_a_token_that_was_unknown_is_forgotten_as_such_when_it_is_made(
    api: Api, operator: Operator, stranger: Operator
) -> None:
    make_unknown_id_token(operator, uid="CARD")
    foreign = make_unknown_id_token(stranger, uid="CARD")
    api.post("/id-tokens/", {"uid": "card"})
    assert list(UnknownIdToken.objects.filter(operator__in=[operator, stranger])) == [foreign]


@pytest.mark.parametrize("role", [Role.VIEWER, Role.TECHNICIAN, Role.FINANCE])
def test_who_may_not_manage_tokens_reads_them(
    api_as: Callable[[Role], Api], operator: Operator, role: Role
) -> None:
    token, unknown = make_id_token(operator), make_unknown_id_token(operator)
    api = api_as(role)
    assert uids(api.results("/id-tokens/")) == [token.uid]
    for response in (
        api.post("/id-tokens/", {"uid": "A"}),
        api.patch(f"/id-tokens/{token.pk}/", {"status": "blocked"}),
        api.post(f"/unknown-id-tokens/{unknown.pk}/adopt/"),
    ):
        assert (response.status_code, response.json()["code"]) == (403, "not_allowed")


def test_support_manages_tokens(api_as: Callable[[Role], Api]) -> None:
    assert api_as(Role.SUPPORT).post("/id-tokens/", {"uid": "A"}).status_code == 201
