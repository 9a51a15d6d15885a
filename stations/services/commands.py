"""Commands: what we ask stations to do, as rows with a life.

`queue_command` checks and writes the row; the gateway that holds the station's socket sends it (see
`stations.commands`). What is too old is ended by `sweep_commands`.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from accounts.services.actors import Actor
from accounts.services.audit import record_audit
from cms.base.errors import Conflict, Invalid
from stations.choices import CommandStatus, RegistrationStatus
from stations.commands.following import follow_queued
from stations.commands.secrets import MASK, SECRET_KEYS, mask_payload
from stations.commands.wire_ids import fill_in_ids
from stations.models import ChargingStation, Command, StationState, Transaction
from stations.ocpp.schemas import Sender
from stations.ocpp.v16.charging_profiles import profile_to_v16
from stations.ocpp.validation import action_known, direction, validate_command
from stations.ocpp.versions import Version
from stations.services.charging_profile_rules import constant_limit

# Starting, stopping and unlocking are for a person who stands there now.
PROMPT_ACTIONS = frozenset({"RemoteStartTransaction", "RemoteStopTransaction", "UnlockConnector"})
PROMPT_EXPIRY = timedelta(seconds=60)
EXPIRY = timedelta(hours=24)

# OCPP 1.6 §4.2: a pending station takes configuration and triggers, no charging.
REFUSED_WHILE_PENDING = frozenset({"RemoteStartTransaction", "RemoteStopTransaction"})

VERSIONS = {version.subprotocol: version for version in Version}


def queue_command(
    *,
    station: ChargingStation,
    action: str,
    payload: Mapping[str, Any],
    acting: Actor,
    expires_at: datetime | None = None,
) -> Command:
    """Check a request against the station's OCPP version and queue it.

    `payload` is OCPP's own; ids that are ours to choose are filled in where it has none. The row expires unsent at `expires_at`: by default after 60 seconds for what somebody
    waits for, after 24 hours else.

    Raises:
        Conflict: the station was never connected, or is pending and may not be asked this yet.
        Invalid: unknown action, an action of another version or direction, or a payload that does not fit.

    Source: OCPP 1.6 §5; REST.md, Commands.
    """
    state = StationState.objects.filter(station=station).first()
    version = VERSIONS.get(state.protocol) if state else None
    if version is None:
        raise Conflict(
            "This station was never connected, so nobody knows which OCPP version it speaks.",
            code="never_connected",
        )
    _check_action(version, action)
    if (
        station.registration_status == RegistrationStatus.PENDING
        and action in REFUSED_WHILE_PENDING
    ):
        raise Conflict(
            "The station is pending; it cannot start or stop charging yet.", code="station_pending"
        )
    payload = fill_in_ids(station, action, payload)
    faults = validate_command(version, action, payload)
    if faults:
        fields: dict[str, list[str]] = {}
        for path, sentence in faults:
            name = path.replace("/", ".").strip(".")
            fields.setdefault(f"payload.{name}" if name else "payload", []).append(sentence)
        raise Invalid.fields(fields)
    now = timezone.now()
    if expires_at is not None and expires_at <= now:
        raise Invalid.fields({"expires_at": ["This time has passed."]})
    expiry = PROMPT_EXPIRY if action in PROMPT_ACTIONS else EXPIRY
    with transaction.atomic():
        command = Command.objects.create(
            operator_id=station.operator_id,
            station=station,
            protocol=version.subprotocol,
            action=action,
            payload=payload,
            created_by=acting.user,
            expires_at=expires_at or now + expiry,
        )
        # The row's own trigger wakes the gateway on commit.
        command.refresh_from_db(fields=["created_at"])
        follow_queued(command)
        record_audit(
            actor=acting,
            action="command.create",
            obj=command,
            after={
                "station": station.identity,
                "action": action,
                "payload": str(mask_payload(action, payload)),
            },
        )
    return command


def _check_action(version: Version, action: str) -> None:
    if not action_known(version, action):
        spoken_by = [v.value for v in Version if action_known(v, action)]
        hint = f"; OCPP {' and '.join(spoken_by)} do" if spoken_by else ""
        raise Invalid.fields({"action": [f"OCPP {version} knows no {action[:64]}{hint}."]})
    if direction(version, action) is Sender.STATION:
        raise Invalid.fields({"action": [f"{action} is for stations to send."]})


@transaction.atomic
def cancel_command(*, command: Command, acting: Actor) -> Command:
    """Take back a command that was not sent yet.

    Raises:
        Conflict: it was sent or is over.
    """
    changed = Command.objects.filter(pk=command.pk, status=CommandStatus.QUEUED).update(
        status=CommandStatus.CANCELLED,
        finished_at=timezone.now(),
        payload=mask_payload(command.action, command.payload),
    )
    command.refresh_from_db()
    if not changed:
        raise Conflict(
            f"The command is {command.get_status_display().lower()} already.", code="not_queued"
        )
    record_audit(actor=acting, action="command.cancel", obj=command)
    return command


# --- version-free requests -------------------------------------------------------------------


def request_start(
    *,
    station: ChargingStation,
    id_token: str,
    acting: Actor,
    evse_id: int | None = None,
    connector_id: int | None = None,
    power_w: int | None = None,
    current_a: Decimal | None = None,
) -> Command:
    """Ask the station to start a transaction for a token (OCPP 1.6 §5.11).

    `power_w`, or `current_a` on each phase, is the most that the transaction may draw: a TxProfile goes with the
    request.
    """
    payload: dict[str, Any] = {"idTag": id_token}
    if (wire_id := _connector(evse_id, connector_id)) is not None:
        payload["connectorId"] = wire_id
    if power_w is not None:
        payload["chargingProfile"] = profile_to_v16(constant_limit("W", power_w))
    elif current_a is not None:
        payload["chargingProfile"] = profile_to_v16(constant_limit("A", current_a))
    return queue_command(
        station=station, action="RemoteStartTransaction", payload=payload, acting=acting
    )


def request_stop(*, tx: Transaction, acting: Actor) -> Command:
    """Ask the station to stop a transaction (OCPP 1.6 §5.12).

    Raises:
        Conflict: it has ended.
    """
    if not tx.is_current:
        raise Conflict("This transaction has ended.", code="transaction_ended")
    return queue_command(
        station=tx.station,
        action="RemoteStopTransaction",
        payload={"transactionId": int(tx.ocpp_transaction_id)},
        acting=acting,
    )


def request_unlock(
    *, station: ChargingStation, evse_id: int, acting: Actor, connector_id: int = 1
) -> Command:
    """Ask the station to unlock a connector (OCPP 1.6 §5.18)."""
    return queue_command(
        station=station,
        action="UnlockConnector",
        payload={"connectorId": _connector(evse_id, connector_id)},
        acting=acting,
    )


def request_reset(*, station: ChargingStation, kind: str, acting: Actor) -> Command:
    """Ask the station to restart; `kind` is `soft` or `hard` (OCPP 1.6 §5.14)."""
    return queue_command(
        station=station, action="Reset", payload={"type": kind.capitalize()}, acting=acting
    )


def request_availability(
    *,
    station: ChargingStation,
    operative: bool,
    acting: Actor,
    evse_id: int | None = None,
    connector_id: int | None = None,
) -> Command:
    """Ask for a connector, or the whole station, to be put in or out of service (OCPP 1.6 §5.2)."""
    return queue_command(
        station=station,
        action="ChangeAvailability",
        payload={
            "connectorId": _connector(evse_id, connector_id) or 0,
            "type": "Operative" if operative else "Inoperative",
        },
        acting=acting,
    )


def _connector(evse_id: int | None, connector_id: int | None) -> int | None:
    """1.6's number of an outlet: connector n is EVSE n, whose only connector is 1."""
    if connector_id not in (None, 1):
        raise Invalid.fields(
            {"connector_id": ["An EVSE of an OCPP 1.6 station has connector 1 only."]}
        )
    return evse_id


# --- sweep -----------------------------------------------------------------------------------

_SWEEP_EXPIRED = """
UPDATE stations_command SET status = 'cancelled', finished_at = now(),
    error = '{"code": "expired", "description": "It was not sent in time."}'
WHERE status = 'queued' AND expires_at <= now()
"""

# Sent, and the gateway is dead or should have told the end long ago. Never sent again.
_SWEEP_LOST = """
UPDATE stations_command c SET status = 'timed_out', finished_at = now(),
    error = '{"code": "no_answer", "description": "The station did not answer."}'
WHERE c.status = 'sent' AND (
    NOT EXISTS (SELECT 1 FROM stations_gateway g WHERE g.id = c.gateway_id AND g.lease_until > now())
    OR c.sent_at < now() - interval '5 minutes'
)
"""


def sweep_commands() -> int:
    """End what expired unsent and what was sent by a gateway that died; returns how many. Idempotent."""
    with connection.cursor() as cursor:
        cursor.execute(_SWEEP_EXPIRED)
        ended: int = cursor.rowcount
        cursor.execute(_SWEEP_LOST)
        ended += cursor.rowcount
    _mask_ended()
    return ended


def _mask_ended() -> None:
    """Credentials in commands that ended without their gateway are not kept."""
    finished = Command.objects.filter(finished_at__isnull=False, action="ChangeConfiguration")
    for command in finished.exclude(payload__value=MASK).filter(
        payload__key__iregex=f"^({'|'.join(sorted(SECRET_KEYS))})$"
    ):
        Command.objects.filter(pk=command.pk).update(
            payload=mask_payload(command.action, command.payload)
        )
