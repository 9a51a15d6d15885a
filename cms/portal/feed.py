"""What happened lately at the operator's stations, in words, newest first."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.services.actors import Actor
from cms.portal.charges import who_of
from cms.portal.commands import CommandView
from cms.portal.faults import meaning_of
from cms.portal.looks import COMMAND, CONNECTOR, OFFLINE, ONLINE, Look
from cms.portal.templatetags.magetsi import kwh
from stations.models import Command, ConnectorStatus, StationState, Transaction

FEED_SHOWN = 8
REACHES_BACK = timedelta(hours=24)

_STARTED = CONNECTOR["Charging"]
_ENDED = Look(gettext_lazy("Ended"), "good", "check")


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened: where, what, and the page that tells more."""

    at: datetime
    identity: str
    words: str
    look: Look
    href: str


def feed_of(actor: Actor, *, now: datetime) -> list[Event]:
    """The latest of each kind, merged; four queries, each with a limit.

    Connections and faults are what is known now, so that of each station only the last one is told;
    its own page has the rest.
    """
    since = now - REACHES_BACK
    events = [
        *_charging(actor, since),
        *_commands(actor, since),
        *_connections(actor, since),
        *_faults(actor, since),
    ]
    return sorted(events, key=lambda event: event.at, reverse=True)[:FEED_SHOWN]


def _charging(actor: Actor, since: datetime) -> list[Event]:
    rows = (
        Transaction.objects.filter(operator=actor.operator, started_at__gte=since)
        .select_related("station", "id_token__driver", "charging_session")
        .order_by("-started_at")[: FEED_SHOWN * 2]
    )
    events = []
    for tx in rows:
        session = getattr(tx, "charging_session", None)
        href = reverse("session", args=[session.pk]) if session else _station(tx.station.identity)
        who = who_of(tx) or _("Somebody")
        words = _("%(who)s started charging at EVSE %(evse)s")
        names = {"who": who, "evse": tx.evse_id}
        events.append(Event(tx.started_at, tx.station.identity, words % names, _STARTED, href))
        if tx.ended_at:
            words = _("%(who)s finished at EVSE %(evse)s with %(energy)s")
            names["energy"] = kwh(tx.energy_wh)
            events.append(Event(tx.ended_at, tx.station.identity, words % names, _ENDED, href))
    return events


def _commands(actor: Actor, since: datetime) -> list[Event]:
    rows = (
        Command.objects.filter(operator=actor.operator, created_at__gte=since)
        .select_related("station")
        .order_by("-id")[:FEED_SHOWN]
    )
    return [
        Event(
            command.created_at,
            command.station.identity,
            f"{CommandView(command).words}: {command.get_status_display()}",
            COMMAND[command.status],
            reverse("station-commands", args=[command.station.identity]),
        )
        for command in rows
    ]


def _connections(actor: Actor, since: datetime) -> list[Event]:
    lately = Q(connected=True, connected_at__gte=since)
    lately |= Q(connected=False, disconnected_at__gte=since)
    rows = (
        StationState.objects.filter(lately, station__operator=actor.operator)
        .select_related("station")
        .order_by("-last_seen_at")[:FEED_SHOWN]
    )
    events = []
    for state in rows:
        at = state.connected_at if state.connected else state.disconnected_at
        words = _("Connected") if state.connected else _("Connection lost")
        look = ONLINE if state.connected else OFFLINE
        identity = state.station.identity
        if at is not None:
            events.append(Event(at, identity, words, look, _station(identity)))
    return events


def _faults(actor: Actor, since: datetime) -> list[Event]:
    rows = (
        ConnectorStatus.objects.filter(
            station__operator=actor.operator, status="Faulted", status_at__gte=since
        )
        .select_related("station")
        .order_by("-status_at")[:FEED_SHOWN]
    )
    return [
        Event(
            status.status_at,
            status.station.identity,
            f"EVSE {status.evse_id}: {meaning_of(status.error_code).happened}",
            CONNECTOR["Faulted"],
            _station(status.station.identity),
        )
        for status in rows
    ]


def _station(identity: str) -> str:
    return reverse("station", args=[identity])
