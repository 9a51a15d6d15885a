"""Reservations: an EVSE kept free for one token, asked for, held, used or over.

A row is made with the command that asks for it, however it was asked, and moves when that command ends;
`stations.ocpp.<version>.followers` translate. What nobody told an end of is ended by `expire_reservations`.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.choices import IdTokenStatus
from accounts.models import IdToken
from accounts.models.id_token import fold_uid
from accounts.services.actors import Actor
from cms.base import outbox
from cms.base.errors import Conflict, Invalid
from cms.base.time import rfc3339
from stations.choices import ReservationStatus
from stations.maintenance.history import lock_jobs, tell_pages
from stations.models import ChargingStation, Command, Reservation, Transaction
from stations.services.commands import cancel_command, queue_command

Status = ReservationStatus

# Why a reservation is as it is, beside the words that stations say.
NO_ANSWER = "NoAnswer"
NOT_SENT = "NotSent"
REPLACED = "Replaced"
UNKNOWN_THERE = "Rejected"

OPEN = (Status.REQUESTED, Status.RESERVED)
# What a start may still prove to have been there: a station that was offline tells late.
_USABLE = (*OPEN, Status.EXPIRED, Status.REMOVED)
_INT_MAX = 2**31 - 1


# --- asking ------------------------------------------------------------------------------------------


@transaction.atomic
def request_reservation(
    *,
    acting: Actor,
    station: ChargingStation,
    id_token: IdToken,
    expires_at: datetime,
    evse_id: int = 0,
) -> Reservation:
    """Ask a station to keep an EVSE free for a token; the row is `requested` until it has answered.

    `evse_id` 0 is any EVSE, where the station can do that. A station that is offline is asked when it comes back,
    unless the reservation would be over by then.

    Raises:
        Conflict: as `queue_command`.
        Invalid: the time has passed; the token is another operator's, may not charge, or cannot be said in the
            station's version.

    Source: OCPP 1.6 §5.13; OCPP 2.0.1 Part 2, H01.
    """
    _check_token(acting, id_token)
    if expires_at <= timezone.now():
        raise Invalid.fields({"expires_at": ["This time has passed."]})
    command = queue_command(
        station=station,
        action="ReserveNow",
        payload={
            "connectorId": evse_id,
            "expiryDate": rfc3339(expires_at),
            "idTag": id_token.uid,
        },
        acting=acting,
        expires_at=expires_at,
    )
    return Reservation.objects.get(command=command)


def _check_token(acting: Actor, id_token: IdToken) -> None:
    if id_token.operator_id != acting.operator.pk:
        raise Invalid.fields({"id_token": ["There is no such id token."]})
    # OCPP 1.6 §7.28: an idTag has 20 characters at most.
    if len(id_token.uid) > 20:
        raise Invalid.fields({"id_token": ["This token is too long for an OCPP 1.6 station."]})
    ends = id_token.expires_at
    if id_token.status != IdTokenStatus.ACCEPTED:
        raise Invalid.fields({"id_token": [f"This token is {id_token.status}; it may not charge."]})
    if ends is not None and ends <= timezone.now():
        raise Invalid.fields({"id_token": ["This token has expired; it may not charge."]})


@transaction.atomic
def cancel_reservation(*, acting: Actor, reservation: Reservation) -> Command:
    """Give a reservation up: take its request back where the station does not have it yet, else ask for it.

    Returns the command that tells how it goes.

    Raises:
        Conflict: it is over.

    Source: OCPP 1.6 §5.1.
    """
    lock_jobs(reservation.station_id)
    reservation = Reservation.objects.select_related("station", "command").get(pk=reservation.pk)
    if reservation.status not in OPEN or reservation.expires_at <= timezone.now():
        raise Conflict("This reservation is over.", code="reservation_ended")
    if reservation.status == Status.REQUESTED and reservation.command is not None:
        try:
            with transaction.atomic():
                command = cancel_command(command=reservation.command, acting=acting)
        except Conflict:
            pass  # It is out already.
        else:
            _move(reservation, Status.CANCELLED, NOT_SENT)
            return command
    return queue_command(
        station=reservation.station,
        action="CancelReservation",
        payload={"reservationId": reservation.reservation_id},
        acting=acting,
        expires_at=max(reservation.expires_at, timezone.now() + timedelta(seconds=60)),
    )


# --- what becomes of it ------------------------------------------------------------------------------


def note_requested(
    *, command: Command, evse_id: int, reservation_id: int, id_token_uid: str, expires_at: datetime
) -> Reservation:
    """The row of a reservation that a queued command asks for; in the command's transaction.

    The command is not sent once the reservation would be over.

    Raises:
        Invalid: a number in it is none that a station could keep.
    """
    numbers = {"connectorId": evse_id, "reservationId": reservation_id}
    least = {"connectorId": 0, "reservationId": -_INT_MAX - 1}
    wrong = [name for name, value in numbers.items() if not least[name] <= value <= _INT_MAX]
    if wrong:
        raise Invalid.fields(
            {f"payload.{name}": ["This number is out of range."] for name in wrong}
        )
    if timezone.now() < expires_at < command.expires_at:
        command.expires_at = expires_at
        command.save(update_fields=["expires_at"])
    id_token = IdToken.objects.filter(
        operator_id=command.operator_id, uid_folded=fold_uid(id_token_uid)
    ).first()
    return Reservation.objects.create(
        operator_id=command.operator_id,
        station_id=command.station_id,
        evse_id=evse_id,
        reservation_id=reservation_id,
        id_token_uid=id_token_uid,
        id_token=id_token,
        expires_at=expires_at,
        status=Status.REQUESTED,
        command=command,
    )


@transaction.atomic
def mark_reserved(*, command: Command) -> None:
    """The station holds what the command asked for; one of the same id is replaced (OCPP 1.6 §5.13). Idempotent."""
    row = _lock_requested(command)
    if row is None:
        return
    rivals = Reservation.objects.filter(
        station_id=row.station_id, reservation_id=row.reservation_id, status=Status.RESERVED
    )
    if rivals.filter(pk__gt=row.pk).exists():
        _move(row, Status.CANCELLED, REPLACED)
        return
    for rival in rivals:
        _move(rival, Status.CANCELLED, REPLACED)
    row.status, row.reason = Status.RESERVED, ""
    row.save(update_fields=["status", "reason"])
    tell_pages(row.station_id)


@transaction.atomic
def mark_refused(*, command: Command, reason: str) -> None:
    """The station does not hold what the command asked for, and said why. Idempotent."""
    row = _lock_requested(command)
    if row is not None:
        _move(row, Status.REJECTED, reason)


@transaction.atomic
def mark_unclear(*, command: Command) -> None:
    """Nobody knows whether the station holds it: it stays asked for, and is over at its time. Idempotent.

    A late answer, a start with it, or cancelling it may tell before.
    """
    row = _lock_requested(command)
    if row is not None and row.reason != NO_ANSWER:
        row.reason = NO_ANSWER
        row.save(update_fields=["reason"])
        tell_pages(row.station_id)


@transaction.atomic
def mark_not_sent(*, command: Command) -> None:
    """The station was never asked: taken back, or the time was over before it could be reached. Idempotent."""
    row = _lock_requested(command)
    if row is not None:
        expired = (command.error or {}).get("code") == "expired"
        _move(row, Status.EXPIRED if expired else Status.CANCELLED, NOT_SENT)


@transaction.atomic
def settle_cancellation(*, command: Command, reservation_id: int, accepted: bool) -> None:
    """The station gave the reservation up, or says that it has none of this id. Idempotent.

    A refusal means that it is not there (OCPP 1.6 §5.1): removed by the station where it had been held.
    """
    if not lock_jobs(command.station_id):
        return
    rows = Reservation.objects.filter(
        station_id=command.station_id, reservation_id=reservation_id, status__in=OPEN
    )
    for row in rows.filter(Q(command=None) | Q(command_id__lt=command.pk)):
        if accepted:
            _move(row, Status.CANCELLED, "")
        elif row.status == Status.REQUESTED:
            _move(row, Status.CANCELLED, UNKNOWN_THERE)
        else:
            _move(row, Status.REMOVED, UNKNOWN_THERE)


def expire_reservations() -> int:
    """End what is past its time; returns how many. Idempotent.

    A station ends them by itself (OCPP 1.6 §5.13) and tells no more than that the connector is Available.
    """
    due = Reservation.objects.filter(status__in=OPEN, expires_at__lte=timezone.now())
    ended = 0
    for pk, station_id in list(due.values_list("pk", "station_id")):
        with transaction.atomic():
            if not lock_jobs(station_id):
                continue
            row = Reservation.objects.filter(pk=pk, status__in=OPEN).first()
            if row is not None:
                _move(row, Status.EXPIRED, row.reason)
                ended += 1
    return ended


@outbox.handler("transaction.started")
@transaction.atomic
def on_transaction_started(key: str, payload: Mapping[str, Any]) -> None:
    """The reservation that a transaction came of is used: by its id, else by its token and place. Idempotent.

    Source: OCPP 1.6 §5.13, §6.45 (reservationId "if this transaction terminates a reservation").
    """
    tx = Transaction.objects.filter(pk=payload["transaction_id"]).first()
    if tx is None or not Reservation.objects.filter(station_id=tx.station_id).exists():
        return
    if not lock_jobs(tx.station_id) or Reservation.objects.filter(transaction=tx).exists():
        return
    row = _named_by(tx) or _meant_by(tx)
    if row is not None:
        row.transaction = tx
        row.save(update_fields=["transaction"])
        _move(row, Status.USED, "")


def _named_by(tx: Transaction) -> Reservation | None:
    if tx.reservation_id is None:
        return None
    rows = Reservation.objects.filter(
        station_id=tx.station_id, reservation_id=tx.reservation_id, status__in=_USABLE
    )
    return rows.order_by("-pk").first()


def _meant_by(tx: Transaction) -> Reservation | None:
    """Stations may leave the id out, or send a senseless one."""
    rows = Reservation.objects.filter(
        station_id=tx.station_id,
        evse_id__in=(0, tx.evse_id),
        status__in=OPEN,
        created_at__lte=tx.received_started_at,
        expires_at__gte=tx.started_at,
    )
    wanted = fold_uid(tx.id_token_uid)
    own = [row for row in rows if fold_uid(row.id_token_uid) == wanted]
    # Of one for this EVSE and one for any, the first.
    return min(own, key=lambda row: (-row.evse_id, row.pk), default=None)


def _lock_requested(command: Command) -> Reservation | None:
    """The command's row while its fate is open. The station's row serialises what is decided of its reservations."""
    if not lock_jobs(command.station_id):
        return None
    return Reservation.objects.filter(command=command, status=Status.REQUESTED).first()


def _move(row: Reservation, status: ReservationStatus, reason: str) -> None:
    row.status, row.reason, row.ended_at = status, reason[:50], timezone.now()
    row.save(update_fields=["status", "reason", "ended_at"])
    tell_pages(row.station_id)
