"""A store of the test's own, and a server that takes only small files."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from pytest_django import Settings

from tests.server import ServerProcess, running_server

MAX_BYTES = 16_000_000


def pytest_itemcollected(item: pytest.Item) -> None:
    """The server needs a test database, which pytest-django makes for marked tests only."""
    if "files_server" in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.django_db)


@pytest.fixture
def files_dir(settings: Settings, tmp_path: Path) -> Path:
    settings.FILES_DIR = tmp_path / "files"
    return tmp_path / "files"


@pytest.fixture(scope="module")
def server_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def files_server(django_db_setup: None, server_files: Path) -> Iterator[ServerProcess]:
    env = {"FILES_DIR": str(server_files), "LOG_UPLOAD_MAX_BYTES": str(MAX_BYTES)}
    with running_server(env=env) as server:
        yield server


@pytest.fixture
async def charger(files_server: ServerProcess) -> AsyncIterator[httpx.AsyncClient]:
    """A station's HTTP client: no cookies, no key."""
    async with httpx.AsyncClient(base_url=files_server.http_url, timeout=30) as client:
        yield client
