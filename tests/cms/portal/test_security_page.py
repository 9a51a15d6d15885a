"""A station's security tab, its questions, alarms on the overview, and refusals that say what to change."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.choices import Role
from cms.portal.remedies import advice_for, apply_remedy, detail_of, remedy_for
from cms.portal.security_words import EVENT_WORDS
from stations.choices import CertificateProblem
from stations.maintenance.security_events import OWN_EVENTS, STANDARD_EVENTS
from stations.models import ChargingStation, Command
from tests.cms.portal.conftest import World
from tests.conformance.pki import make_ca
from tests.factories import (
    make_actor,
    make_handshake_failure,
    make_station,
    make_station_certificate,
)


def tab(world: World) -> str:
    return f"/operator/stations/{world.station.identity}/security/"


def test_the_tab_tells_profile_certificates_and_events(world: World, owner: Client) -> None:
    ChargingStation.objects.filter(pk=world.station.pk).update(
        offered_security_profile=3, previous_password_until=timezone.now() + timedelta(days=1)
    )
    page = owner.get(tab(world)).content.decode()
    for words in (
        "Asked to rise to",
        "Both keys open the door",
        "Somebody opened the station or tampered with it.",
        "InvalidChargePointCertificate",
        world.certificate.serial_number,
        "Root that signs firmware",
    ):
        assert words in page, words


def test_a_revocation_is_asked_about_once(world: World, owner: Client) -> None:
    path = (
        f"/operator/stations/{world.station.identity}/certificates/{world.certificate.pk}/revoke/"
    )
    assert "cannot be undone" in owner.get(path).content.decode()
    assert owner.post(path)["Location"] == f"{tab(world)}#certificates"
    world.certificate.refresh_from_db()
    assert world.certificate.revoked_at is not None
    assert path not in owner.get(tab(world)).content.decode()


def test_an_alarm_needs_attention_until_somebody_has_seen_it(
    world: World, owner: Client, client_as: Callable[..., Client]
) -> None:
    words = EVENT_WORDS["TamperDetectionActivated"]
    assert str(words) in owner.get("/operator/").content.decode()
    path = f"/operator/security-events/{world.alarm.pk}/acknowledge/"
    assert path in owner.get("/operator/").content.decode()
    viewer = client_as(world.operator, Role.VIEWER)
    assert path not in viewer.get("/operator/").content.decode()
    assert viewer.post(path).status_code == 403
    assert owner.post(path)["Location"] == "/operator/"
    assert str(words) not in owner.get("/operator/").content.decode()


def test_every_known_event_has_words() -> None:
    assert set(EVENT_WORDS) == set(STANDARD_EVENTS) | set(OWN_EVENTS)


@pytest.mark.parametrize(
    ("kind", "answers", "action", "payload"),
    [
        ("raise-profile", {"profile": "2"}, "ChangeConfiguration", {"key": "SecurityProfile"}),
        ("new-key", {"form": "text"}, "ChangeConfiguration", {"key": "AuthorizationKey"}),
        ("renew-certificate", {}, "ExtendedTriggerMessage", {}),
        (
            "read-roots",
            {"use": "ManufacturerRootCertificate"},
            "GetInstalledCertificateIds",
            {"certificateType": "ManufacturerRootCertificate"},
        ),
        (
            "extended-trigger",
            {"message": "MeterValues", "evse_id": "1"},
            "ExtendedTriggerMessage",
            {"requestedMessage": "MeterValues", "connectorId": 1},
        ),
    ],
)
def test_questions_become_commands(
    world: World, owner: Client, kind: str, answers: dict, action: str, payload: dict
) -> None:
    path = f"/operator/stations/{world.station.identity}/ask/{kind}/"
    assert owner.post(path, answers).status_code == 302
    command = Command.objects.filter(station=world.station).first()
    assert command.action == action
    assert payload.items() <= command.payload.items()


def test_a_new_key_is_shown_to_nobody(world: World, owner: Client) -> None:
    path = f"/operator/stations/{world.station.identity}/ask/new-key/"
    owner.post(path, {"form": "hex"})
    value = Command.objects.filter(station=world.station).first().payload["value"]
    assert len(bytes.fromhex(value)) == 20
    for shown in (tab(world), f"/operator/stations/{world.station.identity}/commands/"):
        assert value not in owner.get(shown).content.decode()


def test_a_root_is_installed_and_deleted_by_its_name(world: World, owner: Client) -> None:
    ask = f"/operator/stations/{world.station.identity}/ask"
    root = {"use": "CentralSystemRootCertificate", "certificate": make_ca().pem}
    assert owner.post(f"{ask}/install-root/", root).status_code == 302
    assert owner.post(f"{ask}/install-root/", root | {"certificate": "x"}).status_code == 400
    named = {"hashAlgorithm": "SHA256", "issuerNameHash": "a", "issuerKeyHash": "b"}
    row = make_station_certificate(
        world.station, use="manufacturer_root", hash_data={**named, "serialNumber": "1"}
    )
    assert owner.post(f"{ask}/delete-root/", {"certificate": row.pk}).status_code == 302
    command = Command.objects.filter(station=world.station).first()
    assert command.payload == {"certificateHashData": {**named, "serialNumber": "1"}}
    own = {"certificate": world.certificate.pk}
    assert owner.post(f"{ask}/delete-root/", own).status_code == 400
    foreign = make_station_certificate(make_station(world.operator), hash_data=named)
    assert owner.post(f"{ask}/delete-root/", {"certificate": foreign.pk}).status_code == 404


def test_a_profile_is_not_lowered_by_asking(world: World, owner: Client) -> None:
    path = f"/operator/stations/{world.station.identity}/ask/raise-profile/"
    assert owner.post(path, {"profile": "1"}).status_code == 400


@pytest.mark.parametrize("problem", CertificateProblem.values)
@pytest.mark.django_db
def test_each_problem_with_a_certificate_says_what_to_change(problem: str) -> None:
    station = make_station(security_profile=3)
    failure = make_handshake_failure(
        station, reason="client_certificate", detail=f"{problem}: The certificate is odd."
    )
    assert detail_of(failure) == "The certificate is odd."
    generic = make_handshake_failure(station, reason="client_certificate", remote_address="::1")
    assert str(advice_for(failure)) != str(advice_for(generic))
    owner = make_actor(station.operator)
    apply_remedy(acting=owner, failure=failure)
    station.refresh_from_db()
    assert station.security_profile == 2


@pytest.mark.django_db
def test_digits_sent_for_a_key_are_mended_with_one_click() -> None:
    station = make_station()
    failure = make_handshake_failure(
        station, reason="wrong_credentials", detail="literal_hex: The digits were sent as text."
    )
    remedy = remedy_for(failure)
    assert remedy is not None
    apply_remedy(acting=make_actor(station.operator), failure=failure)
    station.refresh_from_db()
    assert station.accepts_literal_hex
