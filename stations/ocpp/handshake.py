"""Who knocks: a station's handshake judged before the upgrade.

The identity is the last segment of the raw path, percent-decoded once. Unknown is 404; missing or wrong
credentials, or a connection less secure than the station's profile, are 401; no common subprotocol is 400. Only
failures count against an address: whoever shows a valid credential is let in. More than the profile asks for is
always enough: a certificate where a password would do, a password where none is needed.

Source: OCPP-J 1.6 §3.1, §3.2, §6.2; Improved security for OCPP 1.6-J, §2 (profiles), A00.FR.204, A05.FR.09.
"""

import asyncio
import base64
import binascii
import ipaddress
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote_to_bytes

from django.conf import settings

from stations.choices import CertificateProblem, HandshakeRefusal, SecurityProfile
from stations.ingest.cache import Cache, KnownStation
from stations.maintenance.x509 import NotTrusted
from stations.models.station import IDENTITY_PATTERN
from stations.ocpp.client_certificates import ShownCertificate, check_shown_certificate
from stations.ocpp.versions import Version
from stations.services.passwords import is_slow, verify_password

SUPPORTED = {Version.V16.subprotocol: Version.V16}
MAX_HASHES_AT_ONCE = 2
_IDENTITY = re.compile(IDENTITY_PATTERN)
# The word before the colon in the detail of a refusal that can be mended by accepting what was sent.
LITERAL_HEX = "literal_hex"
_SHOWED_NONE = (
    CertificateProblem.MISSING,
    CertificateProblem.NOT_ENCRYPTED,
    CertificateProblem.NOT_PASSED_ON,
)
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")

STATUS = {
    HandshakeRefusal.BAD_IDENTITY: 404,
    HandshakeRefusal.UNKNOWN_IDENTITY: 404,
    HandshakeRefusal.NO_CREDENTIALS: 401,
    HandshakeRefusal.WRONG_CREDENTIALS: 401,
    HandshakeRefusal.WRONG_USER: 401,
    HandshakeRefusal.PROFILE_TOO_LOW: 401,
    HandshakeRefusal.PROFILE_0_DISABLED: 401,
    HandshakeRefusal.CLIENT_CERTIFICATE: 401,
    HandshakeRefusal.NO_SUBPROTOCOL: 400,
    HandshakeRefusal.RATE_LIMITED: 429,
    HandshakeRefusal.UNAVAILABLE: 503,
}


@dataclass(frozen=True, slots=True)
class Accepted:
    """Let it in. `subprotocol` is None for a station that names none and is known for it."""

    station: KnownStation
    version: Version
    subprotocol: str | None
    security_profile: int
    used_previous_password: bool
    certificate: ShownCertificate | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Turn it away; `detail` helps the operator and holds no secret."""

    identity: str
    reason: HandshakeRefusal
    detail: str
    station: KnownStation | None = None

    @property
    def status(self) -> int:
        """The HTTP status of the refusal."""
        return STATUS[self.reason]


@dataclass(frozen=True, slots=True)
class _Proof:
    """What a station showed of itself: the profile that this connection reaches."""

    profile: int
    used_previous_password: bool = False
    certificate: ShownCertificate | None = None


class Doorkeeper:
    """Judges handshakes; remembers which slow passwords were right. One a process."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._slow = asyncio.Semaphore(MAX_HASHES_AT_ONCE)
        # (hash, bytes sent) that were right once; a new hash makes the old entries useless.
        self._right: OrderedDict[tuple[str, bytes], None] = OrderedDict()

    async def judge(self, scope: Mapping[str, Any], *, now: datetime) -> Accepted | Refused:
        """Decide on a websocket scope. Raises psycopg errors if the database cannot be asked."""
        identity = read_identity(scope)
        if identity is None:
            shown = _shown_path(scope)
            return Refused(shown, HandshakeRefusal.BAD_IDENTITY, f"The path was {shown!r}.")
        station = await self._cache.station(identity)
        if station is None:
            return Refused(identity, HandshakeRefusal.UNKNOWN_IDENTITY, "")
        proof = await self._prove(scope, station, now)
        if isinstance(proof, Refused):
            return proof
        offered = list(scope.get("subprotocols") or ())
        chosen = next((name for name in offered if name in SUPPORTED), None)
        if chosen is None and not (station.assumes_ocpp16 and not offered):
            detail = (
                f"Offered: {', '.join(offered) or 'none'}; spoken here: {', '.join(SUPPORTED)}."
            )
            return Refused(identity, HandshakeRefusal.NO_SUBPROTOCOL, detail[:255], station)
        version = SUPPORTED[chosen] if chosen else Version.V16
        return Accepted(
            station,
            version,
            chosen,
            proof.profile,
            proof.used_previous_password,
            proof.certificate,
        )

    async def _prove(
        self, scope: Mapping[str, Any], station: KnownStation, now: datetime
    ) -> _Proof | Refused:
        wanted = station.security_profile
        certificate: ShownCertificate | NotTrusted
        try:
            certificate = await check_shown_certificate(scope, station, cache=self._cache, now=now)
        except NotTrusted as problem:
            certificate = problem
        if isinstance(certificate, ShownCertificate):
            return _Proof(SecurityProfile.TLS_CLIENT, certificate=certificate)
        showed_none = certificate.problem in _SHOWED_NONE
        sent_password = _sent_authorization(scope) is not None
        if wanted == SecurityProfile.TLS_CLIENT or not (showed_none or sent_password):
            detail = f"{certificate.problem}: {certificate}"[:255]
            return Refused(station.identity, HandshakeRefusal.CLIENT_CERTIFICATE, detail, station)
        if wanted == SecurityProfile.NONE and not (station.password_hash and sent_password):
            return self._without_proof(station)
        proof = await self._check_password(scope, station, now)
        if isinstance(proof, Refused):
            return self._without_proof(station) if wanted == SecurityProfile.NONE else proof
        secure = scope.get("scheme") in ("wss", "https")
        if wanted == SecurityProfile.TLS_BASIC and not secure:
            detail = "The password was right, but the connection was not encrypted (ws://)."
            return Refused(station.identity, HandshakeRefusal.PROFILE_TOO_LOW, detail, station)
        profile = SecurityProfile.TLS_BASIC if secure else SecurityProfile.BASIC
        return _Proof(profile, proof.used_previous_password)

    def _without_proof(self, station: KnownStation) -> _Proof | Refused:
        if settings.OCPP_ALLOW_PROFILE_0:
            return _Proof(SecurityProfile.NONE)
        detail = "The station is registered without a password."
        return Refused(station.identity, HandshakeRefusal.PROFILE_0_DISABLED, detail, station)

    async def _check_password(
        self, scope: Mapping[str, Any], station: KnownStation, now: datetime
    ) -> _Proof | Refused:
        def refused(reason: HandshakeRefusal, detail: str) -> Refused:
            return Refused(station.identity, reason, detail[:255], station)

        header = _sent_authorization(scope)
        if header is None:
            return refused(HandshakeRefusal.NO_CREDENTIALS, "No Authorization header was sent.")
        sent = _basic_credentials(header)
        if sent is None:
            return refused(HandshakeRefusal.NO_CREDENTIALS, _unreadable_authorization(header))
        user, password = sent
        if user != station.identity.encode():
            shown = user[:60].decode("utf-8", "backslashreplace")
            return refused(HandshakeRefusal.WRONG_USER, f"The user name sent was {shown!r}.")
        proof = await self._match(password, station, now)
        if proof is None:
            # A rotation may have been settled a moment ago, in another process.
            self._cache.forget(f"station:{station.identity}")
            fresh = await self._cache.station(station.identity)
            if fresh is not None and _passwords(fresh) != _passwords(station):
                proof = await self._match(password, fresh, now)
        return proof or refused(
            HandshakeRefusal.WRONG_CREDENTIALS, _what_is_wrong(password, station)
        )

    async def _match(self, password: bytes, station: KnownStation, now: datetime) -> _Proof | None:
        """Whether these bytes are the station's password, or the one of a rotation that is not settled."""
        if await self._is_right(password, station.password_hash, station):
            return _Proof(SecurityProfile.BASIC)
        until = station.previous_password_until
        waits = until is not None and now < until
        if waits and await self._is_right(password, station.previous_password_hash, station):
            return _Proof(SecurityProfile.BASIC, used_previous_password=True)
        return None

    async def _is_right(self, password: bytes, password_hash: str, station: KnownStation) -> bool:
        def verify() -> bool:
            return verify_password(
                password, password_hash, accepts_literal_hex=station.accepts_literal_hex
            )

        if not is_slow(password_hash):
            return verify()
        key = (password_hash, password)
        if key in self._right:
            self._right.move_to_end(key)
            return True
        async with self._slow:
            right = await asyncio.to_thread(verify)
        if right:
            self._right[key] = None
            if len(self._right) > 10_000:
                self._right.popitem(last=False)
        return right


class FailureLimit:
    """Counts failed handshakes by address in fixed windows of a minute."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._window = 0
        self._failures: dict[str, int] = {}

    def count(self, address: str, now_s: float) -> bool:
        """Count one failure; True if this address has had more than its share this minute."""
        window = int(now_s // 60)
        if window != self._window or len(self._failures) > 100_000:
            self._window = window
            self._failures = {}
        failures = self._failures.get(address, 0) + 1
        self._failures[address] = failures
        return failures > self._per_minute


def read_identity(scope: Mapping[str, Any]) -> str | None:
    """The identity in `/ocpp/<identity>`; None if the path has none that a station could have."""
    raw = scope.get("raw_path")
    path: bytes = raw if raw is not None else str(scope["path"]).encode()
    segments = path.split(b"?", 1)[0].split(b"/")
    if len(segments) != 3 or segments[1] != b"ocpp" or _BAD_ESCAPE.search(segments[2]):
        return None
    try:
        identity = unquote_to_bytes(segments[2]).decode("ascii")
    except UnicodeDecodeError:
        return None
    return identity if _IDENTITY.fullmatch(identity) else None


def client_address(scope: Mapping[str, Any]) -> str:
    """The peer's address in its normal form; empty where the server does not know it."""
    client = scope.get("client")
    if not client:
        return ""
    try:
        return str(ipaddress.ip_address(client[0]))
    except ValueError:
        return str(client[0])[:64]


def _shown_path(scope: Mapping[str, Any]) -> str:
    raw = scope.get("raw_path") or str(scope.get("path", "")).encode("utf-8", "replace")
    return raw.decode("ascii", "backslashreplace")[:200]


def _sent_authorization(scope: Mapping[str, Any]) -> bytes | None:
    """The Authorization header as sent; None without one."""
    for name, value in scope.get("headers", ()):
        if name == b"authorization":
            return bytes(value)
    return None


def _basic_credentials(header: bytes) -> tuple[bytes, bytes] | None:
    """User and password as sent, split at the first colon; None if the header is no such thing."""
    scheme, _, encoded = header.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    user, colon, password = decoded.partition(b":")
    return (user, password) if colon else None


def _unreadable_authorization(header: bytes) -> str:
    """What is wrong with an Authorization header, without what may be secret in it."""
    scheme = header.partition(b" ")[0]
    if scheme.lower() != b"basic":
        shown = scheme[:20].decode("ascii", "backslashreplace")
        return f"The Authorization header sent was of the kind {shown!r}, not Basic."
    return "The Authorization header was no base64 of a user name, a colon and a password."


def _passwords(station: KnownStation) -> tuple[str, str]:
    return station.password_hash, station.previous_password_hash


def _what_is_wrong(password: bytes, station: KnownStation) -> str:
    """What can be said of a wrong password without telling it; after the colon for people.

    The usual slips of a configuration are named: they look the same to whoever typed the password in.
    """
    if station.password_hash and not is_slow(station.password_hash):
        if verify_password(password, station.password_hash, accepts_literal_hex=True):
            return f"{LITERAL_HEX}: The hexadecimal digits of the right password were sent as text."
        if verify_password(password.strip(), station.password_hash):
            return "The password was right, but with blanks or a line end around it."
    return f"{len(password)} bytes were sent."
