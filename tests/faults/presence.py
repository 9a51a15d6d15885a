"""What people are shown of who is there, against the sockets that stations really have (O11)."""

import asyncio

from stations.models import ChargingStation, Connection
from stations.selectors.stations import with_presence
from tests.faults.fleet import Fleet
from tests.faults.site import Site
from tests.stations.ocpp.conftest import eventually, in_db

# RELIABILITY O11.
RIGHT_WITHIN_S = 60


def shown_online(site: Site) -> set[str]:
    """Identities."""
    stations = with_presence(ChargingStation.objects.filter(operator=site.operator))
    return {station.identity for station in stations if station.is_online}


async def until_all_were_shown_online(site: Site, fleet: Fleet) -> float:
    """Seconds until each station was shown online, at one moment or another, or offline while it wants no socket.

    Stations of a fleet at work come and go, so there may be no moment when all are there.
    Raises AssertionError after a minute.
    """
    loop = asyncio.get_running_loop()
    began_at = loop.time()
    missing = {member.identity: member for member in fleet.members}
    while missing:
        await asyncio.sleep(0.1)
        unplugged = {m.identity for m in fleet.members if not m.station.uplink.wanted.is_set()}
        shown = await in_db(lambda: shown_online(site))
        for identity in shown | (unplugged - shown):
            missing.pop(identity, None)
        late = loop.time() - began_at > RIGHT_WITHIN_S
        assert not (missing and late), "\n".join(["shown offline:", *map(str, missing.values())])
    return loop.time() - began_at


async def until_nobody_is_shown_online(site: Site) -> float:
    """Seconds until the last one is shown offline. Raises TimeoutError after a minute."""
    loop = asyncio.get_running_loop()
    began_at = loop.time()
    await eventually(lambda: not shown_online(site), timeout_s=RIGHT_WITHIN_S)
    return loop.time() - began_at


async def until_right(site: Site, fleet: Fleet) -> float:
    """Seconds until exactly the fleet is shown online, each over one socket; the fleet must be at rest."""
    loop = asyncio.get_running_loop()
    began_at = loop.time()
    there = {member.identity for member in fleet.members}
    await eventually(
        lambda: shown_online(site) == there and _open_sockets(site) == len(there),
        timeout_s=RIGHT_WITHIN_S,
    )
    return loop.time() - began_at


def _open_sockets(site: Site) -> int:
    return Connection.objects.filter(
        station__operator=site.operator, closed_at__isnull=True
    ).count()
