"""UpdateFirmware (OCPP 1.6 §5.19) and SignedUpdateFirmware (Improved security for OCPP 1.6-J, L01)."""

from datetime import UTC, datetime

from django.utils import timezone

from stations.choices import FirmwareStatus
from stations.commands.following import on_ended, on_queued
from stations.commands.secrets import mask_payload
from stations.maintenance.firmware import note_update_requested, settle_update_request
from stations.models import Command
from stations.ocpp.v16.followers.answers import answer_to

_OLD = "ocpp1.6"
_TAKEN = ("Accepted", "AcceptedCanceled")


def moment_of(text: str) -> datetime:
    """A time in a request of ours; now where no clock shows it."""
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError:
        return timezone.now()
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@on_queued(_OLD, "UpdateFirmware")
def follow_update_queued(command: Command) -> None:
    """1.6's own update carries no id."""
    note_update_requested(
        command=command,
        location=command.payload["location"],
        retrieve_at=moment_of(command.payload["retrieveDate"]),
        is_signed=False,
    )


@on_queued(_OLD, "SignedUpdateFirmware")
def follow_signed_update_queued(command: Command) -> None:
    """The id is chosen by then."""
    firmware = command.payload["firmware"]
    note_update_requested(
        command=command,
        location=firmware["location"],
        retrieve_at=moment_of(firmware["retrieveDateTime"]),
        is_signed=True,
        request_id=command.payload["requestId"],
    )


@on_ended(_OLD, "UpdateFirmware")
def follow_update_ended(command: Command) -> None:
    """An empty answer is all that a station can say to it."""
    _settle(command, taken=answer_to(command).response is not None)


@on_ended(_OLD, "SignedUpdateFirmware")
def follow_signed_update_ended(command: Command) -> None:
    """AcceptedCanceled takes this one and ends the one before, as Accepted does; any other word refuses it."""
    _settle(command, taken=answer_to(command).said in _TAKEN)


def _settle(command: Command, *, taken: bool) -> None:
    answer = answer_to(command)
    refused = answer.said or answer.error
    if taken:
        settle_update_request(command=command, status=FirmwareStatus.ACCEPTED)
    elif not answer.was_sent:
        settle_update_request(command=command, status=FirmwareStatus.NOT_SENT)
    elif refused:
        settle_update_request(command=command, status=FirmwareStatus.REFUSED, said=refused)
    else:
        settle_update_request(command=command, status=FirmwareStatus.UNANSWERED)
    forget_link(command)


def forget_link(command: Command) -> None:
    """The secret of a link was for the station only."""
    masked = mask_payload(command.action, command.payload)
    if masked != command.payload:
        Command.objects.filter(pk=command.pk).update(payload=masked)
