"""GetDiagnostics (OCPP 1.6 §5.9) and GetLog (Improved security for OCPP 1.6-J, N01)."""

from stations.choices import LogKind, LogStatus
from stations.commands.following import on_ended, on_queued
from stations.maintenance.logs import note_log_requested, settle_log_request
from stations.models import Command
from stations.ocpp.v16.followers.answers import Answer, answer_to
from stations.ocpp.v16.followers.firmware import forget_link

_OLD = "ocpp1.6"
_KINDS = {"DiagnosticsLog": LogKind.DIAGNOSTICS, "SecurityLog": LogKind.SECURITY}


@on_queued(_OLD, "GetDiagnostics")
def follow_diagnostics_queued(command: Command) -> None:
    """1.6's own request carries no id."""
    note_log_requested(
        command=command, kind=LogKind.DIAGNOSTICS, location=command.payload["location"]
    )


@on_queued(_OLD, "GetLog")
def follow_log_queued(command: Command) -> None:
    """The id is chosen by then."""
    note_log_requested(
        command=command,
        kind=_KINDS[command.payload["logType"]],
        location=command.payload["log"]["remoteLocation"],
        request_id=command.payload["requestId"],
    )


@on_ended(_OLD, "GetDiagnostics")
def follow_diagnostics_ended(command: Command) -> None:
    """No file name means that there is nothing to upload."""
    answer = answer_to(command)
    if answer.response is None:
        _settle_unfulfilled(command, answer)
    else:
        name = str(answer.response.get("fileName") or "")
        settle_log_request(
            command=command,
            status=LogStatus.ACCEPTED if name else LogStatus.NOTHING,
            file_name=name,
        )
    forget_link(command)


@on_ended(_OLD, "GetLog")
def follow_log_ended(command: Command) -> None:
    """AcceptedCanceled ends the upload that was under way."""
    answer = answer_to(command)
    if answer.response is not None and answer.said in ("Accepted", "AcceptedCanceled"):
        settle_log_request(
            command=command,
            status=LogStatus.ACCEPTED,
            file_name=str(answer.response.get("filename") or ""),
            cancels_others=answer.said == "AcceptedCanceled",
        )
    else:
        _settle_unfulfilled(command, answer)
    forget_link(command)


def _settle_unfulfilled(command: Command, answer: Answer) -> None:
    refused = answer.said or answer.error
    if not answer.was_sent:
        settle_log_request(command=command, status=LogStatus.NOT_SENT)
    elif refused:
        settle_log_request(command=command, status=LogStatus.REFUSED, said=refused)
    else:
        settle_log_request(command=command, status=LogStatus.UNANSWERED)
