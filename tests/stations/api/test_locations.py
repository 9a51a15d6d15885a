"""Sites over REST, in OCPI's fields."""

from typing import Any

import pytest

from accounts.models import AuditEntry, Operator
from cms.base.time import rfc3339
from stations.models import Location
from stations.ocpi import ALPHA3_BY_ALPHA2
from tests.api import Api, fields_of
from tests.factories import make_location

SITE = {
    "name": "Blantyre Mall",
    "address": "Kidney Crescent 1",
    "city": "Blantyre",
    "postal_code": "312225",
    "country": "MWI",
    "coordinates": {"latitude": "-15.7861", "longitude": "35.0058000"},
    "time_zone": "Africa/Blantyre",
}


def test_a_site_is_made_and_shown_in_ocpis_words(api: Api) -> None:
    response = api.post("/locations/", SITE)
    assert response.status_code == 201
    location = Location.objects.get(name=SITE["name"])
    assert location.country == "MW"
    assert (
        response.json()
        == SITE
        | {
            "id": str(location.pk),
            "coordinates": {"latitude": "-15.7861000", "longitude": "35.0058000"},
            "created_at": rfc3339(location.created_at),
        }
        | {}
    )
    assert api.get(f"/locations/{location.pk}/").json() == api.results("/locations/")[0]


def test_a_site_without_a_zone_has_its_operators(api: Api, operator: Operator) -> None:
    operator.time_zone = "Africa/Lusaka"
    operator.save()
    assert api.post("/locations/", {"name": "A"}).json()["time_zone"] == "Africa/Lusaka"


def test_a_site_without_a_name_is_called_by_its_address(api: Api) -> None:
    assert api.post("/locations/", {"address": "Main Street 1"}).json()["name"] == "Main Street 1"
    assert "name" in fields_of(api.post("/locations/", {"city": "Zomba"}))


@pytest.mark.parametrize(
    ("sent", "shown"), [("mw", "MWI"), ("MWI", "MWI"), ("NL", "NLD"), ("", "")]
)
def test_a_country_is_taken_in_both_spellings(api: Api, sent: str, shown: str) -> None:
    assert api.post("/locations/", {"name": "A", "country": sent}).json()["country"] == shown


def test_countries_have_one_code_of_each_length() -> None:
    assert len(ALPHA3_BY_ALPHA2) == len(set(ALPHA3_BY_ALPHA2.values())) == 249
    assert all(len(a2) == 2 and len(a3) == 3 for a2, a3 in ALPHA3_BY_ALPHA2.items())


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"country": "XX"}, "country"),
        ({"country": "MALAWI"}, "country"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"coordinates": {"latitude": "1"}}, "coordinates.longitude"),
        ({"coordinates": {"latitude": "91", "longitude": "0"}}, "coordinates.latitude"),
        ({"coordinates": {"latitude": "0", "longitude": "180.1"}}, "coordinates.longitude"),
        ({"coordinates": {"latitude": "1e1", "longitude": "0"}}, "coordinates.latitude"),
        ({"coordinates": {"latitude": "NaN", "longitude": "0"}}, "coordinates.latitude"),
        ({"coordinates": {"latitude": 1.5, "longitude": "0"}}, "coordinates.latitude"),
        ({"coordinates": "here"}, "coordinates"),
        ({"name": "x" * 256}, "name"),
        ({"name": ""}, "name"),
        ({"postal_code": "x" * 11}, "postal_code"),
    ],
)
def test_what_cannot_be_is_refused_by_name(api: Api, body: dict[str, Any], field: str) -> None:
    assert field in fields_of(api.post("/locations/", {"name": "A"} | body))


def test_a_change_leaves_the_rest_and_an_audit_row(api: Api, operator: Operator) -> None:
    location = make_location(operator, city="Zomba", latitude="1.5", longitude="2.5")
    response = api.patch(f"/locations/{location.pk}/", {"coordinates": None, "country": "MWI"})
    assert (response.json()["city"], response.json()["coordinates"]) == ("Zomba", None)
    entry = AuditEntry.objects.get(action="location.update")
    assert entry.after == {"country": "MW", "latitude": None, "longitude": None}
    api.patch(f"/locations/{location.pk}/", {"city": "Zomba"})
    assert AuditEntry.objects.filter(action="location.update").count() == 1
