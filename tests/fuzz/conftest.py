"""Fuzz runs: a server, operators with a key, and a line of numbers at the end of the run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.fixtures import needs_database, run_last, server, site, worker

__all__ = ["server", "site", "worker"]

_LINE = "fuzz"


def pytest_itemcollected(item: pytest.Item) -> None:
    needs_database(item)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    run_last(items, Path(__file__).parent)


@pytest.fixture
def say(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Keep a line of numbers for the end of the run."""
    return lambda line: record_property(_LINE, line)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    lines = [
        (report.nodeid.rpartition("::")[2], value)
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, ())
        if getattr(report, "when", "") == "call"
        for name, value in report.user_properties
        if name == _LINE
    ]
    if lines:
        terminalreporter.section("fuzz")
    for test, line in lines:
        terminalreporter.write_line(f"{test}: {line}")
