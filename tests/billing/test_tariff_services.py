"""Tariffs are made, changed and assigned; every change is a version and an audit row."""

from decimal import Decimal
from typing import Any

import pytest

from accounts.choices import Role
from accounts.models import AuditEntry, Operator
from accounts.services.actors import Actor
from billing.choices import TariffStatus
from billing.exceptions import UnlawfulTariff
from billing.models import Tariff, TariffAssignment, TariffVersion
from billing.tariffs.exceptions import TariffInvalid
from billing.tariffs.services import (
    assign_tariff,
    change_tariff,
    create_tariff,
    remove_assignment,
)
from cms.base.errors import Conflict, Invalid, NotAllowed
from tests.billing.factories import assign, component, make_tariff, tariff_object
from tests.factories import (
    make_actor,
    make_connector,
    make_id_token_group,
    make_location,
    make_operator,
    make_station,
)


@pytest.fixture
def actor(operator: Operator) -> Actor:
    return make_actor(operator, Role.MANAGER)


def audit_of(row: Any, action: str) -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(object_id=str(row.pk), action=action))


def latest(tariff: Tariff) -> TariffVersion:
    return TariffVersion.objects.filter(tariff=tariff).latest("version")


def test_create_publishes_the_first_version(actor: Actor) -> None:
    tariff = create_tariff(actor=actor, data=tariff_object(x_magetsi={"name": "Day"}))
    assert (tariff.status, tariff.name, tariff.currency) == (TariffStatus.ACTIVE, "Day", "EUR")
    assert latest(tariff).version == 1
    price = latest(tariff).content["elements"][0]["price_components"][0]["price"]
    assert str(price) == "0.40"
    assert "id" not in latest(tariff).content
    (entry,) = audit_of(tariff, "tariff.create")
    assert entry.user == actor.user


def test_an_id_is_kept_where_it_is_free(actor: Actor) -> None:
    first = create_tariff(actor=actor, data=tariff_object(id="summer"))
    second = create_tariff(actor=actor, data=tariff_object(id="summer"))
    elsewhere = create_tariff(actor=Actor.system(make_operator()), data=tariff_object(id="summer"))
    assert first.ocpi_id == elsewhere.ocpi_id == "summer"
    assert second.ocpi_id not in {"", "summer"}


@pytest.mark.parametrize("ocpi_id", ["a/b", ".", "..", "ü", "a\tb"])
def test_an_id_fits_into_an_address(actor: Actor, ocpi_id: str) -> None:
    with pytest.raises(Invalid) as refusal:
        create_tariff(actor=actor, data=tariff_object(id=ocpi_id))
    assert set(refusal.value.data["fields"]) == {"id"}


def test_what_is_no_tariff_is_refused_by_its_fields(actor: Actor) -> None:
    with pytest.raises(TariffInvalid) as refusal:
        create_tariff(actor=actor, data={"currency": "EUR", "elements": [{"price_components": []}]})
    assert "elements.0.price_components" in refusal.value.data["fields"]
    assert not Tariff.objects.filter(operator=actor.operator).exists()


def test_a_change_is_a_new_version_of_what_was_there(actor: Actor) -> None:
    tariff = create_tariff(actor=actor, data=tariff_object(min_price={"excl_vat": Decimal("1.00")}))
    changed = change_tariff(
        actor=actor, tariff=tariff, data={"min_price": None, "x_magetsi": {"name": "New"}}
    )
    first, second = TariffVersion.objects.filter(tariff=tariff).order_by("version")
    assert first.content["min_price"] == {"excl_vat": Decimal("1.00")}
    assert "min_price" not in second.content
    assert second.content["elements"] == first.content["elements"]
    assert changed.name == "New"
    (entry,) = audit_of(tariff, "tariff.update")
    assert (entry.before["version"], entry.after["version"]) == (1, 2)
    assert set(entry.after["content"]) == {"min_price", "x_magetsi"}


def test_a_change_of_nothing_makes_no_version(actor: Actor) -> None:
    tariff = create_tariff(actor=actor, data=tariff_object())
    change_tariff(actor=actor, tariff=tariff, data=tariff_object())
    assert latest(tariff).version == 1
    assert audit_of(tariff, "tariff.update") == []


def test_an_id_never_changes(actor: Actor) -> None:
    tariff = create_tariff(actor=actor, data=tariff_object(id="summer"))
    change_tariff(actor=actor, tariff=tariff, data={"id": "summer"})
    with pytest.raises(Invalid):
        change_tariff(actor=actor, tariff=tariff, data={"id": "winter"})


def test_a_draft_is_published_by_its_next_change(actor: Actor) -> None:
    tariff = create_tariff(actor=actor, data=tariff_object(), draft=True)
    with pytest.raises(Conflict):
        assign_tariff(actor=actor, tariff=tariff)
    change_tariff(actor=actor, tariff=tariff, data={"type": "REGULAR"}, draft=True)
    tariff.refresh_from_db()
    assert (tariff.status, latest(tariff).version) == (TariffStatus.DRAFT, 2)
    change_tariff(actor=actor, tariff=tariff, data={})
    tariff.refresh_from_db()
    assert (tariff.status, latest(tariff).version) == (TariffStatus.ACTIVE, 2)
    assert assign_tariff(actor=actor, tariff=tariff).pk
    with pytest.raises(Conflict):
        change_tariff(actor=actor, tariff=tariff, data={"status": "draft"})


@pytest.mark.parametrize("role", [Role.VIEWER, Role.SUPPORT, Role.TECHNICIAN])
def test_needs_a_role_that_may(operator: Operator, role: Role) -> None:
    tariff = make_tariff(operator)
    assignment = assign(tariff)
    actor = make_actor(operator, role)
    for attempt in (
        lambda: create_tariff(actor=actor, data=tariff_object()),
        lambda: change_tariff(actor=actor, tariff=tariff, data={"type": "REGULAR"}),
        lambda: assign_tariff(actor=actor, tariff=tariff),
        lambda: remove_assignment(actor=actor, assignment=assignment),
    ):
        with pytest.raises(NotAllowed):
            attempt()
    assert latest(tariff).version == 1
    assert TariffAssignment.objects.filter(operator=operator, removed_at=None).count() == 1


def test_assignments_are_audited_and_removed_once(actor: Actor) -> None:
    station = make_station(actor.operator)
    tariff = make_tariff(actor.operator)
    assignment = assign_tariff(actor=actor, tariff=tariff, station=station, evse_id=2)
    (made,) = audit_of(assignment, "tariff_assignment.create")
    assert made.after["tariff"] == tariff.ocpi_id
    remove_assignment(actor=actor, assignment=assignment)
    remove_assignment(actor=actor, assignment=assignment)
    assert len(audit_of(assignment, "tariff_assignment.delete")) == 1


# --- rules of law ------------------------------------------------------------------------------


def by_time(country: str | None, **fields: Any) -> dict[str, Any]:
    """An ad-hoc price per hour beside the energy."""
    own = {"country": country} if country else {}
    return tariff_object(
        component("ENERGY", "0.40"), component("TIME", "3.00"), x_magetsi=own, **fields
    )


def for_fast_points(country: str) -> dict[str, Any]:
    made = by_time(country)
    made["elements"][0]["restrictions"] = {"min_power": 50}
    return made


@pytest.mark.parametrize(
    ("data", "rule"),
    [(for_fast_points("DE"), "afir_5_4"), (by_time("GB"), "uk_price_per_kwh")],
)
def test_an_unlawful_tariff_names_its_rule(actor: Actor, data: dict[str, Any], rule: str) -> None:
    with pytest.raises(UnlawfulTariff) as refusal:
        create_tariff(actor=actor, data=data)
    assert set(refusal.value.data["rules"]) == {rule}


@pytest.mark.parametrize(
    "data",
    [
        by_time(None),
        by_time("DE"),
        for_fast_points("ZM"),
        {**for_fast_points("DE"), "type": "REGULAR"},
        tariff_object(
            component("ENERGY", "0.40"),
            component("PARKING_TIME", "6.00"),
            x_magetsi={"country": "GB"},
        ),
    ],
)
def test_what_no_rule_forbids_is_published(actor: Actor, data: dict[str, Any]) -> None:
    assert create_tariff(actor=actor, data=data).status == TariffStatus.ACTIVE


def test_an_owner_may_insist_and_it_is_written_down(operator: Operator, actor: Actor) -> None:
    with pytest.raises(NotAllowed):
        create_tariff(actor=actor, data=by_time("GB"), force=True)
    owner = make_actor(operator, Role.OWNER)
    tariff = create_tariff(actor=owner, data=by_time("GB"), force=True)
    (entry,) = audit_of(tariff, "tariff.create")
    assert entry.after["insisted_on"] == ["uk_price_per_kwh"]


def test_a_change_may_not_break_a_rule_either(actor: Actor) -> None:
    tariff = create_tariff(actor=actor, data=by_time(None))
    with pytest.raises(UnlawfulTariff):
        change_tariff(actor=actor, tariff=tariff, data={"x_magetsi": {"country": "GB"}})
    assert latest(tariff).version == 1


def test_a_price_by_time_is_not_assigned_to_a_fast_point_in_the_union(actor: Actor) -> None:
    location = make_location(actor.operator)
    slow, fast = make_station(actor.operator), make_station(actor.operator, location=location)
    make_connector(slow, max_power_w=22_000)
    make_connector(fast, evse_id=1, max_power_w=22_000)
    make_connector(fast, evse_id=2, max_power_w=150_000)
    tariff = create_tariff(actor=actor, data=by_time("FR"))
    group = make_id_token_group(actor.operator)
    for target in ({"station": slow}, {"station": fast, "evse_id": 1}, {"group": group}):
        assert assign_tariff(actor=actor, tariff=tariff, **target).pk
    for target in ({"station": fast}, {"station": fast, "evse_id": 2}, {"location": location}, {}):
        with pytest.raises(UnlawfulTariff) as refusal:
            assign_tariff(actor=actor, tariff=tariff, **target)
        assert set(refusal.value.data["rules"]) == {"afir_5_4"}
