"""Locations with the state of what stands there: for the map and the list beside it."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Count

from accounts.services.actors import Actor
from cms.portal.looks import CONNECTOR, OFFLINE, ONLINE, UNREPORTED, Look
from cms.portal.selectors import SHOWS, condition, with_conditions
from stations.models import Location
from stations.selectors.locations import locations_for
from stations.selectors.stations import stations_for

LOCATIONS_SHOWN = 1000
_URGENCY = {CONNECTOR["Faulted"].colour: 0, OFFLINE.colour: 1}


@dataclass(frozen=True, slots=True)
class Place:
    """One location; `counts` are of its stations, by the words of `SHOWS` and `all`."""

    location: Location
    counts: dict[str, int]

    @property
    def is_on_map(self) -> bool:
        return self.location.latitude is not None and self.location.longitude is not None

    @property
    def look(self) -> Look:
        """The worst that is true of it."""
        if not self.counts["all"]:
            return UNREPORTED
        if self.counts["faulted"]:
            return CONNECTOR["Faulted"]
        if not self.counts["online"]:
            return OFFLINE
        return CONNECTOR["Charging"] if self.counts["charging"] else ONLINE


@dataclass(frozen=True, slots=True)
class Places:
    """Every location by name; `homeless` stations stand at none."""

    places: list[Place]
    homeless: int

    @property
    def on_map(self) -> list[Place]:
        return [place for place in self.places if place.is_on_map]

    @property
    def worst_first(self) -> list[Place]:
        """Faults, then sites that are wholly offline, then the others; by name within each."""
        return sorted(self.places, key=lambda place: _URGENCY.get(place.look.colour, len(_URGENCY)))


def places_of(actor: Actor) -> Places:
    """All locations with their counts; two queries, however many stations."""
    wanted = {show: Count("pk", filter=condition(show)) for show in SHOWS}
    rows: Any = (
        with_conditions(stations_for(actor))
        .order_by()
        .values("location_id")
        .annotate(all=Count("pk"), **wanted)
    )
    words = (*SHOWS, "all")
    counts: dict[int | None, dict[str, int]] = {
        row["location_id"]: {word: row[word] for word in words} for row in rows
    }
    nothing = dict.fromkeys(words, 0)
    places = [
        Place(location, counts.get(location.pk, nothing))
        for location in locations_for(actor).order_by("name", "id")[:LOCATIONS_SHOWN]
    ]
    return Places(places, counts.get(None, nothing)["all"])
