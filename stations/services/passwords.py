"""Station passwords: machine-made ones cost a microsecond to check, short ones a slow hash.

A hash is text, `hmac$<salt>$<digest>` or `scrypt$<salt>$<digest>`, salt and digest in hexadecimal. Machine-made
secrets of 16 bytes and more carry enough entropy for one keyed SHA-256; with a slow hash, a thousand stations
that come back at once would keep the server busy for minutes. Shorter ones may be a person's choice.

Source: Improved security for OCPP 1.6-J, A01.FR.08 (salted hashes).
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterator

from django.conf import settings

MIN_LENGTH = 8
MAX_LENGTH = 40
FAST_FROM_BYTES = 16
_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789"


def generate_password() -> str:
    """Twenty printable characters, about 116 bits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(20))


def hash_password(secret: bytes) -> str:
    """A salted hash of the bytes that the station will send."""
    salt = secrets.token_bytes(16)
    if len(secret) >= FAST_FROM_BYTES:
        return f"hmac${salt.hex()}${_hmac(secret, salt).hex()}"
    return f"scrypt${salt.hex()}${_scrypt(secret, salt).hex()}"


def is_slow(password_hash: str) -> bool:
    """Whether checking against this hash takes tens of milliseconds and belongs in a thread."""
    return password_hash.startswith("scrypt$")


def verify_password(sent: bytes, password_hash: str, *, accepts_literal_hex: bool = False) -> bool:
    """Compare the bytes sent with the secret in constant time.

    Where `accepts_literal_hex`, the hexadecimal digits of a binary key are taken for the key.
    """
    if not password_hash:
        return False
    kind, salt_hex, digest_hex = password_hash.split("$")
    salt, digest = bytes.fromhex(salt_hex), bytes.fromhex(digest_hex)
    derive = _hmac if kind == "hmac" else _scrypt
    return any(
        hmac.compare_digest(derive(candidate, salt), digest)
        for candidate in _candidates(sent, accepts_literal_hex)
    )


def _candidates(sent: bytes, accepts_literal_hex: bool) -> Iterator[bytes]:
    yield sent
    if accepts_literal_hex:
        try:
            yield bytes.fromhex(sent.decode("ascii"))
        except ValueError:
            return


def _hmac(secret: bytes, salt: bytes) -> bytes:
    pepper = hashlib.sha256(b"station-password:" + settings.SECRET_KEY.encode()).digest()
    return hmac.new(pepper, salt + secret, hashlib.sha256).digest()


def _scrypt(secret: bytes, salt: bytes) -> bytes:
    return hashlib.scrypt(secret, salt=salt, n=2**14, r=8, p=1)
