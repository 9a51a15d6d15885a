"""Buttons: each writes the right row and an audit entry, or refuses in words."""

from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.choices import IdTokenStatus, Role
from accounts.models import AuditEntry, IdToken, UnknownIdToken
from billing.models import CDR, ChargingSession
from stations.choices import CommandStatus, SecurityProfile
from stations.models import ChargingStation, Command, HandshakeFailure
from stations.services.passwords import verify_password
from tests.cms.portal.conftest import World
from tests.factories import make_handshake_failure, make_id_token, make_station, make_transaction

ASKED = [
    ("unlock", {"evse_id": 1}, "UnlockConnector", {"connectorId": 1}),
    ("reset-soft", {}, "Reset", {"type": "Soft"}),
    ("reset-hard", {}, "Reset", {"type": "Hard"}),
    (
        "out-of-service",
        {"evse_id": 2},
        "ChangeAvailability",
        {"connectorId": 2, "type": "Inoperative"},
    ),
    ("in-service", {}, "ChangeAvailability", {"connectorId": 0, "type": "Operative"}),
    (
        "trigger",
        {"message": "StatusNotification", "evse_id": ""},
        "TriggerMessage",
        {"requestedMessage": "StatusNotification"},
    ),
    ("get-configuration", {"keys": " a, b ,"}, "GetConfiguration", {"key": ["a", "b"]}),
    ("get-configuration", {"keys": ""}, "GetConfiguration", {}),
    (
        "change-configuration",
        {"key": "HeartbeatInterval", "value": "60"},
        "ChangeConfiguration",
        {"key": "HeartbeatInterval", "value": "60"},
    ),
    ("clear-cache", {}, "ClearCache", {}),
]


def _ask(client: Client, world: World, kind: str, data: dict[str, object]) -> int:
    path = f"/operator/stations/{world.station.identity}/ask/{kind}/"
    return client.post(path, data).status_code


@pytest.mark.parametrize(("kind", "data", "action", "payload"), ASKED)
def test_a_button_queues_its_command_and_leaves_an_audit_entry(
    world: World,
    owner: Client,
    kind: str,
    data: dict[str, object],
    action: str,
    payload: dict[str, object],
) -> None:
    assert _ask(owner, world, kind, data) == 302
    command = Command.objects.filter(station=world.station).latest("id")
    assert (command.action, command.payload) == (action, payload)
    assert command.status == CommandStatus.QUEUED
    entry = AuditEntry.objects.get(action="command.create", object_id=str(command.pk))
    assert entry.operator == world.operator
    assert entry.user == command.created_by


def test_start_takes_a_card_in_any_case_and_only_ones_own(
    world: World, owner: Client, client_as: Callable[..., Client]
) -> None:
    token = make_id_token(world.operator, uid="AbC-77")
    assert _ask(owner, world, "start", {"evse_id": 2, "id_token": "aBc-77"}) == 302
    command = Command.objects.filter(station=world.station).latest("id")
    assert command.payload == {"idTag": token.uid, "connectorId": 2}

    foreign = make_id_token(make_station().operator)
    assert _ask(owner, world, "start", {"evse_id": 2, "id_token": foreign.uid}) == 400
    assert Command.objects.filter(station=world.station).latest("id") == command


def test_stop_names_a_running_transaction_of_this_station(world: World, owner: Client) -> None:
    assert _ask(owner, world, "stop", {"transaction": world.running.pk}) == 302
    command = Command.objects.filter(station=world.station).latest("id")
    assert command.payload == {"transactionId": int(world.running.ocpp_transaction_id)}

    over = world.completed.transaction_id
    assert _ask(owner, world, "stop", {"transaction": over}) == 400
    elsewhere = make_transaction(make_station(world.operator))
    assert _ask(owner, world, "stop", {"transaction": elsewhere.pk}) == 404
    foreign = make_transaction(make_station())
    assert _ask(owner, world, "stop", {"transaction": foreign.pk}) == 404


@pytest.mark.parametrize(
    ("role", "may_start", "may_reset"),
    [
        (Role.OWNER, True, True),
        (Role.MANAGER, True, True),
        (Role.TECHNICIAN, True, True),
        (Role.SUPPORT, True, False),
        (Role.FINANCE, False, False),
        (Role.VIEWER, False, False),
    ],
)
def test_roles_decide_which_buttons_are_there_and_which_work(
    world: World,
    client_as: Callable[..., Client],
    role: Role,
    may_start: bool,
    may_reset: bool,
) -> None:
    client = client_as(world.operator, role)
    page = client.get(f"/operator/stations/{world.station.identity}/").content.decode()
    assert ("/ask/stop/" in page) is may_start
    assert ("/ask/reset-hard/" in page) is may_reset
    count = Command.objects.count()
    data = {"transaction": world.running.pk}
    assert _ask(client, world, "stop", data) == (302 if may_start else 403)
    assert _ask(client, world, "reset-hard", {}) == (302 if may_reset else 403)
    assert Command.objects.count() == count + may_start + may_reset


def test_what_the_schema_refuses_is_said_in_the_form(world: World, owner: Client) -> None:
    path = f"/operator/stations/{world.station.identity}/ask/change-configuration/"
    response = owner.post(path, {"key": "k" * 51, "value": "1"})
    assert response.status_code == 400
    assert "50" in response.content.decode()


def test_a_station_that_never_connected_cannot_be_asked(world: World, owner: Client) -> None:
    station = make_station(world.operator)
    response = owner.post(f"/operator/stations/{station.identity}/ask/reset-soft/")
    assert response.status_code == 400
    assert "never connected" in response.content.decode()


def test_a_form_without_its_token_is_refused(world: World, owner: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = owner.cookies
    response = strict.post(f"/operator/stations/{world.station.identity}/ask/reset-soft/")
    assert response.status_code == 403
    assert "The form has expired" in response.content.decode()


def test_a_released_session_has_its_price(world: World, owner: Client) -> None:
    path = f"/operator/sessions/{world.in_review.pk}/"
    assert owner.post(path, {"reason": ""}).status_code == 400
    response = owner.post(path, {"reason": "Read off the meter", "energy_kwh": "12.5"})
    assert response.status_code == 302
    cdr = CDR.objects.get(session=world.in_review)
    assert cdr.energy_wh == 12_500
    assert cdr.gross_minor == 600
    assert AuditEntry.objects.filter(
        action="session.release", object_id=str(world.in_review.pk)
    ).exists()
    assert "6.00" in owner.get(path).content.decode()


def test_only_finance_and_above_release(world: World, client_as: Callable[..., Client]) -> None:
    path = f"/operator/sessions/{world.in_review.pk}/"
    data = {"reason": "x", "energy_kwh": "1"}
    for role in (Role.VIEWER, Role.SUPPORT, Role.TECHNICIAN):
        assert client_as(world.operator, role).post(path, data).status_code == 403
    assert not CDR.objects.filter(session=world.in_review).exists()
    assert client_as(world.operator, Role.FINANCE).post(path, data).status_code == 302


def test_a_session_is_released_once(world: World, owner: Client) -> None:
    path = f"/operator/sessions/{world.completed.pk}/"
    response = owner.post(path, {"reason": "again", "energy_kwh": "1"})
    assert response.status_code == 400
    assert ChargingSession.objects.get(pk=world.completed.pk).cdrs.count() == 1


def test_an_unknown_station_is_adopted_with_a_password_that_is_shown_once(
    world: World, owner: Client
) -> None:
    failure = make_handshake_failure()
    path = f"/operator/handshakes/{failure.pk}/"
    response = owner.post(path, {"name": "Bay 9", "protection": "password"})
    station = ChargingStation.objects.get(identity=failure.identity)
    assert (station.operator, station.name) == (world.operator, "Bay 9")
    assert station.security_profile == SecurityProfile.BASIC
    password = response.context["password"]
    assert password in response.content.decode()
    assert "no-store" in response.headers["Cache-Control"]
    assert verify_password(password.encode(), station.password_hash)
    failure.refresh_from_db()
    assert failure.resolved_at is not None
    assert password not in owner.get(f"/operator/stations/{station.identity}/").content.decode()


def test_a_station_is_adopted_without_a_password_only_where_that_is_allowed(
    world: World, owner: Client, settings: Settings
) -> None:
    first, second = make_handshake_failure(), make_handshake_failure()
    owner.post(f"/operator/handshakes/{first.pk}/", {"protection": "none"})
    assert ChargingStation.objects.get(identity=first.identity).security_profile == 0
    settings.OCPP_ALLOW_PROFILE_0 = False
    owner.post(f"/operator/handshakes/{second.pk}/", {"protection": "none"})
    assert ChargingStation.objects.get(identity=second.identity).security_profile == 1


def test_a_wrong_password_is_mended_by_a_new_one(world: World, owner: Client) -> None:
    response = owner.post(f"/operator/handshakes/{world.failure.pk}/mend/")
    world.station.refresh_from_db()
    password = response.context["password"]
    assert verify_password(password.encode(), world.station.password_hash)
    world.failure.refresh_from_db()
    assert world.failure.resolved_at is not None


@pytest.mark.parametrize(("offered", "mended"), [("", True), ("ocpp1.5", False)])
def test_ocpp16_is_assumed_only_for_a_station_that_names_no_version(
    world: World, owner: Client, offered: str, mended: bool
) -> None:
    failure = make_handshake_failure(world.station, reason="no_subprotocol", subprotocols=offered)
    assert owner.post(f"/operator/handshakes/{failure.pk}/mend/").status_code == 302
    world.station.refresh_from_db()
    assert world.station.assumes_ocpp16 is mended


def test_a_profile_is_lowered_by_the_owner_only(
    world: World, owner: Client, client_as: Callable[..., Client]
) -> None:
    station = make_station(world.operator, security_profile=SecurityProfile.TLS_BASIC)
    failure = make_handshake_failure(station, reason="profile_too_low")
    path = f"/operator/handshakes/{failure.pk}/mend/"
    assert client_as(world.operator, Role.MANAGER).post(path).status_code == 403
    assert owner.post(path).status_code == 302
    station.refresh_from_db()
    assert station.security_profile == SecurityProfile.BASIC


def test_a_dismissed_refusal_leaves_the_list(world: World, owner: Client, viewer: Client) -> None:
    path = f"/operator/handshakes/{world.failure.pk}/dismiss/"
    assert viewer.post(path).status_code == 403
    assert HandshakeFailure.objects.get(pk=world.failure.pk).resolved_at is None
    assert owner.post(path).status_code == 302
    assert HandshakeFailure.objects.get(pk=world.failure.pk).resolved_at is not None
    entry = AuditEntry.objects.get(
        action="handshake_failure.resolve", object_id=str(world.failure.pk)
    )
    assert entry.after["how"] == "dismiss"


@pytest.mark.parametrize("status", [IdTokenStatus.ACCEPTED, IdTokenStatus.BLOCKED])
def test_an_unknown_card_becomes_a_token(
    world: World, owner: Client, viewer: Client, status: IdTokenStatus
) -> None:
    unknown = world.unknown_id_token
    path = f"/operator/unknown-id-tokens/{unknown.pk}/"
    assert viewer.post(path, {"status": status}).status_code == 403
    assert owner.post(path, {"status": status}).status_code == 302
    assert IdToken.objects.get(operator=world.operator, uid=unknown.uid).status == status
    assert not UnknownIdToken.objects.filter(pk=unknown.pk).exists()
