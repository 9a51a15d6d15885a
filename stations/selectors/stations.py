"""Stations as an operator's people and programs see them."""

from django.db.models import BooleanField, Case, Exists, OuterRef, Prefetch, QuerySet, Value, When
from django.db.models.functions import Now

from accounts.services.actors import Actor
from cms.base.errors import NotFound
from stations.models import EVSE, ChargingStation, Connector, ConnectorStatus, Gateway


def stations_for(actor: Actor) -> QuerySet[ChargingStation]:
    """The operator's stations."""
    return ChargingStation.objects.filter(operator=actor.operator)


def get_station_for(actor: Actor, identity: str) -> ChargingStation:
    """The station, and nothing of its state.

    Raises:
        NotFound: no such station, or another operator's.
    """
    station = (
        stations_for(actor).filter(identity=identity).first() if "\0" not in identity else None
    )
    if station is None:
        raise NotFound("There is no such station.")
    return station


def get_station_with_state_for(actor: Actor, identity: str) -> ChargingStation:
    """As `get_station_for`, with everything that `with_state` adds."""
    station = get_station_for(actor, identity)
    return with_state(ChargingStation.objects.filter(pk=station.pk)).get()


def with_state(stations: QuerySet[ChargingStation]) -> QuerySet[ChargingStation]:
    """Each with its last reports, `is_online`, EVSEs, connectors and statuses; four queries in all."""
    return with_presence(stations).prefetch_related(
        Prefetch("evses", EVSE.objects.order_by("evse_id")),
        Prefetch("evses__connectors", Connector.objects.order_by("connector_id")),
        Prefetch("connector_statuses", ConnectorStatus.objects.order_by("evse_id", "connector_id")),
    )


def with_presence(stations: QuerySet[ChargingStation]) -> QuerySet[ChargingStation]:
    """Each with its `state` and `is_online`: a socket is open and its gateway is alive; one query."""
    lease = Gateway.objects.filter(pk=OuterRef("state__gateway_id"), lease_until__gte=Now())
    online = Case(
        When(state__connected=True, then=Exists(lease)),
        default=Value(False),
        output_field=BooleanField(),
    )
    return stations.select_related("state").annotate(is_online=online)


def is_online(station: ChargingStation) -> bool:
    """Whether a station that came from `with_presence` was online then."""
    online: bool = station.is_online  # type: ignore[attr-defined]
    return online


def filter_stations(
    stations: QuerySet[ChargingStation],
    *,
    location: int | None = None,
    registration_status: str | None = None,
    online: bool | None = None,
) -> QuerySet[ChargingStation]:
    """`online` needs `with_presence`; `location` is a primary key."""
    if location is not None:
        stations = stations.filter(location_id=location)
    if registration_status is not None:
        stations = stations.filter(registration_status=registration_status)
    if online is not None:
        stations = stations.filter(is_online=online)  # type: ignore[misc]
    return stations
