"""What a session would cost."""

from dataclasses import dataclass
from datetime import datetime

from billing.exceptions import NoTariff
from billing.models import TariffVersion
from billing.tariffs.facts import quote_facts
from billing.tariffs.ocpi import parse_tariff
from billing.tariffs.price import Price
from billing.tariffs.rate import rate
from billing.tariffs.selectors import tariff_version_for
from stations.models import ChargingStation


@dataclass(frozen=True, slots=True)
class Quote:
    """A price and the tariff version it comes from."""

    version: TariffVersion
    price: Price


def quote_session(
    *,
    station: ChargingStation,
    evse_id: int | None,
    id_token_id: int | None,
    starts_at: datetime,
    energy_wh: int,
    charging_s: int,
    idle_s: int,
    now: datetime,
) -> Quote:
    """The price of a session that charges evenly for `charging_s` and is then parked for `idle_s`.

    By the tariffs as they are now, whose dates hold `starts_at`.

    Raises:
        NoTariff: nothing applies there at that time.
    """
    version = tariff_version_for(
        station_id=station.pk,
        evse_id=evse_id,
        id_token_id=id_token_id,
        at=starts_at,
        as_of=now,
    )
    if version is None:
        raise NoTariff
    place = station.location or station.operator
    facts = quote_facts(
        starts_at=starts_at,
        energy_wh=energy_wh,
        charging_s=charging_s,
        idle_s=idle_s,
        time_zone=place.time_zone,
    )
    return Quote(version, rate(parse_tariff(version.content), facts, final=False))
