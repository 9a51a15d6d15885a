"""Refusals and accidents, in one shape."""

import pytest
from django.db import DataError, IntegrityError, OperationalError
from psycopg.errors import CheckViolation, UniqueViolation
from redis.exceptions import ConnectionError as RedisConnectionError
from rest_framework.throttling import SimpleRateThrottle

from accounts import selectors
from accounts.models import Operator
from cms.api.throttling import ApiKeyThrottle
from tests.api import Api, fields_of
from tests.factories import make_api_key


def _raising(error: Exception):
    def id_tokens_for(actor: object) -> None:
        raise error

    return id_tokens_for


def _violation(cause: type[Exception]) -> IntegrityError:
    error = IntegrityError("Failing row contains (7, secret).")
    error.__cause__ = cause()
    return error


def test_an_accident_is_a_500_with_a_reference_that_the_log_has(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    api.client.raise_request_exception = False
    monkeypatch.setattr(selectors, "id_tokens_for", _raising(RuntimeError("secret detail")))
    response = api.get("/id-tokens/")
    assert response.status_code == 500
    assert b"secret detail" not in response.content
    assert response.json()["data"]["reference"] in caplog.text
    assert "secret detail" in caplog.text


def test_a_database_that_cannot_be_reached_is_a_503(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selectors, "id_tokens_for", _raising(OperationalError("host=10.0.0.1")))
    response = api.get("/id-tokens/")
    assert (response.status_code, response.json()["code"]) == (503, "unavailable")
    assert response.headers["Retry-After"] == "5"
    assert b"10.0.0.1" not in response.content


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (DataError("out of range"), 400, "invalid"),
        (_violation(CheckViolation), 400, "invalid"),
        (_violation(UniqueViolation), 409, "conflict"),
    ],
)
def test_what_only_the_database_noticed_is_still_the_callers_fault(
    api: Api, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, code: str
) -> None:
    monkeypatch.setattr(selectors, "id_tokens_for", _raising(error))
    response = api.get("/id-tokens/")
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert str(error).encode() not in response.content


def test_a_media_type_that_we_do_not_write_is_406(api: Api) -> None:
    response = api.client.get("/api/v1/id-tokens/", headers={"Accept": "application/xml"})
    assert (response.status_code, response.json()["code"]) == (406, "not_acceptable")


def test_too_many_requests_of_one_key_wait(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: dict[str, list[float]] = {}

    class Cache:
        def get(self, key: str, default: list[float]) -> list[float]:
            return list(counted.get(key, default))

        def set(self, key: str, value: list[float], timeout: float) -> None:
            counted[key] = value

    monkeypatch.setattr(SimpleRateThrottle, "cache", Cache())
    monkeypatch.setattr(ApiKeyThrottle, "rate", "2/day", raising=False)
    api, other = Api(make_api_key(operator)), Api(make_api_key(operator))
    assert [api.get("/operators/me/").status_code for _ in range(3)] == [200, 200, 429]
    refused = api.get("/operators/me/")
    assert refused.json()["code"] == "throttled"
    assert int(refused.headers["Retry-After"]) == refused.json()["data"]["retry_after_s"]
    assert other.get("/operators/me/").status_code == 200


def test_without_redis_nobody_is_throttled(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    class Cache:
        def get(self, key: str, default: object) -> object:
            raise RedisConnectionError

    monkeypatch.setattr(SimpleRateThrottle, "cache", Cache())
    monkeypatch.setattr(ApiKeyThrottle, "rate", "1/day", raising=False)
    assert [api.get("/operators/me/").status_code for _ in range(2)] == [200, 200]


def test_every_refusal_has_the_same_three_keys(api: Api, nobody_api: Api) -> None:
    for response in (
        api.get("/id-tokens/1/"),
        api.get("/id-tokens/?x=1"),
        api.send("PUT", "/id-tokens/"),
        nobody_api.get("/id-tokens/"),
    ):
        assert set(response.json()) == {"code", "message", "data"}
    assert fields_of(api.get("/id-tokens/?x=1")) == {"x": ["There is no such field."]}


@pytest.mark.parametrize("body", [{}, {"uid": "x" * 300}])
def test_sentences_are_english_whatever_language_is_asked_for(api: Api, body: object) -> None:
    """Programs compare them."""
    english, french = (
        api.send("POST", "/id-tokens/", body, {"Accept-Language": language})
        for language in ("en", "fr")
    )
    assert (english.status_code, french.status_code) == (400, 400)
    assert english.json() == french.json()
