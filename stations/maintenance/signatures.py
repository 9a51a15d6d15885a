"""Whether a firmware's signature is of its bytes, before any station is sent to fetch it."""

import base64
import binascii
import hashlib

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from django.utils.translation import gettext as _

from cms.base.errors import Invalid
from stations.maintenance.files import CHUNK_BYTES, open_file

_SHA256 = hashes.SHA256()


def check_signature(*, sha256: str, signing_certificate: str, signature: str) -> None:
    """Pass if `signature` (base64) was made with the certificate's key over SHA-256 of the stored file.

    RSA with PSS or PKCS #1 v1.5, or ECDSA (Improved security for OCPP 1.6-J, §3.3). Whom the certificate leads to is
    for the station to judge: it holds its maker's root.

    Raises:
        Invalid: one of the two is missing or cannot be read, or they do not fit.
    """
    for name, value in (("signing_certificate", signing_certificate), ("signature", signature)):
        if not value.strip():
            raise Invalid.fields({name: [_("Certificate and signature belong together.")]})
    try:
        key = x509.load_pem_x509_certificate(signing_certificate.encode()).public_key()
    except ValueError as error:
        raise Invalid.fields(
            {"signing_certificate": [_("This is no certificate in PEM.")]}
        ) from error
    try:
        raw = base64.b64decode("".join(signature.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid.fields({"signature": [_("A signature is given in base64.")]}) from error
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        raise Invalid.fields({"signing_certificate": [_("Its key must be RSA or of a curve.")]})
    if not _fits(key, raw, _digest_of(sha256)):
        raise Invalid.fields(
            {"signature": [_("This signature is not of this file and certificate.")]}
        )


def _digest_of(sha256: str) -> bytes:
    """The hash of the bytes as they lie there now, not of what was said of them."""
    digest = hashlib.sha256()
    with open_file(sha256) as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.digest()


def _fits(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey, raw: bytes, digest: bytes) -> bool:
    hashed = Prehashed(_SHA256)
    if isinstance(key, ec.EllipticCurvePublicKey):
        try:
            key.verify(raw, digest, ec.ECDSA(hashed))
        except InvalidSignature:
            return False
        return True
    for scheme in (padding.PSS(padding.MGF1(_SHA256), padding.PSS.AUTO), padding.PKCS1v15()):
        try:
            key.verify(raw, digest, scheme, hashed)
        except InvalidSignature:
            continue
        return True
    return False
