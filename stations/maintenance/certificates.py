"""Certificates of stations: our own CA, whom else an operator trusts, what each station has.

The CA is made when it is first asked for, one for the platform. Its key is encrypted at rest with a key derived
from SECRET_KEY: a copy of the database alone signs nothing. Whoever changes SECRET_KEY keeps the old one in
SECRET_KEY_FALLBACKS, or stations get no new certificates; those that they have go on to work.

Functions that follow a message or a command may be called again for the same one.
"""

import base64
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accounts.services.actors import Actor
from accounts.services.audit import record_audit
from accounts.services.permissions import require
from cms.base.errors import Conflict, DomainError, Invalid
from stations.choices import CertificateUse, CommandStatus
from stations.maintenance.security_events import note_security_event
from stations.maintenance.x509 import (
    Unacceptable,
    check_authority,
    common_name_of,
    fingerprint_of,
    hash_data_of,
    is_named_by,
    issue_client_certificate,
    make_authority,
    pem_of,
    read_certificates,
    read_request,
    request_print,
    same_hash_data,
    shown_name,
)
from stations.models import (
    CertificateAuthority,
    ChargingStation,
    Command,
    StationCertificate,
    StationState,
    TrustedCA,
)
from stations.services.commands import queue_command

logger = logging.getLogger(__name__)

AUTHORITY_LIFETIME = timedelta(days=20 * 365)
CERTIFICATE_LIFETIME = timedelta(days=365)
MAX_PEM = 20_000
# Serialises the making of the CA; any number that nobody else locks.
_AUTHORITY_LOCK = 4_701_633_901


class AuthorityLocked(DomainError):
    """The CA's key was encrypted under another SECRET_KEY."""

    code = "authority_locked"
    status = 409


# --- our own CA --------------------------------------------------------------------------------


@transaction.atomic
def get_authority() -> CertificateAuthority:
    """Our CA; made now if there was none yet."""
    authority = CertificateAuthority.objects.first()
    if authority is not None:
        return authority
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_AUTHORITY_LOCK])
    authority = CertificateAuthority.objects.first()
    if authority is not None:
        return authority
    certificate, key = make_authority(now=timezone.now(), lifetime=AUTHORITY_LIFETIME)
    encoded = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    logger.info("A CA for client certificates of stations was made.")
    return CertificateAuthority.objects.create(
        certificate=pem_of(certificate), encrypted_key=_cipher().encrypt(encoded)
    )


def _open_authority() -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    authority = get_authority()
    try:
        encoded = _cipher().decrypt(bytes(authority.encrypted_key))
    except InvalidToken as error:
        raise AuthorityLocked(
            "The CA's key was encrypted under another SECRET_KEY; name that one in "
            "SECRET_KEY_FALLBACKS."
        ) from error
    key = load_der_private_key(encoded, password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)  # noqa: S101 - we made it
    return read_certificates(authority.certificate)[0], key


def _cipher() -> MultiFernet:
    secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet([Fernet(_derived(secret)) for secret in secrets])


def _derived(secret: str) -> bytes:
    derivation = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"magetsi station CA")
    return base64.urlsafe_b64encode(derivation.derive(secret.encode()))


# --- certificates that we issue ------------------------------------------------------------------


@transaction.atomic
def sign_request(*, station_id: int, csr: str, received_at: datetime) -> bool:
    """A station asks for a client certificate: issue it and queue it for sending; False refuses the request.

    The same request again, while its certificate is still on its way, is that request: nothing new is issued. Why
    a request was refused is kept among the station's security events.

    Source: Improved security for OCPP 1.6-J, A02 (SignCertificate, CertificateSigned).
    """
    station = _locked(station_id)
    if station is None:
        return False
    acting = Actor.system(station.operator)
    try:
        request = read_request(csr, names=names_of(station))
        authority, key = _open_authority()
    except (Unacceptable, AuthorityLocked) as error:
        logger.warning("%s: no certificate issued: %s", station.identity, error)
        note_security_event(
            station_id=station.pk,
            type="CertificateRequestRefused",
            at=received_at,
            tech_info=str(error),
        )
        return False
    known = _on_its_way(station, request_print(request))
    if known is not None:
        return True
    issued = issue_client_certificate(
        request=request,
        authority=authority,
        key=key,
        now=timezone.now(),
        lifetime=CERTIFICATE_LIFETIME,
    )
    row = StationCertificate.objects.create(
        station=station,
        use=CertificateUse.CLIENT,
        request_print=request_print(request),
        **_described(issued),
    )
    after = {"station": station.identity, "subject": row.subject, "not_after": row.not_after}
    record_audit(actor=acting, action="station_certificate.issue", obj=row, after=after)
    queue_command(
        station=station,
        action="CertificateSigned",
        payload={"certificateChain": row.pem + pem_of(authority)},
        acting=acting,
    )
    return True


def names_of(station: ChargingStation) -> list[str]:
    """What the common name of a station's certificate may be: its identity or its serial number."""
    state = StationState.objects.filter(station=station).first()
    names = [station.identity, state.serial_number if state else ""]
    return list(dict.fromkeys(name for name in names if name))


def _on_its_way(station: ChargingStation, print: str) -> StationCertificate | None:
    """The certificate that answered this request, while the station has not said what it thinks of it."""
    row = StationCertificate.objects.filter(
        station=station, request_print=print, installed_at=None, revoked_at=None, removed_at=None
    ).first()
    if row is None:
        return None
    open_commands = Command.objects.filter(
        station=station,
        action="CertificateSigned",
        status__in=[CommandStatus.QUEUED, CommandStatus.SENT],
    ).only("payload")
    on_its_way = any(
        row.pem in command.payload.get("certificateChain", "") for command in open_commands
    )
    return row if on_its_way else None


@transaction.atomic
def settle_signed_certificate(*, station_id: int, chain: str, installed: bool) -> None:
    """The station took the certificate at the head of `chain`, or did not. Idempotent.

    One that we did not issue, sent by hand, becomes a row when it is taken.
    """
    station = _locked(station_id)
    leaf = _first_of(chain)
    if station is None or leaf is None:
        return
    now = timezone.now()
    row = _known(station, CertificateUse.CLIENT, leaf)
    if row is None:
        if installed:
            StationCertificate.objects.create(
                station=station, use=CertificateUse.CLIENT, installed_at=now, **_described(leaf)
            )
    elif installed and (row.installed_at is None or row.removed_at is not None):
        row.installed_at, row.removed_at = now, None
        row.save(update_fields=["installed_at", "removed_at"])
    elif not installed and row.installed_at is None and row.removed_at is None:
        row.removed_at = now
        row.save(update_fields=["removed_at"])


@transaction.atomic
def note_shown_certificate(*, station_id: int, pem: str) -> None:
    """A station signed in with this certificate: so it has it. Idempotent."""
    settle_signed_certificate(station_id=station_id, chain=pem, installed=True)


@transaction.atomic
def revoke_certificate(*, certificate: StationCertificate, acting: Actor) -> StationCertificate:
    """From now on this client certificate opens no door; a socket that it opened is closed. Idempotent.

    Raises:
        NotAllowed: the role may not change stations.
        Conflict: it is no client certificate, or all that is known of it is a hash.
    """
    require(acting, "stations.change")
    if certificate.use != CertificateUse.CLIENT:
        raise Conflict(
            "Only a certificate with which a station signs in can be revoked; delete a root at the "
            "station."
        )
    revoked = StationCertificate.objects.filter(pk=certificate.pk, revoked_at=None).update(
        revoked_at=timezone.now()
    )
    certificate.refresh_from_db()
    if revoked:
        record_audit(
            actor=acting,
            action="station_certificate.revoke",
            obj=certificate,
            after={"station": certificate.station.identity, "subject": certificate.subject},
        )
        # Whoever holds the station's socket looks again at how it was opened.
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_notify('magetsi_cache', %s)", [f"station:{certificate.station.identity}"]
            )
    return certificate


def request_renewal(*, station: ChargingStation, acting: Actor) -> Command:
    """Ask a station to make a new key and request a certificate for it (Improved security, A02)."""
    return queue_command(
        station=station,
        action="ExtendedTriggerMessage",
        payload={"requestedMessage": "SignChargePointCertificate"},
        acting=acting,
    )


# --- roots at the station ----------------------------------------------------------------------


@transaction.atomic
def settle_installed_root(*, station_id: int, use: CertificateUse, pem: str) -> None:
    """The station took a root certificate. Idempotent."""
    station = _locked(station_id)
    root = _first_of(pem)
    if station is None or root is None:
        return
    row = _known(station, use, root)
    if row is None:
        row = StationCertificate(
            station=station, use=use, hash_data=hash_data_of(root), **_described(root)
        )
    elif row.removed_at is None:
        return
    row.installed_at, row.removed_at = timezone.now(), None
    row.save()


@transaction.atomic
def settle_deleted_root(*, station_id: int, hash_data: Mapping[str, Any]) -> None:
    """The station no longer has the certificate that it names so. Idempotent."""
    station = _locked(station_id)
    if station is None:
        return
    for row in _roots(station):
        if _is_row(row, hash_data):
            row.removed_at = timezone.now()
            row.save(update_fields=["removed_at"])


@transaction.atomic
def settle_root_list(
    *,
    station_id: int,
    use: CertificateUse,
    told: Sequence[Mapping[str, Any]],
    asked_at: datetime,
) -> None:
    """The station told which roots it has for a use: the rows become that. Idempotent.

    What was installed after `asked_at` is not judged by this list.
    """
    station = _locked(station_id)
    if station is None:
        return
    now = timezone.now()
    rows = list(StationCertificate.objects.filter(station=station, use=use))
    present: set[int] = set()
    for hash_data in told:
        row = next((each for each in rows if _is_row(each, hash_data)), None)
        if row is None:
            row = StationCertificate(
                station=station, use=use, serial_number=str(hash_data["serialNumber"])[:64]
            )
            rows.append(row)
        if row.installed_at is None or row.removed_at is not None:
            row.installed_at = now
        # As this station writes it: that is how it wants to be told which one to delete.
        row.hash_data, row.removed_at = dict(hash_data), None
        row.save()
        present.add(row.pk)
    for row in rows:
        before = row.installed_at is not None and row.installed_at <= asked_at
        if row.pk not in present and row.removed_at is None and before:
            row.removed_at = now
            row.save(update_fields=["removed_at"])


def _roots(station: ChargingStation) -> list[StationCertificate]:
    present = StationCertificate.objects.filter(station=station, removed_at=None)
    return list(present.exclude(use=CertificateUse.CLIENT))


def _is_row(row: StationCertificate, hash_data: Mapping[str, Any]) -> bool:
    if row.hash_data is not None and same_hash_data(row.hash_data, hash_data):
        return True
    certificate = _first_of(row.pem)
    return certificate is not None and is_named_by(certificate, hash_data)


# --- whom else an operator trusts --------------------------------------------------------------


@transaction.atomic
def add_trusted_ca(*, acting: Actor, name: str, pem: str) -> TrustedCA:
    """From now on client certificates that lead to this CA let the operator's stations in.

    Raises:
        NotAllowed: the role may not change stations.
        Invalid: `pem` is not the certificate of a CA that may be trusted.
        Conflict: it is trusted already.
    """
    require(acting, "stations.change")
    try:
        certificates = read_certificates(pem[:MAX_PEM])
        if len(certificates) != 1:
            raise Unacceptable("Give one certificate; add each CA by itself.")
        check_authority(certificates[0], now=timezone.now())
    except Unacceptable as error:
        raise Invalid.fields({"pem": [str(error)]}) from error
    certificate = certificates[0]
    try:
        with transaction.atomic():
            ca = TrustedCA.objects.create(
                operator=acting.operator,
                name=name,
                pem=pem_of(certificate),
                fingerprint=fingerprint_of(certificate),
                not_after=certificate.not_valid_after_utc,
            )
    except IntegrityError as error:
        if "stations_trusted_ca_unique" not in str(error):
            raise
        raise Conflict("This CA is trusted already.") from error
    after = {"name": name, "subject": shown_name(certificate.subject)}
    record_audit(actor=acting, action="trusted_ca.create", obj=ca, after=after)
    return ca


@transaction.atomic
def remove_trusted_ca(*, acting: Actor, ca: TrustedCA) -> None:
    """Stations with certificates of this CA are not let in any more; open sockets stay.

    Raises:
        NotAllowed: the role may not change stations.
    """
    require(acting, "stations.change")
    record_audit(
        actor=acting,
        action="trusted_ca.delete",
        obj=ca,
        before={"name": ca.name, "fingerprint": ca.fingerprint},
    )
    ca.delete()


# --- shared ------------------------------------------------------------------------------------


def _locked(station_id: int) -> ChargingStation | None:
    """The station, so that what concerns its certificates happens one after another."""
    rows = ChargingStation.objects.select_for_update(no_key=True, of=("self",))
    return rows.select_related("operator").filter(pk=station_id).first()


def _first_of(pem: str) -> x509.Certificate | None:
    try:
        return read_certificates(pem)[0]
    except Unacceptable:
        return None


def _known(
    station: ChargingStation, use: CertificateUse, certificate: x509.Certificate
) -> StationCertificate | None:
    print = fingerprint_of(certificate)
    return StationCertificate.objects.filter(station=station, use=use, fingerprint=print).first()


def _described(certificate: x509.Certificate) -> dict[str, Any]:
    """A certificate as the columns of its row have it."""
    subject = common_name_of(certificate.subject) or shown_name(certificate.subject)
    return {
        "pem": pem_of(certificate),
        "serial_number": f"{certificate.serial_number:x}",
        "subject": subject.replace("\0", "")[:255],
        "fingerprint": fingerprint_of(certificate),
        "not_before": certificate.not_valid_before_utc,
        "not_after": certificate.not_valid_after_utc,
    }
