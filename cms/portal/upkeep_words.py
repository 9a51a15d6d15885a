"""Firmware updates and log uploads in words: how far each is, what went wrong and what to do then."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cms.portal.looks import Look
from stations.choices import FirmwareStatus, LogStatus
from stations.models import FirmwareUpdate, LogUpload

_WAITING, _BUSY, _GOOD = ("busy", "clock"), ("charging", "in"), ("good", "check")
_BAD, _ODD, _OVER = ("bad", "warning"), ("warn", "flag"), ("offline", "cross")

_FIRMWARE_SHAPES: dict[str, tuple[str, str]] = {
    FirmwareStatus.REQUESTED: _WAITING,
    FirmwareStatus.ACCEPTED: _WAITING,
    FirmwareStatus.DOWNLOAD_SCHEDULED: _WAITING,
    FirmwareStatus.DOWNLOAD_PAUSED: ("busy", "pause"),
    FirmwareStatus.INSTALL_SCHEDULED: _WAITING,
    FirmwareStatus.INSTALLED: _GOOD,
    FirmwareStatus.SIGNATURE_VERIFIED: _GOOD,
    FirmwareStatus.REFUSED: _BAD,
    FirmwareStatus.DOWNLOAD_FAILED: _BAD,
    FirmwareStatus.INVALID_SIGNATURE: _BAD,
    FirmwareStatus.INSTALLATION_FAILED: _BAD,
    FirmwareStatus.INSTALL_VERIFICATION_FAILED: _BAD,
    FirmwareStatus.UNANSWERED: _ODD,
    FirmwareStatus.EXPIRED: _ODD,
    FirmwareStatus.NOT_SENT: _OVER,
    FirmwareStatus.SUPERSEDED: _OVER,
}
_LOG_SHAPES: dict[str, tuple[str, str]] = {
    LogStatus.REQUESTED: _WAITING,
    LogStatus.ACCEPTED: _WAITING,
    LogStatus.UPLOADING: _BUSY,
    LogStatus.UPLOADED: _GOOD,
    LogStatus.NOTHING: _OVER,
    LogStatus.REFUSED: _BAD,
    LogStatus.FAILED: _BAD,
    LogStatus.UNANSWERED: _ODD,
    LogStatus.EXPIRED: _ODD,
    LogStatus.NOT_SENT: _OVER,
    LogStatus.CANCELLED: _OVER,
}

_WORDS: dict[str, str | Promise] = {
    FirmwareStatus.REQUESTED: gettext_lazy("The station has not answered yet."),
    FirmwareStatus.DOWNLOAD_SCHEDULED: gettext_lazy("The station fetches the file later."),
    FirmwareStatus.DOWNLOADING: gettext_lazy("The station is fetching the file."),
    FirmwareStatus.DOWNLOAD_PAUSED: gettext_lazy(
        "The station has stopped fetching for a while and goes on by itself."
    ),
    FirmwareStatus.DOWNLOADED: gettext_lazy("The file is at the station."),
    FirmwareStatus.SIGNATURE_VERIFIED: gettext_lazy(
        "The file is at the station, and its signature is right."
    ),
    FirmwareStatus.INSTALL_SCHEDULED: gettext_lazy("The station installs it later."),
    FirmwareStatus.INSTALLING: gettext_lazy(
        "The station is installing it. Do not switch it off; it may be away for some minutes."
    ),
    FirmwareStatus.INSTALL_REBOOTING: gettext_lazy("The station is restarting with it."),
    FirmwareStatus.INVALID_SIGNATURE: gettext_lazy(
        "The signature is not of this file, so the station did not install it. Ask the maker for file, "
        "certificate and signature that belong together, and upload them again."
    ),
    FirmwareStatus.INSTALLATION_FAILED: gettext_lazy(
        "The station fetched the file and could not install it; it should go on with the firmware it had. "
        "Check that the file is made for this model, read its diagnostics, then try again."
    ),
    FirmwareStatus.INSTALL_VERIFICATION_FAILED: gettext_lazy(
        "What the station installed did not pass its own check. Read its diagnostics, then try again."
    ),
    FirmwareStatus.UNANSWERED: gettext_lazy(
        "The station did not answer. If it reports something after all, it appears here."
    ),
    FirmwareStatus.EXPIRED: gettext_lazy(
        "The station fell silent about it for a day. Ask it for its state under “Ask for a message”, or look at "
        "the firmware it names when it boots."
    ),
    FirmwareStatus.NOT_SENT: gettext_lazy(
        "The station did not connect in time, so it was never asked."
    ),
    FirmwareStatus.SUPERSEDED: gettext_lazy("The station took a newer update instead."),
}
_REFUSALS: dict[str, str | Promise] = {
    "InvalidCertificate": gettext_lazy(
        "The station does not trust the certificate that signs the firmware. It may need its maker's root "
        "certificate first."
    ),
    "RevokedCertificate": gettext_lazy("The certificate that signs the firmware was revoked."),
    "NotSupported": gettext_lazy("The station cannot do this."),
    "NotImplemented": gettext_lazy("The station does not know this request."),
}
_LOG_WORDS: dict[str, str | Promise] = {
    LogStatus.REQUESTED: gettext_lazy("The station has not answered yet."),
    LogStatus.ACCEPTED: gettext_lazy("The station will send it; that can take some minutes."),
    LogStatus.UPLOADING: gettext_lazy("The station is sending it."),
    LogStatus.NOTHING: gettext_lazy(
        "The station says that there is nothing to send for this time."
    ),
    LogStatus.UNANSWERED: gettext_lazy(
        "The station did not answer. If a file comes after all, it appears here."
    ),
    LogStatus.NOT_SENT: gettext_lazy("The station did not connect in time, so it was never asked."),
    LogStatus.CANCELLED: gettext_lazy("The station dropped it for a newer request."),
    LogStatus.EXPIRED: gettext_lazy("No file came while the link was good. Ask again."),
}
_UPLOAD_FAILURES: dict[str, str | Promise] = {
    "PermissionDenied": gettext_lazy("The station was not let in where it was to send the file."),
    "NotSupportedOperation": gettext_lazy("The station cannot send files this way."),
    "BadMessage": gettext_lazy("The station did not understand where to send the file."),
}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened, as `components/timeline.html` wants it."""

    look: Look
    words: str | Promise
    at: datetime
    detail: str = ""


@dataclass(frozen=True, slots=True)
class UpdateView:
    """A firmware update as people see it."""

    update: FirmwareUpdate
    look: Look
    what: str
    words: str
    steps: list[Step]

    @property
    def is_open(self) -> bool:
        return self.update.finished_at is None or self.update.awaits_boot


@dataclass(frozen=True, slots=True)
class LogView:
    """A file that was asked for as people see it."""

    upload: LogUpload
    look: Look
    words: str

    @property
    def is_open(self) -> bool:
        return self.upload.finished_at is None


def firmware_look(status: str) -> Look:
    """Also for what stations report and we do not know."""
    known = status in FirmwareStatus.values
    word = FirmwareStatus(status).label if known else status
    return Look(word, *_FIRMWARE_SHAPES.get(status, _BUSY))


def update_view(update: FirmwareUpdate, *, zone: str) -> UpdateView:
    """One update with its story."""
    return UpdateView(
        update=update,
        look=firmware_look(update.status),
        what=_what(update),
        words=_update_words(update, zone),
        steps=_steps(update),
    )


def _what(update: FirmwareUpdate) -> str:
    if update.firmware is not None:
        return f"{update.firmware.name} ({update.firmware.version})"
    return urlsplit(update.location).path.rsplit("/", 1)[-1] or update.location


def _update_words(update: FirmwareUpdate, zone: str) -> str:
    match update.status:
        case FirmwareStatus.ACCEPTED:
            if update.retrieve_at > timezone.now():
                return _("The station begins at %(at)s.") % {"at": _short(update.retrieve_at, zone)}
            return _("The station agreed and has not begun yet.")
        case FirmwareStatus.REFUSED:
            said = _last_word(update.history)
            return _told(_REFUSALS.get(said, _("The station refused.")), said)
        case FirmwareStatus.DOWNLOAD_FAILED:
            host = urlsplit(update.location).hostname or update.location
            return _(
                "The station could not fetch the file. Check that it reaches %(host)s, then try again."
            ) % {"host": host}
        case FirmwareStatus.INSTALLED:
            return _installed(update)
    return str(_WORDS.get(update.status, ""))


def _installed(update: FirmwareUpdate) -> str:
    after, before = update.version_after, update.version_before
    if not after:
        return _("Installed. The next start of the station tells its version.")
    if after == before:
        return _(
            "The station says that it is installed, and still names the version it had: %(version)s."
        ) % {"version": after}
    return _("Done: the station now runs %(after)s, before it was %(before)s.") % {
        "after": after,
        "before": before or _("not known"),
    }


def _steps(update: FirmwareUpdate) -> list[Step]:
    asked = Step(Look("", "offline", "out"), _("Asked for"), update.created_at, _by(update))
    steps: list[Step] = []
    for entry in update.history:
        at = datetime.fromisoformat(entry["at"])
        if entry["status"] == "Booted":
            version = str(entry.get("version", ""))
            words = _("The station started with %(version)s") % {"version": version or "–"}
            steps.append(Step(Look("", "good", "dot"), words, at))
        elif entry["status"] == "Idle":
            steps.append(Step(Look("", "offline", "ring"), _("Says that it is doing nothing"), at))
        else:
            look = firmware_look(entry["status"])
            steps.append(Step(look, look.word, at))
    if update.finished_at and update.status in (
        FirmwareStatus.EXPIRED,
        FirmwareStatus.SUPERSEDED,
        FirmwareStatus.UNANSWERED,
        FirmwareStatus.NOT_SENT,
    ):
        look = firmware_look(update.status)
        steps.append(Step(look, look.word, update.finished_at))
    return [asked, *sorted(steps, key=lambda step: step.at)]


def log_look(status: str) -> Look:
    return Look(LogStatus(status).label, *_LOG_SHAPES[status])


def log_view(upload: LogUpload) -> LogView:
    """One file, or what is known of it until it comes."""
    look = log_look(upload.status)
    if upload.status == LogStatus.UPLOADED and upload.received_at is None:
        look = Look(_("Said to be uploaded"), *_ODD)
    return LogView(upload, look, _log_words(upload))


def _log_words(upload: LogUpload) -> str:
    match upload.status:
        case LogStatus.UPLOADED if upload.received_at is None and upload.location:
            return _("The station says that it is at %(place)s.") % {"place": upload.location}
        case LogStatus.UPLOADED if upload.received_at is None:
            return _("The station says that it has sent the file; nothing has arrived here.")
        case LogStatus.FAILED:
            said = upload.reported_status
            words = _UPLOAD_FAILURES.get(
                said,
                _("The station could not send the file. Check its connection, then ask again."),
            )
            return _told(words, said)
        case LogStatus.REFUSED:
            said = upload.reported_status
            return _told(_REFUSALS.get(said, _("The station refused.")), said)
    return str(_LOG_WORDS.get(upload.status, ""))


def _by(job: FirmwareUpdate | LogUpload) -> str:
    person = job.command.created_by if job.command else None
    return person.name or person.email if person else ""


def _last_word(history: list[Mapping[str, Any]]) -> str:
    return str(history[-1]["status"]) if history else ""


def _told(meaning: str | Promise, said: str) -> str:
    return f"{meaning} ({said})" if said else str(meaning)


def _short(moment: datetime, zone: str) -> str:
    return date_format(moment.astimezone(ZoneInfo(zone)), "j M, H:i")
