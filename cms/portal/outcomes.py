"""What became of a request to a station, in one sentence for people."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from stations.choices import CommandStatus
from stations.models import Command

# The pill beside the sentence says as much.
_SAID_BY_THE_PILL = {"Accepted"}

# What stations answer (OCPP 1.6 §7), beside their own word.
_SAID: dict[str, str | Promise] = {
    "Rejected": gettext_lazy("The station refused."),
    "NotSupported": gettext_lazy("The station cannot do this."),
    "NotImplemented": gettext_lazy("The station does not know this request."),
    "Scheduled": gettext_lazy("It happens as soon as the running session has ended."),
    "RebootRequired": gettext_lazy("It holds after the next restart."),
    "Unlocked": gettext_lazy("The connector is unlocked."),
    "UnlockFailed": gettext_lazy("The lock did not open."),
    "UnknownVendorId": gettext_lazy("The station does not know this vendor."),
    "UnknownMessageId": gettext_lazy("The station does not know this message of the vendor."),
    "Unknown": gettext_lazy("There was nothing of the kind at the station."),
    "Failed": gettext_lazy("The station tried and failed."),
    "VersionMismatch": gettext_lazy("The station has another version than we thought."),
    "Occupied": gettext_lazy("The connector is in use."),
    "Faulted": gettext_lazy("The connector has a fault."),
    "Unavailable": gettext_lazy("The connector is out of service."),
    "NotFound": gettext_lazy("The station has no such certificate."),
    "AcceptedCanceled": gettext_lazy("It took this one and gave up the one before."),
    "InvalidCertificate": gettext_lazy("The station does not accept the signing certificate."),
    "RevokedCertificate": gettext_lazy("The signing certificate was revoked."),
}
# Where the same word means something of its own.
_SAID_OF: dict[tuple[str, str], str | Promise] = {
    ("TriggerMessage", "NotImplemented"): gettext_lazy("The station cannot send this message."),
    ("ExtendedTriggerMessage", "NotImplemented"): gettext_lazy(
        "The station cannot send this message."
    ),
    ("ChangeConfiguration", "NotSupported"): gettext_lazy("The station has no such setting."),
    ("UnlockConnector", "NotSupported"): gettext_lazy("The station has no lock there."),
    ("SendLocalList", "NotSupported"): gettext_lazy("The station keeps no list."),
    ("CancelReservation", "Rejected"): gettext_lazy("The station has no such reservation."),
    ("GetInstalledCertificateIds", "NotFound"): gettext_lazy(
        "The station has no certificate of this kind."
    ),
}
# What refuses the request itself (OCPP-J 1.6 §4.2.3), and our own reasons.
_CODES: dict[str, str | Promise] = {
    "NotImplemented": gettext_lazy("The station does not know this request."),
    "NotSupported": gettext_lazy("The station cannot do this."),
    "InternalError": gettext_lazy("Something inside the station failed."),
    "ProtocolError": gettext_lazy("The station found the request incomplete."),
    "SecurityError": gettext_lazy("The station refused for reasons of security."),
    "FormationViolation": gettext_lazy("The station could not read the request."),
    "PropertyConstraintViolation": gettext_lazy("The station found a value out of bounds."),
    "OccurenceConstraintViolation": gettext_lazy(
        "The station missed a field or found one too many."
    ),
    "TypeConstraintViolation": gettext_lazy("The station found a value of the wrong type."),
    "GenericError": gettext_lazy("The station answered with an error."),
    "invalid_response": gettext_lazy("The station's answer could not be understood."),
    "no_answer": gettext_lazy(
        "The station did not answer; whether it did what was asked is not known."
    ),
    "expired": gettext_lazy("It could not be sent in time, so it was never asked."),
}


def outcome_words(command: Command, *, is_online: bool | None, zone: str) -> str:
    """How a request ended, or what it waits for. Empty where the status says all there is to say."""
    match command.status:
        case CommandStatus.QUEUED:
            return _waiting(command.expires_at, is_online, zone)
        case CommandStatus.SENT:
            return _("The station has it; its answer is awaited.")
        case CommandStatus.CANCELLED if not command.error:
            return _("It was taken back before it was sent.")
        case CommandStatus.TIMED_OUT if (command.error or {}).get("late"):
            return _late(command)
    return _error(command) if command.error else _said(command)


def _waiting(expires_at: datetime, is_online: bool | None, zone: str) -> str:
    until = date_format(expires_at.astimezone(ZoneInfo(zone)), "j M, H:i")
    if is_online is False:
        return _("The station is offline. It waits until %(until)s.") % {"until": until}
    return _("It is next to be sent; it lapses at %(until)s.") % {"until": until}


def _late(command: Command) -> str:
    """What a CALLERROR said is not kept when it comes late; there is no response then."""
    if command.response is None:
        return _("Its answer came too late: it was an error.")
    if said := _said(command):
        return _("Its answer came too late. %(said)s") % {"said": said}
    return _("Its answer came too late: it did what was asked.")


def _error(command: Command) -> str:
    error = command.error or {}
    code = str(error.get("code", ""))
    meaning = str(_CODES.get(code, _("The station answered with an error.")))
    # What we say ourselves of a missing answer is said above already.
    told = "" if code in ("no_answer", "expired") else str(error.get("description") or "")
    known = code in ("invalid_response", "no_answer", "expired")
    detail = ": ".join(filter(None, ["" if known else code, told]))
    return f"{meaning} ({detail})" if detail else meaning


def _said(command: Command) -> str:
    response = command.response
    if not isinstance(response, dict):
        return ""
    if command.action == "GetConfiguration":
        return _settings_told(response)
    if "listVersion" in response:
        return _list_version(response["listVersion"])
    if command.action == "GetDiagnostics":
        # OCPP 1.6 §6.27: without a name there is nothing to send.
        name = response.get("fileName")
        return _("It sends %(file)s.") % {"file": name} if name else _("It has nothing to send.")
    status = _status_of(command)
    if command.action == "GetInstalledCertificateIds" and status == "Accepted":
        count = len(response.get("certificateHashData") or [])
        return ngettext("%(count)s certificate told", "%(count)s certificates told", count) % {
            "count": count
        }
    if command.action == "DataTransfer" and response.get("data"):
        return f"{_meaning(command.action, status)} {response['data']}".strip()
    if command.action == "GetCompositeSchedule" and status == "Accepted":
        return _("The schedule is shown under Smart charging.")
    return _meaning(command.action, status)


def _settings_told(response: dict[str, Any]) -> str:
    words = _("%(count)s settings told") % {"count": len(response.get("configurationKey") or [])}
    if unknown := response.get("unknownKey"):
        words += "; " + _("not known there: %(keys)s") % {"keys": ", ".join(map(str, unknown))}
    return words


def _list_version(version: int) -> str:
    """The two numbers that are none (OCPP 1.6 §5.10)."""
    if version < 0:
        return _("The station keeps no list.")
    return _("Version %(version)s") % {"version": version} if version else _("Its list is empty.")


def _meaning(action: str, status: str) -> str:
    if status in _SAID_BY_THE_PILL or not status:
        return ""
    meaning = _SAID_OF.get((action, status)) or _SAID.get(status)
    return f"{meaning} ({status})" if meaning else status


def _status_of(command: Command) -> str:
    response = command.response
    return str(response.get("status", "")) if isinstance(response, dict) else ""
