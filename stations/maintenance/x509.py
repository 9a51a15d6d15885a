"""X.509 as stations use it: requests judged, certificates issued, chains checked. No database, no clock.

Source: Improved security for OCPP 1.6-J, §2.5 (A00.FR.3xx, profile 3), §3 (certificates); RFC 5280 §6.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from stations.choices import CertificateProblem

# What the white paper asks for at least (A00.FR.501): 112 bits of strength.
MIN_RSA_BITS = 2048
MAX_RSA_BITS = 8192
MIN_EC_BITS = 224
MAX_CHAIN = 6
# Stations' clocks are late more often than early.
BACKDATED = timedelta(days=1)
_WEAK_HASHES = (hashes.MD5, hashes.SHA1)
_HASHES: Mapping[str, Any] = {
    "SHA256": hashlib.sha256,
    "SHA384": hashlib.sha384,
    "SHA512": hashlib.sha512,
}


class Unacceptable(Exception):
    """A request or certificate that cannot be taken; the sentence says why."""


class NotTrusted(Exception):
    """A client certificate that opens no door: `problem` in one word, the message in a sentence."""

    def __init__(self, problem: CertificateProblem, sentence: str) -> None:
        super().__init__(sentence)
        self.problem = problem


# --- reading ---------------------------------------------------------------------------------


def read_certificates(pem: str) -> list[x509.Certificate]:
    """The certificates of a PEM text, in its order.

    Raises:
        Unacceptable: it holds none, or one that cannot be read.
    """
    try:
        return x509.load_pem_x509_certificates(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Unacceptable("This is no certificate in PEM form.") from error


def pem_of(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode("ascii")


def fingerprint_of(certificate: x509.Certificate) -> str:
    """SHA-256 over the DER, in lower-case hexadecimal."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def common_name_of(name: x509.Name) -> str | None:
    """The common name; None if there is not exactly one."""
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if len(found) == 1 else None


def shown_name(name: x509.Name) -> str:
    """A distinguished name for people, short enough for a sentence."""
    return name.rfc4514_string()[:100] or "(no name)"


def read_request(pem: str, *, names: Collection[str]) -> x509.CertificateSigningRequest:
    """A certificate signing request that may be signed: made with its own key, for one of `names`, strong enough.

    Raises:
        Unacceptable: it is not.
    """
    try:
        request = x509.load_pem_x509_csr(pem.strip().encode())
        signed = request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm, InvalidSignature, TypeError) as error:
        raise Unacceptable("This is no certificate signing request in PEM form.") from error
    if not signed:
        raise Unacceptable("The request is not signed with the key that it names.")
    if isinstance(request.signature_hash_algorithm, _WEAK_HASHES):
        raise Unacceptable(
            f"The request is signed with {request.signature_hash_algorithm.name}, which is too weak."
        )
    if complaint := weakness_of(request.public_key()):
        raise Unacceptable(complaint)
    name = common_name_of(request.subject)
    if name is None or name not in names:
        raise Unacceptable(
            f"The request is for {shown_name(request.subject)}; its common name must be "
            f"{_either(names)}."
        )
    return request


def request_print(request: x509.CertificateSigningRequest) -> str:
    """What makes a request the same request: SHA-256 over its DER."""
    return hashlib.sha256(request.public_bytes(Encoding.DER)).hexdigest()


def weakness_of(key: object) -> str | None:
    """Why a public key is not good enough; None if it is."""
    if isinstance(key, rsa.RSAPublicKey):
        if MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
            return None
        return f"An RSA key has {MIN_RSA_BITS} to {MAX_RSA_BITS} bits; this one has {key.key_size}."
    if isinstance(key, ec.EllipticCurvePublicKey):
        if key.key_size >= MIN_EC_BITS:
            return None
        return (
            f"An elliptic curve key has at least {MIN_EC_BITS} bits; this one has {key.key_size}."
        )
    return "The key is neither RSA nor on an elliptic curve."


# --- issuing ---------------------------------------------------------------------------------


def make_authority(
    *, now: datetime, lifetime: timedelta
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """A new certification authority on P-256: its own certificate and key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Magetsi"),
            x509.NameAttribute(NameOID.COMMON_NAME, "Magetsi charging stations"),
        ]
    )
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + lifetime)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(own, critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate, key


def issue_client_certificate(
    *,
    request: x509.CertificateSigningRequest,
    authority: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    lifetime: timedelta,
) -> x509.Certificate:
    """A certificate for the request's name and key, good for TLS clients and nothing else.

    Of what the request asks for besides, nothing is taken over. It ends no later than the authority.
    """
    own = x509.SubjectKeyIdentifier.from_public_key(request.public_key())
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(request.subject)
        .issuer_name(authority.subject)
        .public_key(request.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(min(now + lifetime, authority.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(own, critical=False)
        .add_extension(issuer, critical=False)
        .sign(key, hashes.SHA256())
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


# --- trusting --------------------------------------------------------------------------------


def check_authority(certificate: x509.Certificate, *, now: datetime) -> None:
    """Whether a certificate may stand at the end of a chain.

    Raises:
        Unacceptable: it is no CA's, its key is weak, or its time is over.
    """
    if not _is_authority(certificate):
        raise Unacceptable("This is no CA's certificate: it may not sign others.")
    if complaint := weakness_of(_public_key(certificate)):
        raise Unacceptable(complaint)
    if certificate.not_valid_after_utc <= now:
        raise Unacceptable(f"It expired on {certificate.not_valid_after_utc:%Y-%m-%d}.")


def check_client_certificate(
    chain: Sequence[x509.Certificate],
    *,
    roots: Sequence[x509.Certificate],
    names: Collection[str],
    now: datetime,
) -> x509.Certificate:
    """Judge a client certificate, the first of `chain`; returns the root that its path leads to.

    Checked are its common name, its time, its purpose, and a path over certificates of `chain` to one of `roots`.

    Raises:
        NotTrusted: the first of these that fails.
    """
    leaf = chain[0]
    shown = shown_name(leaf.subject)
    if common_name_of(leaf.subject) not in names:
        raise NotTrusted(
            CertificateProblem.WRONG_NAME,
            f"The certificate is for {shown}; its common name must be {_either(names)}.",
        )
    _check_time(leaf, now, "The certificate")
    _check_purpose(leaf)
    if complaint := weakness_of(_public_key(leaf)):
        raise NotTrusted(CertificateProblem.UNTRUSTED, complaint)
    return _find_root(leaf, chain[1 : MAX_CHAIN + 1], roots, now)


def _check_time(certificate: x509.Certificate, now: datetime, what: str) -> None:
    if now < certificate.not_valid_before_utc:
        since = f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        raise NotTrusted(CertificateProblem.NOT_YET_VALID, f"{what} is not valid before {since}.")
    if now > certificate.not_valid_after_utc:
        until = f"{certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
        raise NotTrusted(CertificateProblem.EXPIRED, f"{what} expired on {until}.")


def _check_purpose(leaf: x509.Certificate) -> None:
    try:
        purposes = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        may = {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
        if not may.intersection(purposes):
            raise NotTrusted(
                CertificateProblem.WRONG_USE,
                "The certificate may not be used by a client (extended key usage without clientAuth).",
            )
    except x509.ExtensionNotFound:
        pass  # Without the extension it may be used for anything (RFC 5280 §4.2.1.12).
    except ValueError as error:
        raise _unreadable() from error
    try:
        usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return
    if not (usage.digital_signature or usage.key_agreement):
        raise NotTrusted(
            CertificateProblem.WRONG_USE, "The certificate's key may not be used to sign in with."
        )


def _find_root(
    leaf: x509.Certificate,
    sent: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    now: datetime,
) -> x509.Certificate:
    current, below = leaf, 0
    while below < MAX_CHAIN:
        signers = [root for root in roots if _signed(current, root, below)]
        if signers:
            valid = [root for root in signers if now <= root.not_valid_after_utc]
            if not valid:
                _check_time(signers[0], now, "The CA that issued it")
            return (valid or signers)[0]
        step = next((item for item in sent if _signed(current, item, below)), None)
        if step is None or step == current:
            break
        _check_time(step, now, "A CA in the certificate's chain")
        current, below = step, below + 1
    raise NotTrusted(
        CertificateProblem.UNTRUSTED,
        f"The certificate was issued by {shown_name(current.issuer)}, which is neither our own CA "
        "nor one that is trusted here.",
    )


def _signed(certificate: x509.Certificate, issuer: x509.Certificate, below: int) -> bool:
    """Whether `issuer` is a CA that signed `certificate`, with `below` CAs between it and the leaf."""
    if certificate.issuer != issuer.subject or not _is_authority(issuer, below):
        return False
    if isinstance(certificate.signature_hash_algorithm, _WEAK_HASHES):
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _is_authority(certificate: x509.Certificate, below: int = 0) -> bool:
    try:
        limits = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    if not limits.ca or (limits.path_length is not None and below > limits.path_length):
        return False
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound:
        return True


def _public_key(certificate: x509.Certificate) -> object:
    try:
        return certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None


def _unreadable() -> NotTrusted:
    return NotTrusted(CertificateProblem.UNREADABLE, "The certificate cannot be read.")


def _either(names: Collection[str]) -> str:
    return " or ".join(repr(name) for name in names)


# --- as OCPP names certificates ----------------------------------------------------------------


def hash_data_of(certificate: x509.Certificate, algorithm: str = "SHA256") -> dict[str, str]:
    """`certificateHashData` of a self-signed certificate (Improved security, §6.1 CertificateHashDataType).

    Of any other certificate the issuer's key is not known, and `issuerKeyHash` is of no use.
    """
    digest = _HASHES[algorithm]
    key = _public_key(certificate)
    bits = b""
    if isinstance(key, rsa.RSAPublicKey):
        bits = key.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        bits = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return {
        "hashAlgorithm": algorithm,
        "issuerNameHash": digest(certificate.issuer.public_bytes()).hexdigest(),
        "issuerKeyHash": digest(bits).hexdigest(),
        "serialNumber": f"{certificate.serial_number:x}",
    }


def is_named_by(certificate: x509.Certificate, hash_data: Mapping[str, Any]) -> bool:
    """Whether a station means this certificate: issuer's name and serial number tell."""
    algorithm = str(hash_data.get("hashAlgorithm"))
    if algorithm not in _HASHES:
        return False
    own = hash_data_of(certificate, algorithm)
    return same_hash_data(own, hash_data, with_key=certificate.issuer == certificate.subject)


def same_hash_data(
    ours: Mapping[str, Any], theirs: Mapping[str, Any], *, with_key: bool = True
) -> bool:
    """Compare as stations write: hexadecimal in any case, serial numbers with or without leading zeros."""
    names = ["issuerNameHash", "serialNumber", *(["issuerKeyHash"] if with_key else [])]
    return ours.get("hashAlgorithm") == theirs.get("hashAlgorithm") and all(
        _hex(ours.get(name)) == _hex(theirs.get(name)) for name in names
    )


def _hex(text: object) -> str:
    return str(text).strip().lower().removeprefix("0x").lstrip("0")
