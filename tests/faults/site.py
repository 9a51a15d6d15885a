"""A committed operator with stations, cards and a tariff, for runs that outlive a transaction of the test's."""

from dataclasses import dataclass, replace

from accounts.models import IdToken, Operator
from stations.models import ChargingStation
from tests.billing.factories import assign, make_tariff
from tests.factories import STATION_PASSWORD, make_id_token, make_operator, make_station, unique

PASSWORD = STATION_PASSWORD


@dataclass(frozen=True)
class Site:
    """Left behind after the test, like every committed tenant."""

    operator: Operator
    stations: list[ChargingStation]
    id_tokens: list[IdToken]


def make_site(*, stations: int = 20, id_tokens: int = 4) -> Site:
    operator = make_operator()
    assign(make_tariff(operator))
    return Site(
        operator,
        [make_station(operator, identity=unique("F")) for _ in range(stations)],
        [make_id_token(operator) for _ in range(id_tokens)],
    )


def with_stations(site: Site, number: int) -> Site:
    """The same operator with at least so many stations."""
    more = number - len(site.stations)
    new = [make_station(site.operator, identity=unique("F")) for _ in range(more)]
    return replace(site, stations=[*site.stations, *new])
