"""Diagnostics and logs: TC_045_1 and TC_079 of OCPP 1.6, and the ways in which they do not come."""

import io
import json
import zipfile
from typing import Any

import httpx
import pytest

from tests.conformance.site import Registered, Site, until

Row = dict[str, Any]


def archive() -> bytes:
    """As chargers pack them."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("log/system.log", "2026-11-25 08:00:00 started\n" * 500)
    return packed.getvalue()


async def ask(site: Site, station: Registered, kind: str, **span: str) -> Row:
    row: Row = await site.rest.post(
        "/log-uploads/", {"station": station.identity, "kind": kind, **span}
    )
    assert (row["status"], row["station"]) == ("requested", station.identity)
    return row


async def settled(site: Site, row: Row, status: str) -> Row:
    """The row once it has this status."""

    async def find() -> Row | None:
        now: Row = await site.rest.get(f"/log-uploads/{row['id']}/")
        return now if now["status"] == status else None

    found = await until(find)
    assert found is not None
    return found


async def upload(location: str, body: bytes, name: str = "") -> int:
    """As a station would: no key, no cookie."""
    async with httpx.AsyncClient() as http:
        return (await http.put(location + name, content=body)).status_code


async def download(row: Row) -> httpx.Response:
    async with httpx.AsyncClient() as http:
        return await http.get(row["download"])


async def test_tc_045_1_get_diagnostics(site: Site) -> None:
    station, body = await site.make_station(), archive()
    span = {"from": "2026-11-24T00:00:00Z", "to": "2026-11-25T00:00:00Z"}
    async with site.connect(station) as wire:
        row = await ask(site, station, "diagnostics", **span)
        sent = await wire.take("GetDiagnostics", {"fileName": "diagnostics.zip"})
        assert (sent["startTime"], sent["stopTime"]) == (span["from"], span["to"])
        accepted = await settled(site, row, "accepted")
        assert accepted["file_name"] == "diagnostics.zip"
        assert await wire.call("DiagnosticsStatusNotification", {"status": "Uploading"}) == {}
        await settled(site, row, "uploading")
        assert await upload(sent["location"], body, "diagnostics.zip") == 201
        assert await wire.call("DiagnosticsStatusNotification", {"status": "Uploaded"}) == {}
        done = await settled(site, row, "uploaded")
    assert done["size_bytes"] == len(body)
    assert [entry["status"] for entry in done["history"]] == ["Uploading", "Uploaded"]
    file = await download(done)
    assert (file.content, file.headers["content-disposition"]) == (
        body,
        'attachment; filename="diagnostics.zip"',
    )
    # The link was good once, and what comes later moves nothing.
    assert await upload(sent["location"], b"again") == 404


async def test_tc_079_get_security_log(site: Site) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        row = await ask(site, station, "security")
        answer = {"status": "Accepted", "filename": "security.jsonl"}
        sent = await wire.take("GetLog", answer)
        assert (sent["logType"], sent["requestId"]) == ("SecurityLog", row["request_id"])
        for status in ("Uploading", "Uploaded"):
            if status == "Uploaded":
                assert await upload(sent["log"]["remoteLocation"], b'{"type":"Reset"}\n') == 201
            said = {"status": status, "requestId": sent["requestId"]}
            assert await wire.call("LogStatusNotification", said) == {}
            seen = await settled(site, row, status.lower())
    assert (seen["file_name"], (await download(seen)).content) == (
        "security.jsonl",
        b'{"type":"Reset"}\n',
    )


async def test_nothing_to_upload(site: Site) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        row = await ask(site, station, "diagnostics")
        await wire.take("GetDiagnostics", {})
        await settled(site, row, "nothing")


@pytest.mark.parametrize("word", ["UploadFailure", "PermissionDenied", "BadMessage"])
async def test_a_failed_upload_is_shown(site: Site, word: str) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        row = await ask(site, station, "security")
        sent = await wire.take("GetLog", {"status": "Accepted"})
        said = {"status": word, "requestId": sent["requestId"]}
        assert await wire.call("LogStatusNotification", said) == {}
        failed = await settled(site, row, "failed")
        assert failed["reported_status"] == word
        # Nobody asked; it is answered all the same.
        for stray in ({"status": "Idle"}, {"status": "Uploaded", "requestId": 2**40}):
            assert await wire.call("LogStatusNotification", stray) == {}
        assert (await site.station(station))["online"] is True


async def test_a_refused_log_closes_its_link(site: Site) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        row = await ask(site, station, "security")
        sent = await wire.take("GetLog", {"status": "Rejected"})
        await settled(site, row, "refused")
    assert await upload(sent["log"]["remoteLocation"], b"x") == 404


async def test_the_second_log_cancels_the_first(site: Site) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        first = await ask(site, station, "security")
        await wire.take("GetLog", {"status": "Accepted"})
        await settled(site, first, "accepted")
        second = await ask(site, station, "security")
        await wire.take("GetLog", {"status": "AcceptedCanceled"})
        await settled(site, second, "accepted")
        await settled(site, first, "cancelled")


async def test_a_station_that_knows_no_logs_says_so(site: Site) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        row = await ask(site, station, "security")
        call = await wire.expect("GetLog")
        await wire.client.send(json.dumps([4, call.message_id, "NotImplemented", "", {}]))
        refused = await settled(site, row, "refused")
        assert refused["reported_status"] == "NotImplemented"


async def test_another_operator_sees_none_of_it(site: Site, other_site: Site) -> None:
    station = await site.make_station()
    async with site.connect(station):
        row = await ask(site, station, "diagnostics")
    await other_site.rest.get(f"/log-uploads/{row['id']}/", status=404)
    assert await other_site.rest.rows("/log-uploads/") == []
