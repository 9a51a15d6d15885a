"""Keys and certificates as a station, its maker and an attacker would make them; none of the server's own code."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CLIENT_AUTH, SERVER_AUTH = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


def name_of(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    """One a size: they take their time."""
    return rsa.generate_private_key(65537, bits)


def request_of(common_name: str, key: Any) -> str:
    """A certificate signing request as SignCertificate carries it."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(name_of(common_name))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


@dataclass(frozen=True)
class Signer:
    """Whoever can sign: a certificate and its key."""

    certificate: x509.Certificate
    key: Any

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def issue(
        self,
        common_name: str,
        key: Any = None,
        *,
        usage: x509.ObjectIdentifier | None = CLIENT_AUTH,
        days: tuple[float, float] = (-1, 30),
        ca: bool = False,
    ) -> "Signer":
        """A certificate, valid from `days[0]` to `days[1]` from now."""
        key = key or new_key()
        issued = _build(common_name, key, self.certificate.subject, self.key, days, ca, usage)
        return Signer(issued, key)


def make_ca(common_name: str = "Maker's root", days: tuple[float, float] = (-1, 365)) -> Signer:
    key = new_key()
    return Signer(_build(common_name, key, name_of(common_name), key, days, True, None), key)


def _build(
    common_name: str,
    key: Any,
    issuer: x509.Name,
    issuer_key: Any,
    days: tuple[float, float],
    ca: bool,
    usage: x509.ObjectIdentifier | None,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name_of(common_name))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    if usage == SERVER_AUTH:
        address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
        builder = builder.add_extension(address, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def write_pair(folder: Path, name: str, pem: str, key: Any) -> tuple[Path, Path]:
    """As files: `pem`, which may be a chain, and its key."""
    certificate_path, key_path = folder / f"{name}.pem", folder / f"{name}.key"
    certificate_path.write_text(pem)
    key_path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate_path, key_path


def client_context(folder: Path, ca_pem: str, own: tuple[str, Any] | None = None) -> ssl.SSLContext:
    """A station's TLS: it trusts `ca_pem` and shows `own`, a chain in PEM with its key."""
    context = ssl.create_default_context(cadata=ca_pem)
    # Makers' roots in these tests carry no key identifiers.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if own is not None:
        context.load_cert_chain(*write_pair(folder, "own", *own))
    return context
