"""ReserveNow (OCPP 1.6 §5.13) and CancelReservation (§5.1)."""

from stations.choices import CommandStatus
from stations.commands.following import on_ended, on_queued
from stations.models import Command
from stations.ocpp.v16.followers.answers import answer_to
from stations.ocpp.v16.followers.firmware import moment_of
from stations.services import reservations

_OLD = "ocpp1.6"


@on_queued(_OLD, "ReserveNow")
def follow_reserve_queued(command: Command) -> None:
    """The id is chosen by then."""
    reservations.note_requested(
        command=command,
        evse_id=command.payload["connectorId"],
        reservation_id=command.payload["reservationId"],
        id_token_uid=command.payload["idTag"],
        expires_at=moment_of(command.payload["expiryDate"]),
    )


@on_ended(_OLD, "ReserveNow")
def follow_reserve_ended(command: Command) -> None:
    """Held; not held, with the station's word or the code of its CALLERROR; or nobody knows."""
    answer = answer_to(command)
    if not answer.was_sent:
        reservations.mark_not_sent(command=command)
    elif answer.said == "Accepted":
        reservations.mark_reserved(command=command)
    elif refused := answer.said or (answer.error if answer.error != "invalid_response" else ""):
        reservations.mark_refused(command=command, reason=refused)
    else:
        reservations.mark_unclear(command=command)


@on_ended(_OLD, "CancelReservation")
def follow_cancel_ended(command: Command) -> None:
    """Without an answer the reservation stands: it may be there."""
    said = answer_to(command).said
    if command.status != CommandStatus.CANCELLED and said in ("Accepted", "Rejected"):
        reservations.settle_cancellation(
            command=command,
            reservation_id=command.payload["reservationId"],
            accepted=said == "Accepted",
        )
