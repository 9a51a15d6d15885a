"""PATCH leaves fields out; the objects inside a field replace what was there and must be whole."""

from typing import Any

import pytest

from accounts.models import Operator
from tests.api import Api, fields_of
from tests.factories import make_location, make_station


@pytest.mark.parametrize(
    ("evse", "missing"),
    [
        ({}, "evses.0.evse_id"),
        ({"connectors": [{"connector_id": 1}]}, "evses.0.evse_id"),
        ({"evse_id": 1, "connectors": [{}]}, "evses.0.connectors.0.connector_id"),
    ],
)
def test_an_evse_without_its_number_names_the_field(
    api: Api, operator: Operator, evse: dict[str, Any], missing: str
) -> None:
    station = make_station(operator)
    response = api.patch(f"/stations/{station.identity}/", {"evses": [evse]})
    assert fields_of(response) == {missing: ["This field is required."]}


@pytest.mark.parametrize("half", ["latitude", "longitude"])
def test_half_a_coordinate_names_the_other(api: Api, operator: Operator, half: str) -> None:
    location = make_location(operator)
    response = api.patch(f"/locations/{location.pk}/", {"coordinates": {half: "1.5"}})
    [other] = {"latitude", "longitude"} - {half}
    assert fields_of(response) == {f"coordinates.{other}": ["This field is required."]}


def test_what_is_left_out_stays(api: Api, operator: Operator) -> None:
    station = make_station(operator, name="Before")
    response = api.patch(f"/stations/{station.identity}/", {"evses": [{"evse_id": 2}]})
    assert response.status_code == 200
    assert (response.json()["name"], len(response.json()["evses"])) == ("Before", 1)
