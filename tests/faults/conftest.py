"""What fault runs share: a site, servers that may be killed, and a line of numbers at the end of the run."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.faults.celery import Celery
from tests.faults.site import Site, make_site
from tests.server import ServerProcess
from tests.stations.ocpp.conftest import in_db

# A station is shown offline one lease after its gateway died; short, so that tests need not wait long.
LEASE_S = 3
_LINE = "faults"


def pytest_itemcollected(item: pytest.Item) -> None:
    """Servers need a test database, which pytest-django makes for marked tests only."""
    if "site" in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.django_db)


@pytest.fixture
async def site() -> Site:
    """An operator of this test's own."""
    return await in_db(make_site)


class Server(ServerProcess):
    """A server whose start and end do not hold up the stations in this process."""

    async def up(self) -> None:
        await asyncio.to_thread(self.start)

    async def killed(self) -> None:
        await asyncio.to_thread(self.kill)

    async def stopped(self) -> None:
        await asyncio.to_thread(self.stop)


@pytest.fixture
async def make_server(site: Site) -> AsyncIterator[Callable[..., Awaitable[Server]]]:
    """Starts servers; all that still run are killed at the end."""
    async with AsyncExitStack() as stack:

        async def make(**env: str) -> Server:
            server = Server(env={"OCPP_GATEWAY_LEASE_S": str(LEASE_S), **env})
            stack.push_async_callback(server.killed)
            await server.up()
            return server

        yield make


@pytest.fixture(scope="session")
def shared_servers(django_db_setup: None) -> Iterator[Callable[[int], Server]]:
    """The first, second … of the servers that are not killed; what else is done to them, they survive."""
    servers: list[Server] = []

    def server(number: int) -> Server:
        while len(servers) <= number:
            servers.append(Server(env={"OCPP_GATEWAY_LEASE_S": str(LEASE_S)}))
            servers[-1].start()
        return servers[number]

    yield server
    for made in servers:
        made.stop()


@pytest.fixture
async def server(site: Site, shared_servers: Callable[[int], Server]) -> Server:
    """A server that this test does not kill."""
    return await asyncio.to_thread(shared_servers, 0)


@pytest.fixture
async def second_server(server: Server, shared_servers: Callable[[int], Server]) -> Server:
    """Another process beside `server`."""
    return await asyncio.to_thread(shared_servers, 1)


@pytest.fixture
def celery(site: Site, tmp_path: Path) -> Iterator[Celery]:
    """Worker and beat of this test's own."""
    celery = Celery(tmp_path)
    yield celery
    celery.close()


@pytest.fixture
def say(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Keep a line of numbers for the end of the run."""
    return lambda line: record_property(_LINE, line)


@pytest.fixture(autouse=True)
def no_traceback(capfd: pytest.CaptureFixture[str]) -> Any:
    """Whatever is done to it, the server never fails in a way that nobody foresaw."""
    yield
    output = capfd.readouterr()
    log = output.out + output.err
    assert "Traceback" not in log, log[log.index("Traceback") - 2000 :][:6000]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    lines = [
        (report.nodeid.rpartition("::")[2], value, report.duration)
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, ())
        if getattr(report, "when", "") == "call"
        for name, value in report.user_properties
        if name == _LINE
    ]
    if lines:
        terminalreporter.section("faults")
    for test, line, duration_s in lines:
        terminalreporter.write_line(f"{test} ({duration_s:.1f} s): {line}")
