"""OCPP's own test cases and RELIABILITY's checks, asked from outside: a REST key, raw sockets, nothing else."""

import pytest

from tests.conformance.fixtures import needs_database, server, site, worker

__all__ = ["server", "site", "worker"]

# What the default suite takes along; `make conformance` runs everything.
SAMPLE = ("tc_001", "tc_003", "tc_010", "tc_012", "tc_023", "tc_032", "tc_039", "tc_085", "tc_088")


def pytest_itemcollected(item: pytest.Item) -> None:
    needs_database(item)
    sampled = item.name.removeprefix("test_").startswith(SAMPLE)
    if not sampled or "conformance" in item.config.getoption("markexpr").replace(
        "not conformance", ""
    ):
        item.add_marker(pytest.mark.conformance)
