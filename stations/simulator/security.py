"""How a virtual station proves who it is: its security profile, its key and certificate, the roots it trusts.

A second, independent reading of "Improved security for OCPP 1.6-J", like everything here. Keys and certificates
live as long as the process.
"""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import NameOID

from .client import SimulatorError
from .wire import Payload

if TYPE_CHECKING:
    from .commands import FollowUp, Handler
    from .station import VirtualStation

SERVER_ROOT, FIRMWARE_ROOT = "CentralSystemRootCertificate", "ManufacturerRootCertificate"
TLS_BASIC, TLS_CLIENT = 2, 3


class Security:
    """`profile` is how it signs in; `roots` are PEM by use; `certificate` is its own chain, empty without one.

    `secure_url` is where it dials from profile 2 on; None makes it refuse to rise that far.
    """

    def __init__(
        self, station: VirtualStation, *, secure_url: str | None, server_root: str | None
    ) -> None:
        self.secure_url = secure_url
        self.profile = 1
        self.certificate = ""
        self.roots: dict[str, list[str]] = {SERVER_ROOT: [], FIRMWARE_ROOT: []}
        if server_root is not None:
            self.roots[SERVER_ROOT].append(server_root)
        self._station = station
        self._key: ec.EllipticCurvePrivateKey | None = None
        # Made for a request that is not answered yet; becomes the key with its certificate.
        self._next_key: ec.EllipticCurvePrivateKey | None = None

    # --- signing in -------------------------------------------------------------------------

    def address(self, url: str) -> str:
        """Where to dial: `url` until the profile wants TLS."""
        secure = self.profile >= TLS_BASIC and self.secure_url is not None
        return str(self.secure_url) if secure else url

    def password(self, password: str | bytes | None) -> str | bytes | None:
        """With a certificate there is no password."""
        return None if self.profile >= TLS_CLIENT else password

    def context(self, url: str) -> ssl.SSLContext | None:
        """TLS as the profile wants it: the server must lead to a root, and is shown the certificate."""
        if not url.startswith("wss:"):
            return None
        context = ssl.create_default_context(cadata="\n".join(self.roots[SERVER_ROOT]) or None)
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if self.profile >= TLS_CLIENT and self._key is not None:
            # The standard library takes a key from files only.
            with tempfile.TemporaryDirectory() as folder:
                own, key = Path(folder, "own.pem"), Path(folder, "own.key")
                own.write_text(self.certificate)
                key.write_bytes(
                    self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
                )
                context.load_cert_chain(own, key)
        return context

    def rise(self, value: str) -> str:
        """Answer to ChangeConfiguration of SecurityProfile: higher only, and only where it has what it takes (A05)."""
        if value not in ("1", "2", "3") or int(value) <= self.profile:
            return "Rejected"
        wanted = int(value)
        lacks_root = self.secure_url is None or not self.roots[SERVER_ROOT]
        if wanted >= TLS_BASIC and lacks_root:
            return "Rejected"
        if wanted >= TLS_CLIENT and not self.certificate:
            return "Rejected"
        self.profile = wanted
        return "Accepted"

    async def redial(self) -> None:
        """Sign in anew, as the profile and the keys are now."""
        if self._station.link is not None:
            await self._station.link.close()

    # --- its own certificate ------------------------------------------------------------------

    async def request_certificate(self) -> str:
        """Make a key and ask for a certificate (A02); returns what was answered."""
        self._next_key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self._station.identity)])
        request = (
            x509.CertificateSigningRequestBuilder()
            .subject_name(name)
            .sign(self._next_key, hashes.SHA256())
        )
        csr = request.public_bytes(Encoding.PEM).decode()
        answer = await self._station.call("SignCertificate", {"csr": csr})
        return str(answer["status"])

    def take_certificate(self, chain: str) -> bool:
        """Whether this chain begins with a certificate for the key that was made last; it is used from now on."""
        try:
            leaf = x509.load_pem_x509_certificates(chain.encode())[0]
        except ValueError:
            return False
        if self._next_key is None or leaf.public_key() != self._next_key.public_key():
            return False
        self._key, self._next_key = self._next_key, None
        self.certificate = chain
        return True

    # --- events -------------------------------------------------------------------------------

    async def tell(self, kind: str, tech_info: str = "") -> None:
        """Report a security event."""
        at = self._station.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        payload: Payload = {"type": kind, "timestamp": at}
        if tech_info:
            payload["techInfo"] = tech_info
        await self._station.call("SecurityEventNotification", payload)


# --- what it is asked --------------------------------------------------------------------------


def handle_certificate_signed(
    station: VirtualStation, payload: Payload
) -> tuple[Payload, FollowUp | None]:
    security = station.security
    if not security.take_certificate(payload["certificateChain"]):
        return {"status": "Rejected"}, lambda: security.tell("InvalidChargePointCertificate")
    station.changed()
    uses_it = security.profile >= TLS_CLIENT
    return {"status": "Accepted"}, security.redial if uses_it else None


def handle_install_certificate(
    station: VirtualStation, payload: Payload
) -> tuple[Payload, FollowUp | None]:
    roots = station.security.roots[payload["certificateType"]]
    try:
        [root] = x509.load_pem_x509_certificates(payload["certificate"].encode())
    except ValueError:
        if payload["certificateType"] == SERVER_ROOT:
            return {"status": "Rejected"}, lambda: station.security.tell(
                "InvalidCentralSystemCertificate"
            )
        return {"status": "Rejected"}, None
    pem = root.public_bytes(Encoding.PEM).decode()
    if pem not in roots:
        roots.append(pem)
    return {"status": "Accepted"}, None


def handle_delete_certificate(
    station: VirtualStation, payload: Payload
) -> tuple[Payload, FollowUp | None]:
    """The last root of its own server it keeps: without one it could not come back."""
    named = payload["certificateHashData"]
    for use, roots in station.security.roots.items():
        for pem in roots:
            if hash_data_of(pem, named["hashAlgorithm"]) != named:
                continue
            if use == SERVER_ROOT and len(roots) == 1 and station.security.profile >= TLS_BASIC:
                return {"status": "Failed"}, None
            roots.remove(pem)
            return {"status": "Accepted"}, None
    return {"status": "NotFound"}, None


def handle_get_installed_certificate_ids(
    station: VirtualStation, payload: Payload
) -> tuple[Payload, FollowUp | None]:
    told = [hash_data_of(pem) for pem in station.security.roots[payload["certificateType"]]]
    if not told:
        return {"status": "NotFound"}, None
    return {"status": "Accepted", "certificateHashData": told}, None


def hash_data_of(pem: str, algorithm: str = "SHA256") -> Mapping[str, str]:
    """`certificateHashData` of a root, which is its own issuer."""
    kinds: dict[str, hashes.HashAlgorithm] = {
        "SHA256": hashes.SHA256(),
        "SHA384": hashes.SHA384(),
        "SHA512": hashes.SHA512(),
    }
    root = x509.load_pem_x509_certificate(pem.encode())

    def digest(data: bytes) -> str:
        state = hashes.Hash(kinds[algorithm])
        state.update(data)
        return state.finalize().hex()

    return {
        "hashAlgorithm": algorithm,
        "issuerNameHash": digest(root.issuer.public_bytes()),
        "issuerKeyHash": digest(_key_bits(root.public_key())),
        "serialNumber": f"{root.serial_number:x}",
    }


def _key_bits(key: Any) -> bytes:
    if isinstance(key, rsa.RSAPublicKey):
        return key.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return b""


def handle_extended_trigger(
    station: VirtualStation, payload: Payload
) -> tuple[Payload, FollowUp | None]:
    """Its own certificate; everything else as TriggerMessage has it."""
    from .commands import handle_trigger_message

    if payload["requestedMessage"] != "SignChargePointCertificate":
        return handle_trigger_message(station, payload)

    async def request() -> None:
        try:
            await station.security.request_certificate()
        except SimulatorError as exc:
            station.note(f"no certificate asked for: {exc}")

    return {"status": "Accepted"}, request


SECURITY: dict[str, Handler] = {
    "CertificateSigned": handle_certificate_signed,
    "DeleteCertificate": handle_delete_certificate,
    "ExtendedTriggerMessage": handle_extended_trigger,
    "GetInstalledCertificateIds": handle_get_installed_certificate_ids,
    "InstallCertificate": handle_install_certificate,
}
