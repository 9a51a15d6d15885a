"""Firmware updates over REST and as stations report them: forwards only, whatever order it comes in."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from pytest_django import Settings

from accounts.choices import Role
from accounts.models import AuditEntry, Operator
from cms.base.models import OutboxItem
from cms.base.time import rfc3339
from stations.commands.following import follow_ended
from stations.maintenance.firmware import (
    find_offered_firmware,
    on_firmware_booted,
    report_firmware_status,
    sweep_firmware_updates,
)
from stations.models import ChargingStation, Command, FirmwareUpdate
from tests.api import Api, fields_of
from tests.conformance.pki import make_ca, rsa_key
from tests.factories import make_firmware_file, make_firmware_update, make_state, make_station

IMAGE = b"\x7fELF firmware" * 1000
FOREIGN = "https://maker.example/fw-2.bin"


@pytest.fixture
def station(operator: Operator, files_dir: Path) -> ChargingStation:
    station = make_station(operator)
    make_state(station, firmware_version="1.0")
    return station


class Update:
    """One update of the station, its command and what the station says."""

    def __init__(self, station: ChargingStation, row: dict[str, Any]) -> None:
        self.station, self.id = station, row["id"]
        self.command = Command.objects.get(pk=row["command"])
        self.tick = timezone.now()

    @property
    def row(self) -> FirmwareUpdate:
        return FirmwareUpdate.objects.get(pk=self.id)

    @property
    def status(self) -> str:
        return self.row.status

    def answer(self, response: dict[str, Any] | None, **fields: Any) -> "Update":
        """The command's end, and what follows it, twice: the outbox may repeat itself."""
        now = timezone.now()
        ends = {"status": "accepted", "sent_at": now, "finished_at": now, **fields}
        Command.objects.filter(pk=self.command.pk).update(response=response, **ends)
        for _ in range(2):
            follow_ended(str(self.command.pk), {})
        return self

    def report(self, *statuses: str, request_id: int | None = None) -> "Update":
        """As the station sends them, each message twice."""
        for status in statuses:
            self.tick += timedelta(seconds=1)
            for _ in range(2):
                report_firmware_status(
                    station_id=self.station.pk,
                    is_signed=self.row.is_signed,
                    request_id=request_id,
                    status=status,
                    at=self.tick,
                )
        return self

    def boot(self, version: str) -> "Update":
        self.tick += timedelta(seconds=1)
        on_firmware_booted(str(self.id), {"at": rfc3339(self.tick), "version": version})
        return self


Ask = Callable[..., Update]


@pytest.fixture
def ask(api: Api, station: ChargingStation) -> Ask:
    def ask(**body: Any) -> Update:
        path = f"/stations/{station.identity}/firmware-updates/"
        response = api.post(path, {"location": FOREIGN, **body})
        assert response.status_code == 201, response.content
        return Update(station, response.json())

    return ask


# --- files ------------------------------------------------------------------------------------------


def upload(api: Api, **fields: Any) -> Any:
    form = {"file": SimpleUploadedFile("../fw 2.bin", IMAGE), "version": "2.0", **fields}
    return api.client.post("/api/v1/firmware/", form)


def test_a_file_is_kept_as_a_form_and_as_a_body(
    api: Api, operator: Operator, files_dir: Path
) -> None:
    form = upload(api, vendor="Maker").json()
    raw = api.client.post(
        "/api/v1/firmware/?version=2.0&name=fw%202.bin&vendor=Maker",
        IMAGE,
        content_type="application/octet-stream",
    ).json()
    ids = {form.pop("id"), raw.pop("id")}
    assert (len(ids), form.pop("created_at") != raw.pop("created_at")) == (2, True)
    assert form == raw
    assert (form["name"], form["size_bytes"], form["signed"]) == ("fw 2.bin", len(IMAGE), False)
    assert [path.read_bytes() for path in files_dir.glob("??/*")] == [IMAGE]
    assert {row["id"] for row in api.results("/firmware/")} == ids
    entries = AuditEntry.objects.filter(operator=operator, action="firmware_file.create")
    assert entries.count() == 2


def test_the_same_file_under_one_key_is_kept_once(api: Api, files_dir: Path) -> None:
    def send(version: str) -> Any:
        form = {"file": SimpleUploadedFile("fw.bin", IMAGE), "version": version}
        headers = {"Idempotency-Key": "k1"}
        return api.client.post("/api/v1/firmware/", form, headers=headers)

    first, again, other = send("2.0"), send("2.0"), send("3.0")
    assert (first.status_code, again.content) == (201, first.content)
    assert other.status_code == 409
    assert len(api.results("/firmware/")) == 1


def test_a_file_needs_bytes_and_a_version(api: Api, files_dir: Path, settings: Settings) -> None:
    assert "file" in fields_of(api.client.post("/api/v1/firmware/", {"version": "2"}))
    assert "file" in fields_of(api.post("/firmware/", {"version": "2"}))
    assert "version" in fields_of(upload(api, version=""))
    assert "colour" in fields_of(upload(api, colour="red"))
    assert "file" in fields_of(upload(api, file=SimpleUploadedFile("fw.bin", b"")))
    settings.FIRMWARE_MAX_BYTES = 1000
    assert upload(api).status_code == 413
    assert list(files_dir.glob("*/*.part")) == []


@pytest.mark.parametrize("kind", ["rsa", "curve"])
def test_a_signature_must_be_of_this_file(api: Api, files_dir: Path, kind: str) -> None:
    root = make_ca()
    if kind == "rsa":
        maker = root.issue("Maker", rsa_key())
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.MAX_LENGTH)
        sign = lambda data: maker.key.sign(data, pss, hashes.SHA256())  # noqa: E731
    else:
        maker = root.issue("Maker")
        sign = lambda data: maker.key.sign(data, ec.ECDSA(hashes.SHA256()))  # noqa: E731
    good = _base64(sign(IMAGE))
    signed = upload(api, signing_certificate=maker.pem, signature=good)
    assert signed.json()["signed"] is True
    other = _base64(sign(IMAGE + b"!"))
    assert "signature" in fields_of(upload(api, signing_certificate=maker.pem, signature=other))
    assert "signature" in fields_of(upload(api, signing_certificate=maker.pem, signature="%"))
    assert "signing_certificate" in fields_of(upload(api, signature=good))
    assert "signing_certificate" in fields_of(
        upload(api, signing_certificate="PEM", signature=good)
    )


def _base64(raw: bytes) -> str:
    import base64

    return base64.b64encode(raw).decode()


# --- asking --------------------------------------------------------------------------------------------


def test_a_file_of_ours_is_offered_by_a_link_that_nobody_keeps(
    api: Api, station: ChargingStation, ask: Ask
) -> None:
    file = upload(api).json()
    update = ask(location=None, firmware=file["id"])
    sent = update.command.payload["location"]
    secret = sent.split("/")[-2]
    assert sent.endswith(f"/files/firmware/{secret}/fw%202.bin")
    row = api.get(f"/stations/{station.identity}/firmware-updates/{update.id}/").json()
    assert (row["firmware"], row["status"], row["history"]) == (file["id"], "Requested", [])
    assert (row["version_before"], row["version_after"]) == ("1.0", None)
    shown = api.get(f"/commands/{update.command.pk}/").json()
    audit = AuditEntry.objects.filter(action="command.create").values_list("after", flat=True)
    for text in (str(row), str(shown), str(list(audit))):
        assert secret not in text
    assert find_offered_firmware(secret).pk == int(file["id"])
    update.answer({})
    update.command.refresh_from_db()
    assert secret not in str(update.command.payload)
    assert find_offered_firmware(secret).pk == int(file["id"])


def test_what_cannot_be_asked_is_refused_in_words(
    api: Api, stranger: Operator, station: ChargingStation
) -> None:
    path = f"/stations/{station.identity}/firmware-updates/"
    theirs = make_firmware_file(stranger)
    own = make_firmware_file(station.operator)
    for body, field in [
        ({}, "firmware"),
        ({"firmware": str(own.pk), "location": FOREIGN}, "firmware"),
        ({"firmware": str(theirs.pk)}, "firmware"),
        ({"location": "file:///etc/passwd"}, "location"),
        ({"location": "https://"}, "location"),
        ({"location": "https://a b/"}, "location"),
        ({"location": "https://[x/"}, "location"),
        ({"location": FOREIGN, "signed": True}, "signed"),
        ({"location": FOREIGN, "retrieve_at": "soon"}, "retrieve_at"),
    ]:
        assert field in fields_of(api.post(path, body)), body
    # Its bytes are gone.
    assert api.post(path, {"firmware": str(own.pk)}).status_code == 409
    assert not FirmwareUpdate.objects.filter(station=station).exists()
    assert not Command.objects.filter(station=station).exists()


def test_a_raw_command_makes_an_update_too(api: Api, station: ChargingStation) -> None:
    at = "2030-01-01T00:00:00Z"
    body = {"action": "UpdateFirmware", "payload": {"location": FOREIGN, "retrieveDate": at}}
    command = api.post(f"/stations/{station.identity}/commands/", body).json()
    [row] = api.results(f"/stations/{station.identity}/firmware-updates/")
    assert (row["command"], row["location"], row["retrieve_at"]) == (command["id"], FOREIGN, at)


def test_a_request_id_is_used_once(api: Api, station: ChargingStation) -> None:
    firmware = {
        "location": FOREIGN,
        "retrieveDateTime": "2030-01-01T00:00:00Z",
        "signingCertificate": "C",
        "signature": "S",
    }

    def ask(request_id: int) -> Any:
        payload = {"requestId": request_id, "firmware": firmware}
        body = {"action": "SignedUpdateFirmware", "payload": payload}
        return api.post(f"/stations/{station.identity}/commands/", body)

    assert ask(7).status_code == 202
    assert ask(7).json()["code"] == "request_id_used"
    assert "payload.requestId" in fields_of(ask(2**40))
    assert FirmwareUpdate.objects.filter(station=station).count() == 1


# --- answers --------------------------------------------------------------------------------------------

SIGNED = {"signed": True, "signing_certificate": "C", "signature": "S"}


@pytest.mark.parametrize(
    ("signed", "response", "command", "status", "said"),
    [
        (False, {}, {}, "Accepted", None),
        (True, {"status": "Accepted"}, {}, "Accepted", None),
        (True, {"status": "Rejected"}, {"status": "rejected"}, "Refused", "Rejected"),
        (
            True,
            {"status": "InvalidCertificate"},
            {"status": "rejected"},
            "Refused",
            "InvalidCertificate",
        ),
        (
            True,
            {"status": "RevokedCertificate"},
            {"status": "rejected"},
            "Refused",
            "RevokedCertificate",
        ),
        (
            False,
            None,
            {"status": "error", "error": {"code": "NotSupported"}},
            "Refused",
            "NotSupported",
        ),
        (False, None, {"status": "timed_out", "error": {"code": "no_answer"}}, "Unanswered", None),
        (
            False,
            None,
            {"status": "cancelled", "error": {"code": "expired"}, "sent_at": None},
            "NotSent",
            None,
        ),
    ],
)
def test_the_answer_decides_whether_it_begins(
    ask: Ask,
    signed: bool,
    response: dict[str, Any] | None,
    command: dict[str, Any],
    status: str,
    said: str | None,
) -> None:
    update = ask(**(SIGNED if signed else {})).answer(response, **command)
    row = update.row
    assert row.status == status
    assert [entry["status"] for entry in row.history] == ([said] if said else [])
    assert (row.finished_at is None) == (status == "Accepted")


def test_a_late_answer_tells_how_it_really_was(ask: Ask) -> None:
    update = ask().answer(None, status="timed_out", error={"code": "no_answer"})
    assert update.status == "Unanswered"
    update.answer({}, status="timed_out", error={"code": "no_answer", "late": True})
    assert (update.status, update.row.finished_at) == ("Accepted", None)


@pytest.mark.parametrize(
    ("word", "first"), [("AcceptedCanceled", "Superseded"), ("Rejected", "Downloading")]
)
def test_the_station_decides_between_two(ask: Ask, word: str, first: str) -> None:
    old = ask(**SIGNED).answer({"status": "Accepted"}).report("Downloading")
    new = ask(**SIGNED)
    assert (old.status, new.status) == ("Downloading", "Requested")
    old.report("Downloading")
    new.answer({"status": word}, status="rejected" if word == "Rejected" else "accepted")
    assert old.status == first
    assert new.status == ("Accepted" if word == "AcceptedCanceled" else "Refused")
    # What carries an id goes where it belongs.
    old.report("Installed", request_id=old.row.request_id)
    assert old.status == ("Superseded" if first == "Superseded" else "Installed")
    assert old.row.history[-1]["status"] == "Installed"


def test_answers_may_be_worked_off_in_another_order(ask: Ask) -> None:
    old, new = ask(), ask()
    new.answer({})
    old.answer({})
    assert (old.status, new.status) == ("Superseded", "Accepted")


# --- reports --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reports", "status"),
    [
        (["Downloading", "Downloaded", "Installing", "Installed"], "Installed"),
        (["Downloading", "DownloadFailed"], "DownloadFailed"),
        (["Downloading", "Downloaded", "Installing", "InstallationFailed"], "InstallationFailed"),
        (["Downloaded", "Downloading"], "Downloaded"),
        (["Installed", "Installing", "DownloadFailed", "Idle"], "Installed"),
        (["DownloadFailed", "Downloading", "Installed"], "DownloadFailed"),
        (["Downloading", "DownloadPaused", "Downloading"], "Downloading"),
        (["Downloading", "Idle"], "Downloading"),
        (["Downloaded", "SignatureVerified", "InstallRebooting"], "InstallRebooting"),
        (["Downloaded", "InvalidSignature", "Installing"], "InvalidSignature"),
        (["Installing", "InstallVerificationFailed"], "InstallVerificationFailed"),
        (["Idle"], "Accepted"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else value,
)
def test_reports_move_it_forwards_only(ask: Ask, reports: list[str], status: str) -> None:
    update = ask().answer({}).report(*reports)
    assert update.status == status
    assert [entry["status"] for entry in update.row.history] == reports


def test_a_report_may_come_before_the_answer(ask: Ask) -> None:
    update = ask()
    Command.objects.filter(pk=update.command.pk).update(status="sent", sent_at=timezone.now())
    assert update.report("Downloading").status == "Downloading"
    assert update.answer({}).status == "Downloading"


def test_reports_of_nobodys_update_change_nothing(ask: Ask, station: ChargingStation) -> None:
    update = ask(**SIGNED).answer({"status": "Accepted"})
    for request_id in (update.row.request_id + 1, -(2**31)):
        update.report("Installed", request_id=request_id)
    make_update = make_firmware_update(make_station(station.operator))
    assert (update.status, update.row.history) == ("Accepted", [])
    make_update.refresh_from_db()
    assert make_update.history == []


def test_a_history_does_not_grow_for_ever(ask: Ask) -> None:
    update = ask().answer({})
    for _ in range(150):
        update.report("Downloading", "DownloadPaused")
    assert len(update.row.history) == 200
    assert update.report("Installed").row.history[-1]["status"] == "Installed"


# --- the boot afterwards ---------------------------------------------------------------------------------


def test_the_first_boot_after_it_was_installed_tells_the_version(ask: Ask) -> None:
    update = ask().answer({}).report("Downloading", "Downloaded", "Installing", "Installed")
    assert update.boot("2.0").row.version_after == "2.0"
    update.boot("9.9")
    assert update.row.version_after == "2.0"
    assert update.row.history[-1] == {
        "status": "Booted",
        "at": update.row.history[-1]["at"],
        "version": "2.0",
    }


def test_a_boot_in_between_tells_it_too(ask: Ask) -> None:
    update = ask().answer({}).report("Installing").boot("2.0").report("Installed")
    assert (update.row.version_after, update.row.awaits_boot) == ("2.0", False)
    update.boot("9.9")
    assert update.row.version_after == "2.0"


def test_a_boot_with_the_old_version_is_not_the_last_word(ask: Ask) -> None:
    update = ask().answer({}).report("Installing").boot("1.0").report("Installed").boot("2.0")
    assert (update.row.version_after, update.row.awaits_boot) == ("2.0", False)


def test_only_updates_that_wait_for_a_boot_hear_of_one(ask: Ask) -> None:
    update = ask().answer({}).report("Downloading").boot("1.0")
    assert (update.row.version_after, update.row.history[-1]["status"]) == ("", "Downloading")


# --- the sweep ---------------------------------------------------------------------------------------------


def test_silence_ends_an_update_and_a_word_takes_it_up_again(ask: Ask) -> None:
    update = ask().answer({}).report("Downloading")
    long_ago = timezone.now() - timedelta(hours=25)
    mine = FirmwareUpdate.objects.filter(pk=update.row.pk)
    mine.update(created_at=long_ago, retrieve_at=long_ago)
    sweep_firmware_updates()
    assert update.status == "Downloading"
    row = update.row
    row.history[0]["at"] = rfc3339(long_ago)
    row.save()
    assert (sweep_firmware_updates(), update.status) == (1, "Expired")
    assert sweep_firmware_updates() == 0
    assert (update.report("Installing").status, update.row.finished_at) == ("Installing", None)


def test_an_update_for_later_is_not_late(ask: Ask) -> None:
    update = ask(retrieve_at=rfc3339(timezone.now() + timedelta(days=3))).answer({})
    mine = FirmwareUpdate.objects.filter(pk=update.row.pk)
    mine.update(created_at=timezone.now() - timedelta(days=2))
    sweep_firmware_updates()
    assert update.status == "Accepted"


def test_a_change_is_told_to_open_pages(ask: Ask, station: ChargingStation) -> None:
    ask().answer({}).report("Downloading")
    told = OutboxItem.objects.filter(topic="station.upkeep_changed", key=str(station.pk))
    assert told.count() == 3


def test_support_may_look_and_not_ask(
    api_as: Callable[[Role], Api], station: ChargingStation, files_dir: Path
) -> None:
    api = api_as(Role.SUPPORT)
    path = f"/stations/{station.identity}/firmware-updates/"
    assert api.results(path) == []
    assert api.post(path, {"location": FOREIGN}).status_code == 403
    assert upload(api).status_code == 403
