"""Every address of the API, asked by everybody (RELIABILITY 135): no key, every role, another tenant.

The addresses come from the URL configuration. One that is added later fails here until `World` has a
row for it, so that none is forgotten.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

import pytest
from django.urls import URLPattern, URLResolver

from accounts.api.base import ApiView
from accounts.choices import Role
from accounts.models import Operator
from accounts.services.permissions import allows
from billing.models import CDR, ChargingSession, LedgerTransaction
from cms.api import urls
from tests.api import Api
from tests.billing.factories import assign, make_ended, make_tariff, tell
from tests.factories import (
    make_api_key,
    make_charging_profile,
    make_command,
    make_connector,
    make_connector_status,
    make_firmware_file,
    make_firmware_update,
    make_handshake_failure,
    make_id_token,
    make_id_token_group,
    make_installed_profile,
    make_location,
    make_log_upload,
    make_message,
    make_meter_value,
    make_operator,
    make_reservation,
    make_security_event,
    make_state,
    make_station,
    make_station_certificate,
    make_trusted_ca,
    make_unknown_id_token,
)

# For people and programs that have no key yet.
OPEN = {"/schema/", "/docs/"}
METHODS = ("get", "post", "patch", "delete")


@dataclass(frozen=True)
class Route:
    """One address as the URL configuration has it, `/id-tokens/<str:id>/`."""

    pattern: str
    view: type[ApiView]

    @property
    def methods(self) -> list[str]:
        return [method for method in METHODS if hasattr(self.view, method)]

    def capability(self, method: str) -> Any:
        return self.view.capabilities.get(method.upper(), "read" if method == "get" else None)


def routes(patterns: list[Any], prefix: str = "/") -> Iterator[Route]:
    for item in patterns:
        if isinstance(item, URLResolver):
            yield from routes(item.url_patterns, prefix + str(item.pattern))
        elif isinstance(item, URLPattern) and item.name != "nowhere":
            address = prefix + str(item.pattern)
            if address not in OPEN:
                yield Route(address, item.callback.view_class)


ROUTES = {route.pattern: route for route in routes(urls.urlpatterns)}
BELOW = [pattern for pattern in ROUTES if "<" in pattern]
READABLE = [pattern for pattern in ROUTES if hasattr(ROUTES[pattern].view, "get")]


class World:
    """One of everything, of one operator."""

    def __init__(self, operator: Operator) -> None:
        self.operator = operator
        station = make_station(operator, location=make_location(operator))
        make_state(station)
        make_connector(station)
        make_connector_status(station)
        make_message(station)
        failure = make_handshake_failure(station)
        tariff = make_tariff(operator)
        assignment = assign(tariff)
        tx = make_ended(station)
        make_meter_value(tx)
        for topic in ("transaction.started", "transaction.ended"):
            tell(topic, tx)
        session = ChargingSession.objects.get(transaction=tx)
        at_station = f"/stations/{quote(station.identity)}/"
        self.rows: dict[str, object] = {
            "/id-tokens/<str:id>/": make_id_token(operator).pk,
            "/id-token-groups/<str:id>/": make_id_token_group(operator).pk,
            "/unknown-id-tokens/<str:id>/": make_unknown_id_token(operator).pk,
            "/handshake-failures/<str:id>/": failure.pk,
            "/commands/<str:id>/": make_command(station).pk,
            "/locations/<str:id>/": station.location_id,
            "/transactions/<str:id>/": tx.pk,
            "/charging-profiles/<str:id>/": make_charging_profile(operator).pk,
            "/reservations/<str:id>/": make_reservation(station).pk,
            "/firmware/<str:id>/": make_firmware_file(operator).pk,
            "/log-uploads/<str:id>/": make_log_upload(station).pk,
            "/security-events/<str:id>/": make_security_event(station).pk,
            "/trusted-cas/<str:id>/": make_trusted_ca(operator).pk,
            "/sessions/<str:id>/": session.pk,
            "/cdrs/<str:id>/": CDR.objects.get(session=session).pk,
            "/ledger/<str:id>/": LedgerTransaction.objects.get(cdr__session=session).pk,
            "/tariffs/<str:id>/": tariff.ocpi_id,
            "/tariff-assignments/<str:id>/": assignment.pk,
        }
        self.rows_of_station = {
            "charging-profiles/<str:id>/": make_installed_profile(station).pk,
            "certificates/<str:id>/": make_station_certificate(station).pk,
            "firmware-updates/<str:id>/": make_firmware_update(station).pk,
        }
        self.station = at_station

    def address(self, pattern: str) -> str:
        """The address of this world's own row."""
        if pattern.startswith("/stations/<str:identity>/"):
            below = pattern.replace("/stations/<str:identity>/", self.station)
            for row_pattern, public_id in self.rows_of_station.items():
                if row_pattern in below:
                    below = below.replace(
                        row_pattern, row_pattern.replace("<str:id>", str(public_id))
                    )
            return below
        for row_pattern, public_id in self.rows.items():
            if pattern.startswith(row_pattern):
                return pattern.replace("<str:id>", str(public_id))
        assert "<" not in pattern, f"World has no row for {pattern}"
        return pattern


@pytest.fixture
def world(operator: Operator) -> World:
    return World(operator)


def test_every_address_is_made_from_the_one_view() -> None:
    """Hence authentication, roles, errors and idempotency cannot be forgotten in one of them."""
    assert len(ROUTES) > 30
    for route in ROUTES.values():
        assert issubclass(route.view, ApiView), route.pattern
        for method in route.methods:
            assert route.capability(method), f"{route.pattern} names no capability for {method}"


def test_nobody_gets_in_without_a_key(nobody_api: Api) -> None:
    for pattern, route in ROUTES.items():
        for method in route.methods:
            address = pattern.replace("<str:id>", "1").replace("<str:identity>", "CP")
            response = nobody_api.send(method.upper(), address, {})
            assert response.status_code == 401, (method, pattern)


@pytest.mark.parametrize("role", Role)
def test_each_role_gets_as_far_as_its_capabilities(world: World, role: Role) -> None:
    api = Api(make_api_key(world.operator, role))
    for pattern, route in ROUTES.items():
        for method in route.methods:
            # A field that nobody knows: whoever may change something hears of it, and changes nothing.
            body = None if method in ("get", "delete") else {"no_such_field": 1}
            response = api.send(method.upper(), world.address(pattern), body)
            # What a station is asked to drop is dropped once it has agreed: 202.
            allowed = {"get": {200}, "delete": {202, 204}}.get(method, {400})
            expected = allowed if allows(role, route.capability(method)) else {403}
            assert response.status_code in expected, (method, pattern, response.content)


def test_another_operators_owner_finds_nothing(world: World, stranger_api: Api) -> None:
    """And cannot tell a row of another operator from one that is nobody's."""
    for pattern in BELOW:
        for method in ROUTES[pattern].methods:
            body = None if method == "get" else {}
            theirs = stranger_api.send(method.upper(), world.address(pattern), body)
            nowhere = pattern.replace("<str:id>", "999999999").replace("<str:identity>", "-")
            nobodys = stranger_api.send(method.upper(), nowhere, body)
            assert theirs.status_code == 404, (method, pattern, theirs.content)
            assert theirs.content == nobodys.content, (method, pattern)


def test_another_operators_rows_are_in_no_list(world: World) -> None:
    """Whatever the other operator reads names nothing of this one."""
    other = World(make_operator())
    api = Api(make_api_key(other.operator, Role.OWNER))
    names = {world.operator.slug, world.operator.name, unquote(world.station.split("/")[2])}
    for pattern in READABLE:
        response = api.get(other.address(pattern))
        assert response.status_code == 200, pattern
        if response.headers["Content-Type"] != "application/json":
            assert pattern == "/ca/", "the platform's own, everybody's"
            continue
        assert not names & set(strings(response.json())), pattern
        if "<" not in pattern:
            ids = {row["id"] for row in response.json().get("results", []) if "id" in row}
            assert str(world.rows.get(f"{pattern}<str:id>/")) not in ids, pattern


def strings(value: Any) -> Iterator[str]:
    """Every single value inside a JSON value, as text."""
    if isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    else:
        yield str(value)
