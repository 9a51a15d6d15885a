"""Who is really calling: headers of trusted proxies are honoured, anybody else's are dropped.

Plain ASGI, so that it works the same behind our own server, Daphne and uvicorn (there with
`--no-proxy-headers`, or uvicorn trusts 127.0.0.1 on its own account). It goes outermost, before anything
reads `scope["client"]`, `scope["scheme"]` or the headers.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

logger = logging.getLogger(__name__)

Scope = dict[str, Any]
ASGIApplication = Callable[[Scope, Callable[..., Any], Callable[..., Any]], Awaitable[None]]

_PROXY_HEADERS = frozenset({b"x-forwarded-proto", b"x-forwarded-for", b"x-client-cert"})
_SCHEMES = {
    "http": {"http": "http", "https": "https", "ws": "http", "wss": "https"},
    "websocket": {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"},
}
# "1.2.3.4:5678" and "[2001:db8::1]:5678", as some proxies write.
_WITH_PORT = re.compile(r"(?:\[(?P<v6>[^\]]+)\]|(?P<v4>[0-9.]+))(?::\d+)?")
_CERTIFICATE_BYTES = 64 * 1024


class TrustedProxyMiddleware:
    """Honours `X-Forwarded-Proto`, `X-Forwarded-For` and `X-Client-Cert` of the trusted peers only.

    `trusted` holds addresses, networks in CIDR notation, and "unix" for peers on a Unix socket. A proxy
    named there must itself drop or overwrite these headers of its own clients. `X-Client-Cert` is a
    URL-encoded PEM certificate (nginx `$ssl_client_escaped_cert`), optionally followed by its chain; it
    becomes `scope["extensions"]["tls"]` and disappears from the headers.

    Raises:
        ValueError: `trusted` holds something else.
    """

    def __init__(self, app: ASGIApplication, trusted: Iterable[str]) -> None:
        entries = list(trusted)
        self._app = app
        self._networks = [ip_network(item, strict=False) for item in entries if item != "unix"]
        self._trusts_unix = "unix" in entries
        # Chargers reconnect from the same few addresses and proxies.
        self._trusts = lru_cache(maxsize=4096)(self._find_trusted)

    async def __call__(
        self, scope: Scope, receive: Callable[..., Any], send: Callable[..., Any]
    ) -> None:
        if scope["type"] in _SCHEMES:
            found = [item for item in scope["headers"] if _canonical(item[0]) in _PROXY_HEADERS]
            if found:
                scope = self._without_proxy(scope, found)
        await self._app(scope, receive, send)

    def _without_proxy(self, scope: Scope, found: list[tuple[bytes, bytes]]) -> Scope:
        client = scope.get("client")
        trusted = self._trusts(client[0]) if client else self._trusts_unix
        # Django reads X-Forwarded-Proto itself (SECURE_PROXY_SSL_HEADER), so it stays if it is true.
        # Under any spelling but the right one they are somebody's attempt to be read as the right one.
        kept = {b"x-forwarded-proto", b"x-forwarded-for"} if trusted else frozenset()
        scope = {
            **scope,
            "headers": [
                item
                for item in scope["headers"]
                if _canonical(item[0]) not in _PROXY_HEADERS or item[0].lower() in kept
            ],
        }
        if trusted:
            values: dict[bytes, list[str]] = {}
            for name, value in found:
                if b"_" not in name:
                    values.setdefault(name.lower(), []).append(value.decode("latin-1"))
            self._apply(scope, values)
        return scope

    def _apply(self, scope: Scope, values: dict[bytes, list[str]]) -> None:
        if b"x-forwarded-for" in values:
            client = self._client(",".join(values[b"x-forwarded-for"]))
            if client is not None:
                scope["client"] = (client, 0)
        if b"x-forwarded-proto" in values:
            # The last word is the trusted proxy's own.
            word = values[b"x-forwarded-proto"][-1].rsplit(",", 1)[-1].strip().lower()
            scope["scheme"] = _SCHEMES[scope["type"]].get(word, scope.get("scheme", "http"))
        if b"x-client-cert" in values:
            extensions = dict(scope.get("extensions") or {})
            extensions["tls"] = _tls_extension(values[b"x-client-cert"][-1])
            scope["extensions"] = extensions

    def _client(self, forwarded: str) -> str | None:
        """The nearest hop that is not one of our proxies; what lies beyond it is hearsay."""
        nearest = None
        for hop in reversed(forwarded.split(",")):
            address = _parse_address(hop.strip())
            if address is None:
                break
            nearest = str(address)
            if not self._trusts(nearest):
                break
        return nearest

    def _find_trusted(self, host: str) -> bool:
        address = _parse_address(host)
        return address is not None and any(address in network for network in self._networks)


def _canonical(name: bytes) -> bytes:
    """WSGI-style environments cannot tell `X_Forwarded_For` from `X-Forwarded-For`."""
    return name.lower().replace(b"_", b"-")


def _parse_address(text: str) -> IPv4Address | IPv6Address | None:
    match = _WITH_PORT.fullmatch(text)
    if match:
        text = match["v6"] or match["v4"]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # A dual-stack socket shows IPv4 peers as ::ffff:a.b.c.d.
    return getattr(address, "ipv4_mapped", None) or address


def _tls_extension(escaped: str) -> dict[str, Any]:
    """ASGI's TLS extension for a certificate a proxy verified the possession of."""
    tls: dict[str, Any] = {
        "server_cert": None,
        "client_cert_chain": [],
        "client_cert_name": None,
        "client_cert_error": None,
        "tls_version": None,
        "cipher_suite": None,
    }
    if not escaped or len(escaped) > _CERTIFICATE_BYTES:
        if escaped:
            tls["client_cert_error"] = "X-Client-Cert is too long"
        return tls
    try:
        chain = x509.load_pem_x509_certificates(unquote(escaped).encode("utf-8"))
        name = chain[0].subject.rfc4514_string()
    except ValueError:
        logger.warning("A trusted proxy sent an X-Client-Cert that is no PEM certificate.")
        tls["client_cert_error"] = "X-Client-Cert is not a PEM certificate"
        return tls
    tls["client_cert_chain"] = [item.public_bytes(Encoding.PEM).decode("ascii") for item in chain]
    tls["client_cert_name"] = name
    return tls
