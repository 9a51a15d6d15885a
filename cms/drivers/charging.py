"""Starting and stopping from a telephone: commands to stations, and what has become of them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.choices import AuthorizationStatus
from accounts.models import Driver, IdToken
from accounts.models.id_token import fold_uid
from accounts.services.authorization import KnownIdToken, authorize_id_token
from accounts.services.drivers import driver_actor, ensure_app_token
from billing.choices import SessionStatus
from billing.exceptions import NoTariff
from billing.models import ChargingSession
from billing.sessions.services import open_session
from billing.tariffs.selectors import tariff_version_for
from cms.base.errors import Conflict, NotAllowed, NotFound
from cms.base.ids import get_by_id
from cms.drivers.places import Outlet, outlet_of
from stations.choices import CommandStatus
from stations.models import Command, Connector, ConnectorStatus, Transaction
from stations.services.commands import request_start, request_stop

START = "RemoteStartTransaction"
STOP = "RemoteStopTransaction"
# Stations wait about this long for the plug once they have accepted (1.6 "ConnectionTimeOut").
PLUG_WITHIN = timedelta(minutes=2)
# Between a station's yes to a stop and its report of the end.
_STOP_WITHIN = timedelta(seconds=45)
STARTS_AN_HOUR = 20
_OPEN = (CommandStatus.QUEUED, CommandStatus.SENT)


class CannotStart(Conflict):
    """Charging cannot start here now; the sentence says why."""

    code = "cannot_start"


@dataclass(frozen=True, slots=True)
class Start:
    """A start under way, or its end. `stage` is one of asking, plug, begun, refused, lapsed, unanswered."""

    command: Command
    connector: Connector
    stage: str
    session: ChargingSession | None
    plugged_in: bool
    left_s: int

    @property
    def is_over(self) -> bool:
        return self.stage in ("refused", "lapsed", "unanswered")

    @property
    def minutes_left(self) -> str:
        """`1:45`, until the station stops waiting for the plug."""
        return f"{self.left_s // 60}:{self.left_s % 60:02d}"


# --- start -----------------------------------------------------------------------------------


@transaction.atomic
def start_charging(*, driver: Driver, outlet: Outlet, now: datetime) -> Command | ChargingSession:
    """Ask the station to start for this driver; the running session if it already does.

    A request of the driver's that is under way here is returned as it is, so that a second press of the
    button, or a second telephone, asks for nothing more.

    Raises:
        CannotStart: the connector is not free, the driver may not charge here, or there is no price.
        Conflict: the station was never connected.
    """
    # Whoever starts here waits for each other; gateways insert rows that refer to it meanwhile.
    connector = (
        Connector.objects.select_for_update(no_key=True, of=("self",))
        .select_related("evse")
        .get(pk=outlet.connector.pk)
    )
    outlet = outlet_of(connector)
    station = outlet.station
    token = ensure_app_token(driver=driver, operator=station.operator)
    if (session := _running_session(token, outlet)) is not None:
        return session
    for command in _starts_at(outlet, now):
        if _find_transaction(command) is not None or not _may_still_start(command, now):
            continue
        if _names(command, token):
            return command
        raise CannotStart(_("Somebody else is starting here right now. Look again in two minutes."))
    if not outlet.availability.may_start:
        raise CannotStart(str(outlet.availability.sentence))
    _require_patience(driver, now)
    _require_right(token, now)
    _require_price(outlet, token, now)
    return request_start(
        station=station,
        id_token=token.uid,
        acting=driver_actor(driver, station.operator),
        evse_id=outlet.evse_id,
        connector_id=connector.connector_id,
    )


def get_start_for(driver: Driver, public_id: str, *, now: datetime) -> Start:
    """How a start of this driver's is doing. Opens the session that its transaction is due, if nobody has yet.

    Raises:
        NotFound: there is none, or it is another driver's.
    """
    commands = Command.objects.filter(action=START, created_by=driver.user).select_related(
        "station__operator", "station__location"
    )
    command = get_by_id(commands, public_id)
    token = _token_of(command)
    if token is None or token.driver_id != driver.pk:
        raise NotFound("There is no such start.")
    connector = (
        Connector.objects.select_related("evse")
        .filter(evse__station=command.station, evse__evse_id=command.payload.get("connectorId"))
        .order_by("connector_id")
        .first()
    )
    if connector is None:
        raise NotFound("The connector is gone.")
    tx = _find_transaction(command)
    session = open_session(transaction_id=tx.pk) if tx else None
    status = ConnectorStatus.objects.filter(
        station=command.station,
        evse_id=connector.evse.evse_id,
        connector_id=connector.connector_id,
    ).first()
    accepted_at = command.finished_at or command.created_at
    return Start(
        command=command,
        connector=connector,
        stage=_stage(command, session, now),
        session=session,
        plugged_in=status is not None and status.status in ("Preparing", "Occupied"),
        left_s=max(0, round((accepted_at + PLUG_WITHIN - now).total_seconds())),
    )


def _stage(command: Command, session: ChargingSession | None, now: datetime) -> str:
    if session is not None:
        return "begun"
    if command.status in _OPEN:
        return "asking"
    if command.status == CommandStatus.ACCEPTED:
        return "plug" if _may_still_start(command, now) else "lapsed"
    if command.status in (CommandStatus.REJECTED, CommandStatus.ERROR):
        return "refused"
    return "unanswered"


def _may_still_start(command: Command, now: datetime) -> bool:
    if command.status in _OPEN:
        return True
    return _accepted_within(command, PLUG_WITHIN, now)


def _starts_at(outlet: Outlet, now: datetime) -> list[Command]:
    """Requests to start at this EVSE that may still be under way; newest first."""
    commands = Command.objects.filter(
        station=outlet.station, action=START, created_at__gt=now - 3 * PLUG_WITHIN
    ).order_by("-id")[:50]
    return [c for c in commands if c.payload.get("connectorId") == outlet.evse_id]


def _names(command: Command, token: IdToken) -> bool:
    return fold_uid(_uid_of(command)) == token.uid_folded


def _uid_of(command: Command) -> str:
    payload: dict[str, Any] = command.payload
    return str(payload.get("idTag", ""))


def _token_of(command: Command) -> IdToken | None:
    return IdToken.objects.filter(
        operator_id=command.operator_id, uid_folded=fold_uid(_uid_of(command))
    ).first()


def _find_transaction(command: Command) -> Transaction | None:
    """The first one that the command's token began at its EVSE after it was made."""
    return (
        Transaction.objects.filter(
            station_id=command.station_id,
            evse_id=command.payload.get("connectorId"),
            id_token__uid_folded=fold_uid(_uid_of(command)),
            received_started_at__gte=command.created_at,
        )
        .order_by("id")
        .first()
    )


def _running_session(token: IdToken, outlet: Outlet) -> ChargingSession | None:
    tx = Transaction.objects.filter(
        station=outlet.station, evse_id=outlet.evse_id, is_current=True, id_token=token
    ).first()
    return open_session(transaction_id=tx.pk) if tx else None


def _require_right(token: IdToken, now: datetime) -> None:
    """The station will ask the same; who is refused should not have to plug in first."""
    right = getattr(token, "charging_right", None)
    known = KnownIdToken(
        id=token.pk,
        uid=token.uid,
        status=token.status,
        expires_at=token.expires_at,
        group=None,
        master=False,
        max_concurrent=token.max_concurrent,
        allowed=right.allowed if right else True,
        right_valid_until=right.valid_until if right else None,
    )
    if authorize_id_token(known, now=now).status is not AuthorizationStatus.ACCEPTED:
        raise CannotStart(
            _("%(operator)s has blocked your access. Ask them about it.")
            % {"operator": token.operator.name}
        )


def _require_patience(driver: Driver, now: datetime) -> None:
    """A start keeps a connector from others for two minutes: nobody does that all day, from afar."""
    recent = Command.objects.filter(
        created_by=driver.user, action=START, created_at__gt=now - timedelta(hours=1)
    )
    if recent.count() >= STARTS_AN_HOUR:
        raise CannotStart(_("That was tried too often. Wait an hour, or ask the operator."))


def _require_price(outlet: Outlet, token: IdToken, now: datetime) -> None:
    version = tariff_version_for(
        station_id=outlet.station.pk,
        evse_id=outlet.evse_id,
        id_token_id=token.pk,
        at=now,
        as_of=now,
    )
    if version is None:
        raise CannotStart(
            _("Nobody has set a price for this connector, so it cannot be started.")
        ) from NoTariff()


# --- stop ------------------------------------------------------------------------------------


@transaction.atomic
def stop_charging(*, driver: Driver, session: ChargingSession, now: datetime) -> Command | None:
    """Ask the station to end the session; None where it is over already.

    A request that waits for its answer, or was just accepted, is returned as it is.

    Raises:
        NotAllowed: it is another driver's session.
    """
    if session.driver_id != driver.pk:
        raise NotAllowed(_("This is not your session."))
    session = (
        ChargingSession.objects.select_for_update(of=("self",), no_key=True)
        .select_related("transaction__station__operator")
        .get(pk=session.pk)
    )
    tx = session.transaction
    if tx is None or not tx.is_current or session.status != SessionStatus.ACTIVE:
        return None
    under_way = latest_stop(tx)
    if under_way is not None and _is_stopping(under_way, now):
        return under_way
    return request_stop(tx=tx, acting=driver_actor(driver, tx.station.operator))


def latest_stop(tx: Transaction) -> Command | None:
    """The newest request to end this transaction, whoever made it."""
    commands = Command.objects.filter(
        station_id=tx.station_id, action=STOP, created_at__gte=tx.received_started_at
    ).order_by("-id")[:50]
    return next(
        (c for c in commands if str(c.payload.get("transactionId")) == tx.ocpp_transaction_id), None
    )


def stop_stage(command: Command | None, now: datetime) -> str:
    """`stopping` while the answer or the end is due, `failed` when it did not come, else nothing."""
    if command is None:
        return ""
    return "stopping" if _is_stopping(command, now) else "failed"


def _is_stopping(command: Command, now: datetime) -> bool:
    if command.status in _OPEN:
        return True
    return _accepted_within(command, _STOP_WITHIN, now)


def _accepted_within(command: Command, span: timedelta, now: datetime) -> bool:
    if command.status != CommandStatus.ACCEPTED or command.finished_at is None:
        return False
    return now < command.finished_at + span
