"""The server as seen from the wire; what is the application's part is asked of uvicorn too."""

import base64
import contextlib
import datetime
import json
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.cms.wire_client import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PATIENCE_S,
    PING,
    PONG,
    TEXT,
    Wire,
    frame_head,
    handshake,
)

REPOSITORY = Path(__file__).resolve().parents[2]
# A second loopback address, which the servers take for their proxy.
PROXY = "127.0.0.2"
MIB = 1024 * 1024

OURS = [
    sys.executable,
    "-m",
    "cms.server",
    "--app",
    "tests.cms.wire_app:application",
    "--port",
    "0",
]
UVICORN = [
    *(sys.executable, "-m", "uvicorn", "tests.cms.wire_app:application", "--lifespan", "on"),
    *("--ws", "websockets-sansio", "--ws-per-message-deflate", "false", "--no-proxy-headers"),
    *("--ws-max-size", str(MIB), "--timeout-graceful-shutdown", "10", "--port", "0"),
]


def eventually(condition: Callable[[], Any]) -> Any:
    """The condition's first true value; fails after PATIENCE_S."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError("The condition never came true.")


@dataclass
class Running:
    """A server process; `output` and `notes` are files it writes."""

    process: subprocess.Popen[bytes]
    output: Path
    notes: Path

    def log(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def noted(self) -> list[str]:
        return self.notes.read_text(encoding="utf-8").splitlines() if self.notes.exists() else []

    def wait(self) -> None:
        """Until it listens; fails if the process ends instead."""
        eventually(lambda: self.port or self.process.poll() is not None)
        assert self.port, self.log()

    @property
    def port(self) -> int:
        match = re.search(r"(?:Listening|running) on https?://127\.0\.0\.1:(\d+)", self.log())
        return int(match[1]) if match else 0

    def stop(self) -> int:
        """Ask politely; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)


class Fleet(dict[str, Running]):
    """Servers by name, each waited for when it is asked for: they start while others are tested."""

    def __getitem__(self, name: str) -> Running:
        running = super().__getitem__(name)
        running.wait()
        return running


Start = Callable[..., Running]


@contextlib.contextmanager
def starter(folder: Path) -> Iterator[Start]:
    """A function that starts servers; all of them are stopped at the end."""
    started: list[Running] = []

    def start(command: list[str], *options: str, wait: bool = True, **environment: str) -> Running:
        number = len(started)
        output, notes = folder / f"{number}.log", folder / f"{number}.notes"
        with output.open("wb") as log:
            process = subprocess.Popen(  # noqa: S603
                [*command, *options],
                cwd=REPOSITORY,
                env={**os.environ, "WIRE_LOG": str(notes), **environment},
                stdout=log,
                stderr=log,
            )
        running = Running(process, output, notes)
        started.append(running)
        if wait:
            running.wait()
        return running

    try:
        yield start
    finally:
        for running in started:
            running.process.kill()
            running.process.wait()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with starter(tmp_path) as function:
        yield function


@pytest.fixture(autouse=True)
def no_socket_left_open() -> Iterator[None]:
    yield
    while Wire.opened:
        Wire.opened.pop().close()


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """All servers that need nothing special, started at once because importing takes its second.

    "ours" and "uvicorn" are for any test that leaves them standing, "brisk" has little patience, and the
    others are for the one test that stops them.
    """
    folder = tmp_path_factory.mktemp("servers")
    general = ("--headers-timeout", "0.5", "--reuse-port")
    brisk = ("--ping-interval", "0.4", "--connect-timeout", "0.5", "--compression")
    trusted = {"WIRE_TRUSTED": f"{PROXY},10.0.0.1"}
    with starter(folder) as function:
        running = {
            "ours": function(OURS, *general, wait=False, **trusted),
            "uvicorn": function(UVICORN, wait=False, **trusted),
            "brisk": function(OURS, *brisk, wait=False, WIRE_COUNT=str(folder / "count")),
            "tls": function(OURS, *tls_options(folder), wait=False),
            "busy": function(OURS, "--loop", "asyncio", wait=False),
            "hung": function(OURS, "--graceful-timeout", "0.3", wait=False),
            "pressed": function(OURS, "--graceful-timeout", "60", wait=False),
            "stopped uvicorn": function(UVICORN, wait=False),
        }
        yield Fleet(running)


@pytest.fixture
def ours(servers: Fleet) -> Running:
    return servers["ours"]


@pytest.fixture
def brisk(servers: Fleet) -> Running:
    return servers["brisk"]


@pytest.fixture(scope="module", autouse=True)
def quiet(servers: Fleet) -> Iterator[tuple[Wire, float]]:
    """A connection opened before all tests, and when; the last test looks after it."""
    wire = open_wire(servers["ours"], "/echo")
    Wire.opened.remove(wire.socket)
    yield wire, time.monotonic()
    wire.socket.close()


@pytest.fixture(params=["ours", "uvicorn"])
def either(request: pytest.FixtureRequest, servers: Fleet) -> Running:
    return servers[request.param]


def open_wire(running: Running, target: str, *headers: str, source: str = "127.0.0.1") -> Wire:
    wire = Wire(running.port, source=source)
    status, _, _ = wire.handshake(target, *headers)
    assert status == 101
    return wire


def scope_of(
    running: Running, target: str, *headers: str, source: str = "127.0.0.1"
) -> dict[str, Any]:
    opcode, payload = open_wire(running, target, *headers, source=source).receive()
    assert opcode == TEXT
    return json.loads(payload)


# --- Before the upgrade ---------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 404, 429, 503])
def test_application_refuses_a_handshake_with_any_status(either: Running, status: int) -> None:
    """DESIGN §3: 404 for the unknown, 401 before the upgrade, 400 without common subprotocol."""
    code, headers, body = Wire(either.port).handshake(f"/deny/{status}")
    assert code == status
    assert headers.get("www-authenticate") == ('Basic realm="stations"' if status == 401 else None)
    assert headers.get("retry-after") == ("7" if status in {429, 503} else None)
    assert body == b"no way"


def test_refusal_is_a_complete_http_response(ours: Running) -> None:
    _, headers, body = Wire(ours.port).handshake("/deny/404")
    assert headers["content-length"] == str(len(body))
    assert headers["connection"] == "close"
    assert "server" not in headers


def test_close_before_accept_is_403(either: Running) -> None:
    assert Wire(either.port).handshake("/refuse")[0] == 403


def test_application_failing_before_the_answer_is_500(either: Running) -> None:
    assert Wire(either.port).handshake("/raise")[0] == 500


def test_bad_handshakes_are_400_and_never_reach_the_application(ours: Running) -> None:
    for request in (
        handshake("/echo", key="short"),
        handshake("/echo").replace(b"Connection: Upgrade\r\n", b"Connection: close\r\n"),
        handshake("/\xff").replace(b"Connection: Upgrade", b"Connection: Upgrade, close"),
        handshake("/echo", "Sec-WebSocket-Protocol: a\x85b").replace(
            b"Connection: Upgrade", b"Connection: Upgrade, close"
        ),
    ):
        wire = Wire(ours.port)
        wire.send(request)
        wire.socket.shutdown(socket.SHUT_WR)
        assert wire.response()[0] == 400


def test_first_offered_subprotocol_is_echoed(either: Running) -> None:
    offers = "Sec-WebSocket-Protocol: ocpp2.1, ocpp1.6"
    status, headers, _ = Wire(either.port).handshake("/echo", offers)
    assert status == 101
    assert headers["sec-websocket-protocol"] == "ocpp2.1"
    assert headers["x-wire"] == "yes"


def test_repeated_subprotocols_and_header_lines_are_one_list(ours: Running) -> None:
    scope = scope_of(
        ours, "/", "Sec-WebSocket-Protocol: ocpp1.6,ocpp1.6", "Sec-WebSocket-Protocol: ocpp2.1"
    )
    assert scope["subprotocols"] == ["ocpp1.6", "ocpp2.1"]


@pytest.mark.parametrize(
    "path",
    ["/ocpp/a%2Fb", "/ocpp/RDAM%7C123", "/ocpp/%00", "/ocpp/%ff", "/ocpp/%2e%2e/x", "/ocpp/a;b"],
)
def test_raw_path_is_what_came_over_the_wire(either: Running, path: str) -> None:
    """RELIABILITY S14: `path` is decoded and loses the difference between identities."""
    scope = scope_of(either, f"{path}?a=%2F")
    assert scope["raw_path"] == path
    assert scope["query_string"] == "a=%2F"


def test_double_slashes_stay_in_the_raw_path(ours: Running) -> None:
    assert scope_of(ours, "//ocpp//x")["raw_path"] == "//ocpp//x"


def test_clients_cannot_choose_the_root_path(ours: Running) -> None:
    assert scope_of(ours, "/", "Daphne-Root-Path: /evil")["root_path"] == ""
    wire = Wire(ours.port)
    wire.send(b"GET /scope HTTP/1.0\r\nHost: x\r\nDaphne-Root-Path: /evil\r\n\r\n")
    assert json.loads(wire.response()[2])["root_path"] == ""


def test_scope_announces_denial_and_carries_lifespan_state(either: Running) -> None:
    scope = scope_of(either, "/")
    assert scope["extensions"] == {"websocket.http.response": {}}
    assert scope["state"] == {"started": True}
    assert scope["scheme"] == "ws"
    assert scope["client"][0] == "127.0.0.1"


# --- Frames ---------------------------------------------------------------------------------


def test_text_and_binary_come_back_as_they_went(either: Running) -> None:
    wire = open_wire(either, "/echo")
    for opcode, payload in ((TEXT, "Zomba ⚡".encode()), (BINARY, b"\0\xff"), (TEXT, b"")):
        wire.frame(opcode, payload)
        assert wire.receive() == (opcode, payload)


def test_fragments_with_a_ping_between_them_are_one_message(either: Running) -> None:
    wire = open_wire(either, "/echo")
    wire.frame(TEXT, "⚡".encode()[:2], fin=False)
    wire.frame(PING, b"here?")
    wire.frame(CONTINUATION, b"", fin=False)
    wire.frame(CONTINUATION, "⚡".encode()[2:])
    assert wire.receive() == (PONG, b"here?")
    assert wire.receive() == (TEXT, "⚡".encode())


def test_message_of_exactly_the_limit_is_served(either: Running) -> None:
    wire = open_wire(either, "/echo")
    wire.frame(TEXT, b"x" * MIB)
    assert wire.receive() == (TEXT, b"x" * MIB)


def test_message_over_the_limit_closes_with_1009(either: Running) -> None:
    wire = open_wire(either, "/echo")
    wire.frame(TEXT, b"x" * (MIB + 1))
    assert wire.close_code() == 1009
    eventually(lambda: "disconnect 1009" in either.noted())


def test_fragments_over_the_limit_close_with_1009(either: Running) -> None:
    wire = open_wire(either, "/echo")
    wire.frame(TEXT, b"x" * (MIB - 10), fin=False)
    wire.frame(CONTINUATION, b"x" * 11)
    assert wire.close_code() == 1009


def test_a_huge_frame_is_refused_from_its_header_and_never_buffered(ours: Running) -> None:
    """RELIABILITY 77."""
    memory = psutil.Process(ours.process.pid)
    wire = open_wire(ours, "/echo")
    before = memory.memory_info().rss
    wire.send(frame_head(TEXT, 100 * MIB))
    assert wire.close_code() == 1009
    sent = 0
    with contextlib.suppress(ConnectionError):
        while sent < 100 * MIB:
            wire.send(b"x" * MIB)
            sent += MIB
    assert sent < 100 * MIB
    assert memory.memory_info().rss - before < 16 * MIB


def test_invalid_utf8_closes_with_1007(either: Running) -> None:
    wire = open_wire(either, "/echo")
    wire.frame(TEXT, b"[2,\xff\xfe]")
    assert wire.close_code() == 1007


def test_protocol_errors_close_with_1002(either: Running) -> None:
    for head in (
        frame_head(TEXT, 2, mask=False) + b"hi",
        frame_head(3, 2) + b"hi",
        frame_head(CONTINUATION, 2) + b"hi",
        bytes([0xC1, 0x82]) + b"\0\0\0\0hi",
    ):
        wire = open_wire(either, "/echo")
        wire.send(head)
        assert wire.close_code() == 1002


def test_nothing_after_an_error_is_delivered(ours: Running) -> None:
    wire = open_wire(ours, "/echo")
    wire.send(frame_head(TEXT, 1) + b"\xff" + frame_head(TEXT, 2) + b"hi")
    assert wire.close_code() == 1007
    assert wire.rest() == b""


@pytest.mark.parametrize(
    ("given", "sent"), [(1000, 1000), (1001, 1001), (1012, 1012), (4001, 4001), (2999, 1011)]
)
def test_any_close_code_of_the_application_ends_the_connection(
    ours: Running, given: int, sent: int
) -> None:
    """RELIABILITY S15: an accidental 1002 or 1012 must not become an exception."""
    logged = len(ours.log())
    wire = open_wire(ours, f"/close/{given}")
    assert wire.close_code() == sent
    wire.frame(CLOSE, struct.pack("!H", sent))
    assert wire.rest() == b""
    assert "Traceback" not in ours.log()[logged:]


def test_close_code_1006_drops_the_connection_without_a_frame(ours: Running) -> None:
    assert open_wire(ours, "/close/1006").rest() == b""


def test_application_that_returns_or_fails_does_not_leave_a_zombie(ours: Running) -> None:
    for name, code in (("leave", 1000), ("crash", 1011)):
        wire = open_wire(ours, f"/{name}")
        wire.frame(TEXT, b"go")
        assert wire.close_code() == code


def test_disconnect_tells_the_peers_code(either: Running) -> None:
    wire = open_wire(either, "/echo")
    wire.frame(CLOSE, struct.pack("!H", 4321) + b"bye")
    eventually(lambda: "disconnect 4321" in either.noted())


def test_a_flood_is_slowed_down_not_dropped(brisk: Running) -> None:
    """The application takes nothing for a while: we stop reading, then every message arrives."""
    wire = open_wire(brisk, "/count")
    eventually(lambda: "counting" in brisk.noted())
    message = frame_head(TEXT, 1000) + b"x" * 1000
    wire.socket.settimeout(0.3)
    pending = message * 40_000
    sent = 0
    with pytest.raises(TimeoutError):
        while sent < len(pending):
            sent += wire.socket.send(pending[sent : sent + 65536])
    (brisk.output.parent / "count").touch()
    wire.socket.settimeout(PATIENCE_S)
    whole = -(-sent // len(message)) * len(message)
    wire.send(pending[sent:whole] + frame_head(TEXT, 3) + b"end")
    assert wire.receive() == (TEXT, str(whole // len(message)).encode())


def test_compression_only_on_request_and_bounded(ours: Running, brisk: Running) -> None:
    offer = "Sec-WebSocket-Extensions: permessage-deflate"
    assert "sec-websocket-extensions" not in Wire(ours.port).handshake("/echo", offer)[1]
    with connect(f"ws://127.0.0.1:{brisk.port}/echo") as client:
        assert client.response.headers["Sec-WebSocket-Extensions"].startswith("permessage-deflate")
        client.send("x" * 1000)
        assert client.recv() == "x" * 1000
        client.send("x" * (MIB + 1))
        with pytest.raises(ConnectionClosed) as closed:
            client.recv()
        assert closed.value.rcvd.code == 1009


def test_pages_share_the_port(either: Running) -> None:
    wire = Wire(either.port)
    body = b"x" * 100_000
    wire.send(b"POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    wire.send(
        b"POST /size HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    )
    first, second = wire.rest().split(b"HTTP/1.1 200 ")[1:]
    assert b"100000" in first
    assert b"3" in second.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("path", ["/raise", "/silent"])
def test_a_page_without_answer_is_500(ours: Running, path: str) -> None:
    wire = Wire(ours.port)
    wire.send(f"GET {path} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
    assert wire.response()[0] == 500


# --- Time -----------------------------------------------------------------------------------


def test_trickled_headers_are_cut_off(ours: Running) -> None:
    """RELIABILITY S17: each byte must not buy more time."""
    wire = Wire(ours.port)
    wire.send(b"GET /scope HTTP/1.1\r\nHost: x\r\nX: ")
    wire.socket.settimeout(0.05)
    answer = b""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            data = wire.socket.recv(1024)
        except TimeoutError:
            wire.send(b"x")
            continue
        except ConnectionResetError:
            data = b""
        answer += data
        if not data:
            break
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_connection_that_says_nothing_is_closed(ours: Running) -> None:
    assert Wire(ours.port).rest() == b""


def test_answers_may_take_longer_than_headers(ours: Running) -> None:
    wire = Wire(ours.port)
    wire.send(b"GET /slow HTTP/1.0\r\nHost: x\r\n\r\n")
    assert wire.response()[2].endswith(b"9\nend\n")


def test_every_request_of_a_connection_has_the_deadline(ours: Running) -> None:
    wire = Wire(ours.port)
    wire.send(b"GET /scope HTTP/1.1\r\nHost: x\r\n\r\nGET /scope HTTP/1.1\r\nHo")
    body = wire.rest()
    assert body.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 408 " in body


def test_undecided_handshake_is_503_and_the_application_is_told(brisk: Running) -> None:
    code, headers, _ = Wire(brisk.port).handshake("/undecided")
    assert code == 503
    assert headers["retry-after"] == "30"
    eventually(lambda: "undecided 1006" in brisk.noted())


def test_pings_keep_the_living_and_find_the_dead(brisk: Running) -> None:
    """RELIABILITY 12: data counts as much as pongs; three intervals of silence are the end."""
    silent, talking, answering = (open_wire(brisk, "/echo") for _ in range(3))
    eventually(lambda: _echoes(talking) and _answers(answering) and _is_cut(silent))
    assert _echoes(talking)
    assert _echoes(answering)
    assert "disconnect 1006" in brisk.noted()


def _echoes(wire: Wire) -> bool:
    """Sends and receives a message, leaving pings unanswered."""
    wire.frame(TEXT, b"hi")
    while True:
        head = wire.take(2)
        payload = wire.take(head[1])
        if head[0] & 0x0F == TEXT:
            return payload == b"hi"


def _answers(wire: Wire) -> bool:
    """Waits for a ping and answers it; sends nothing else."""
    head = wire.take(2)
    assert head[0] & 0x0F == PING
    wire.frame(PONG, wire.take(head[1]))
    return True


def _is_cut(wire: Wire) -> bool:
    wire.socket.setblocking(False)
    try:
        return not wire.more()
    except BlockingIOError:
        return False


# --- TLS and proxies ------------------------------------------------------------------------


def test_headers_of_strangers_are_dropped(either: Running) -> None:
    scope = scope_of(
        either,
        "/",
        *("X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https", "X-Client-Cert: x"),
        *("X_Forwarded_For: 203.0.113.9", "X-Other: kept"),
    )
    assert scope["client"][0] == "127.0.0.1"
    assert scope["scheme"] == "ws"
    assert "tls" not in scope["extensions"]
    names = {name for name, _ in scope["headers"]}
    assert "x-other" in names
    assert not {name for name in names if "forwarded" in name or "cert" in name}


def test_headers_of_trusted_proxies_are_believed(either: Running, tmp_path: Path) -> None:
    pem = certificate(tmp_path, "CP-001").certificate.read_text()
    scope = scope_of(
        either,
        "/",
        *("X-Forwarded-For: 198.51.100.1, 203.0.113.9, 10.0.0.1", "X-Forwarded-Proto: https"),
        f"X-Client-Cert: {quote(pem)}",
        source=PROXY,
    )
    assert scope["client"] == ["203.0.113.9", 0]
    assert scope["scheme"] == "wss"
    assert scope["extensions"]["tls"]["client_cert_chain"] == [pem]
    assert scope["extensions"]["tls"]["client_cert_name"] == "CN=CP-001"
    assert "x-client-cert" not in {name for name, _ in scope["headers"]}


@dataclass(frozen=True)
class Identity:
    certificate: Path
    key: Path


def certificate(folder: Path, name: str) -> Identity:
    """A self-signed certificate with its key, as files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    identity = Identity(folder / f"{name}.pem", folder / f"{name}.key")
    identity.certificate.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    identity.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return identity


def tls_options(folder: Path) -> list[str]:
    server, known, _ = (certificate(folder, name) for name in ("server", "CP-001", "CP-002"))
    return [
        *("--tls-cert", str(server.certificate), "--tls-key", str(server.key)),
        *("--client-ca", str(known.certificate)),
    ]


def tls_client(folder: Path, station: str | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=folder / "server.pem")
    context.check_hostname = False
    if station:
        context.load_cert_chain(folder / f"{station}.pem", folder / f"{station}.key")
    return context


def test_tls_hands_over_client_certificates(servers: Fleet) -> None:
    running = servers["tls"]
    folder = running.output.parent

    def tls_scope(station: str | None) -> dict[str, Any]:
        wire = Wire(running.port, context=tls_client(folder, station))
        assert wire.handshake("/")[0] == 101
        scope = json.loads(wire.receive()[1])
        assert scope["scheme"] == "wss"
        return scope["extensions"]["tls"]

    trusted = tls_scope("CP-001")
    assert trusted["client_cert_chain"] == [(folder / "CP-001.pem").read_text()]
    assert trusted["client_cert_name"] == "CN=CP-001"
    assert trusted["client_cert_error"] is None
    assert trusted["tls_version"] == 0x0304
    assert tls_scope("CP-002")["client_cert_error"] is not None
    assert tls_scope(None)["client_cert_chain"] == []


def test_tls_serves_pages_and_large_messages(servers: Fleet) -> None:
    running = servers["tls"]
    page = Wire(running.port, context=tls_client(running.output.parent))
    page.send(b"GET /scope HTTP/1.0\r\nHost: x\r\n\r\n")
    scope = json.loads(page.response()[2])
    assert scope["scheme"] == "https"
    assert scope["extensions"]["tls"]["client_cert_chain"] == []
    wire = Wire(running.port, context=tls_client(running.output.parent))
    assert wire.handshake("/echo")[0] == 101
    wire.frame(TEXT, b"x" * MIB)
    assert wire.receive() == (TEXT, b"x" * MIB)


def test_tls_before_1_2_is_refused(servers: Fleet) -> None:
    running = servers["tls"]

    def negotiate(version: ssl.TLSVersion) -> str | None:
        context = tls_client(running.output.parent)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
        return Wire(running.port, context=context).socket.version()

    assert negotiate(ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
    with pytest.warns(DeprecationWarning), pytest.raises(ssl.SSLError):
        negotiate(ssl.TLSVersion.TLSv1_1)


# --- Start and stop -------------------------------------------------------------------------


def test_listens_only_after_start_up(start: Start, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    gate = tmp_path / "gate"
    running = start(OURS, "--port", str(port), wait=False, WIRE_GATE=str(gate))
    eventually(lambda: running.noted() == ["starting"])
    with pytest.raises(ConnectionRefusedError):
        Wire(port)
    gate.touch()
    eventually(lambda: running.port)
    assert running.noted() == ["starting", "started"]
    open_wire(running, "/echo")


def test_failed_start_up_ends_the_process_without_listening(start: Start) -> None:
    running = start(OURS, wait=False, WIRE_STARTUP="fail")
    assert running.process.wait(PATIENCE_S) == 3
    assert running.port == 0
    assert "no luck" in running.log()


def test_a_port_is_shared_only_when_asked(ours: Running, start: Start) -> None:
    """An address in use shows before anything starts."""
    port = str(ours.port)
    greedy = start(OURS, "--port", port, wait=False)
    sharing = start(OURS, "--reuse-port", "--port", port, wait=False)
    assert greedy.process.wait(PATIENCE_S) == 1
    assert greedy.noted() == []
    sharing.wait()
    assert str(sharing.port) == port
    assert sharing.stop() == 0


def test_sigterm_lets_work_in_hand_finish_and_be_answered(servers: Fleet) -> None:
    running = servers["busy"]
    port = running.port
    wire = open_wire(running, "/work")
    idle = open_wire(running, "/echo")
    kept_alive = Wire(port)
    kept_alive.send(b"GET /scope HTTP/1.1\r\nHost: x\r\n\r\n")
    page = Wire(port)
    page.send(b"GET /slow HTTP/1.0\r\nHost: x\r\n\r\n")
    eventually(lambda: "slow" in running.noted())
    undecided = Wire(port)
    undecided.send(handshake("/undecided"))
    eventually(lambda: "deciding" in running.noted())
    assert wire.receive() == (TEXT, b"ready")
    wire.frame(TEXT, b"one")
    wire.frame(TEXT, b"two")
    eventually(lambda: "working on two" in running.noted())
    running.process.send_signal(signal.SIGTERM)
    assert wire.receive() == (TEXT, b"one done after 1012")
    assert wire.receive() == (TEXT, b"two done after 1012")
    assert wire.close_code() == 1012
    wire.frame(CLOSE, struct.pack("!H", 1012))
    assert wire.rest() == b""
    assert idle.close_code() == 1012
    idle.frame(CLOSE, struct.pack("!H", 1012))
    status, headers, _ = undecided.response()
    assert (status, headers["retry-after"]) == (503, "5")
    assert kept_alive.rest().startswith(b"HTTP/1.1 200 ")
    assert page.rest().endswith(b"9\nend\n")
    with pytest.raises(ConnectionRefusedError):
        Wire(port)
    assert running.process.wait(PATIENCE_S) == 0
    # The application stops only when no connection needs it any more.
    assert running.noted()[-1] == "shutdown"
    assert "worked" in running.noted()
    assert "Traceback" not in running.log()


def test_an_application_that_hangs_delays_the_end_only_so_long(servers: Fleet) -> None:
    running = servers["hung"]
    wire = open_wire(running, "/hang")
    eventually(lambda: "hanging" in running.noted())
    running.process.send_signal(signal.SIGTERM)
    assert wire.close_code() == 1012
    wire.frame(CLOSE, struct.pack("!H", 1012))
    assert running.process.wait(PATIENCE_S) == 0
    assert running.noted()[-1] == "shutdown"


def test_second_sigterm_ends_at_once(servers: Fleet) -> None:
    running = servers["pressed"]
    open_wire(running, "/hang")
    eventually(lambda: "hanging" in running.noted())
    running.process.send_signal(signal.SIGTERM)
    eventually(lambda: "Stopping" in running.log())
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(PATIENCE_S) == 1


def test_the_application_sees_the_same_end_under_uvicorn(servers: Fleet) -> None:
    running = servers["stopped uvicorn"]
    wire = open_wire(running, "/work")
    assert wire.receive() == (TEXT, b"ready")
    wire.frame(TEXT, b"one")
    eventually(lambda: "working on one" in running.noted())
    running.stop()
    assert "told 1012" in running.noted()
    assert running.noted()[-1] == "shutdown"


def test_credentials_reach_the_application_unchanged(either: Running) -> None:
    """A password may be any bytes; the header carries them in base64."""
    value = "Basic " + base64.b64encode(b"CP:001:\x00\xff").decode()
    headers = scope_of(either, "/", f"Authorization: {value}")["headers"]
    assert ["authorization", value] in headers


def test_a_quiet_connection_outlives_the_timeouts_of_others(
    ours: Running, quiet: tuple[Wire, float]
) -> None:
    """More than six quiet seconds: five are the default of several clients of the channel layer."""
    wire, since = quiet
    wire.socket.settimeout(max(0.05, since + 6.5 - time.monotonic()))
    with pytest.raises(TimeoutError):
        wire.receive()
    wire.socket.settimeout(PATIENCE_S)
    wire.frame(TEXT, b"still here")
    assert wire.receive() == (TEXT, b"still here")
