"""Who gets in, and as whom."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.choices import Role
from accounts.models import ApiKey, Operator
from tests.api import Api
from tests.factories import make_api_key

OWN = "/api/v1/operators/me/"


def test_a_key_stands_for_its_operator_and_role(api: Api, operator: Operator) -> None:
    body = api.get("/operators/me/").json()
    assert (body["slug"], body["role"]) == (operator.slug, "manager")


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer nonsense",
        "Bearer mgz_aaaaaaaaaaaa_" + "a" * 43,
        "Bearer mgz_\x00",
        "Bearer ключ",
        "Basic bWU6bXlzZWxm",
        "Bearer " + "x" * 5000,
    ],
)
def test_whoever_has_no_good_key_is_asked_for_one(db: None, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    response = Client().get(OWN, headers=headers)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert response.json()["code"] == "not_authenticated"
    assert response.headers["Content-Type"] == "application/json"


def test_the_right_prefix_with_another_secret_is_no_key(operator: Operator) -> None:
    key = make_api_key(operator)
    forged = key[:-4] + ("AAAA" if key[-4:] != "AAAA" else "BBBB")
    assert Api(forged).get("/operators/me/").status_code == 401


def test_a_revoked_key_is_refused_at_once(operator: Operator) -> None:
    api = Api(make_api_key(operator))
    assert api.get("/operators/me/").status_code == 200
    ApiKey.objects.update(revoked_at=timezone.now())
    assert api.get("/operators/me/").status_code == 401


def test_only_a_hash_of_the_key_is_kept(operator: Operator) -> None:
    key = make_api_key(operator)
    row = ApiKey.objects.get(operator=operator)
    secret = key.split("_", 2)[2]
    assert secret not in (row.key_hash, row.prefix)
    assert len(row.key_hash) == 64


def test_use_is_noted_once_a_minute(operator: Operator, django_assert_num_queries) -> None:
    api = Api(make_api_key(operator))
    api.get("/operators/me/")
    first = ApiKey.objects.get(operator=operator).last_used_at
    assert first is not None
    with django_assert_num_queries(1):
        api.get("/operators/me/")
    earlier = timezone.now() - timedelta(minutes=2)
    ApiKey.objects.update(last_used_at=earlier)
    api.get("/operators/me/")
    assert ApiKey.objects.get(operator=operator).last_used_at > earlier


def test_a_browser_session_is_no_key(operator: Operator) -> None:
    """Cookies do not reach the API, so no page of somebody else's can use it."""
    client = Client()
    from tests.factories import make_membership

    client.force_login(make_membership(operator, Role.OWNER).user)
    assert client.get(OWN).status_code == 401


def test_an_unknown_address_is_a_plain_404(api: Api, nobody_api: Api) -> None:
    for client in (api, nobody_api):
        response = client.get("/nothing-here/")
        assert response.status_code == 404
        assert response.json() == {
            "code": "not_found",
            "message": "There is nothing at this address.",
            "data": {},
        }
    assert "slash" in api.get("/stations").json()["message"]
    assert api.post("/nothing-here/", {}).status_code == 404


def test_a_method_that_an_address_lacks_is_405(api: Api) -> None:
    for method in ("PUT", "DELETE", "OPTIONS", "PATCH"):
        response = api.send(method, "/stations/", {})
        assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
