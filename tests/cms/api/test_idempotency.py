"""`Idempotency-Key`: one effect and one answer, whatever a network does to a request."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts.api.base import ApiView
from accounts.choices import Role
from accounts.models import AuditEntry, IdToken, Operator
from accounts.services import id_tokens
from cms.base.models import IdempotentAnswer
from cms.base.rest import idempotency
from stations.models import ChargingStation
from tests.api import Api, fields_of
from tests.factories import make_api_key, make_operator, unique


def test_a_retry_gets_the_same_answer_and_does_nothing(api: Api, operator: Operator) -> None:
    first = api.post("/id-tokens/", {"uid": "A"}, key="k")
    again = api.post("/id-tokens/", {"uid": "A"}, key="k")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert IdToken.objects.filter(operator=operator).count() == 1
    assert AuditEntry.objects.filter(operator=operator, action="id_token.create").count() == 1
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"


def test_another_body_or_address_under_the_same_key_is_a_conflict(
    api: Api, operator: Operator
) -> None:
    api.post("/id-tokens/", {"uid": "A"}, key="k")
    for path, body in (("/id-tokens/", {"uid": "B"}), ("/id-token-groups/", {"uid": "A"})):
        response = api.post(path, body, key="k")
        assert (response.status_code, response.json()["code"]) == (409, "idempotency_key_reused")
    assert IdToken.objects.filter(operator=operator).count() == 1


def test_a_refusal_is_an_answer_too(api: Api, operator: Operator) -> None:
    assert api.post("/id-tokens/", {"uid": ""}, key="k").status_code == 400
    assert api.post("/id-tokens/", {"uid": "A"}, key="k").status_code == 409
    api.post("/id-tokens/", {"uid": "B"})
    assert api.post("/id-tokens/", {"uid": "b"}, key="dup").status_code == 409
    IdToken.objects.filter(operator=operator).delete()
    assert api.post("/id-tokens/", {"uid": "b"}, key="dup").status_code == 409


def test_keys_of_two_programs_never_meet(operator: Operator, stranger: Operator) -> None:
    for owner in (operator, operator, stranger):
        own = Api(make_api_key(owner))
        response = own.post("/id-tokens/", {"uid": unique("T")}, key="k")
        assert response.status_code == 201


def test_without_a_right_nothing_is_kept(operator: Operator, nobody_api: Api) -> None:
    viewer = Api(make_api_key(operator, Role.VIEWER))
    assert viewer.post("/id-tokens/", {"uid": "A"}, key="k").status_code == 403
    assert nobody_api.post("/id-tokens/", {"uid": "A"}, key="k").status_code == 401
    assert not IdempotentAnswer.objects.filter(key="k").exists()


@pytest.mark.parametrize("key", ["", "x" * 256, "schlüssel", "tab\there"])
def test_a_key_that_is_none_is_refused(api: Api, key: str) -> None:
    assert "Idempotency-Key" in fields_of(api.post("/id-tokens/", {"uid": "A"}, key=key))


def test_a_secret_shown_once_is_shown_again_to_a_retry_and_kept_encrypted(
    api: Api, operator: Operator
) -> None:
    body = {"identity": unique("CP"), "security_profile": 1}
    first = api.post("/stations/", body, key="k").json()
    again = api.post("/stations/", body, key="k").json()
    assert first["password"] == again["password"]
    assert first["password"] not in IdempotentAnswer.objects.get(key="k").body
    assert ChargingStation.objects.filter(operator=operator).count() == 1


def test_an_error_of_ours_is_no_answer_and_undoes_what_was_done(
    api: Api, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a 500 nobody knows what happened, so nothing must have."""

    def created(self: ApiView, row: object) -> None:
        raise RuntimeError("broken after the effect")

    api.client.raise_request_exception = False
    with monkeypatch.context() as broken:
        broken.setattr(ApiView, "created", created)
        response = api.post("/id-tokens/", {"uid": "A"}, key="k")
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert not IdToken.objects.filter(operator=operator).exists()
    assert api.post("/id-tokens/", {"uid": "A"}, key="k").status_code == 201


def test_old_answers_are_forgotten(api: Api) -> None:
    api.post("/id-tokens/", {"uid": "A"}, key="old")
    IdempotentAnswer.objects.filter(key="old").update(
        created_at=timezone.now() - timedelta(hours=49)
    )
    api.post("/id-tokens/", {"uid": "B"}, key="new")
    assert idempotency.forget_old_answers() == 1
    assert not IdempotentAnswer.objects.filter(key="old").exists()
    assert IdempotentAnswer.objects.filter(key="new").exists()


@pytest.fixture
def committed_key(transactional_db: None) -> str:
    return make_api_key(make_operator())


def _post(key: str, answers: list[tuple[int, bytes]]) -> None:
    try:
        response = Api(key).post("/id-tokens/", {"uid": "A"}, key="k")
        answers.append((response.status_code, response.content))
    finally:
        connection.close()


def test_a_duplicate_under_way_waits_for_the_first_and_gets_its_answer(
    committed_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RELIABILITY 73: a double click, a client that retries after its own time-out."""
    create = id_tokens.create_id_token
    effects: list[str] = []
    arrived = threading.Barrier(2)

    def slow_create(**fields: object) -> IdToken:
        effects.append("create")
        # The duplicate is on its way: let it reach the unique row before this transaction ends.
        arrived.wait(timeout=20)
        _wait_until_somebody_waits_for_a_lock()
        return create(**fields)  # type: ignore[arg-type]

    monkeypatch.setattr(id_tokens, "create_id_token", slow_create)
    answers: list[tuple[int, bytes]] = []
    first = threading.Thread(target=_post, args=(committed_key, answers))
    first.start()
    arrived.wait(timeout=20)
    second = threading.Thread(target=_post, args=(committed_key, answers))
    second.start()
    first.join(30)
    second.join(30)
    assert len(answers) == 2
    assert answers[0] == answers[1]
    assert answers[0][0] == 201
    assert effects == ["create"]


def test_a_duplicate_that_waits_too_long_is_told_so(
    committed_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "WAIT_MS", 50)
    create = id_tokens.create_id_token
    entered, go_on = threading.Event(), threading.Event()

    def held_create(**fields: object) -> IdToken:
        entered.set()
        assert go_on.wait(timeout=20)
        return create(**fields)  # type: ignore[arg-type]

    monkeypatch.setattr(id_tokens, "create_id_token", held_create)
    answers: list[tuple[int, bytes]] = []
    first = threading.Thread(target=_post, args=(committed_key, answers))
    first.start()
    assert entered.wait(timeout=20)
    response = Api(committed_key).post("/id-tokens/", {"uid": "A"}, key="k")
    go_on.set()
    first.join(30)
    assert (response.status_code, response.json()["code"]) == (409, "in_progress")
    assert answers[0][0] == 201


def _wait_until_somebody_waits_for_a_lock() -> None:
    deadline = timezone.now() + timedelta(seconds=20)
    while timezone.now() < deadline:
        with connection.cursor() as cursor:
            # pg_sleep only between two looks: the look itself decides.
            cursor.execute("SELECT count(*), pg_sleep(0.01) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return
    raise AssertionError("the duplicate never reached the row")
