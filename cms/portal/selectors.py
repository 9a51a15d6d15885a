"""What the portal shows: stations with their vehicles, what needs attention, sessions with their prices.

Everything is read on behalf of an `Actor`; another operator's things do not exist for it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import (
    BooleanField,
    Case,
    Count,
    Exists,
    Max,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Sum,
    When,
)
from django.db.models.functions import Coalesce
from django.utils.functional import Promise

from accounts.models import UnknownIdToken
from accounts.selectors import unknown_id_tokens_for
from accounts.services.actors import Actor
from billing.choices import SessionStatus
from billing.models import ChargingSession
from cms.portal.charges import Charge, charges_of, running_transactions_for
from cms.portal.faults import Fault, fault_of, fault_of_station
from cms.portal.looks import OFFLINE, ONLINE, STANDARDS, UNREPORTED, Look, connector_look
from cms.portal.security_words import EVENT_WORDS
from stations.models import (
    ChargingStation,
    Connector,
    ConnectorStatus,
    HandshakeFailure,
    Transaction,
)
from stations.selectors.handshakes import filter_handshake_failures, handshake_failures_for
from stations.selectors.security_events import filter_security_events, security_events_for
from stations.selectors.stations import stations_for, with_presence, with_state

STATIONS_PER_PAGE = 50
CHARGES_SHOWN = 25
ATTENTION_SHOWN = 5
ALARMS_COUNTED = 100
BAR_WIDTH = 1000

SHOWS = ("online", "charging", "faulted", "offline")


@dataclass(frozen=True, slots=True)
class ConnectorView:
    """One outlet: what it is and what the station last said of it."""

    connector_id: int
    connector: Connector | None
    status: ConnectorStatus | None
    look: Look

    @property
    def kind(self) -> str:
        """`CCS` or `Type 2`; an unusual standard in OCPI's word."""
        standard = self.connector.standard if self.connector else ""
        return STANDARDS.get(standard, standard)

    @property
    def max_power_w(self) -> int | None:
        return self.connector.max_power_w if self.connector else None

    @property
    def fault(self) -> Fault | None:
        """What it last reported to be wrong, in plain words."""
        return fault_of(self.status)


@dataclass(frozen=True, slots=True)
class EvseView:
    """One EVSE with its outlets and the vehicle at it."""

    evse_id: int
    connectors: list[ConnectorView]
    charge: Charge | None


@dataclass(frozen=True, slots=True)
class StationView:
    """One station with everything below it."""

    station: ChargingStation
    evses: list[EvseView]

    @property
    def is_online(self) -> bool:
        return bool(self.station.is_online)  # type: ignore[attr-defined]

    @property
    def look(self) -> Look:
        """Whether it is connected; never seen is neither on nor off."""
        if self.is_online:
            return ONLINE
        state = getattr(self.station, "state", None)
        return OFFLINE if state and state.last_seen_at else UNREPORTED

    @property
    def own_fault(self) -> Fault | None:
        """What the station last reported to be wrong with itself as a whole."""
        return fault_of_station(getattr(self.station, "state", None))

    @property
    def faults(self) -> list[Fault]:
        """Everything that keeps it, or one of its connectors, from working."""
        found = [outlet.fault for evse in self.evses for outlet in evse.connectors]
        return [fault for fault in (self.own_fault, *found) if fault and fault.is_out_of_order]

    @property
    def power_w(self) -> int | None:
        """Of all vehicles; None where nobody charges or nothing was reported."""
        powers = [evse.charge.power_w for evse in self.evses if evse.charge]
        known = [power for power in powers if power is not None]
        return sum(known) if known else None


@dataclass(frozen=True, slots=True)
class FaultedStation:
    """A connected station with a fault; `evse_id` is empty where it is the station as a whole."""

    station: ChargingStation
    evse_id: int | None
    fault: Fault
    others: int


@dataclass(frozen=True, slots=True)
class Alarm:
    """Critical security events of one kind at one station that nobody has seen; `latest` is the id of the last."""

    identity: str
    words: str | Promise
    times: int
    at: datetime
    latest: int


@dataclass(frozen=True, slots=True)
class Attention:
    """What a person has to look at: the latest few of each kind, and how many there are."""

    faulted: list[FaultedStation]
    faulted_count: int
    lost_count: int
    failures: list[HandshakeFailure]
    failures_count: int
    unknown_id_tokens: list[UnknownIdToken]
    unknown_id_tokens_count: int
    sessions: list[ChargingSession]
    sessions_count: int
    alarms: list[Alarm]
    alarms_count: int

    @property
    def count(self) -> int:
        """How many things there are; stations that are offline count as one."""
        return (
            self.faulted_count
            + bool(self.lost_count)
            + self.failures_count
            + self.unknown_id_tokens_count
            + self.sessions_count
            + self.alarms_count
        )


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the bar; `begins` and `width` out of BAR_WIDTH, `show` is the filter it leads to."""

    show: str
    colour: str
    count: int
    begins: float
    width: float


@dataclass(frozen=True, slots=True)
class Overview:
    """The operator's first page. `counts` are of stations, by the words of `SHOWS` and `all`."""

    counts: dict[str, int]
    bar: list[Segment]
    power_w: int
    charges_count: int
    charges: list[Charge]
    stations: list[StationView]
    next_after: str | None
    attention: Attention


def overview_for(actor: Actor, *, show: str, after: str, now: datetime) -> Overview:
    """The first page; `show` is one of `SHOWS` or empty, `after` the last identity of the page before."""
    stations = with_conditions(stations_for(actor))
    page = stations.filter(condition(show)).order_by("identity")
    if after:
        page = page.filter(identity__gt=after)
    rows = list(with_state(page).select_related("location")[: STATIONS_PER_PAGE + 1])
    more = len(rows) > STATIONS_PER_PAGE
    rows = rows[:STATIONS_PER_PAGE]
    running = running_transactions_for(actor)
    totals = running.order_by().aggregate(
        count=Count("pk"), power_w=Coalesce(Sum("progress__power_w"), 0)
    )
    counts = _counts(stations)
    return Overview(
        counts=counts,
        bar=_bar(counts),
        power_w=totals["power_w"],
        charges_count=totals["count"],
        charges=charges_of(running[:CHARGES_SHOWN], now=now),
        stations=station_views(rows, actor=actor, now=now, priced=False),
        next_after=rows[-1].identity if more else None,
        attention=attention_for(actor, counts=counts),
    )


def station_views(
    stations: Iterable[ChargingStation], *, actor: Actor, now: datetime, priced: bool
) -> list[StationView]:
    """Stations read by `with_state`, each with the vehicles at it; prices so far only if asked for."""
    stations = list(stations)
    running = running_transactions_for(actor).filter(station__in=stations)
    if priced:
        charges = charges_of(running, now=now)
    else:
        charges = [
            Charge(tx, getattr(tx, "charging_session", None), None, now - tx.started_at)
            for tx in running
        ]
    by_evse = {(charge.tx.station_id, charge.tx.evse_id): charge for charge in charges}
    return [_station_view(station, by_evse) for station in stations]


def _station_view(station: ChargingStation, charges: dict[tuple[int, int], Charge]) -> StationView:
    known: dict[int, dict[int, Connector | None]] = {}
    for evse in station.evses.all():
        known[evse.evse_id] = {each.connector_id: each for each in evse.connectors.all()}
    statuses: dict[tuple[int, int], ConnectorStatus] = {}
    for status in station.connector_statuses.all():
        if status.evse_id:  # 0 is the station itself
            statuses[status.evse_id, status.connector_id] = status
            known.setdefault(status.evse_id, {}).setdefault(status.connector_id, None)
    online = bool(station.is_online)  # type: ignore[attr-defined]
    return StationView(
        station,
        [
            EvseView(
                evse_id,
                [
                    _connector_view(number, row, statuses.get((evse_id, number)), online)
                    for number, row in sorted(connectors.items())
                ],
                charges.get((station.pk, evse_id)),
            )
            for evse_id, connectors in sorted(known.items())
        ],
    )


def _connector_view(
    number: int, connector: Connector | None, status: ConnectorStatus | None, online: bool
) -> ConnectorView:
    look = connector_look(status.status if status else "", online=online)
    return ConnectorView(number, connector, status, look)


def attention_for(actor: Actor, *, counts: dict[str, int]) -> Attention:
    """Faults, lost stations, refusals, unknown cards, sessions in review, alarms; nine queries.

    `counts` are those of the operator's stations.
    """
    failures = filter_handshake_failures(handshake_failures_for(actor), resolved=False)
    unknown = unknown_id_tokens_for(actor)
    sessions = ChargingSession.objects.filter(
        operator=actor.operator, status=SessionStatus.IN_REVIEW
    ).select_related("station", "transaction")
    alarms = _alarms(actor)
    return Attention(
        faulted=_faulted_stations(actor) if counts["faulted"] else [],
        faulted_count=counts["faulted"],
        lost_count=counts["lost"],
        failures=list(failures[:ATTENTION_SHOWN]),
        failures_count=failures.count(),
        unknown_id_tokens=list(unknown[:ATTENTION_SHOWN]),
        unknown_id_tokens_count=unknown.count(),
        sessions=list(sessions[:ATTENTION_SHOWN]),
        sessions_count=sessions.count(),
        alarms=alarms[:ATTENTION_SHOWN],
        alarms_count=len(alarms),
    )


def _alarms(actor: Actor) -> list[Alarm]:
    """The latest first; no more of them are counted than anybody could look through."""
    unseen = filter_security_events(security_events_for(actor), critical=True, acknowledged=False)
    kinds = unseen.values("station__identity", "type").annotate(
        times=Count("pk"), seen_at=Max("at"), latest=Max("pk")
    )
    return [
        Alarm(
            kind["station__identity"],
            EVENT_WORDS.get(kind["type"], kind["type"]),
            kind["times"],
            kind["seen_at"],
            kind["latest"],
        )
        for kind in kinds.order_by("-latest")[:ALARMS_COUNTED]
    ]


def _faulted_stations(actor: Actor) -> list[FaultedStation]:
    """A few of the connected stations with a fault, by identity."""
    faulted = Prefetch(
        "connector_statuses",
        ConnectorStatus.objects.filter(status="Faulted").order_by("evse_id", "connector_id"),
    )
    rows = (
        with_conditions(stations_for(actor))
        .filter(Q(is_faulted=True))
        .select_related("location")
        .prefetch_related(faulted)
        .order_by("identity")
    )
    return [_faulted_station(station) for station in rows[:ATTENTION_SHOWN]]


def _faulted_station(station: ChargingStation) -> FaultedStation:
    found = [
        (status.evse_id, fault)
        for status in station.connector_statuses.all()
        if (fault := fault_of(status))
    ]
    own = fault_of_station(station.state)
    if own is not None and own.is_out_of_order:
        found.insert(0, (0, own))
    evse_id, fault = found[0]
    return FaultedStation(station, evse_id or None, fault, len(found) - 1)


def with_conditions(stations: QuerySet[ChargingStation]) -> QuerySet[ChargingStation]:
    """Each with `is_online`, `is_faulted`, `is_charging`; the last two hold only while online."""
    faulted = ConnectorStatus.objects.filter(station=OuterRef("pk"), status="Faulted")
    charging = Transaction.objects.filter(station=OuterRef("pk"), is_current=True)
    return with_presence(stations).annotate(
        is_faulted=_while_online(Exists(faulted), also=Q(state__status="Faulted")),
        is_charging=_while_online(Exists(charging)),
    )


def _while_online(condition: Exists, also: Q | None = None) -> Case:
    held = condition | also if also else condition
    return Case(
        When(Q(is_online=True) & held, then=True), default=False, output_field=BooleanField()
    )


def condition(show: str) -> Q:
    """What a word of `SHOWS` asks of stations read by `with_conditions`; anything else asks nothing."""
    match show:
        case "online":
            return Q(is_online=True)
        case "offline":
            return Q(is_online=False)
        case "faulted":
            return Q(is_faulted=True)
        case "charging":
            return Q(is_charging=True)
        case _:
            return Q()


def counts_of(actor: Actor) -> dict[str, int]:
    """How many of the operator's stations are in each state; one query."""
    return _counts(with_conditions(stations_for(actor)))


def _counts(stations: QuerySet[ChargingStation]) -> dict[str, int]:
    """By the words of `SHOWS`, and `all`; `busy` are in use and well, `new` never were connected, `lost` are no more."""
    wanted = {show: Count("pk", filter=condition(show)) for show in SHOWS}
    return stations.order_by().aggregate(
        all=Count("pk"),
        busy=Count("pk", filter=Q(is_charging=True, is_faulted=False)),
        new=Count("pk", filter=Q(state__last_seen_at__isnull=True)),
        lost=Count("pk", filter=Q(is_online=False, state__last_seen_at__isnull=False)),
        **wanted,
    )


def _bar(counts: dict[str, int]) -> list[Segment]:
    """Every station in one part of a bar: faulted, in use, free, offline. Empty without stations."""
    free = counts["online"] - counts["busy"] - counts["faulted"]
    parts = [
        ("faulted", "bad", counts["faulted"]),
        ("charging", "charging", counts["busy"]),
        ("online", "good", free),
        ("offline", "offline", counts["offline"]),
    ]
    segments: list[Segment] = []
    begins = 0.0
    for show, colour, count in parts:
        width = round(count / counts["all"] * BAR_WIDTH, 2) if counts["all"] else 0.0
        if width:
            segments.append(Segment(show, colour, count, begins, width))
        begins += width
    return segments
