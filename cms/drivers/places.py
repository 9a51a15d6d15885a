"""Where one can charge: sites with what is free, and one connector with all about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from accounts.models import Operator
from billing.tariffs.tariff import Tariff
from cms.base.errors import NotFound
from cms.base.ids import get_by_id, parse_id
from cms.drivers.availability import Availability, availability_of
from cms.drivers.price_list import tariffs_at
from cms.drivers.prices import energy_price_from
from cms.portal.looks import STANDARDS
from stations.choices import RegistrationStatus
from stations.models import (
    ChargingStation,
    Connector,
    ConnectorStatus,
    Gateway,
    Location,
    Transaction,
)
from stations.selectors.stations import with_presence, with_state
from stations.services.connector_codes import ensure_connector_code

SITES_PER_PAGE = 20
POWERS_KW = (11, 22, 50, 150)


@dataclass(frozen=True, slots=True)
class Outlet:
    """One connector as a driver sees it."""

    connector: Connector
    station: ChargingStation
    availability: Availability
    price: str | None = None

    @property
    def evse_id(self) -> int:
        return self.connector.evse.evse_id

    @property
    def number(self) -> str:
        """As on the station: the EVSE's number; the connector's too where it has several."""
        connector_id = self.connector.connector_id
        return str(self.evse_id) if connector_id == 1 else f"{self.evse_id}-{connector_id}"

    @property
    def plug(self) -> str:
        """`Type 2`, or nothing where nobody has described it."""
        return STANDARDS.get(self.connector.standard, self.connector.standard)

    @property
    def location(self) -> Location | None:
        return self.station.location

    @property
    def operator(self) -> Operator:
        return self.station.operator

    @property
    def time_zone(self) -> str:
        """The site's, else the operator's."""
        return (self.location or self.operator).time_zone

    @property
    def code(self) -> str:
        """What its label says; made now if it has none."""
        return ensure_connector_code(self.connector)


@dataclass(frozen=True, slots=True)
class Site:
    """A location with its outlets."""

    location: Location
    outlets: tuple[Outlet, ...]
    price: str | None

    @property
    def free(self) -> int:
        return sum(outlet.availability.key == "free" for outlet in self.outlets)

    @property
    def max_power_w(self) -> int | None:
        powers = [o.connector.max_power_w for o in self.outlets if o.connector.max_power_w]
        return max(powers, default=None)

    @property
    def plugs(self) -> list[str]:
        """Each kind once."""
        return sorted({outlet.plug for outlet in self.outlets if outlet.plug})


def site_page(
    *, search: str, power_kw: int | None, only_free: bool, after: str, now: datetime
) -> tuple[list[Site], str | None]:
    """Sites in order of their names, those after the one called `after`; and where the next page begins."""
    locations = _open_locations()
    if search:
        locations = locations.filter(
            Q(city__icontains=search)
            | Q(name__icontains=search)
            | Q(postal_code__istartswith=search)
            | Q(address__icontains=search)
        )
    if power_kw is not None:
        strong = Connector.objects.filter(
            evse__station__location=OuterRef("pk"), max_power_w__gte=power_kw * 1000
        )
        locations = locations.filter(Exists(strong))
    if only_free:
        locations = locations.filter(Exists(_free_connectors()))
    locations = _after(locations.order_by("name", "id"), after)
    rows = list(locations[: SITES_PER_PAGE + 1])
    more = len(rows) > SITES_PER_PAGE
    rows = rows[:SITES_PER_PAGE]
    return _sites(rows, now=now), str(rows[-1].pk) if more else None


def get_site(public_id: str, *, now: datetime) -> Site:
    """Raises NotFound for a site that has no station in service."""
    return _sites([get_by_id(_open_locations(), public_id)], now=now)[0]


def get_outlet(code: str) -> Outlet:
    """The connector with this code, as it is now; five queries.

    Raises:
        NotFound: no label says so.
    """
    connector = Connector.objects.select_related("evse").filter(code=code).first()
    if connector is None:
        raise NotFound("There is no such connector.")
    return outlet_of(connector)


def outlet_of(connector: Connector) -> Outlet:
    """The connector as it is now."""
    station = (
        with_presence(ChargingStation.objects.filter(pk=connector.evse.station_id))
        .select_related("state", "operator", "location")
        .get()
    )
    status = ConnectorStatus.objects.filter(
        station=station, evse_id=connector.evse.evse_id, connector_id=connector.connector_id
    ).first()
    is_charging = Transaction.objects.filter(
        station=station, evse_id=connector.evse.evse_id, is_current=True
    ).exists()
    availability = availability_of(
        station, status.status if status else "", is_charging=is_charging
    )
    return Outlet(connector, station, availability)


def _open_locations() -> QuerySet[Location]:
    return Location.objects.filter(
        Exists(
            ChargingStation.objects.filter(
                location=OuterRef("pk"),
                registration_status=RegistrationStatus.ACCEPTED,
                evses__connectors__isnull=False,
            )
        )
    )


def _free_connectors() -> QuerySet[ConnectorStatus]:
    return ConnectorStatus.objects.filter(
        station__location=OuterRef("pk"),
        station__registration_status=RegistrationStatus.ACCEPTED,
        station__state__connected=True,
        station__state__gateway_id__in=Gateway.objects.filter(lease_until__gte=Now()).values("id"),
        status="Available",
        connector_id__gt=0,
    )


def _after(locations: QuerySet[Location], after: str) -> QuerySet[Location]:
    pk = parse_id(after)
    last = Location.objects.filter(pk=pk).first() if pk is not None else None
    if last is None:
        return locations
    return locations.filter(Q(name__gt=last.name) | Q(name=last.name, pk__gt=last.pk))


def _sites(locations: Sequence[Location], *, now: datetime) -> list[Site]:
    stations = list(
        with_state(
            ChargingStation.objects.filter(
                location__in=locations, registration_status=RegistrationStatus.ACCEPTED
            ).order_by("name", "identity")
        ).select_related("state", "operator", "location")
    )
    charging = set(
        Transaction.objects.filter(station__in=stations, is_current=True).values_list(
            "station_id", "evse_id"
        )
    )
    tariffs = tariffs_at(stations, now=now)
    by_location: dict[int, list[Outlet]] = {location.pk: [] for location in locations}
    for station in stations:
        for outlet in _outlets(station, charging):
            tariff = tariffs.get((station.pk, outlet.evse_id))
            price = energy_price_from([tariff]) if tariff else None
            assert station.location_id is not None  # noqa: S101 - it was found by it
            by_location[station.location_id].append(
                Outlet(outlet.connector, station, outlet.availability, price)
            )
    return [_site(location, by_location[location.pk], tariffs) for location in locations]


def _site(
    location: Location, outlets: list[Outlet], tariffs: dict[tuple[int, int], Tariff]
) -> Site:
    here = {
        id(tariff): tariff
        for outlet in outlets
        if (tariff := tariffs.get((outlet.station.pk, outlet.evse_id)))
    }
    return Site(location, tuple(outlets), energy_price_from(here.values()))


def _outlets(station: ChargingStation, charging: set[tuple[int, int]]) -> list[Outlet]:
    statuses = {
        (row.evse_id, row.connector_id): row.status for row in station.connector_statuses.all()
    }
    outlets = []
    for evse in station.evses.all():
        for connector in evse.connectors.all():
            connector.evse = evse
            availability = availability_of(
                station,
                statuses.get((evse.evse_id, connector.connector_id), ""),
                is_charging=(station.pk, evse.evse_id) in charging,
            )
            outlets.append(Outlet(connector, station, availability))
    return outlets
