"""A websocket client that says exactly what a test wants said, right or wrong."""

import socket
import ssl
import struct
from typing import ClassVar

PATIENCE_S = 30
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class Wire:
    """One connection to 127.0.0.1; the test closes everything in `opened` when it ends."""

    opened: ClassVar[list[socket.socket]] = []

    def __init__(
        self, port: int, *, source: str = "127.0.0.1", context: ssl.SSLContext | None = None
    ) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE_S, (source, 0))
        self.opened.append(self.socket)
        if context is not None:
            self.socket = context.wrap_socket(self.socket)
            self.opened.append(self.socket)
        self.buffer = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def handshake(self, target: str, *headers: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (lower case) and, unless it is 101, the whole body."""
        self.send(handshake(target, *headers))
        return self.response()

    def response(self) -> tuple[int, dict[str, str], bytes]:
        while b"\r\n\r\n" not in self.buffer:
            assert self.more(), self.buffer
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        headers = {name.lower(): value for name, value in headers.items()}
        code = int(status.split()[1])
        return code, headers, b"" if code == 101 else self.rest()

    def rest(self) -> bytes:
        """Everything until the server closes."""
        while self.more():
            pass
        body, self.buffer = self.buffer, b""
        return body

    def frame(self, opcode: int, payload: bytes, *, fin: bool = True, mask: bool = True) -> None:
        self.send(frame_head(opcode, len(payload), fin=fin, mask=mask) + payload)

    def receive(self) -> tuple[int, bytes]:
        """The next frame, other than a ping, as (opcode, payload)."""
        while True:
            head = self.take(2)
            length = head[1] & 0x7F
            if length == 126:
                (length,) = struct.unpack("!H", self.take(2))
            elif length == 127:
                (length,) = struct.unpack("!Q", self.take(8))
            opcode, payload = head[0] & 0x0F, self.take(length)
            if opcode != PING:
                return opcode, payload
            self.frame(PONG, payload)

    def close_code(self) -> int:
        opcode, payload = self.receive()
        assert opcode == CLOSE
        return struct.unpack("!H", payload[:2])[0]

    def take(self, length: int) -> bytes:
        """The next `length` bytes."""
        while len(self.buffer) < length:
            assert self.more(), f"closed; left over: {self.buffer!r}"
        taken, self.buffer = self.buffer[:length], self.buffer[length:]
        return taken

    def more(self) -> bool:
        """Read once into `buffer`; false at the end of the connection."""
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            return False
        self.buffer += data
        return bool(data)


def handshake(target: str, *headers: str, key: str = "dGhlIHNhbXBsZSBub25jZQ==") -> bytes:
    lines = [
        f"GET {target} HTTP/1.1",
        *("Host: wire", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"),
        *(f"Sec-WebSocket-Key: {key}", *headers, "", ""),
    ]
    return "\r\n".join(lines).encode("latin-1")


def frame_head(opcode: int, length: int, *, fin: bool = True, mask: bool = True) -> bytes:
    """Frame header, masked with zeros, so that payloads can be written as they are."""
    bit = 0x80 if mask else 0
    first = (0x80 if fin else 0) | opcode
    if length < 126:
        head = struct.pack("!BB", first, bit | length)
    elif length < 65536:
        head = struct.pack("!BBH", first, bit | 126, length)
    else:
        head = struct.pack("!BBQ", first, bit | 127, length)
    return head + (b"\0\0\0\0" if mask else b"")
