"""OCPP's own test cases and RELIABILITY's checks, asked from outside: a REST key, raw sockets, nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.fixtures import (
    WatchedServer,
    needs_database,
    other_site,
    run_last,
    server,
    site,
    watched_server,
    worker,
)

__all__ = ["other_site", "server", "site", "worker"]

# What the default suite takes along; `make conformance` runs everything.
SAMPLE = ("tc_001", "tc_003", "tc_010", "tc_012", "tc_023", "tc_032", "tc_039", "tc_085", "tc_088")


def pytest_itemcollected(item: pytest.Item) -> None:
    needs_database(item)
    sampled = item.name.removeprefix("test_").startswith(SAMPLE)
    if not sampled or "conformance" in item.config.getoption("markexpr").replace(
        "not conformance", ""
    ):
        item.add_marker(pytest.mark.conformance)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    run_last(items, Path(__file__).parent)


@pytest.fixture(scope="package")
def impatient(
    django_db_setup: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WatchedServer]:
    """A server that waits a second for answers and pings every second."""
    env = {
        "OCPP_CALL_TIMEOUT_S": "1",
        "OCPP_PING_INTERVAL_S": "1",
        "OCPP_FAILED_HANDSHAKES_PER_MINUTE": "5",
    }
    with watched_server(tmp_path_factory.mktemp("impatient") / "log", env=env) as running:
        yield running
