"""A pytest plugin that gives a test run real PostgreSQL and Valkey before Django reads its settings.

Loaded with `-p` (pyproject.toml). `DATABASE_URL` and `REDIS_URL`, when both are set, win. The data stays in
`VAR/test` for the next run; a run that finds it in use takes a data folder of its own and removes it at
the end.
"""

import atexit
import os
from collections.abc import Generator
from pathlib import Path

import pytest

from cms.run.services import AlreadyRunning, ServiceError, Services, remove, running_urls

_services: Services | None = None


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    """A wrapper, because pytest-django loads the settings in this very hook."""
    wants_tests = not (
        early_config.known_args_namespace.help or early_config.known_args_namespace.version
    )
    if wants_tests and not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")):
        try:
            _start(early_config.rootpath / (os.environ.get("VAR") or "var"))
        except ServiceError as error:
            raise pytest.UsageError(str(error)) from error
    return (yield)


def pytest_report_header() -> str:
    """Which servers this run speaks with."""
    where = (
        f"embedded, data in {_services.var}" if _services else "as DATABASE_URL and REDIS_URL say"
    )
    return f"services: {where}"


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """Stop what was started."""
    _stop()


@pytest.fixture(scope="session")
def embedded_services() -> Services:
    """The servers of this run, for tests that stop and start them; skips where they are not ours."""
    if _services is None:
        pytest.skip("PostgreSQL and Redis belong to somebody else (DATABASE_URL, REDIS_URL)")
    return _services


def _start(var: Path) -> None:
    global _services
    atexit.register(_stop)  # unconfigure does not come when the command line is wrong
    for left in var.glob("test-*"):
        if running_urls(left) is None and not _is_alive(left):
            remove(left)
    services = Services(var / "test", durable=False)
    try:
        services.start()
    except AlreadyRunning:
        services = Services(var / f"test-{os.getpid()}", durable=False)
        services.start()
    _services = services
    os.environ["DATABASE_URL"], os.environ["REDIS_URL"] = services.urls


def _stop() -> None:
    global _services
    if _services is not None:
        services, _services = _services, None
        services.stop()
        if services.var.name != "test":
            remove(services.var)


def _is_alive(var: Path) -> bool:
    """Whether the run that the folder is named after is still there."""
    try:
        os.kill(int(var.name.removeprefix("test-")), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True
