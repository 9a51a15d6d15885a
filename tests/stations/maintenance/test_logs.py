"""Diagnostics and logs over REST and as stations report them; the file itself outweighs every word about it."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.choices import Role
from accounts.models import AuditEntry
from stations.commands.following import follow_ended
from stations.maintenance.files import forget_files, safe_name, store_chunks
from stations.maintenance.logs import (
    find_awaited_upload,
    receive_log,
    report_log_status,
    sweep_log_uploads,
)
from stations.models import ChargingStation, Command, LogUpload
from tests.api import Api, fields_of
from tests.factories import make_firmware_file, make_log_upload, make_state, make_station


@pytest.fixture
def station(api: Api, operator: Any, files_dir: Path) -> ChargingStation:
    station = make_station(operator)
    make_state(station)
    return station


class Upload:
    """One file that was asked for, its command and what the station says."""

    def __init__(self, row: dict[str, Any]) -> None:
        self.id = row["id"]
        self.command = Command.objects.get(pk=row["command"])
        payload = self.command.payload
        location = payload.get("location") or payload["log"]["remoteLocation"]
        self.secret = location.rstrip("/").split("/")[-1]
        self.tick = timezone.now()

    @property
    def row(self) -> LogUpload:
        return LogUpload.objects.get(pk=self.id)

    @property
    def status(self) -> str:
        return self.row.status

    def answer(self, response: dict[str, Any] | None, **fields: Any) -> "Upload":
        """The command's end, and what follows it, twice: the outbox may repeat itself."""
        now = timezone.now()
        ends = {"status": "accepted", "sent_at": now, "finished_at": now, **fields}
        Command.objects.filter(pk=self.command.pk).update(response=response, **ends)
        for _ in range(2):
            follow_ended(str(self.command.pk), {})
        return self

    def report(self, reported: str, status: str | None, request_id: int | None = None) -> "Upload":
        """As the station sends it, twice."""
        self.tick += timedelta(seconds=1)
        for _ in range(2):
            report_log_status(
                station_id=self.row.station_id,
                action=self.command.action,
                request_id=request_id,
                reported=reported,
                status=status,
                at=self.tick,
            )
        return self

    def arrive(self, body: bytes = b"a line\n", name: str = "") -> "Upload":
        upload = find_awaited_upload(self.secret)
        receive_log(upload=upload, stored=store_chunks([body], max_bytes=1000), name=name)
        return self


Ask = Callable[..., Upload]


@pytest.fixture
def ask(api: Api, station: ChargingStation) -> Ask:
    def ask(kind: str = "diagnostics", **body: Any) -> Upload:
        response = api.post("/log-uploads/", {"station": station.identity, "kind": kind, **body})
        assert response.status_code == 201, response.content
        return Upload(response.json())

    return ask


def test_each_kind_is_asked_for_in_its_own_way(ask: Ask) -> None:
    span = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}
    diagnostics, security = ask(**span), ask("security", **span)
    sent = diagnostics.command
    assert (sent.action, sent.payload["startTime"]) == ("GetDiagnostics", span["from"])
    assert sent.payload["stopTime"] == span["to"]
    sent = security.command
    assert (sent.action, sent.payload["logType"]) == ("GetLog", "SecurityLog")
    assert sent.payload["log"]["oldestTimestamp"] == span["from"]
    assert sent.payload["log"]["latestTimestamp"] == span["to"]
    assert security.row.request_id == sent.payload["requestId"]


def test_the_secret_of_the_link_is_with_the_station_alone(api: Api, ask: Ask) -> None:
    upload = ask()
    assert find_awaited_upload(upload.secret).pk == int(upload.id)
    shown = str(api.get(f"/log-uploads/{upload.id}/").json())
    shown += str(api.get(f"/commands/{upload.command.pk}/").json())
    shown += str(list(AuditEntry.objects.values_list("after", flat=True)))
    shown += str(LogUpload.objects.values().get(pk=upload.id))
    assert upload.secret not in shown
    upload.answer({"fileName": "d.txt"}).command.refresh_from_db()
    assert upload.secret not in str(upload.command.payload)


@pytest.mark.parametrize(
    ("kind", "response", "command", "status", "said"),
    [
        ("diagnostics", {"fileName": "d.zip"}, {}, "accepted", ""),
        ("diagnostics", {}, {}, "nothing", ""),
        ("diagnostics", {"fileName": ""}, {}, "nothing", ""),
        ("security", {"status": "Accepted", "filename": "d.zip"}, {}, "accepted", ""),
        ("security", {"status": "Accepted"}, {}, "accepted", ""),
        ("security", {"status": "AcceptedCanceled", "filename": "d.zip"}, {}, "accepted", ""),
        ("security", {"status": "Rejected"}, {"status": "rejected"}, "refused", "Rejected"),
        (
            "security",
            None,
            {"status": "error", "error": {"code": "NotImplemented"}},
            "refused",
            "NotImplemented",
        ),
        ("diagnostics", None, {"status": "timed_out"}, "unanswered", ""),
        ("diagnostics", None, {"status": "cancelled", "sent_at": None}, "not_sent", ""),
    ],
)
def test_the_answer_says_whether_a_file_will_come(
    ask: Ask,
    kind: str,
    response: dict[str, Any] | None,
    command: dict[str, Any],
    status: str,
    said: str,
) -> None:
    row = ask(kind).answer(response, **command).row
    assert (row.status, row.reported_status) == (status, said)
    assert (row.finished_at is None) == (status == "accepted")
    named = (response or {}).get("fileName") or (response or {}).get("filename")
    assert row.file_name == (named or "")


def test_the_newer_request_may_end_the_older_one(ask: Ask) -> None:
    accepted = {"status": "Accepted"}
    diagnostics, old, newer = ask(), ask("security"), ask("security")
    diagnostics.answer({"fileName": "d"})
    old.answer(accepted).report("Uploading", "uploading", old.row.request_id)
    newer.answer({"status": "AcceptedCanceled"})
    assert (old.status, newer.status, diagnostics.status) == ("cancelled", "accepted", "accepted")
    third = ask("security").answer({"status": "Rejected"}, status="rejected")
    assert (newer.status, third.status) == ("accepted", "refused")


@pytest.mark.parametrize(
    ("reports", "status"),
    [
        ([("Uploading", "uploading"), ("Uploaded", "uploaded")], "uploaded"),
        ([("Uploading", "uploading"), ("UploadFailed", "failed")], "failed"),
        ([("Uploaded", "uploaded"), ("Uploading", "uploading"), ("Idle", None)], "uploaded"),
        ([("UploadFailed", "failed"), ("Uploading", "uploading")], "failed"),
        ([("Idle", None)], "accepted"),
    ],
)
def test_reports_move_it_forwards_only(
    ask: Ask, reports: list[tuple[str, str | None]], status: str
) -> None:
    upload = ask().answer({"fileName": "d.txt"})
    for reported, meaning in reports:
        upload.report(reported, meaning)
    assert upload.status == status
    assert [entry["status"] for entry in upload.row.history] == [word for word, _ in reports]


def test_a_report_names_its_request(ask: Ask, station: ChargingStation) -> None:
    one, two = ask("security"), ask("security")
    for upload in (one, two):
        upload.answer({"status": "Accepted"})
    one.report("Uploading", "uploading", one.row.request_id)
    one.report("Uploaded", "uploaded", 1)
    assert (one.status, two.status) == ("uploading", "accepted")
    # Without an id it can only mean the newest.
    one.report("PermissionDenied", "failed")
    assert (one.status, two.status, two.row.reported_status) == (
        "uploading",
        "failed",
        "PermissionDenied",
    )


def test_the_file_is_the_proof(api: Api, ask: Ask) -> None:
    upload = ask().answer({"fileName": "diag.log"}).report("UploadFailed", "failed")
    upload.arrive(name="other.bin").report("UploadFailed", "failed")
    row = api.get(f"/log-uploads/{upload.id}/").json()
    assert (row["status"], row["size_bytes"], row["file_name"]) == ("uploaded", 7, "diag.log")
    assert [entry["status"] for entry in row["history"]] == ["UploadFailed", "UploadFailed"]
    # The address that comes with it needs no key.
    file = Client().get(row["download"])
    assert b"".join(file) == b"a line\n"
    assert file["Content-Disposition"] == 'attachment; filename="diag.log"'
    assert Client().get(row["download"].rstrip("/") + "x/").status_code == 404
    assert Client().post(row["download"]).status_code == 404


def test_a_word_without_a_file_offers_no_download(api: Api, ask: Ask) -> None:
    upload = ask().answer({"fileName": "d.txt"}).report("Uploaded", "uploaded")
    row = api.get(f"/log-uploads/{upload.id}/").json()
    assert (row["status"], row["received_at"], row["download"]) == ("uploaded", None, None)
    assert upload.arrive().row.received_at is not None


def test_what_never_arrives_expires_and_its_link_with_it(ask: Ask) -> None:
    upload = ask().answer({"fileName": "d.txt"}).report("Uploading", "uploading")
    sweep_log_uploads()
    assert upload.status == "uploading"
    LogUpload.objects.filter(pk=upload.id).update(expires_at=timezone.now())
    assert (sweep_log_uploads(), sweep_log_uploads(), upload.status) == (1, 0, "expired")
    assert upload.report("Uploading", "uploading").status == "uploading"


def test_lists_and_filters(api: Api, ask: Ask, stranger_api: Api, station: ChargingStation) -> None:
    diagnostics, security = ask(), ask("security")
    other = make_log_upload(make_station(station.operator))
    ids = lambda **query: {row["id"] for row in api.results("/log-uploads/", **query)}  # noqa: E731
    assert ids() == {diagnostics.id, security.id, str(other.pk)}
    assert ids(station=station.identity) == {diagnostics.id, security.id}
    assert ids(kind="security") == {security.id}
    assert ids(status="accepted") == {str(other.pk)}
    assert stranger_api.results("/log-uploads/") == []
    assert stranger_api.get(f"/log-uploads/{security.id}/").status_code == 404


def test_what_cannot_be_asked_is_refused_in_words(
    api: Api, api_as: Callable[[Role], Api], stranger_api: Api, station: ChargingStation
) -> None:
    body = {"station": station.identity, "kind": "diagnostics"}
    assert "kind" in fields_of(api.post("/log-uploads/", {**body, "kind": "gossip"}))
    turned = {"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}
    assert "to" in fields_of(api.post("/log-uploads/", body | turned))
    assert "station" in fields_of(stranger_api.post("/log-uploads/", body))
    assert api_as(Role.VIEWER).post("/log-uploads/", body).status_code == 403
    never = make_station(station.operator)
    response = api.post("/log-uploads/", {**body, "station": never.identity})
    assert response.json()["code"] == "never_connected"
    assert not LogUpload.objects.filter(station__operator=station.operator).exists()


def test_a_raw_command_to_somewhere_else_makes_a_row_too(
    api: Api, station: ChargingStation
) -> None:
    location = "ftp://files.example/incoming"
    body = {"action": "GetDiagnostics", "payload": {"location": location}}
    command = api.post(f"/stations/{station.identity}/commands/", body).json()
    [row] = api.results("/log-uploads/")
    assert (row["command"], row["location"], row["kind"]) == (
        command["id"],
        location,
        "diagnostics",
    )
    assert command["payload"]["location"] == location


# --- the store ----------------------------------------------------------------------------------------


def test_files_that_nobody_refers_to_are_forgotten_in_time(
    station: ChargingStation, files_dir: Path
) -> None:
    import os

    kept, lost, fresh = (store_chunks([word], max_bytes=9) for word in (b"kept", b"lost", b"new"))
    make_firmware_file(station.operator, sha256=kept.sha256)
    broken = files_dir / "quarantine" / "x.part"
    broken.write_bytes(b"half")
    for path in files_dir.glob("*/*"):
        if path.name != fresh.sha256:
            os.utime(path, (1, 1))
    assert forget_files() == 2
    left = {path.name for path in files_dir.glob("*/*")}
    assert left == {kept.sha256, fresh.sha256}
    assert lost.sha256 not in left
    assert all(path.stat().st_mode & 0o077 == 0 for path in files_dir.glob("*/*"))


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\d.zip", "d.zip"),
        ("a\r\nSet-Cookie: x\0.txt", "aSet-Cookie x.txt"),
        ("<script>.html", "script.html"),
        ("..", "file"),
        ("", "file"),
        ("é\u202etxt.exe", "étxt.exe"),
        ("x" * 300 + ".tar", "x" * 116 + ".tar"),
    ],
)
def test_names_of_stations_are_only_names(name: str, safe: str) -> None:
    assert safe_name(name) == safe
