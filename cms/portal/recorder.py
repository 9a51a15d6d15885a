"""The flight recorder: what happened in a session, from the first sign to the bill, in words and in order.

Made of what is stored anyway: frames, the transaction, its readings, commands, sockets, the CDR, the audit log.
Times are effective ones: the station's own where they can be believed, else ours. The number of queries does not
grow with the session.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Q
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from accounts.models.id_token import mask_uid
from billing.choices import SessionStatus
from billing.sessions.evidence import REGISTER
from billing.sessions.plausibility import SAME_CLOCK
from billing.tariffs.selectors import TariffChoice, explain_tariff
from cms.portal.commands import CommandView
from cms.portal.looks import CONNECTOR, Look
from cms.portal.review_steps import decisions_of, is_assumed, judged
from cms.portal.sessions import SessionView
from cms.portal.steps import Step, make_step
from cms.portal.tariff_words import assignment_words
from cms.portal.templatetags.magetsi import duration, exact_kwh
from cms.portal.trace import Frame
from stations.ingest.clock import read_device_time
from stations.models import Command, Connection, Transaction
from stations.selectors.transactions import meter_values_of

_SOC = "SoC"
_MILESTONES = 4
_BEFORE = timedelta(minutes=5)
_AFTER = timedelta(minutes=10)
# Session-related requests; settings, firmware and the rest belong to the station's page.
_COMMANDS = ("RemoteStartTransaction", "RemoteStopTransaction", "UnlockConnector", "Reset")
_MOST_COMMANDS = 20
_MOST_SOCKETS = 20


def timeline_of(view: SessionView, frames: list[Frame]) -> list[Step]:
    """The steps, oldest first; `frames` are those of `frames_of_session`."""
    tx = view.tx
    steps: list[Step] = []
    if tx is None:
        return [_look_for_vehicle(view)]
    decisions = decisions_of(view)
    assumed = is_assumed(tx, decisions)
    steps += _presented(tx, frames)
    steps += _statuses(tx, frames)
    steps += _begun(view, tx, frames)
    steps += _milestones(tx)
    steps += _sockets(tx, assumed=assumed)
    steps += _commands(tx)
    steps += _ended(view, tx, frames, assumed=assumed)
    steps += judged(view, tx, decisions)
    # What happens at one moment keeps the order in which it is told above: Python's sort is stable.
    return sorted(steps, key=lambda step: step.at)


def _look_for_vehicle(view: SessionView) -> Step:
    return make_step(view.session.created_at, "busy", "clock", _("Waits for the vehicle"))


def _presented(tx: Transaction, frames: list[Frame]) -> Iterator[Step]:
    """Each time a card was held to the reader, with our answer and why."""
    answers = _answers(frames)
    for frame in frames:
        if frame.message.action != "Authorize" or frame.message.type != "call":
            continue
        uid = str(frame.payload.get("idTag", "")) if isinstance(frame.payload, dict) else ""
        info = _id_tag_info(answers.get(frame.message.message_id))
        status = str(info.get("status", ""))
        is_accepted = status == "Accepted"
        yield make_step(
            frame.message.at,
            "good" if is_accepted else "bad" if status else "busy",
            "check" if is_accepted else "cross" if status else "clock",
            _("Card %(card)s was presented") % {"card": mask_uid(uid)},
            decision_words(status, info),
            frame.message.pk,
        )


def decision_words(status: str, info: dict[str, Any]) -> str:
    """Why a card was accepted or refused; `info` is OCPP's idTagInfo as it was sent."""
    if status == "Accepted":
        reasons = [_("it is on your list, is not blocked and has not expired")]
        if info.get("expiryDate"):
            reasons.append(_("it is valid until %(day)s") % {"day": str(info["expiryDate"])[:10]})
        if info.get("parentIdTag"):
            reasons.append(_("it belongs to the group %(name)s") % {"name": info["parentIdTag"]})
        return _("Accepted, because %(reasons)s.") % {"reasons": "; ".join(reasons)}
    refusals = {
        "Invalid": _("Refused, because nobody has registered this card with you."),
        "Blocked": _("Refused, because the card is blocked, or its holder may not charge now."),
        "Expired": _("Refused, because the card's time is over."),
        "ConcurrentTx": _("Refused, because the card charges elsewhere already."),
    }
    return refusals.get(status) or status or _("No answer is kept.")


def _begun(view: SessionView, tx: Transaction, frames: list[Frame]) -> Iterator[Step]:
    start = _first(frames, "StartTransaction")
    pk = start.message.pk if start else None
    meter = _("Meter: %(reading)s.") % {"reading": exact_kwh(tx.meter_start_wh)}
    if tx.orphan:
        words = _("The station spoke of a transaction whose start we never saw")
    else:
        words = _("Charging was started on card %(card)s") % {"card": mask_uid(tx.id_token_uid)}
    yield make_step(
        tx.started_at,
        "charging",
        "bolt",
        words,
        " ".join(filter(None, [meter, _lateness(tx.started_at, tx.received_started_at)])),
        pk,
    )
    if tx.authorization_status and not tx.orphan:
        accepted = tx.authorization_status == "Accepted"
        info = _id_tag_info(_answers(frames).get(start.message.message_id)) if start else {}
        yield make_step(
            max(tx.started_at, tx.received_started_at),
            "good" if accepted else "bad",
            "check" if accepted else "cross",
            _("We let it charge") if accepted else _("We told the station to stop"),
            decision_words(tx.authorization_status, info),
            pk,
        )
    yield from _tariff_chosen(view, tx)


def _tariff_chosen(view: SessionView, tx: Transaction) -> Iterator[Step]:
    version = view.session.tariff_version
    at = max(tx.started_at, tx.received_started_at)
    if version is None:
        yield make_step(
            at,
            "warn",
            "flag",
            _("No tariff applied"),
            _("Nothing was assigned to this station, its location or your whole network."),
        )
        return
    choice = _choice(tx)
    why = ""
    if choice.version and choice.version.pk == version.pk and choice.assignment:
        why = assignment_words(choice.assignment)
    yield make_step(
        at,
        "busy",
        "receipt",
        _("The price was fixed: tariff %(tariff)s, version %(version)s")
        % {"tariff": version.tariff, "version": version.version},
        why,
    )


def _choice(tx: Transaction) -> TariffChoice:
    came_at_once = abs(tx.received_started_at - tx.started_at) <= SAME_CLOCK
    return explain_tariff(
        station_id=tx.station_id,
        evse_id=tx.evse_id,
        id_token_id=tx.id_token_id,
        at=tx.started_at,
        as_of=tx.received_started_at if came_at_once else tx.started_at,
    )


def _lateness(at: datetime, received_at: datetime | None) -> str:
    """What to know about the clocks of a report."""
    if received_at is None or abs(received_at - at) <= SAME_CLOCK:
        return ""
    if received_at > at:
        return _("The station kept this to itself and told us %(late)s later.") % {
            "late": duration(received_at - at)
        }
    return _("By the station's clock, which is ahead of ours.")


_STATUS_WORDS = {
    "Preparing": lambda: _("Getting ready: a cable was plugged in, or a card presented"),
    "Charging": lambda: _("Energy flows"),
    "SuspendedEV": lambda: _("Paused by the vehicle"),
    "SuspendedEVSE": lambda: _("Paused by the station"),
    "Finishing": lambda: _("Over; the cable is still plugged in"),
    "Available": lambda: _("Unplugged: the connector is free"),
    "Unavailable": lambda: _("Out of service"),
    "Reserved": lambda: _("Reserved"),
    "Faulted": lambda: _("The connector reported a fault"),
}
_STATUS_DETAILS = {
    "SuspendedEV": lambda: _("The vehicle takes no energy: full, or charging on a timer."),
    "SuspendedEVSE": lambda: _(
        "The station gives no energy: a limit, a schedule, or the card is not accepted."
    ),
}


def _statuses(tx: Transaction, frames: list[Frame]) -> Iterator[Step]:
    """What the connector said of itself; the same word twice is told once."""
    before = ""
    for frame in frames:
        if frame.message.action != "StatusNotification" or frame.message.type != "call":
            continue
        payload = frame.payload if isinstance(frame.payload, dict) else {}
        status = str(payload.get("status", ""))
        if status == before:
            continue
        before = status
        sent = payload.get("timestamp")
        at = read_device_time(
            sent if isinstance(sent, str) else None, received_at=frame.message.at
        ).effective_at
        words, detail = _STATUS_WORDS.get(status), _STATUS_DETAILS.get(status)
        faults = [payload.get("errorCode"), payload.get("vendorErrorCode"), payload.get("info")]
        said = " · ".join(str(fault) for fault in faults if fault and fault != "NoError")
        look = CONNECTOR.get(status, Look(status, "busy", "dot"))
        yield Step(
            at,
            Look("", look.colour, look.shape if status != "Preparing" else "plug"),
            words() if words else status,
            said or (detail() if detail else ""),
            frame.message.pk,
        )


def _milestones(tx: Transaction) -> Iterator[Step]:
    """When a quarter, a half … of the energy had flowed, in round numbers, with the battery where it is told."""
    rows = (
        meter_values_of(tx)
        .filter(measurand__in=[REGISTER, _SOC], phase__isnull=True)
        .order_by("at", "id")
        .values_list("measurand", "at", "value")
    )
    start_wh = tx.meter_start_wh
    registers: list[tuple[datetime, Decimal]] = []
    charges: list[tuple[datetime, Decimal]] = []
    for measurand, at, value in rows:
        (registers if measurand == REGISTER else charges).append((at, value))
    if start_wh is None and registers:
        start_wh = int(registers[0][1])
    if start_wh is None or not registers:
        return
    total_wh = max(value for _at, value in registers) - start_wh
    step_wh = _round_step(int(total_wh))
    if step_wh is None:
        return
    due_wh = step_wh
    for at, value in registers:
        passed_wh = value - start_wh
        if passed_wh < due_wh:
            continue
        reached_wh = int(passed_wh // step_wh) * step_wh
        due_wh = reached_wh + step_wh
        soc = next((int(v) for moment, v in reversed(charges) if moment <= at), None)
        yield make_step(
            at,
            "charging",
            "bolt",
            _("%(energy)s kWh charged") % {"energy": number_format(Decimal(reached_wh) / 1000)},
            _("Battery at %(soc)s %%.") % {"soc": soc} if soc is not None else "",
        )


def _round_step(total_wh: int) -> int | None:
    """1, 2 or 5 times a power of ten, so that a total has about `_MILESTONES` of it; None for next to nothing."""
    if total_wh < 1000:
        return None
    wanted = total_wh / _MILESTONES
    size = 100
    while True:
        for factor in (1, 2, 5):
            if factor * size >= wanted:
                return factor * size
        size *= 10


def _sockets(tx: Transaction, *, assumed: bool) -> Iterator[Step]:
    """When the station was lost and came back while it charged.

    An end that was assumed is that of the last reading; how the silence after it began is part of the story.
    """
    end = tx.received_ended_at or tx.ended_at
    if assumed and end:
        back = Connection.objects.filter(station_id=tx.station_id, opened_at__gt=end)
        opened_at = back.order_by("pk").values_list("opened_at", flat=True).first()
        end = opened_at + timedelta(seconds=1) if opened_at else None
    during = Q(opened_at__gt=tx.received_started_at) | Q(closed_at__gt=tx.received_started_at)
    sockets = Connection.objects.filter(during, station_id=tx.station_id).order_by("pk")
    if end:
        sockets = sockets.filter(Q(opened_at__lt=end) | Q(closed_at__lt=end))
    for socket in sockets[:_MOST_SOCKETS]:
        closed_at = socket.closed_at
        if closed_at and tx.received_started_at < closed_at and (end is None or closed_at < end):
            yield make_step(
                closed_at,
                "warn",
                "ring",
                _("The connection to the station was lost"),
                _("The station goes on by itself and reports later."),
            )
        if tx.received_started_at < socket.opened_at and (end is None or socket.opened_at < end):
            yield make_step(socket.opened_at, "good", "dot", _("The station is connected again"))


def _commands(tx: Transaction) -> Iterator[Step]:
    """What people asked of this connector meanwhile, and what the station said."""
    begins = min(tx.started_at, tx.received_started_at) - _BEFORE
    rows = Command.objects.filter(
        station_id=tx.station_id, action__in=_COMMANDS, created_at__gte=begins
    ).select_related("created_by")
    if tx.ended_at:
        rows = rows.filter(created_at__lte=(tx.received_ended_at or tx.ended_at) + _AFTER)
    for command in rows.order_by("pk")[:_MOST_COMMANDS]:
        if not _is_about(command, tx):
            continue
        shown = CommandView(command)
        who = command.created_by
        asked = (
            _("Asked by %(name)s.") % {"name": who.name or who.email}
            if who
            else _("Asked by a program or by Magetsi.")
        )
        answered = _("The station: %(status)s.") % {"status": shown.look.word}
        yield Step(
            command.created_at,
            Look("", shown.look.colour, "in" if shown.look.shape == "check" else shown.look.shape),
            shown.words,
            f"{asked} {answered}",
        )


def _is_about(command: Command, tx: Transaction) -> bool:
    payload: dict[str, Any] = command.payload
    match command.action:
        case "RemoteStopTransaction":
            return str(payload.get("transactionId")) == tx.ocpp_transaction_id
        case "Reset":
            # After the end it is about something else.
            end = tx.received_ended_at or tx.ended_at
            return end is None or command.created_at <= end
        case "RemoteStartTransaction":
            same_card = str(payload.get("idTag", "")).casefold() == tx.id_token_uid.casefold()
            return same_card and payload.get("connectorId") in (None, tx.evse_id)
        case _:
            return bool(payload.get("connectorId") == tx.evse_id)


_STOPS = {
    "Local": lambda: _("Stopped at the station, with a card or a button"),
    "": lambda: _("Stopped at the station, with a card or a button"),
    "Remote": lambda: _("Stopped by a command of ours"),
    "EVDisconnected": lambda: _("Stopped, because the cable was unplugged"),
    "EmergencyStop": lambda: _("Stopped by the emergency button"),
    "HardReset": lambda: _("Stopped by a restart that was asked of the station"),
    "SoftReset": lambda: _("Stopped by a restart that was asked of the station"),
    "PowerLoss": lambda: _("Stopped, because the station lost its power"),
    "Reboot": lambda: _("Stopped, because the station restarted by itself"),
    "UnlockCommand": lambda: _("Stopped by an unlock command"),
    "DeAuthorized": lambda: _("Stopped by the station, because the card was not accepted"),
    "Other": lambda: _("Stopped by the station, which gives no reason"),
}


def stop_words(tx: Transaction, *, assumed: bool) -> str:
    """Who or what ended it; `assumed` as of `is_assumed`. No reason at all means Local (OCPP 1.6 §6.49)."""
    if assumed:
        return _("Ended by us: no stop came, and this must be over")
    if tx.received_ended_at is None:
        return _("Ended by us: another start came, so this one must be over")
    words = _STOPS.get(tx.stop_reason)
    return words() if words else _("Stopped: %(reason)s") % {"reason": tx.stop_reason}


def _ended(
    view: SessionView, tx: Transaction, frames: list[Frame], *, assumed: bool
) -> Iterator[Step]:
    if tx.ended_at is None:
        return
    stop = _first(frames, "StopTransaction")
    details = []
    if tx.stop_id_token_uid:
        details.append(_("With card %(card)s.") % {"card": mask_uid(tx.stop_id_token_uid)})
    if tx.meter_stop_wh is not None:
        details.append(_("Meter: %(reading)s.") % {"reading": exact_kwh(tx.meter_stop_wh)})
    details.append(_lateness(tx.ended_at, tx.received_ended_at))
    if assumed:
        details.append(_("These are the time and the meter of its last reading."))
        if view.session.status == SessionStatus.IN_REVIEW:
            details.append(_("If the station still tells its stop, the stop replaces them."))
    yield make_step(
        tx.ended_at,
        "offline",
        "stop",
        stop_words(tx, assumed=assumed),
        " ".join(filter(None, details)),
        stop.message.pk if stop else None,
    )


def _answers(frames: list[Frame]) -> dict[str, Frame]:
    return {frame.message.message_id: frame for frame in frames if frame.message.type == "result"}


def _first(frames: list[Frame], action: str) -> Frame | None:
    calls = (f for f in frames if f.message.action == action and f.message.type == "call")
    return next(calls, None)


def _id_tag_info(frame: Frame | None) -> dict[str, Any]:
    payload = frame.payload if frame else None
    info = payload.get("idTagInfo") if isinstance(payload, dict) else None
    return info if isinstance(info, dict) else {}
