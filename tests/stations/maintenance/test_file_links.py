"""Links for stations, over the wire of a real server: files come in once, and firmware goes out in pieces."""

import asyncio
import hashlib
import os
import socket
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.utils import timezone

from stations.choices import FirmwareStatus, LogStatus
from stations.maintenance.files import store_chunks
from stations.maintenance.links import hash_secret, new_secret
from stations.models import FirmwareFile, FirmwareUpdate, LogUpload
from tests.factories import make_operator, make_station
from tests.server import ServerProcess
from tests.stations.maintenance.conftest import MAX_BYTES
from tests.stations.ocpp.conftest import in_db

BODY = os.urandom(3_000_000)


async def make_link(**fields: Any) -> tuple[str, int]:
    """The address that a station was given, and the row behind it."""
    secret = new_secret()

    def make() -> int:
        defaults = {
            "request_id": 1,
            "kind": "diagnostics",
            "status": LogStatus.ACCEPTED,
            "expires_at": timezone.now() + timedelta(hours=1),
            "token_hash": hash_secret(secret),
        }
        return LogUpload.objects.create(
            station=make_station(make_operator()), **(defaults | fields)
        ).pk

    return f"/files/uploads/{secret}/", await in_db(make)


async def row_of(pk: int) -> LogUpload:
    return await in_db(lambda: LogUpload.objects.get(pk=pk))


def stored_in(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*/*")}


@pytest.mark.parametrize("way", ["put", "put-named", "post", "form", "put-chunked"])
async def test_a_file_arrives_by_every_way_that_chargers_use(
    charger: httpx.AsyncClient, server_files: Path, way: str
) -> None:
    link, pk = await make_link()

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(BODY), 100_000):
            yield BODY[start : start + 100_000]

    match way:
        case "put":
            answer = await charger.put(link, content=BODY)
        case "put-named":
            answer = await charger.put(f"{link}diag%2001.zip", content=BODY)
        case "post":
            answer = await charger.post(link.rstrip("/"), content=BODY)
        case "form":
            files = {"anything": ("../../diag 01.zip", BODY, "application/zip")}
            answer = await charger.post(link, files=files, data={"serial": "1"})
        case _:
            answer = await charger.put(link, content=pieces())
    assert (answer.status_code, answer.content) == (201, b"")
    row = await row_of(pk)
    assert (row.status, row.size_bytes) == (LogStatus.UPLOADED, len(BODY))
    assert row.received_at is not None
    assert row.file_name == ("diag 01.zip" if way in ("put-named", "form") else "")
    assert row.sha256 == hashlib.sha256(BODY).hexdigest()
    assert (server_files / row.sha256[:2] / row.sha256).read_bytes() == BODY


async def test_a_link_works_once(charger: httpx.AsyncClient) -> None:
    link, pk = await make_link()
    answers = await asyncio.gather(
        *(charger.put(link, content=b"%d" % number * 1000) for number in range(8))
    )
    assert sorted(answer.status_code for answer in answers) == [201, *[404] * 7]
    first = (await row_of(pk)).sha256
    assert (await charger.put(link, content=b"again")).status_code == 404
    assert (await row_of(pk)).sha256 == first


@pytest.mark.parametrize(
    "fields",
    [
        {"expires_at": timezone.now() - timedelta(seconds=1)},
        {"status": LogStatus.CANCELLED},
        {"status": LogStatus.REFUSED},
        {"status": LogStatus.NOT_SENT},
    ],
    ids=["expired", "cancelled", "refused", "not-sent"],
)
async def test_a_link_that_is_not_good_is_a_link_that_never_was(
    charger: httpx.AsyncClient, fields: dict[str, Any]
) -> None:
    link, pk = await make_link(**fields)
    nobodys = await charger.put(f"/files/uploads/{new_secret()}/", content=b"x")
    theirs = await charger.put(link, content=b"x")
    assert (theirs.status_code, theirs.content) == (nobodys.status_code, nobodys.content)
    assert theirs.status_code == 404
    assert (await charger.get(link)).status_code == 404
    assert (await row_of(pk)).sha256 == ""


async def test_a_file_that_came_after_we_had_given_up_is_kept(charger: httpx.AsyncClient) -> None:
    link, pk = await make_link(status=LogStatus.NOTHING, finished_at=timezone.now())
    assert (await charger.put(link, content=b"after all")).status_code == 201
    assert (await row_of(pk)).status == LogStatus.UPLOADED


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
async def test_too_much_is_refused_and_the_link_stays_good(
    charger: httpx.AsyncClient, server_files: Path, declared: bool
) -> None:
    link, pk = await make_link()
    before = stored_in(server_files)

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(MAX_BYTES // 100_000 + 20):
            yield bytes(100_000)

    content: Any = bytes(MAX_BYTES + 200_000) if declared else pieces()
    answer = await charger.put(link, content=content)
    assert answer.status_code == 413
    # A little too much for the view alone.
    assert (await charger.put(link, content=bytes(MAX_BYTES + 1))).status_code == 413
    assert stored_in(server_files) == before
    assert (await charger.put(link, content=bytes(MAX_BYTES))).status_code == 201
    assert (await row_of(pk)).size_bytes == MAX_BYTES


async def test_what_breaks_off_midway_leaves_nothing(
    files_server: ServerProcess, charger: httpx.AsyncClient, server_files: Path
) -> None:
    link, pk = await make_link()
    before = stored_in(server_files)

    def break_off() -> None:
        with socket.create_connection(("127.0.0.1", files_server.port), 10) as raw:
            head = f"PUT {link} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BODY)}\r\n\r\n"
            raw.sendall(head.encode() + BODY[:1_000_000])

    await asyncio.to_thread(break_off)
    assert (await charger.put(link, content=BODY)).status_code == 201
    row = await row_of(pk)
    assert stored_in(server_files) == before | {row.sha256}


async def test_a_form_without_a_file_is_no_file(charger: httpx.AsyncClient) -> None:
    link, _pk = await make_link()
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    assert (await charger.post(link, content=b"--y", headers=broken)).status_code == 400
    form = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n'
    assert (await charger.post(link, content=form, headers=broken)).status_code == 400
    assert (await charger.post(link, content=b"file")).status_code == 201


async def test_large_files_cost_no_memory(
    files_server: ServerProcess, charger: httpx.AsyncClient
) -> None:
    """Neither as a body nor as a form, which Twisted alone would read into memory."""
    assert (await charger.get("/healthz")).status_code == 200
    before = most_memory_of(files_server.pid)
    body = bytes(MAX_BYTES)
    link, _pk = await make_link()
    assert (await charger.put(link, content=body)).status_code == 201
    links = [(await make_link())[0] for _ in range(3)]
    answers = await asyncio.gather(
        *(charger.post(link, files={"file": ("log", body)}) for link in links)
    )
    assert [answer.status_code for answer in answers] == [201] * 3
    assert most_memory_of(files_server.pid) - before < MAX_BYTES


def most_memory_of(pid: int) -> int:
    """The most bytes that a process has held at once."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


async def test_elsewhere_bodies_are_small(charger: httpx.AsyncClient) -> None:
    for path in ("/login/", "/api/v1/id-tokens/", "/files/nothing/"):
        assert (await charger.post(path, content=bytes(MAX_BYTES))).status_code == 413, path


# --- firmware ------------------------------------------------------------------------------------------


@pytest.fixture
async def image(server_files: Path, settings: Any) -> AsyncIterator[tuple[str, int]]:
    """The address of a firmware that is offered, and its update."""
    settings.FILES_DIR = server_files
    secret = new_secret()

    def make() -> int:
        stored = store_chunks([BODY], max_bytes=len(BODY))
        station = make_station(make_operator())
        file = FirmwareFile.objects.create(
            operator=station.operator,
            name="fw 2.bin",
            version="2",
            size_bytes=stored.size_bytes,
            sha256=stored.sha256,
        )
        return FirmwareUpdate.objects.create(
            station=station,
            firmware=file,
            request_id=1,
            location="x",
            retrieve_at=timezone.now(),
            status=FirmwareStatus.ACCEPTED,
            token_hash=hash_secret(secret),
        ).pk

    yield f"/files/firmware/{secret}/fw%202.bin", await in_db(make)


async def test_firmware_is_fetched_whole_or_from_where_it_broke_off(
    charger: httpx.AsyncClient, image: tuple[str, int]
) -> None:
    link, _pk = image
    whole = await charger.get(link)
    assert (whole.status_code, whole.content) == (200, BODY)
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["content-disposition"].startswith("attachment")
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert whole.headers["content-type"] == "application/octet-stream"
    etag = whole.headers["etag"]

    head = await charger.head(link)
    assert (head.status_code, head.content) == (200, b"")
    assert (head.headers["content-length"], head.headers["etag"]) == (str(len(BODY)), etag)

    size = len(BODY)
    for asked, first, end in [
        ("bytes=0-0", 0, 1),
        ("bytes=1000-", 1000, size),
        ("bytes=1000-199999", 1000, 200_000),
        (f"bytes={size - 1}-{size + 10}", size - 1, size),
        ("bytes=-500", size - 500, size),
        (f"bytes=-{size * 2}", 0, size),
    ]:
        part = await charger.get(link, headers={"Range": asked})
        assert (part.status_code, part.content) == (206, BODY[first:end]), asked
        assert part.headers["content-range"] == f"bytes {first}-{end - 1}/{size}"
    for beyond in (f"bytes={size}-", "bytes=-0"):
        part = await charger.get(link, headers={"Range": beyond})
        assert (part.status_code, part.headers["content-range"]) == (416, f"bytes */{size}")
    for odd in ("bytes=-", "bytes=5-2", "lines=1-2", "bytes=0-1,5-9"):
        assert (await charger.get(link, headers={"Range": odd})).content == BODY, odd
    same = {"Range": "bytes=0-9", "If-Range": etag}
    assert (await charger.get(link, headers=same)).status_code == 206
    other = {"Range": "bytes=0-9", "If-Range": '"other"'}
    assert (await charger.get(link, headers=other)).status_code == 200
    assert (await charger.get(link, headers={"If-None-Match": etag})).status_code == 304


@pytest.mark.parametrize(
    "status", [FirmwareStatus.INSTALLED, FirmwareStatus.REFUSED, FirmwareStatus.SUPERSEDED]
)
async def test_a_finished_update_takes_its_link_along(
    charger: httpx.AsyncClient, image: tuple[str, int], status: str
) -> None:
    link, pk = image
    await in_db(
        lambda: FirmwareUpdate.objects.filter(pk=pk).update(
            status=status, finished_at=timezone.now()
        )
    )
    assert (await charger.get(link)).status_code == 404
    assert (await charger.get("/files/firmware/x/fw.bin")).status_code == 404
    assert (await charger.post(link)).status_code == 404
