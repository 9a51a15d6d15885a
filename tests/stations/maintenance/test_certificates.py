"""Our CA and what it signs; the wire is asked in tests/conformance/ocpp16/test_security.py."""

from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.utils import timezone

from accounts.choices import Role
from accounts.models import AuditEntry
from cms.base.errors import Conflict, NotAllowed
from stations.choices import CertificateProblem, CertificateUse
from stations.maintenance import certificates
from stations.maintenance import x509 as rules
from stations.maintenance.security_events import acknowledge_security_event, note_security_event
from stations.models import (
    CertificateAuthority,
    ChargingStation,
    Command,
    SecurityEvent,
    StationCertificate,
)
from stations.services.security_profiles import raise_security_profile
from stations.services.stations import update_station
from tests.conformance.pki import Signer, make_ca, new_key, request_of, rsa_key
from tests.factories import make_actor, make_security_event, make_state, make_station

pytestmark = pytest.mark.django_db


@pytest.fixture
def station() -> ChargingStation:
    station = make_station()
    make_state(station)
    return station


def sign(station: ChargingStation, csr: str) -> bool:
    return certificates.sign_request(station_id=station.pk, csr=csr, received_at=timezone.now())


def test_the_ca_is_made_once_and_its_key_lies_encrypted() -> None:
    CertificateAuthority.objects.all().delete()
    authority = certificates.get_authority()
    assert certificates.get_authority().pk == authority.pk
    _, key = certificates._open_authority()
    plain = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    assert plain not in bytes(authority.encrypted_key)
    certificate = x509.load_pem_x509_certificate(authority.certificate.encode())
    assert certificate.public_key() == key.public_key()
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_another_secret_key_signs_nothing_until_the_old_one_is_named(
    station: ChargingStation, settings: Any
) -> None:
    CertificateAuthority.objects.all().delete()
    certificates.get_authority()
    old, settings.SECRET_KEY = settings.SECRET_KEY, "another-secret"
    settings.SECRET_KEY_FALLBACKS = []
    request = request_of(station.identity, new_key())
    assert not sign(station, request)
    assert "SECRET_KEY_FALLBACKS" in SecurityEvent.objects.get(station=station).tech_info
    settings.SECRET_KEY_FALLBACKS = [old]
    assert sign(station, request)


def test_a_request_answered_after_a_failed_delivery_is_a_new_one(station: ChargingStation) -> None:
    """An RSA station sends byte for byte the same request when it asks again, a year later or a minute."""
    request = request_of(station.identity, rsa_key())
    assert sign(station, request)
    assert sign(station, request)
    assert StationCertificate.objects.filter(station=station).count() == 1
    Command.objects.filter(station=station).update(status="timed_out", finished_at=timezone.now())
    assert sign(station, request)
    assert StationCertificate.objects.filter(station=station).count() == 2


def test_what_is_issued_ends_with_the_ca_and_takes_nothing_over(station: ChargingStation) -> None:
    now = timezone.now()
    authority, key = rules.make_authority(now=now, lifetime=timedelta(days=10))
    request = rules.read_request(request_of("CP", new_key()), names=["CP"])
    issued = rules.issue_client_certificate(
        request=request, authority=authority, key=key, now=now, lifetime=timedelta(days=365)
    )
    assert issued.not_valid_after_utc == authority.not_valid_after_utc
    root = rules.check_client_certificate([issued], roots=[authority], names=["CP"], now=now)
    assert root == authority
    with pytest.raises(rules.NotTrusted) as refusal:
        later = now + timedelta(days=11)
        rules.check_client_certificate([issued], roots=[authority], names=["CP"], now=later)
    assert refusal.value.problem == CertificateProblem.EXPIRED


def test_a_ca_below_a_ca_that_allows_none_opens_no_door() -> None:
    """Our own CA signs stations only: its path length is 0."""
    now = timezone.now()
    root = make_ca()
    middle = root.issue("Middle", usage=None, ca=True)
    leaf = middle.issue("CP")
    chain = [leaf.certificate, middle.certificate]
    rules.check_client_certificate(chain, roots=[root.certificate], names=["CP"], now=now)
    with pytest.raises(rules.NotTrusted):
        rules.check_client_certificate(chain[:1], roots=[root.certificate], names=["CP"], now=now)
    with pytest.raises(rules.NotTrusted):
        rules.check_client_certificate(chain, roots=[], names=["CP"], now=now)
    own, key = rules.make_authority(now=now, lifetime=timedelta(days=10))
    below = Signer(own, key).issue("Middle", usage=None, ca=True)
    leaf = below.issue("CP")
    chain = [leaf.certificate, below.certificate]
    with pytest.raises(rules.NotTrusted):
        rules.check_client_certificate(chain, roots=[own], names=["CP"], now=now)


def test_a_revocation_is_kept_once(station: ChargingStation) -> None:
    sign(station, request_of(station.identity, new_key()))
    row = StationCertificate.objects.get(station=station)
    owner = make_actor(station.operator)
    first = certificates.revoke_certificate(certificate=row, acting=owner).revoked_at
    assert certificates.revoke_certificate(certificate=row, acting=owner).revoked_at == first
    kept = AuditEntry.objects.filter(operator=station.operator, action="station_certificate.revoke")
    assert kept.count() == 1
    with pytest.raises(NotAllowed):
        viewer = make_actor(station.operator, Role.VIEWER)
        certificates.revoke_certificate(certificate=row, acting=viewer)
    root = StationCertificate(station=station, use=CertificateUse.MANUFACTURER_ROOT)
    root.save()
    with pytest.raises(Conflict):
        certificates.revoke_certificate(certificate=root, acting=owner)


def test_a_list_says_nothing_of_what_was_installed_after_it_was_asked(
    station: ChargingStation,
) -> None:
    use, root = CertificateUse.MANUFACTURER_ROOT, make_ca()
    asked_at = timezone.now()
    certificates.settle_installed_root(station_id=station.pk, use=use, pem=root.pem)
    for _ in range(2):
        certificates.settle_root_list(station_id=station.pk, use=use, told=[], asked_at=asked_at)
    [row] = StationCertificate.objects.filter(station=station)
    assert row.removed_at is None
    certificates.settle_root_list(station_id=station.pk, use=use, told=[], asked_at=timezone.now())
    row.refresh_from_db()
    assert row.removed_at is not None


def test_a_profile_rises_to_what_was_asked_and_an_owner_has_the_last_word(
    station: ChargingStation,
) -> None:
    def rows() -> Any:
        return ChargingStation.objects.filter(pk=station.pk)

    def profile() -> int:
        return rows().get().security_profile

    assert not raise_security_profile(station_id=station.pk, reached=3)
    rows().update(offered_security_profile=2)
    assert not raise_security_profile(station_id=station.pk, reached=1)
    assert raise_security_profile(station_id=station.pk, reached=3)
    assert profile() == 2
    assert not raise_security_profile(station_id=station.pk, reached=3)
    rows().update(offered_security_profile=3)
    owner = make_actor(station.operator)
    update_station(acting=owner, station=rows().get(), security_profile=1)
    assert not raise_security_profile(station_id=station.pk, reached=3)
    assert profile() == 1


def test_an_event_is_kept_once_and_seen_with_the_earlier_ones(station: ChargingStation) -> None:
    at = timezone.now()
    for _ in range(2):
        note_security_event(station_id=station.pk, type="MemoryExhaustion", at=at)
    earlier = SecurityEvent.objects.get(station=station)
    other = make_security_event(station)
    last = make_security_event(station, type="MemoryExhaustion")
    owner = make_actor(station.operator)
    acknowledge_security_event(event=last, acting=owner, with_earlier=True)
    for event in (earlier, last, other):
        event.refresh_from_db()
    assert earlier.acknowledged_by == last.acknowledged_by == owner.user
    assert other.acknowledged_at is None
    note_security_event(station_id=0, type="MemoryExhaustion", at=at)
