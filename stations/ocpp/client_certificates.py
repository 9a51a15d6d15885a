"""A client certificate shown in a handshake: whether it is the station's own (security profile 3).

Possession of its key was proven before: by our TLS server, or by a proxy that is trusted to say so. Whom to trust is
asked of the database each time, so that a new CA or a revocation counts at the next handshake.

Source: Improved security for OCPP 1.6-J, §2 (profile 3), A00.FR.401 to A00.FR.429.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stations.choices import CertificateProblem
from stations.ingest.cache import Cache, KnownStation
from stations.maintenance.x509 import (
    NotTrusted,
    Unacceptable,
    check_client_certificate,
    fingerprint_of,
    pem_of,
    read_certificates,
)


@dataclass(frozen=True, slots=True)
class ShownCertificate:
    """A certificate that proved who the station is. `new` until we knew that the station has it."""

    pem: str
    fingerprint: str
    new: bool


async def check_shown_certificate(
    scope: Mapping[str, Any], station: KnownStation, *, cache: Cache, now: datetime
) -> ShownCertificate:
    """The certificate that this connection proves the station's name with.

    Raises:
        NotTrusted: there is none, or it proves nothing; says what was shown and what is wrong with it.
        psycopg.Error: the database cannot be asked.
    """
    chain = _chain_of(scope)
    leaf = chain[0]
    fingerprint = fingerprint_of(leaf)
    trust = await cache.client_trust(station, fingerprint)
    own = [read_certificates(pem)[0] for pem in trust.own_cas]
    others = [read_certificates(pem)[0] for pem in trust.trusted_cas]
    names = list(dict.fromkeys(name for name in (station.identity, trust.serial_number) if name))
    root = check_client_certificate(chain, roots=[*own, *others], names=names, now=now)
    if trust.revoked_at is not None:
        raise NotTrusted(
            CertificateProblem.REVOKED,
            f"The certificate was revoked on {trust.revoked_at:%Y-%m-%d %H:%M} UTC.",
        )
    if root in own and trust.certificate_id is None:
        # Our CA serves all operators: a serial number that another's station claims opens no door here.
        raise NotTrusted(
            CertificateProblem.WRONG_NAME, "Our CA issued the certificate to another station."
        )
    return ShownCertificate(pem_of(leaf), fingerprint, new=not trust.installed)


def _chain_of(scope: Mapping[str, Any]) -> list[Any]:
    """What was shown, the station's own certificate first. Raises NotTrusted if that is nothing."""
    tls = (scope.get("extensions") or {}).get("tls")
    chain = tls["client_cert_chain"] if tls else []
    if chain:
        try:
            return [certificate for pem in chain for certificate in read_certificates(pem)]
        except Unacceptable as error:
            raise NotTrusted(CertificateProblem.UNREADABLE, str(error)) from error
    if scope.get("scheme") not in ("wss", "https"):
        raise NotTrusted(
            CertificateProblem.NOT_ENCRYPTED,
            "The station connected with ws://; a certificate is shown with wss:// only.",
        )
    if tls is None:
        raise NotTrusted(
            CertificateProblem.NOT_PASSED_ON,
            "The connection came through a proxy without X-Client-Cert: the station showed no "
            "certificate, or the proxy does not pass it on.",
        )
    if tls.get("client_cert_error"):
        raise NotTrusted(CertificateProblem.UNREADABLE, f"{tls['client_cert_error']}.")
    raise NotTrusted(CertificateProblem.MISSING, "The station showed no certificate.")
