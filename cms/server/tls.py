"""TLS for chargers that connect without a proxy in front.

Whether a client certificate is *trusted* is the application's decision (its own CA and uploaded ones
live in the database). This layer asks for the certificate, has OpenSSL prove possession of its key, and
hands it over in `scope["extensions"]["tls"]` (ASGI TLS extension); a chain that does not lead to
`--client-ca` is reported there as `client_cert_error`, not refused.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

# Forward secrecy first. The two RSA suites without it are mandatory for OCPP security profiles 2 and 3
# (white paper "Improved security for OCPP 1.6-J", A00.FR.318), and older chargers know nothing else.
_CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20:AES128-GCM-SHA256:AES256-GCM-SHA384:!aNULL"


# What OpenSSL disliked about a client's chain. (A connection's app_data is Twisted's.)
_complaints: WeakKeyDictionary[SSL.Connection, str] = WeakKeyDictionary()


def _note_verification(
    connection: SSL.Connection, _certificate: Any, error: int, depth: int, ok: int
) -> bool:
    """Remember the first complaint, and go on."""
    if not ok:
        _complaints.setdefault(connection, f"OpenSSL verification error {error} at depth {depth}")
    return True


@implementer(IOpenSSLServerConnectionCreator)
class TLSConnections:
    """Makes one OpenSSL connection object per accepted socket: TLS 1.2 or newer, GCM or ChaCha20 only.

    `certificates` are pairs of a file with certificate and chain and one with its key: one of RSA, one on an
    elliptic curve, or both, so that every suite the white paper names finds its key.
    """

    def __init__(
        self,
        *,
        certificates: Sequence[tuple[Path, Path]],
        client_ca: Path | None = None,
        request_client_certificate: bool = False,
    ) -> None:
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_cipher_list(_CIPHERS)
        # A resumed session would skip the verification of the client's certificate.
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_options(
            SSL.OP_NO_TICKET
            | SSL.OP_NO_COMPRESSION
            | SSL.OP_CIPHER_SERVER_PREFERENCE
            | SSL.OP_NO_RENEGOTIATION
        )
        for certificate, key in certificates:
            context.use_certificate_chain_file(str(certificate))
            context.use_privatekey_file(str(key))
            context.check_privatekey()
        if client_ca is not None:
            context.load_verify_locations(str(client_ca))
        if client_ca is not None or request_client_certificate:
            context.set_verify(SSL.VERIFY_PEER, _note_verification)
        self._context = context

    def serverConnectionForTLS(self, _tls_protocol: Any) -> SSL.Connection:
        return SSL.Connection(self._context, None)


def tls_extension(transport: Any) -> dict[str, Any] | None:
    """`scope["extensions"]["tls"]` for this transport, or None if it is not encrypted."""
    if not isinstance(transport, TLSMemoryBIOProtocol):
        return None
    connection = transport.getHandle()
    leaf = connection.get_peer_certificate(as_cryptography=True)
    chain: list[x509.Certificate] = []
    if leaf is not None:
        sent = connection.get_peer_cert_chain(as_cryptography=True) or []
        chain = [leaf, *(issuer for issuer in sent if issuer != leaf)]
    return {
        "server_cert": None,
        "client_cert_chain": [item.public_bytes(Encoding.PEM).decode("ascii") for item in chain],
        "client_cert_name": leaf.subject.rfc4514_string() if leaf is not None else None,
        "client_cert_error": _complaints.get(connection),
        "tls_version": connection.get_protocol_version(),
        "cipher_suite": None,
    }
