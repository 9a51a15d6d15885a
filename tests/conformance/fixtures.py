"""What black-box runs share: a server whose log is kept, a worker beside it, and operators with a key."""

import contextlib
import os
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from cms.base import outbox
from stations.models import QuarantinedFact
from tests.conformance.site import Rest, Site
from tests.factories import make_api_key, make_operator
from tests.server import ServerProcess
from tests.stations.ocpp.conftest import in_db

WORK_PAUSE_S = 0.1


class WatchedServer(ServerProcess):
    """A server that writes its log to a file, for tests that ask what it said."""

    def __init__(self, log: Path, **options: Any) -> None:
        super().__init__(**options)
        self.log_path = log

    def start(self) -> None:
        with _output_to(self.log_path):
            super().start()

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    @property
    def is_running(self) -> bool:
        """Still the process that was started."""
        return self._process is not None and self._process.poll() is None


@contextlib.contextmanager
def _output_to(path: Path) -> Iterator[None]:
    """File descriptors 1 and 2 lead to `path`; a process started meanwhile inherits them."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(descriptor) for descriptor in (1, 2)]
    try:
        with path.open("ab") as log:
            for descriptor in (1, 2):
                os.dup2(log.fileno(), descriptor)
        yield
    finally:
        for descriptor, original in zip((1, 2), kept, strict=True):
            os.dup2(original, descriptor)
            os.close(original)


@contextlib.contextmanager
def watched_server(log: Path, **options: Any) -> Iterator[WatchedServer]:
    """A server for the length of a `with` block, which it must outlive without an unforeseen error."""
    server = WatchedServer(log, **options)
    try:
        server.start()
        yield server
        assert server.is_running, server.log[-4000:]
    finally:
        server.stop()
    assert "Traceback" not in server.log, server.log[server.log.index("Traceback") - 500 :][:6000]


@contextlib.contextmanager
def outbox_worker() -> Iterator[None]:
    """Works the outbox off beside the test, as Celery would."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(WORK_PAUSE_S):
            outbox.work()
        connection.close()

    worker = threading.Thread(target=run, name="outbox worker")
    worker.start()
    try:
        yield
    finally:
        stop.set()
        worker.join()


@pytest.fixture(scope="package")
def server(
    django_db_setup: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WatchedServer]:
    """One server for all tests of a package."""
    env = {"OCPP_FAILED_HANDSHAKES_PER_MINUTE": "100000"}
    with watched_server(tmp_path_factory.mktemp("server") / "log", env=env) as running:
        yield running


@pytest.fixture(scope="package")
def worker(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """One worker for all tests of a package."""
    with django_db_blocker.unblock(), outbox_worker():
        yield


@pytest.fixture
async def site(server: WatchedServer, worker: None) -> AsyncIterator[Site]:
    """An operator of this test's own. Whatever its stations sent found its place."""
    operator = await in_db(make_operator)
    rest = Rest(server.http_url, await in_db(lambda: make_api_key(operator)))
    async with rest.http:
        yield Site(server, rest)
    stranded = QuarantinedFact.objects.filter(station__operator=operator)
    assert await in_db(lambda: list(stranded.values_list("action", "payload", "error"))) == []


@pytest.fixture
async def other_site(server: WatchedServer, worker: None) -> AsyncIterator[Site]:
    """A second operator on the same server."""
    operator = await in_db(make_operator)
    rest = Rest(server.http_url, await in_db(lambda: make_api_key(operator)))
    async with rest.http:
        yield Site(server, rest)


def needs_database(item: pytest.Item) -> None:
    """Whoever needs the server needs a test database, which pytest-django makes for marked tests only."""
    if "server" in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.django_db)


def run_last(items: list[pytest.Item], directory: Path) -> None:
    """Rows that are committed stay behind; tests that expect an empty table come first."""
    items.sort(key=lambda item: item.path.is_relative_to(directory))
