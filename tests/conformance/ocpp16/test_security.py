"""Security profiles, keys, certificates and security events: TC_073 to TC_078, TC_083, TC_086, TC_087.

Real TLS: the station's socket ends in the server process itself, or in a proxy that is trusted to tell of it.
"""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from stations.simulator import VirtualStation
from stations.simulator.client import HandshakeRefused
from tests.conformance.fixtures import WatchedServer, watched_server
from tests.conformance.messages import ago
from tests.conformance.pki import (
    SERVER_AUTH,
    Signer,
    client_context,
    make_ca,
    new_key,
    request_of,
    rsa_key,
    write_pair,
)
from tests.conformance.site import PASSWORD, Registered, Site, until
from tests.conformance.wire import WireStation

# White paper, A00.FR.318: two suites for each kind of server key.
EC_SUITES = ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384")
RSA_SUITES = ("AES128-GCM-SHA256", "AES256-GCM-SHA384")


@dataclass(frozen=True)
class Secure:
    """A server that speaks TLS itself, and the root that its certificates lead to."""

    server: WatchedServer
    root: Signer
    folder: Path

    def context(self, chain: str = "", key: Any = None) -> ssl.SSLContext:
        """What a station's TLS is set to; with a certificate of its own or without."""
        own = (chain, key) if chain else None
        return client_context(self.folder, self.root.pem, own)

    def open(
        self, station: Registered, *, own: Signer | None = None, **options: Any
    ) -> AbstractAsyncContextManager[WireStation]:
        """The station's socket over TLS."""
        tls = self.context(own.pem, own.key) if own else self.context()
        return WireStation.open(self.server.ocpp_url, station.identity, tls=tls, **options)


@pytest.fixture(scope="module")
def secure(server: WatchedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    folder = tmp_path_factory.mktemp("tls")
    root = make_ca("Our server's root")
    arguments = ["--request-client-cert"]
    for name, key in (("rsa", rsa_key()), ("ec", new_key())):
        leaf = root.issue("127.0.0.1", key, usage=SERVER_AUTH)
        certificate, path = write_pair(folder, name, leaf.pem, key)
        arguments += ["--tls-cert", str(certificate), "--tls-key", str(path)]
    with watched_server(
        folder / "log",
        arguments=arguments,
        tls=client_context(folder, root.pem),
        env={"OCPP_FAILED_HANDSHAKES_PER_MINUTE": "100000"},
    ) as running:
        yield Secure(running, root, folder)


@pytest.fixture(scope="module")
def proxied(
    server: WatchedServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WatchedServer]:
    """A server whose only proxy is this machine."""
    env = {"TRUSTED_PROXIES": "127.0.0.1"}
    with watched_server(tmp_path_factory.mktemp("proxied") / "log", env=env) as running:
        yield running


async def refusal_of(socket: AbstractAsyncContextManager[WireStation]) -> int | None:
    """The HTTP status that the handshake is refused with; fails if it is not."""
    with pytest.raises(HandshakeRefused) as refusal:
        async with socket:
            pass
    return refusal.value.status


async def problem_of(site: Site, station: Registered) -> str:
    """Why the last handshake with a certificate was refused: the first word of its detail."""
    rows = await site.rest.rows(f"{station.path}handshake-failures/", reason="client_certificate")
    return str(rows[0]["detail"].partition(":")[0])


async def certificates(site: Site, station: Registered, use: str) -> list[dict[str, Any]]:
    rows = await site.rest.rows(f"{station.path}certificates/")
    return [row for row in rows if row["use"] == use]


async def sign(
    wire: WireStation, common_name: str, key: Any, answer: str = "Accepted"
) -> tuple[str, Signer]:
    """Ask for a certificate as a station does; the chain that comes, and its head."""
    accepted = await wire.call("SignCertificate", {"csr": request_of(common_name, key)})
    assert accepted == {"status": "Accepted"}
    sent = await wire.take("CertificateSigned", {"status": answer})
    chain = sent["certificateChain"]
    return chain, Signer(x509.load_pem_x509_certificates(chain.encode())[0], key)


# --- TC_073: the key of basic authentication ---------------------------------------------------

HEX_KEY = "00112233445566778899AABBCCDDEEFF00112233"


@pytest.mark.parametrize(
    ("value", "used", "flags"),
    [
        (HEX_KEY, bytes.fromhex(HEX_KEY), {}),
        (HEX_KEY.lower()[:32], bytes.fromhex(HEX_KEY[:32]), {}),
        ("a key of plain text!", "a key of plain text!", {}),
        (HEX_KEY, HEX_KEY, {"accepts_literal_hex": True}),
    ],
    ids=["20 bytes", "16 bytes", "text", "hex as text"],
)
async def test_tc_073_change_of_the_key(
    site: Site, value: str, used: str | bytes, flags: dict[str, Any]
) -> None:
    station = await site.make_station(**flags)
    url = site.server.ocpp_url
    async with site.connect(station) as wire:
        command = await site.ask(
            station, "ChangeConfiguration", key="AuthorizationKey", value=value
        )
        assert (await wire.take("ChangeConfiguration"))["value"] == value
        done = await site.ended(command)
        assert done["status"] == "accepted"
        assert value not in str(done)
    async with WireStation.open(url, station.identity, password=used) as wire:
        assert await wire.is_heard()
    assert await refusal_of(WireStation.open(url, station.identity, password=PASSWORD)) == 401


@pytest.mark.parametrize("said", ["Rejected", "NotSupported"])
async def test_tc_073_a_refused_key_changes_nothing(site: Site, said: str) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        command = await site.ask(
            station, "ChangeConfiguration", key="AuthorizationKey", value=HEX_KEY
        )
        await wire.take("ChangeConfiguration", {"status": said})
        assert (await site.ended(command))["status"] == "rejected"
    new = bytes.fromhex(HEX_KEY)
    socket = WireStation.open(site.server.ocpp_url, station.identity, password=new)
    assert await refusal_of(socket) == 401
    async with site.connect(station) as wire:
        assert await wire.is_heard()


@pytest.mark.parametrize("took_it", [True, False])
async def test_tc_073_a_lost_answer_locks_nobody_out(site: Site, took_it: bool) -> None:
    """Both keys open the socket until the station shows which one it has; then the other is refused."""
    station = await site.make_station()
    async with site.connect(station) as wire:
        command = await site.ask(
            station, "ChangeConfiguration", key="AuthorizationKey", value=HEX_KEY
        )
        await wire.expect("ChangeConfiguration")
    assert (await site.ended(command))["status"] == "timed_out"
    keys: list[str | bytes] = [PASSWORD, bytes.fromhex(HEX_KEY)]
    used, other = reversed(keys) if took_it else keys
    url = site.server.ocpp_url
    for _ in range(2):
        async with WireStation.open(url, station.identity, password=used) as wire:
            assert await wire.is_heard()
    assert await refusal_of(WireStation.open(url, station.identity, password=other)) == 401


async def test_tc_073_a_late_answer_settles_the_key(site: Site, impatient: WatchedServer) -> None:
    station = await site.make_station()
    async with site.connect(station, server=impatient) as wire:
        command = await site.ask(
            station, "ChangeConfiguration", key="AuthorizationKey", value=HEX_KEY
        )
        call = await wire.expect("ChangeConfiguration")
        assert (await site.ended(command))["status"] == "timed_out"
        await wire.answer(call, {"status": "Accepted"})

        async def settled() -> bool:
            row = await site.rest.get(f"/commands/{command['id']}/")
            return row["response"] is not None

        await until(settled)
    url = site.server.ocpp_url
    assert await refusal_of(WireStation.open(url, station.identity, password=PASSWORD)) == 401
    new = bytes.fromhex(HEX_KEY)
    async with WireStation.open(url, station.identity, password=new) as wire:
        assert await wire.is_heard()


# --- TC_074: the station's certificate ---------------------------------------------------------


async def test_tc_074_renewal_of_the_station_certificate(site: Site, secure: Secure) -> None:
    station = await site.make_station(security_profile=2)
    key = new_key()
    async with secure.open(station, password=PASSWORD) as wire:
        await wire.boot()
        command = await site.ask(
            station, "ExtendedTriggerMessage", requestedMessage="SignChargePointCertificate"
        )
        await wire.take("ExtendedTriggerMessage")
        assert (await site.ended(command))["status"] == "accepted"
        chain, own = await sign(wire, station.identity, key)
    ca = x509.load_pem_x509_certificate((await read_ca(site)).encode())
    own.certificate.verify_directly_issued_by(ca)
    assert own.certificate.public_key() == key.public_key()
    usage = own.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [x509.ExtendedKeyUsageOID.CLIENT_AUTH]

    async def installed() -> bool:
        [row] = await certificates(site, station, "client")
        return row["installed_at"] is not None

    await until(installed)
    await site.rest.patch(station.path, {"security_profile": 3})
    tls = secure.context(chain, key)
    async with WireStation.open(secure.server.ocpp_url, station.identity, tls=tls) as wire:
        assert (await wire.boot())["status"] == "Accepted"


async def read_ca(site: Site) -> str:
    response = await site.rest.http.get("/ca/")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("application/x-pem-file")
    return response.text


async def test_tc_074_a_repeated_request_is_one_request(site: Site) -> None:
    station = await site.make_station()
    request = {"csr": request_of(station.identity, new_key())}
    async with site.connect(station) as wire:
        for _ in range(3):
            assert await wire.call("SignCertificate", request) == {"status": "Accepted"}
        await wire.take("CertificateSigned")
        assert await wire.is_heard()
        assert wire.calls.empty()
    assert len(await certificates(site, station, "client")) == 1


async def test_tc_074_the_serial_number_is_a_name_too(site: Site, secure: Secure) -> None:
    """But the name of one station opens no other's door, although our CA signed it."""
    victim = await site.make_station(security_profile=3)
    station = await site.make_station(security_profile=2)
    async with secure.open(station, password=PASSWORD) as wire:
        await wire.boot(chargePointSerialNumber=victim.identity[-25:])
        _, own = await sign(wire, victim.identity[-25:], new_key())
    async with secure.open(station, own=own) as wire:
        assert await wire.is_heard()
    assert await refusal_of(secure.open(victim, own=own)) == 401
    assert await problem_of(site, victim) == "wrong_name"


def _weak(name: str) -> str:
    return request_of(name, rsa_key(1024))


def _forged(name: str) -> str:
    """Signed by somebody who has not the key that it names."""
    good = request_of(name, new_key())
    der = bytearray(x509.load_pem_x509_csr(good.encode()).public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    return x509.load_der_x509_csr(bytes(der)).public_bytes(serialization.Encoding.PEM).decode()


@pytest.mark.parametrize(
    "make",
    [
        lambda name: request_of("SOMEBODY-ELSE", new_key()),
        lambda name: request_of(" ", new_key()),
        _weak,
        _forged,
        lambda name: "no request at all",
        lambda name: "",
    ],
    ids=["other name", "blank name", "weak key", "forged", "garbage", "empty"],
)
async def test_tc_074_a_request_that_cannot_be_signed_is_rejected(site: Site, make: Any) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        answer = await wire.call("SignCertificate", {"csr": make(station.identity)})
        assert answer == {"status": "Rejected"}
        assert await wire.is_heard()
        assert wire.calls.empty()
    assert await certificates(site, station, "client") == []
    [event] = await site.rest.rows("/security-events/", station=station.identity)
    assert (event["type"], event["critical"]) == ("CertificateRequestRefused", False)
    assert event["tech_info"].endswith(".")


# --- TC_075, TC_076: roots at the station --------------------------------------------------------

ROOT_USES = [
    ("tc_075_1", "ManufacturerRootCertificate", "manufacturer_root"),
    ("tc_075_2", "CentralSystemRootCertificate", "central_system_root"),
]


def hash_data_of(ca: Signer, algorithm: str = "SHA256") -> dict[str, str]:
    """Computed from the definition, as a station would."""
    kind = {"SHA256": hashes.SHA256(), "SHA384": hashes.SHA384(), "SHA512": hashes.SHA512()}

    def digest(data: bytes) -> str:
        state = hashes.Hash(kind[algorithm])
        state.update(data)
        return state.finalize().hex()

    point = ca.key.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    return {
        "hashAlgorithm": algorithm,
        "issuerNameHash": digest(ca.certificate.issuer.public_bytes()).upper(),
        "issuerKeyHash": digest(point),
        "serialNumber": f"{ca.certificate.serial_number:040X}",
    }


async def install(
    site: Site, wire: WireStation, station: Registered, kind: str, ca: Signer
) -> None:
    command = await site.ask(
        station, "InstallCertificate", certificateType=kind, certificate=ca.pem
    )
    asked = await wire.take("InstallCertificate")
    assert asked == {"certificateType": kind, "certificate": ca.pem}
    assert (await site.ended(command))["status"] == "accepted"


@pytest.mark.parametrize(("case", "kind", "use"), ROOT_USES)
@pytest.mark.parametrize("algorithm", ["SHA256", "SHA512"])
async def test_tc_075_install_a_root_and_find_it_listed(
    site: Site, case: str, kind: str, use: str, algorithm: str
) -> None:
    station = await site.make_station()
    ca = make_ca()
    async with site.connect(station) as wire:
        await install(site, wire, station, kind, ca)

        async def kept() -> list[dict[str, Any]]:
            return await certificates(site, station, use)

        [row] = await until(kept)
        assert (row["pem"], row["removed_at"]) == (ca.pem, None)
        told = [hash_data_of(ca, algorithm), hash_data_of(make_ca("Factory's"), algorithm)]
        command = await site.ask(station, "GetInstalledCertificateIds", certificateType=kind)
        await wire.take(
            "GetInstalledCertificateIds", {"status": "Accepted", "certificateHashData": told}
        )
        done = await site.ended(command)
        assert (done["status"], done["response"]["certificateHashData"]) == ("accepted", told)

        async def both() -> bool:
            return len(await certificates(site, station, use)) == 2

        await until(both)
        factory, ours = await certificates(site, station, use)
        # One row for one certificate, and the name by which the station wants it deleted.
        assert (ours["id"], ours["hash_data"]) == (row["id"], told[0])
        assert (factory["pem"], factory["hash_data"]) == (None, told[1])

        command = await site.ask(station, "GetInstalledCertificateIds", certificateType=kind)
        await wire.take("GetInstalledCertificateIds", {"status": "NotFound"})
        assert (await site.ended(command))["response"] == {"status": "NotFound"}

        async def gone() -> bool:
            return all(row["removed_at"] for row in await certificates(site, station, use))

        await until(gone)


@pytest.mark.parametrize("said", ["Rejected", "Failed"])
async def test_tc_075_a_root_that_was_not_taken_is_not_there(site: Site, said: str) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        command = await site.ask(
            station,
            "InstallCertificate",
            certificateType="CentralSystemRootCertificate",
            certificate=make_ca().pem,
        )
        await wire.take("InstallCertificate", {"status": said})
        done = await site.ended(command)
        assert (done["status"], done["response"]) == ("rejected", {"status": said})
        # Commands are followed in order: once the next one's effect shows, this one had its chance.
        await install(site, wire, station, "ManufacturerRootCertificate", make_ca())

        async def rows() -> list[dict[str, Any]]:
            return await site.rest.rows(f"{station.path}certificates/")

        [row] = await until(rows)
        assert row["use"] == "manufacturer_root"


@pytest.mark.parametrize(
    ("said", "removed"), [("Accepted", True), ("NotFound", True), ("Failed", False)]
)
async def test_tc_076_delete_a_root(site: Site, said: str, removed: bool) -> None:
    station = await site.make_station()
    ca, other = make_ca(), make_ca("Other root")
    async with site.connect(station) as wire:
        await install(site, wire, station, "CentralSystemRootCertificate", ca)
        await install(site, wire, station, "CentralSystemRootCertificate", other)
        named = hash_data_of(ca)
        command = await site.ask(station, "DeleteCertificate", certificateHashData=named)
        assert (await wire.take("DeleteCertificate", {"status": said})) == {
            "certificateHashData": named
        }
        done = await site.ended(command)
        assert done["response"] == {"status": said}
        # Followed in order, as above.
        await install(site, wire, station, "ManufacturerRootCertificate", make_ca("Last"))

        async def followed() -> bool:
            return bool(await certificates(site, station, "manufacturer_root"))

        await until(followed)
    rows = {row["pem"]: row for row in await certificates(site, station, "central_system_root")}
    assert (rows[ca.pem]["removed_at"] is not None) is removed
    assert rows[other.pem]["removed_at"] is None


# --- TC_077, TC_078: security events -----------------------------------------------------------


async def test_tc_077_invalid_charge_point_certificate(site: Site) -> None:
    """The station refuses what we signed and says so; both are kept, and the certificate does not count."""
    station = await site.make_station()
    async with site.connect(station) as wire:
        await sign(wire, station.identity, new_key(), answer="Rejected")
        await tell(wire, "InvalidChargePointCertificate", techInfo="chain too long")

    async def removed() -> bool:
        [row] = await certificates(site, station, "client")
        assert row["installed_at"] is None
        return row["removed_at"] is not None

    await until(removed)
    [event] = await site.rest.rows("/security-events/", station=station.identity)
    assert event["type"] == "InvalidChargePointCertificate"
    assert (event["tech_info"], event["critical"]) == ("chain too long", False)


async def tell(wire: WireStation, kind: str, timestamp: str = "", **fields: Any) -> None:
    payload = {"type": kind, "timestamp": timestamp or ago(seconds=5), **fields}
    assert await wire.call("SecurityEventNotification", payload) == {}


async def test_tc_078_invalid_central_system_certificate(site: Site) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        command = await site.ask(
            station,
            "InstallCertificate",
            certificateType="CentralSystemRootCertificate",
            certificate=make_ca().pem,
        )
        await wire.take("InstallCertificate", {"status": "Rejected"})
        assert (await site.ended(command))["status"] == "rejected"
        await tell(wire, "InvalidCentralSystemCertificate")
    [event] = await site.rest.rows("/security-events/", station=station.identity)
    assert (event["type"], event["critical"]) == ("InvalidCentralSystemCertificate", False)


async def test_tc_078_events_are_kept_once_and_seen_by_somebody(site: Site) -> None:
    station = await site.make_station()
    at = ago(minutes=3)
    async with site.connect(station) as wire:
        for _ in range(2):
            await tell(wire, "TamperDetectionActivated", at, techInfo="door \u0000 open")
        await tell(wire, "FailedToAuthenticateAtCentralSystem", at)
        await tell(wire, "SomethingOfTheMaker", "yesterday")
    events = await site.rest.rows("/security-events/", station=station.identity)
    assert [(event["type"], event["critical"]) for event in events] == [
        ("SomethingOfTheMaker", True),
        ("FailedToAuthenticateAtCentralSystem", False),
        ("TamperDetectionActivated", True),
    ]
    assert events[2]["at"][:19] == at[:19]
    seen = await site.rest.post(f"/security-events/{events[2]['id']}/acknowledge/", status=200)
    again = await site.rest.post(f"/security-events/{events[2]['id']}/acknowledge/", status=200)
    assert seen["acknowledged_at"] == again["acknowledged_at"] is not None
    open_ones = await site.rest.rows("/security-events/", critical="true", acknowledged="false")
    assert [event["type"] for event in open_ones] == ["SomethingOfTheMaker"]


# --- TC_083: the profile as a ratchet ----------------------------------------------------------


async def profile_of(site: Site, station: Registered) -> int:
    return int((await site.station(station))["security_profile"])


async def ask_for_profile(
    site: Site, wire: WireStation, station: Registered, profile: int, said: str = "Accepted"
) -> None:
    command = await site.ask(
        station, "ChangeConfiguration", key="SecurityProfile", value=str(profile)
    )
    await wire.take("ChangeConfiguration", {"status": said})
    await site.ended(command)


async def test_tc_083_from_one_to_two(site: Site, secure: Secure) -> None:
    station = await site.make_station()
    # More than is asked for is welcome, and is not held against the station.
    async with secure.open(station, password=PASSWORD) as wire:
        assert await wire.is_heard()
    assert await profile_of(site, station) == 1
    async with site.connect(station) as wire:
        await ask_for_profile(site, wire, station, 2)
    # Until it has come back on the higher profile, the old one goes on to work.
    async with site.connect(station) as wire:
        assert await wire.is_heard()
    assert await profile_of(site, station) == 1
    async with secure.open(station, password=PASSWORD) as wire:
        assert await wire.is_heard()
        assert await profile_of(site, station) == 2
    assert await refusal_of(site.connect(station)) == 401
    [failure] = await site.rest.rows(f"{station.path}handshake-failures/", reason="profile_too_low")
    assert failure["times"] == 1
    [entry] = await site.rest.rows("/audit/", action="station.update")
    assert entry["after"] == {"security_profile": 2}


async def test_tc_083_from_two_to_three(site: Site, secure: Secure) -> None:
    station = await site.make_station(security_profile=2)
    async with secure.open(station, password=PASSWORD) as wire:
        _, own = await sign(wire, station.identity, new_key())
        await ask_for_profile(site, wire, station, 3, said="RebootRequired")
    async with secure.open(station, own=own) as wire:
        assert await wire.is_heard()
        assert await profile_of(site, station) == 3
    assert await refusal_of(secure.open(station, password=PASSWORD)) == 401
    assert await problem_of(site, station) == "missing"
    assert await refusal_of(site.connect(station)) == 401
    assert await problem_of(site, station) == "not_encrypted"


async def test_tc_083_a_station_that_refuses_keeps_its_profile(site: Site, secure: Secure) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        await ask_for_profile(site, wire, station, 2, said="Rejected")
    async with secure.open(station, password=PASSWORD) as wire:
        assert await wire.is_heard()
    assert await profile_of(site, station) == 1


async def test_tc_083_a_lost_answer_is_told_by_the_next_handshake(
    site: Site, secure: Secure
) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        command = await site.ask(station, "ChangeConfiguration", key="SecurityProfile", value="2")
        await wire.expect("ChangeConfiguration")
    assert (await site.ended(command))["status"] == "timed_out"
    async with secure.open(station, password=PASSWORD) as wire:
        assert await wire.is_heard()
        assert await profile_of(site, station) == 2


# --- TC_086: TLS of the server -----------------------------------------------------------------


@pytest.mark.parametrize("suite", [*EC_SUITES, *RSA_SUITES])
async def test_tc_086_the_mandated_suites_over_tls_1_2(
    site: Site, secure: Secure, suite: str
) -> None:
    station = await site.make_station(security_profile=2)
    tls = secure.context()
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    tls.set_ciphers(suite)
    url = secure.server.ocpp_url
    async with WireStation.open(url, station.identity, password=PASSWORD, tls=tls) as wire:
        socket = wire.client.connection.transport.get_extra_info("ssl_object")
        assert (socket.version(), socket.cipher()[0]) == ("TLSv1.2", suite)
        assert await wire.is_heard()


async def test_tc_086_below_1_2_there_is_no_handshake(secure: Secure) -> None:
    def negotiate(version: ssl.TLSVersion) -> Any:
        tls = secure.context()
        tls.set_ciphers("ALL:@SECLEVEL=0")
        tls.minimum_version = tls.maximum_version = version
        return asyncio.open_connection("127.0.0.1", secure.server.port, ssl=tls)

    with pytest.warns(DeprecationWarning), pytest.raises((ssl.SSLError, ConnectionError)):
        await negotiate(ssl.TLSVersion.TLSv1_1)
    _, writer = await negotiate(ssl.TLSVersion.TLSv1_2)
    writer.close()
    await writer.wait_closed()


# --- TC_087: client certificates ---------------------------------------------------------------


async def trust(site: Site, ca: Signer, name: str = "Maker") -> dict[str, Any]:
    row: dict[str, Any] = await site.rest.post("/trusted-cas/", {"name": name, "pem": ca.pem})
    return row


async def test_tc_087_a_trusted_ca_opens_the_door_at_once_and_shuts_it_again(
    site: Site, secure: Secure
) -> None:
    station = await site.make_station(security_profile=3)
    root = make_ca()
    middle = root.issue("Maker's works", usage=None, ca=True)
    leaf = middle.issue(station.identity)
    own = (leaf.pem + middle.pem, leaf.key)

    def door() -> AbstractAsyncContextManager[WireStation]:
        tls = secure.context(*own)
        return WireStation.open(secure.server.ocpp_url, station.identity, tls=tls)

    assert await refusal_of(door()) == 401
    assert await problem_of(site, station) == "untrusted"
    row = await trust(site, root)
    async with door() as wire:
        assert (await wire.boot())["status"] == "Accepted"
    [shown] = await certificates(site, station, "client")
    assert (shown["pem"], shown["subject"]) == (leaf.pem, station.identity)
    await site.rest.http.delete(f"/trusted-cas/{row['id']}/")
    assert await refusal_of(door()) == 401


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda ca, name: ca.issue("SOMEBODY"), "wrong_name"),
        (lambda ca, name: ca.issue(name.lower()), "wrong_name"),
        (lambda ca, name: ca.issue(name, days=(-30, -1)), "expired"),
        (lambda ca, name: ca.issue(name, days=(1, 30)), "not_yet_valid"),
        (lambda ca, name: ca.issue(name, usage=SERVER_AUTH), "wrong_use"),
        (lambda ca, name: make_ca("Maker's root").issue(name), "untrusted"),
        (lambda ca, name: make_ca(name), "untrusted"),
        # A certificate that signs without being a CA.
        (lambda ca, name: ca.issue("Leaf").issue(name), "untrusted"),
    ],
    ids=[
        "other name",
        "case",
        "expired",
        "not yet",
        "server's",
        "namesake CA",
        "self-signed",
        "signed by a leaf",
    ],
)
async def test_tc_087_a_wrong_certificate_is_refused_before_the_upgrade(
    site: Site, secure: Secure, make: Any, problem: str
) -> None:
    station = await site.make_station(security_profile=3)
    ca = make_ca()
    await trust(site, ca)
    # The right password is no help.
    socket = secure.open(station, own=make(ca, station.identity), password=PASSWORD)
    assert await refusal_of(socket) == 401
    assert await problem_of(site, station) == problem
    async with secure.open(station, own=ca.issue(station.identity)) as wire:
        assert await wire.is_heard()


async def test_tc_087_another_operators_ca_opens_no_door(
    site: Site, secure: Secure, other_site: Site
) -> None:
    station = await site.make_station(security_profile=3)
    ca = make_ca()
    row = await trust(other_site, ca)
    assert await refusal_of(secure.open(station, own=ca.issue(station.identity))) == 401
    assert await problem_of(site, station) == "untrusted"
    await site.rest.get(f"/trusted-cas/{row['id']}/", status=404)
    assert await site.rest.rows("/trusted-cas/") == []


async def test_tc_087_a_revoked_certificate_ends_its_socket_and_opens_none(
    site: Site, secure: Secure
) -> None:
    station = await site.make_station(security_profile=2)
    async with secure.open(station, password=PASSWORD) as wire:
        _, own = await sign(wire, station.identity, new_key())
    async with secure.open(station, own=own) as wire:
        assert await wire.is_heard()
        [row] = await certificates(site, station, "client")
        revoked = await site.rest.post(
            f"{station.path}certificates/{row['id']}/revoke/", status=200
        )
        assert revoked["revoked_at"] is not None
        async with asyncio.timeout(10):
            await wire.lost.wait()
        assert wire.client.close_code == 4003
    await site.rest.patch(station.path, {"security_profile": 3})
    assert await refusal_of(secure.open(station, own=own)) == 401
    assert await problem_of(site, station) == "revoked"


async def test_tc_087_a_trusted_proxy_passes_the_certificate_on(
    site: Site, proxied: WatchedServer
) -> None:
    station = await site.make_station(security_profile=3)
    ca = make_ca()
    await trust(site, ca)
    encoded = quote(ca.issue(station.identity).pem, safe="")

    def door(url: str, **headers: str) -> AbstractAsyncContextManager[WireStation]:
        sent = {"X-Forwarded-Proto": "https", **headers}
        return WireStation.open(url, station.identity, headers=sent)

    async with door(proxied.ocpp_url, **{"X-Client-Cert": encoded}) as wire:
        assert await wire.is_heard()
    for headers, problem in (
        ({}, "not_passed_on"),
        ({"X-Client-Cert": ""}, "missing"),
        ({"X-Client-Cert": "garbage"}, "unreadable"),
        ({"X-Client-Cert": quote(make_ca().issue(station.identity).pem)}, "untrusted"),
    ):
        assert await refusal_of(door(proxied.ocpp_url, **headers)) == 401
        assert await problem_of(site, station) == problem
    # From anybody else the headers count for nothing.
    forged = {"X-Client-Cert": encoded}
    assert await refusal_of(door(site.server.ocpp_url, **forged)) == 401
    assert await problem_of(site, station) == "not_encrypted"


async def test_a_virtual_station_rises_from_a_password_to_a_certificate(
    site: Site, secure: Secure
) -> None:
    """Asked from outside alone: a certificate of our CA, the root of a renewed server, profile 3, an event."""
    station = await site.make_station()
    virtual = VirtualStation(
        site.server.ocpp_url,
        station.identity,
        password=PASSWORD,
        reconnect_base_s=0.05,
        secure_url=secure.server.ocpp_url,
        server_root=secure.root.pem,
    )
    async with virtual:
        for action, payload in (
            ("ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"}),
            (
                "InstallCertificate",
                {
                    "certificateType": "CentralSystemRootCertificate",
                    "certificate": make_ca("Our next root").pem,
                },
            ),
            ("GetInstalledCertificateIds", {"certificateType": "CentralSystemRootCertificate"}),
        ):
            command = await site.ask(station, action, **payload)
            assert (await site.ended(command))["status"] == "accepted"

        async def both() -> bool:
            rows = await site.rest.rows(f"{station.path}certificates/")
            uses = sorted(row["use"] for row in rows if row["installed_at"])
            return uses == ["central_system_root", "central_system_root", "client"]

        await until(both)
        # The next root it can do without; the last one it must keep once it speaks TLS.
        roots = await certificates(site, station, "central_system_root")
        command = await site.ask(station, "ChangeConfiguration", key="SecurityProfile", value="3")
        assert (await site.ended(command))["status"] == "accepted"

        async def risen() -> bool:
            row = await site.station(station)
            return row["security_profile"] == 3 and row["online"]

        await until(risen)
        said = []
        for row in roots:
            named = row["hash_data"]
            command = await site.ask(station, "DeleteCertificate", certificateHashData=named)
            said.append((await site.ended(command))["response"]["status"])
        assert said == ["Accepted", "Failed"]
        await virtual.security.tell("TamperDetectionActivated", "door")
    [event] = await site.rest.rows("/security-events/", station=station.identity)
    assert (event["type"], event["tech_info"]) == ("TamperDetectionActivated", "door")
    assert await refusal_of(site.connect(station)) == 401
