"""Reservations, local lists and settings of stations, on behalf of somebody."""

from django.db.models import BooleanField, Case, Exists, OuterRef, Q, QuerySet, Value, When

from accounts.services.actors import Actor
from cms.base.ids import get_by_id
from stations.models import ChargingStation, LocalList, Reservation, StationState, StationVariable


def reservations_for(actor: Actor) -> QuerySet[Reservation]:
    """The operator's reservations, each with its station."""
    return Reservation.objects.filter(operator=actor.operator).select_related("station")


def get_reservation_for(actor: Actor, public_id: str) -> Reservation:
    """Raises NotFound for another operator's."""
    return get_by_id(reservations_for(actor), public_id)


def filter_reservations(
    reservations: QuerySet[Reservation], *, station: str | None = None, status: str | None = None
) -> QuerySet[Reservation]:
    """`station` is an identity."""
    if station is not None:
        reservations = reservations.filter(station__identity=station)
    if status is not None:
        reservations = reservations.filter(status=status)
    return reservations


def local_list_for(actor: Actor, station: ChargingStation) -> LocalList:
    """What a station of the operator's has; an unsaved row while nothing was sent or asked."""
    found = LocalList.objects.filter(station=station, station__operator=actor.operator).first()
    return found or LocalList(station=station)


def variables_for(actor: Actor, station: ChargingStation) -> QuerySet[StationVariable]:
    """The settings of a station of the operator's, as `settings_of`."""
    return settings_of(station).filter(station__operator=actor.operator)


def settings_of(station: ChargingStation) -> QuerySet[StationVariable]:
    """The settings of a station as they are known. `awaits_restart`: it has not booted since it took the value."""
    booted = StationState.objects.filter(station=OuterRef("station"), booted_at__gt=OuterRef("at"))
    return StationVariable.objects.filter(station=station).annotate(
        awaits_restart=Case(
            When(Q(pending_reboot=True) & ~Exists(booted), then=Value(True)),
            default=Value(False),
            output_field=BooleanField(),
        )
    )
