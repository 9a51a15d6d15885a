"""Firmware and logs in the portal: histories in words, files that can be read and cannot hurt."""

import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from accounts.choices import Role
from cms.portal import stored_file
from cms.portal.live import publish_station
from cms.portal.stored_file import look_at
from stations.maintenance.files import store_chunks
from stations.models import Command, FirmwareFile, FirmwareUpdate, LogUpload
from tests.cms.portal.conftest import World
from tests.cms.portal.upkeep_world import make_received
from tests.factories import make_firmware_file, make_operator


@pytest.fixture(autouse=True)
def files_dir(settings: Settings, tmp_path: Path) -> Path:
    settings.FILES_DIR = tmp_path
    return tmp_path


def keep(body: bytes) -> str:
    return store_chunks([body], max_bytes=len(body)).sha256


def zipped(**files: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(name.replace("__", "/"), body)
    return packed.getvalue()


def tarred(mode: str, **files: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:  # type: ignore[call-overload]
        for name, body in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return packed.getvalue()


def texts(look: stored_file.Look) -> list[str]:
    return ["".join(piece.text for piece in line.pieces) for line in look.lines]


# --- reading ---------------------------------------------------------------------------------------------


def test_text_is_shown_by_lines_and_pages() -> None:
    sha256 = keep(b"".join(b"line %d\r\n" % n for n in range(1, 2501)))
    look = look_at(sha256)
    assert (look.kind, len(look.lines), look.next_line) == ("text", 1000, 1001)
    last = look_at(sha256, first=2001)
    assert (last.lines[0].number, texts(last)[-1], last.next_line) == (2001, "line 2500", 0)
    assert look_at(sha256, first=9999).lines == []


def test_find_shows_the_lines_that_hold_it() -> None:
    sha256 = keep("all good\nERROR one\nall good\nan Error, Ärger error\n".encode())
    look = look_at(sha256, find="error")
    assert [line.number for line in look.lines] == [2, 4]
    found = [piece.text for piece in look.lines[1].pieces if piece.found]
    assert (found, texts(look)[1]) == (["Error", "error"], "an Error, Ärger error")
    assert look_at(sha256, find="nothing").lines == []


def test_what_is_no_text_is_not_shown_as_text() -> None:
    assert look_at(keep(b"\x7fELF\0\0\0")).kind == "binary"
    assert look_at(keep(b"")).kind == "empty"
    assert look_at("0" * 64).kind == "gone"
    strange = look_at(keep(b"\x1b[31mred\x1b[0m \xff caf\xc3\xa9 \xe2\x80\xaegpj.exe\ttab\n"))
    assert texts(strange) == ["·[31mred·[0m \ufffd café ·gpj.exe\ttab"]


def test_a_line_without_end_is_cut() -> None:
    look = look_at(keep(b"x" * 1_000_000 + b"\nnext\n"))
    assert [line.number for line in look.lines] == [1, 2]
    assert (len(texts(look)[0]), texts(look)[1]) == (stored_file.LINE_LENGTH + 1, "next")


def test_json_lines_are_a_table() -> None:
    rows = b'{"at":"08:00","type":"Reset"}\n\n{"type":"Login","by":{"name":"x"}}\nbroken\n'
    # Only the beginning decides; a broken line later is shown as it is.
    sha256 = keep(b'{"at":"07:00"}\n' * 1000 + rows)
    look = look_at(sha256, first=1001)
    assert (look.kind, look.columns) == ("table", ["at", "type", "by"])
    assert [line.cells for line in look.lines] == [
        ["08:00", "Reset", ""],
        [],
        ["", "Login", '{"name": "x"}'],
        [],
    ]
    wide = look_at(keep(b"{" + b",".join(b'"k%d":1' % n for n in range(50)) + b"}\n"))
    assert len(wide.columns) == stored_file.COLUMNS
    assert look_at(keep(b"[" * 5000)).kind == "text"


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_archives_are_listed_and_their_files_read(kind: str) -> None:
    files = {"a.log": b"one\ntwo\n", "b.jsonl": b'{"n":1}\n'}
    body = zipped(**files) if kind == "zip" else tarred("w" if kind == "tar" else "w:gz", **files)
    sha256 = keep(body)
    look = look_at(sha256)
    assert (look.kind, look.is_cut) == ("archive", False)
    assert [(e.name, e.size_bytes) for e in look.entries][:2] == [("a.log", 8), ("b.jsonl", 8)]
    first = look_at(sha256, entry=0, find="two")
    assert first.entry is not None
    assert (first.entry.name, texts(first)) == ("a.log", ["two"])
    assert look_at(sha256, entry=1).kind == "table"
    assert look_at(sha256, entry=99).kind == "gone"
    if kind != "zip":
        assert look.entries[2].is_file is False
        assert look_at(sha256, entry=2).kind == "gone"


def test_a_packed_log_is_read_as_it_is() -> None:
    look = look_at(keep(gzip.compress(b"packed\nlines\n")))
    assert (look.kind, texts(look)) == ("text", ["packed", "lines"])


def test_bombs_do_not_go_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_file, "MAX_BYTES", 100_000)
    zeros = b"0\n" * 5_000_000
    for body, entry in (
        (gzip.compress(zeros), None),
        (zipped(a=zeros), 0),
        (tarred("w:gz", a=zeros), 0),
    ):
        # The last buffer of a tar's member may be lost with the cut.
        look = look_at(keep(body), entry=entry, first=45_000)
        while look.next_line:
            look = look_at(keep(body), entry=entry, first=look.next_line)
        assert (look.kind, look.is_cut) == ("text", True)
        assert look.lines[-1].number <= 50_001
    inside = look_at(keep(tarred("w:gz", a=zeros, b=b"never reached")))
    assert [e.name for e in inside.entries] == ["a"]
    assert inside.is_cut


def test_archives_of_too_many_files_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    many = {f"f{n}": b"" for n in range(20)}
    monkeypatch.setattr(stored_file, "MAX_ENTRIES", 10)
    for body in (zipped(**many), tarred("w", **many), tarred("w:gz", **many)):
        look = look_at(keep(body))
        assert (len(look.entries), look.is_cut) == (10, True)
    monkeypatch.setattr(stored_file, "_ZIP_DIRECTORY_BYTES", 500)
    assert look_at(keep(zipped(**many))) == stored_file.Look("archive", is_cut=True)


def test_what_is_damaged_or_locked_is_said_to_be() -> None:
    good = zipped(a=b"text\n" * 100)
    broken = bytearray(good)
    broken[40:60] = bytes(20)
    assert look_at(keep(bytes(broken)), entry=0).kind == "damaged"
    assert look_at(keep(good[:50])).kind == "damaged"
    assert look_at(keep(gzip.compress(b"x" * 100_000)[:-20] + b"junk")).kind == "damaged"
    locked = bytearray(good)
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = locked.index(magic) + offset
        locked[at : at + 2] = struct.pack("<H", 1)
    assert look_at(keep(bytes(locked)), entry=0).kind == "locked"


def test_names_in_archives_are_only_words() -> None:
    look = look_at(keep(zipped(**{"..__..__etc__passwd": b"x"})))
    assert look.entries[0].name == "../../etc/passwd"


# --- pages -----------------------------------------------------------------------------------------------


def test_a_file_is_read_in_the_portal_with_everything_escaped(world: World, owner: Client) -> None:
    upload = make_received(
        world.station, b"<script>alert(1)</script>\nplain\n", file_name="a<b>.log"
    )
    page = owner.get(f"/operator/log-uploads/{upload.pk}/").content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page
    assert "a&lt;b&gt;.log" in page
    found = owner.get(f"/operator/log-uploads/{upload.pk}/?find=<script>").content.decode()
    assert "<mark>&lt;script&gt;</mark>" in found
    assert "plain" not in found


def test_the_file_itself_is_only_saved(
    world: World, owner: Client, client_as: Callable[..., Client]
) -> None:
    upload = make_received(world.station, b"<html>", file_name="x.html", content_type="text/html")
    path = f"/operator/log-uploads/{upload.pk}/file/"
    response = owner.get(path)
    assert b"".join(response) == b"<html>"
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.headers["Content-Disposition"] == 'attachment; filename="x.html"'
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response.headers["Content-Security-Policy"]
    assert client_as(make_operator(), Role.OWNER).get(path).status_code == 404
    assert Client().get(path).status_code == 302
    waiting = LogUpload.objects.filter(station=world.station, received_at=None).first()
    assert waiting is not None
    assert owner.get(f"/operator/log-uploads/{waiting.pk}/file/").status_code == 404
    assert owner.get(f"/operator/log-uploads/{waiting.pk}/").status_code == 200


def test_both_histories_are_told_in_words(world: World, owner: Client) -> None:
    path = f"/operator/stations/{quote(world.station.identity)}/upkeep/"
    page = owner.get(path).content.decode()
    for words in (
        "Do not switch it off",
        "Check that it reaches maker.example",
        "The station was not let in where it was to send the file. (PermissionDenied)",
        "The station is sending it.",
        "security.jsonl",
    ):
        assert words in page, words
    for odd in ("?updates=x&logs=%00", "?updates=1", "?logs=99999999999999999999"):
        assert owner.get(path + odd).status_code == 200


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"status": "Installed"}, "The next start of the station tells its version."),
        (
            {"status": "Installed", "version_before": "1", "version_after": "2"},
            "Done: the station now runs 2, before it was 1.",
        ),
        (
            {"status": "Installed", "version_before": "1", "version_after": "1"},
            "still names the version it had: 1.",
        ),
        (
            {
                "status": "Refused",
                "history": [{"status": "InvalidCertificate", "at": "2026-01-01T00:00:00Z"}],
            },
            "does not trust the certificate",
        ),
        ({"status": "InstallationFailed"}, "could not install it"),
        ({"status": "Accepted"}, "The station agreed and has not begun yet."),
    ],
)
def test_an_update_says_how_it_went(
    world: World, owner: Client, fields: dict[str, Any], words: str
) -> None:
    newest = FirmwareUpdate.objects.filter(station=world.station).latest("pk")
    FirmwareUpdate.objects.filter(pk=newest.pk).update(**fields)
    path = f"/operator/stations/{quote(world.station.identity)}/upkeep/"
    assert words in owner.get(path).content.decode()


def test_questions_ask_the_station(world: World, owner: Client) -> None:
    station = f"/operator/stations/{quote(world.station.identity)}/"
    span = {"from_at": "2026-11-24T00:00", "to_at": "2026-11-25T00:00"}
    assert owner.post(f"{station}ask/diagnostics/", span).status_code == 302
    assert owner.post(f"{station}ask/security-log/", {}).status_code == 302
    turned = {"from_at": span["to_at"], "to_at": span["from_at"]}
    assert (
        "later than the beginning"
        in owner.post(f"{station}ask/diagnostics/", turned).content.decode()
    )

    file = make_firmware_file(world.operator, sha256=keep(b"fw"))
    other = make_firmware_file(make_operator(), sha256=file.sha256)
    answer = owner.post(f"{station}ask/update-firmware/", {"firmware": file.pk})
    assert answer.status_code == 302
    assert FirmwareUpdate.objects.latest("pk").firmware == file
    refused: list[tuple[dict[str, Any], str]] = [
        ({}, "Choose a file or give an address."),
        ({"firmware": other.pk}, "Select a valid choice"),
        ({"location": "gopher://x/"}, "Give an address of at most"),
        ({"firmware": file.pk, "signed": "on"}, "needs the maker&#x27;s certificate"),
    ]
    for body, words in refused:
        page = owner.post(f"{station}ask/update-firmware/", body)
        assert (page.status_code, words in page.content.decode()) == (400, True), body
    actions = set(Command.objects.filter(station=world.station).values_list("action", flat=True))
    assert {"GetDiagnostics", "GetLog", "UpdateFirmware"} <= actions


def test_firmware_is_added_by_those_who_may(
    world: World, owner: Client, viewer: Client, settings: Settings
) -> None:
    def send(client: Client, body: bytes = b"image", **fields: Any) -> Any:
        form = {"file": SimpleUploadedFile("fw.bin", body), "version": "2.0", **fields}
        return client.post("/operator/firmware/", form)

    assert send(owner).status_code == 302
    assert FirmwareFile.objects.get(operator=world.operator, name="fw.bin").version == "2.0"
    assert "fw.bin" in viewer.get("/operator/firmware/").content.decode()
    assert send(viewer).status_code == 403
    assert "The file is empty." in send(owner, b"").content.decode()
    assert "belong together" in send(owner, signature="eA==").content.decode()
    settings.FIRMWARE_MAX_BYTES = 3
    assert "too large" in send(owner).content.decode()


def test_open_pages_hear_of_it(
    world: World, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    told: list[tuple[int, int]] = []
    monkeypatch.setattr("cms.portal.live.publish", lambda *ids: told.append(ids))
    with django_capture_on_commit_callbacks(execute=True):
        publish_station(str(world.station.pk), {})
        publish_station("0", {})
    assert told == [(world.operator.pk, world.station.pk)]
