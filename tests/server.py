"""A real server process for tests: pages, REST and stations against the test database."""

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from urllib.error import HTTPError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import urlopen

from django.conf import settings
from django.db import connection

START_TIMEOUT_S = 60


def free_port() -> int:
    """A port of the loopback address that nobody holds now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_database_url() -> str:
    """The address of the database that this test run made."""
    parts = urlsplit(settings.DATABASE_URL)
    name = connection.settings_dict["NAME"]
    if not name.startswith("test_"):
        raise RuntimeError(
            "pytest-django made no test database; does the test carry the django_db mark?"
        )
    return urlunsplit(parts._replace(path=f"/{name}"))


test_database_url.__test__ = False  # type: ignore[attr-defined]


class ServerProcess:
    """`python -m cms.server` (or uvicorn) on a port of its own."""

    def __init__(
        self,
        *,
        port: int | None = None,
        uvicorn: bool = False,
        env: dict[str, str] | None = None,
        arguments: Sequence[str] = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`arguments` are for `cms.server`; with `tls`, what a client needs to know, it is asked over TLS."""
        self.port = port or free_port()
        self._arguments = arguments
        self.tls = tls
        self._uvicorn = uvicorn
        self._env = env or {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def ocpp_url(self) -> str:
        """Where stations connect; their identity follows after a slash."""
        return f"ws{'s' if self.tls else ''}://127.0.0.1:{self.port}/ocpp"

    @property
    def http_url(self) -> str:
        """Where browsers and programs connect."""
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start and wait until it answers."""
        arguments = ["-m", "cms.server", "--host", "127.0.0.1", "--port", str(self.port)]
        arguments += self._arguments
        if self._uvicorn:
            arguments = [
                "-m",
                "uvicorn",
                "cms.asgi:application",
                "--host=127.0.0.1",
                f"--port={self.port}",
                "--ws=websockets-sansio",
                "--no-access-log",
                "--log-level=warning",
            ]
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "cms.settings.test",
            "PYTHONWARNINGS": "default",
            # Links that it gives away lead to itself.
            "BASE_URL": self.http_url,
            **self._env,
        }
        if "DATABASE_URL" not in self._env:
            environment["DATABASE_URL"] = test_database_url()
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, *arguments], env=environment
        )
        self._await_health()

    def _await_health(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            assert self._process is not None
            if (code := self._process.poll()) is not None:
                raise RuntimeError(f"The server ended with {code} while starting.")
            try:
                address = f"{self.http_url}/healthz"
                # The first answer takes long where others want the processor, too.
                with urlopen(address, timeout=20, context=self.tls):  # noqa: S310 - our own
                    return
            except HTTPError:
                raise
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("The server did not answer in time.")

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it as a deployment would."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(how)
            self._process.wait(timeout=30)
        self._process = None


@contextlib.contextmanager
def running_server(
    *, uvicorn: bool = False, env: dict[str, str] | None = None
) -> Iterator[ServerProcess]:
    """A server for the length of a `with` block."""
    server = ServerProcess(uvicorn=uvicorn, env=env)
    try:
        server.start()
        yield server
    finally:
        server.stop()
