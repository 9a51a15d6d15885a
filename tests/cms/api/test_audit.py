"""The audit log over REST."""

from collections.abc import Callable

from django.utils import timezone

from accounts.choices import Role
from accounts.models import Operator
from accounts.services.audit import record_audit
from cms.base.time import rfc3339
from tests.api import Api, fields_of
from tests.factories import make_actor, make_id_token, make_station


def test_who_changed_what_is_told_with_stations_by_identity(api: Api, operator: Operator) -> None:
    api.post("/stations/", {"identity": "CP 1"})
    api.patch("/stations/CP%201/", {"name": "North"})
    person = make_actor(operator)
    token = make_id_token(operator)
    record_audit(actor=person, action="id_token.update", obj=token, before={}, after={"a": 1})
    by_person, renamed, created, _key_made = api.results("/audit/")
    assert (by_person["user"], by_person["api_key"]) == (person.user.email, None)
    assert (by_person["object_type"], by_person["object_id"]) == ("id_token", str(token.pk))
    assert renamed["user"] is None
    assert renamed["api_key"] is not None
    assert (renamed["object_type"], renamed["object_id"]) == ("charging_station", "CP 1")
    assert (renamed["before"], renamed["after"]) == ({"name": ""}, {"name": "North"})
    assert created["action"] == "station.create"


def test_entries_are_filtered(api: Api, operator: Operator) -> None:
    before = rfc3339(timezone.now())
    for identity in ("A", "B"):
        api.post("/stations/", {"identity": identity})
    one = api.results("/audit/", object_type="charging_station", object_id="A")
    assert [entry["object_id"] for entry in one] == ["A"]
    assert len(api.results("/audit/", action="station.create", since=before)) == 2
    assert api.results("/audit/", object_type="charging_station", object_id="nobody") == []
    assert "object_type" in fields_of(api.get("/audit/", object_id="A"))


def test_only_who_answers_for_the_operator_reads_it(api_as: Callable[[Role], Api]) -> None:
    for role in Role:
        status = api_as(role).get("/audit/").status_code
        assert status == (200 if role in (Role.OWNER, Role.MANAGER) else 403)


def test_a_page_costs_the_same_for_many_entries(
    api: Api, operator: Operator, django_assert_num_queries: object
) -> None:
    person = make_actor(operator)
    for _ in range(5):
        record_audit(actor=person, action="station.update", obj=make_station(operator))
    api.get("/operators/me/")
    with django_assert_num_queries(3):  # type: ignore[operator]  # key, page, identities
        assert len(api.results("/audit/")) == 6
