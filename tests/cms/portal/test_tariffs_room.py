"""Tariffs: filled in as a person thinks of them, tried out, assigned, explained."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.choices import Role
from billing.models import Tariff, TariffAssignment, TariffVersion
from billing.tariffs.selectors import latest_version
from cms.base.json import loads
from tests.billing.factories import assign, component, make_tariff
from tests.cms.portal.conftest import World
from tests.cms.portal.test_pages import text
from tests.factories import (
    make_connector,
    make_id_token,
    make_id_token_group,
    make_location,
    make_operator,
    make_station,
)

NEW = "/operator/new-tariff/"
FORM: dict[str, Any] = {
    "name": "Standard", "currency": "EUR", "vat_percent": "20", "energy": "0.40",
    "energy_step_wh": "1", "time_step_s": "1",
    "hours-TOTAL_FORMS": "1", "hours-INITIAL_FORMS": "0",
    "example_kwh": "20", "example_minutes": "35", "example_idle": "0",
    "example_day": "1", "example_at": "18:00",
}  # fmt: skip
NIGHT = {
    "hours-0-days": ["TUESDAY", "WEDNESDAY"], "hours-0-starts": "17:30", "hours-0-ends": "23:00",
    "hours-0-energy": "0.20",
}  # fmt: skip


@pytest.fixture
def editor(client_as: Callable[..., Client]) -> Client:
    return client_as(make_operator(currency="EUR", time_zone="Europe/Berlin"), Role.FINANCE)


def _content(name: str = "Standard") -> dict[str, Any]:
    tariff = Tariff.objects.filter(name=name).latest("pk")
    content: dict[str, Any] = latest_version(tariff).content
    return content


def test_a_form_becomes_an_ocpi_tariff(editor: Client) -> None:
    data = FORM | NIGHT | {
        "start_fee": "0.5", "charging_time": "1.2", "idle_time": "6", "idle_grace_min": "10",
        "idle_cap": "20", "least": "1", "most": "60", "time_step_s": "60", "country": "ch",
        "kind": "REGULAR", "note": "As agreed.",
    }  # fmt: skip
    assert editor.post(NEW, data).status_code == 302

    def priced(kind: str, price: str, step: int = 1) -> dict[str, Any]:
        return {"type": kind, "price": Decimal(price), "vat": 20, "step_size": step}

    assert _content() == {
        "currency": "EUR",
        "type": "REGULAR",
        "tariff_alt_text": [{"language": "en", "text": "As agreed."}],
        "min_price": {"incl_vat": 1},
        "max_price": {"incl_vat": 60},
        "elements": [
            {
                "price_components": [priced("ENERGY", "0.20")],
                "restrictions": {
                    "start_time": "17:30",
                    "end_time": "23:00",
                    "day_of_week": ["TUESDAY", "WEDNESDAY"],
                },
            },
            {
                "price_components": [
                    priced("FLAT", "0.5"),
                    priced("ENERGY", "0.40"),
                    priced("TIME", "1.2", 60),
                    priced("PARKING_TIME", "6", 60),
                ]
            },
        ],
        "x_magetsi": {"name": "Standard", "idle_grace_s": 600, "idle_cap": 20, "country": "CH"},
    }


def test_the_example_is_priced_as_filled_in_and_nothing_is_saved(editor: Client) -> None:
    """20 kWh in 35 minutes on a Tuesday at 18:00: at night's 0.20 EUR, and at noon at 0.40 EUR."""
    count = Tariff.objects.count()
    for at, total in (("18:00", "4.80 EUR with VAT"), ("12:00", "9.60 EUR with VAT")):
        response = editor.post(NEW, FORM | NIGHT | {"example_at": at, "calculate": "1"})
        assert response.status_code == 200
        words = response.content.decode().replace("\xa0", " ")
        assert total in words.replace('<span class="muted small">', "")
    assert Tariff.objects.count() == count


def test_an_example_of_what_is_not_filled_in_asks_for_it(editor: Client) -> None:
    response = editor.post(NEW, FORM | {"energy": "", "calculate": "1"})
    assert response.status_code == 200
    page = response.content.decode()
    assert "Fill in the prices" in page
    assert "Give at least one price." in page


def test_one_more_row_keeps_what_was_typed(editor: Client) -> None:
    response = editor.post(NEW, FORM | NIGHT | {"add-row": "1"})
    page = response.content.decode()
    assert 'name="hours-1-energy"' in page
    assert 'name="hours-0-energy" value="0.20"' in page
    assert 'name="name" value="Standard"' in page
    for count in ("999", "x", "-1", "١"):
        odd = editor.post(NEW, FORM | {"hours-TOTAL_FORMS": count, "add-row": "1"})
        assert odd.status_code == 200, count


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"energy": "", "vat_percent": "20"}, "Give at least one price."),
        ({"currency": "EURO"}, "at most 3 characters"),
        ({"currency": "XXX"}, "Three letters of ISO 4217"),
        ({"energy": "-1"}, "greater than or equal to 0"),
        ({"energy": "0.1234567"}, "6 decimal places"),
        ({"country": "1x"}, "Two letters of ISO 3166-1"),
        ({"least": "5", "most": "4"}, "This lies below the least price."),
        ({"idle_grace_min": "5"}, "Give the fee that is free at first or capped."),
        ({"hours-0-starts": "10:00", "hours-0-energy": "1"}, "Give both times or none."),
        ({"hours-0-energy": "1"}, "Choose days or times."),
        ({"hours-0-days": ["MONDAY"]}, "Give the price of these hours."),
        (
            {"hours-0-starts": "10:00", "hours-0-ends": "10:00", "hours-0-energy": "1"},
            "This is no time at all.",
        ),
        ({"hours-TOTAL_FORMS": "x"}, "ManagementForm data is missing"),
    ],
)
def test_what_makes_no_sense_is_said_beside_its_field(
    editor: Client, fields: dict[str, Any], sentence: str
) -> None:
    count = Tariff.objects.count()
    response = editor.post(NEW, FORM | fields)
    assert response.status_code == 400
    assert sentence in response.content.decode()
    assert Tariff.objects.count() == count


def test_a_change_is_a_new_version_and_saving_the_same_is_none(world: World, owner: Client) -> None:
    tariff = make_tariff(
        world.operator,
        x_magetsi={"name": "Standard"},
        tariff_alt_text=[{"language": "de", "text": "Wie vereinbart"}],
        max_price={"incl_vat": 9},
    )
    path = f"/operator/tariffs/{tariff.ocpi_id}/edit/"
    same = FORM | {"most": "9"}
    owner.post(path, same)
    assert TariffVersion.objects.filter(tariff=tariff).count() == 1

    response = owner.post(path, same | {"energy": "0.45", "most": ""})
    assert response.headers["Location"] == f"/operator/tariffs/{tariff.ocpi_id}/"
    latest = latest_version(tariff)
    assert latest.version == 2
    assert latest.content["elements"][0]["price_components"][0]["price"] == Decimal("0.45")
    assert "max_price" not in latest.content
    assert latest.content["tariff_alt_text"] == [{"language": "de", "text": "Wie vereinbart"}]
    page = text(owner, f"/operator/tariffs/{tariff.ocpi_id}/")
    assert "0.45 EUR per kWh + 20 % VAT = 0.54 EUR" in page
    assert "A session costs at most 9.00 EUR with VAT." in page  # the earlier version


def test_what_the_form_cannot_say_is_changed_as_json(world: World, owner: Client) -> None:
    tariff = make_tariff(world.operator, min_price={"excl_vat": Decimal("1.50")})
    path = f"/operator/tariffs/{tariff.ocpi_id}/edit/"
    page = owner.get(path).content.decode()
    assert "says more than the form can show" in page
    assert 'name="energy"' not in page
    content = {
        "currency": "EUR", "min_price": {"excl_vat": 2},
        "elements": [{"price_components": [{"type": "ENERGY", "price": 0.5, "step_size": 1}]}],
    }  # fmt: skip
    text_of = str(content).replace("'", '"')
    assert owner.post(path, {"content": text_of, "save": "1"}).status_code == 302
    latest = latest_version(tariff)
    assert latest.version == 2
    assert latest.content["min_price"] == {"excl_vat": 2}
    for wrong, sentence in (
        ("{", "This is not JSON"),
        ("[]", "This is not a JSON object."),
        ('{"currency": "EUR"}', "elements: This field is required."),
        ("[" * 50_000, "This is not JSON"),
    ):
        response = owner.post(path, {"content": wrong})
        assert response.status_code == 400
        assert sentence in response.content.decode()


def test_the_json_view_shows_each_number_with_its_digits(world: World, owner: Client) -> None:
    tariff = make_tariff(world.operator, component("ENERGY", "0.123456789012"))
    page = owner.get(f"/operator/tariffs/{tariff.ocpi_id}/edit/").content.decode()
    assert "0.123456789012" in page
    shown = page.split("<textarea")[1].split(">", 1)[1].split("</textarea>")[0]
    assert loads(shown.replace("&quot;", '"')) == latest_version(tariff).content


@pytest.mark.parametrize(("role", "may_insist"), [(Role.MANAGER, False), (Role.OWNER, True)])
def test_an_unlawful_tariff_is_refused_and_an_owner_may_insist(
    client_as: Callable[..., Client], role: Role, may_insist: bool
) -> None:
    client = client_as(make_operator(currency="GBP"), role)
    name = f"Unlawful {role}"
    data = FORM | {"name": name, "currency": "GBP", "charging_time": "2", "country": "GB"}
    response = client.post(NEW, data)
    assert response.status_code == 400
    page = response.content.decode()
    assert "In the United Kingdom" in page
    assert ('name="insist"' in page) is may_insist
    client.post(NEW, data | {"insist": "on"})
    assert Tariff.objects.filter(name=name).exists() is may_insist


def test_a_draft_is_kept_published_and_retired(editor: Client) -> None:
    editor.post(NEW, FORM | {"name": "Draft one", "draft": "1"})
    tariff = Tariff.objects.get(name="Draft one")
    assert tariff.status == "draft"
    path = f"/operator/tariffs/{tariff.ocpi_id}/"
    assert editor.post(f"{path}assign/", {"target": "operator"}).status_code == 400
    for status in ("active", "retired", "active"):
        editor.post(f"{path}status/{status}/")
        tariff.refresh_from_db()
        assert tariff.status == status
    assert editor.post(f"{path}status/draft/").status_code == 404


def test_a_tariff_is_assigned_to_each_kind_of_place_and_taken_off(
    world: World, owner: Client
) -> None:
    tariff = make_tariff(world.operator)
    group = make_id_token_group(world.operator, name="FLEET")
    path = f"/operator/tariffs/{tariff.ocpi_id}/"
    identity = world.station.identity
    for data, words in (
        ({"target": "operator"}, "Everything you have"),
        (
            {"target": "location", "location": world.station.location_id},
            f"Location {world.station.location}",
        ),
        ({"target": "station", "station": identity.lower()}, f"Station {identity}"),
        ({"target": "station", "station": identity, "evse_id": 2}, f"Station {identity}, EVSE 2"),
        ({"target": "group", "group": group.pk}, "Cards of the group FLEET"),
    ):
        assert owner.post(f"{path}assign/", data).status_code == 302
        assert words in text(owner, path)
    for assignment in TariffAssignment.objects.filter(tariff=tariff):
        owner.post(f"/operator/tariff-assignments/{assignment.pk}/remove/")
    assert "Nowhere yet" in text(owner, path)


def test_only_ones_own_places_can_be_chosen(world: World, owner: Client) -> None:
    tariff = make_tariff(world.operator)
    stranger = make_operator()
    for data in (
        {},
        {"target": "location"},
        {"target": "location", "location": make_location(stranger).pk},
        {"target": "station", "station": make_station(stranger).identity},
        {"target": "group", "group": make_id_token_group(stranger).pk},
        {"target": "moon"},
    ):
        response = owner.post(f"/operator/tariffs/{tariff.ocpi_id}/assign/", data)
        assert response.status_code == 400, data
    assert not TariffAssignment.objects.filter(tariff=tariff).exists()


def test_it_is_explained_why_a_tariff_applies(world: World, owner: Client) -> None:
    operator, station = world.operator, world.station
    narrow = make_tariff(operator, x_magetsi={"name": "Bay two"})
    assign(narrow, station=station, evse_id=2)
    fleet = make_tariff(operator, x_magetsi={"name": "Fleet price"})
    group = make_id_token_group(operator)
    assign(fleet, group=group)
    tomorrow = timezone.now() + timedelta(days=1)
    future = make_tariff(
        operator,
        x_magetsi={"name": "Next year"},
        start_date_time=tomorrow.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    assign(future, station=station)
    path = f"/operator/tariff-choice/?station={station.identity}"
    page = text(owner, path)
    first, second = page.split("· EVSE 2", 1)
    assert "It is assigned to everything you have." in first
    assert "Next year Its dates do not hold today, so it was passed over." in first
    assert "It is assigned to EVSE 2 of this station." in second
    assert "Bay two This one applies." in second
    assert "A narrower or newer assignment comes first." in second

    card = make_id_token(operator, group=group)
    page = text(owner, f"{path}&card={card.uid}")
    assert page.count("which has its own tariff.") == 2


def test_stations_without_a_price_are_named(client_as: Callable[..., Client]) -> None:
    operator = make_operator()
    bare, priced = make_station(operator), make_station(operator, location=make_location(operator))
    make_connector(bare)
    client = client_as(operator, Role.OWNER)
    assert "2 stations have no price" in text(client, "/operator/tariffs/")
    tariff = make_tariff(operator)
    assign(tariff, location=priced.location)
    page = text(client, "/operator/tariffs/")
    assert "1 station has no price" in page
    assert bare.identity in page
    assert "No price" in text(client, f"/operator/tariff-choice/?station={bare.identity}")
    everywhere = assign(tariff)
    assert "no price" not in text(client, "/operator/tariffs/")
    TariffAssignment.objects.filter(pk=everywhere.pk).update(removed_at=timezone.now())
    assert "1 station has no price" in text(client, "/operator/tariffs/")


def test_a_tariff_may_be_called_like_a_page(world: World, owner: Client) -> None:
    for ocpi_id in ("new", "edit", "a b?c#d", "100%"):
        tariff = make_tariff(world.operator, id=ocpi_id)
        assert tariff.ocpi_id == ocpi_id
        page = owner.get("/operator/tariffs/").content.decode()
        href = reverse("tariff", args=[ocpi_id])
        assert f'href="{href}"' in page
        assert owner.get(href).status_code == 200
