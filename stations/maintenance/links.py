"""Addresses of ours that are sent to stations: whoever knows one may use it, so only its hash is kept."""

import hashlib
import re
import secrets
from urllib.parse import quote

from django.conf import settings
from django.core import signing

UPLOADS = "/files/uploads/"
FIRMWARE = "/files/firmware/"
MASK = "••••"
DOWNLOAD_S = 3600
_DOWNLOAD_SALT = "log-download"
_OWN_LINK = re.compile(r"(/files/(?:uploads|firmware)/)[A-Za-z0-9_-]{20,}")


def new_secret() -> str:
    """256 bits, in characters that every charger's URL parser survives."""
    return secrets.token_urlsafe(32)


def hash_secret(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def upload_address(secret: str) -> str:
    """Where a station puts a file; it may add a name of its own."""
    return f"{settings.PUBLIC_URL}{UPLOADS}{secret}/"


def firmware_address(secret: str, name: str) -> str:
    """Where a station fetches its firmware; the name is for stations that look at endings."""
    return f"{settings.PUBLIC_URL}{FIRMWARE}{secret}/{quote(name, safe='')}"


def secret_of(location: str) -> str | None:
    """The secret of an address of ours; None for anybody else's."""
    for prefix in (settings.PUBLIC_URL + UPLOADS, settings.PUBLIC_URL + FIRMWARE):
        if location.startswith(prefix):
            return location[len(prefix) :].split("/")[0] or None
    return None


def mask_location(location: str) -> str:
    """An address as it may be shown and kept: without the secret, if it is one of ours."""
    return _OWN_LINK.sub(rf"\1{MASK}", location)


def sign_download(upload_id: int) -> str:
    """A link to a file that has arrived, for whoever may see it now; good for `DOWNLOAD_S`."""
    return signing.dumps(upload_id, salt=_DOWNLOAD_SALT)


def read_download(token: str) -> int | None:
    """The upload that a link is for; None for one that is no (longer) good."""
    try:
        upload_id = signing.loads(token, salt=_DOWNLOAD_SALT, max_age=DOWNLOAD_S)
    except signing.BadSignature:
        return None
    return upload_id if isinstance(upload_id, int) else None
