"""The list of stations: searched, filtered, sorted and turned page by page, by keys that are in the address."""

import binascii
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.db.models import CharField, Count, DateTimeField, Q, QuerySet, Value
from django.db.models.functions import Coalesce, Concat
from django.http import QueryDict

from accounts.services.actors import Actor
from cms.api.pagination import Cursor
from cms.base.ids import parse_id
from cms.portal.selectors import SHOWS, StationView, condition, station_views, with_conditions
from stations.models import ChargingStation, StationState
from stations.selectors.stations import stations_for, with_state

STATIONS_PER_PAGE = 50
EXPORT_CHUNK = 500
CHOICES_SHOWN = 500

STATES = (*SHOWS, "new")
NEVER = datetime(1970, 1, 1, tzinfo=UTC)

# What a list can be sorted by; no value is ever null, so that every row has its place.
SORTS: dict[str, tuple[Any, Any]] = {
    "identity": (Coalesce("identity", Value("")), CharField()),
    "name": (Coalesce("name", Value("")), CharField()),
    "location": (Coalesce("location__name", Value("")), CharField()),
    "model": (
        Concat(
            Coalesce("state__vendor", Value("")), Value(" "), Coalesce("state__model", Value(""))
        ),
        CharField(),
    ),
    "seen": (Coalesce("state__last_seen_at", Value(NEVER)), DateTimeField()),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the address asks for. Whatever it asks that cannot be is left out."""

    q: str = ""
    status: str = ""
    location: str = ""
    model: str = ""
    sort: str = "identity"
    after: str = ""

    @classmethod
    def from_query(cls, query: QueryDict) -> "Wanted":
        def said(name: str) -> str:
            return query.get(name, "").replace("\0", "").strip()

        status, sort = said("status"), said("sort")
        return cls(
            q=said("q")[:100],
            status=status if status in STATES else "",
            location=said("location") if parse_id(said("location")) else "",
            model=said("model")[:50],
            sort=sort if sort.removeprefix("-") in SORTS else "identity",
            after=said("after"),
        )

    @property
    def location_pk(self) -> int | None:
        return parse_id(self.location)

    @property
    def is_filtered(self) -> bool:
        return bool(self.q or self.status or self.location or self.model)

    @property
    def is_descending(self) -> bool:
        return self.sort.startswith("-")

    @property
    def column(self) -> str:
        return self.sort.removeprefix("-")

    def address(self, **changes: str) -> str:
        """`?…` of this list with something else about it; on its first page unless `after` is given."""
        other = replace(self, **{"after": "", **changes})
        words = {
            "q": other.q,
            "status": other.status,
            "location": other.location,
            "model": other.model,
            "sort": other.sort if other.sort != "identity" else "",
            "after": other.after,
        }
        return "?" + urlencode({name: word for name, word in words.items() if word})

    def sorted_by(self, column: str) -> str:
        """`?…` of this list sorted by a column, the other way round where it is already."""
        return self.address(sort=f"-{column}" if self.sort == column else column)


@dataclass(frozen=True, slots=True)
class StationPage:
    """One page; `next_after` begins the next. `count` is of everything that matches."""

    stations: list[StationView]
    count: int
    next_after: str | None


def station_page_for(actor: Actor, wanted: Wanted, *, now: datetime) -> StationPage:
    """The page that `wanted` asks for; seven queries, whatever its size."""
    matching = _matching(actor, wanted)
    rows, next_after = _chunk(matching, wanted, STATIONS_PER_PAGE)
    return StationPage(
        stations=station_views(rows, actor=actor, now=now, priced=False),
        count=matching.order_by().aggregate(count=Count("pk"))["count"],
        next_after=next_after,
    )


def all_stations_for(actor: Actor, wanted: Wanted, *, now: datetime) -> Iterator[StationView]:
    """Every station that matches, from the first page on, read in chunks."""
    matching = _matching(actor, wanted)
    after: str | None = ""
    while after is not None:
        rows, after = _chunk(matching, replace(wanted, after=after), EXPORT_CHUNK)
        yield from station_views(rows, actor=actor, now=now, priced=False)


def models_of(actor: Actor) -> list[str]:
    """The models that the operator's stations say they are; one query."""
    rows = StationState.objects.filter(station__operator=actor.operator).exclude(model="")
    names = rows.order_by("model").values_list("model", flat=True).distinct()
    return list(names[:CHOICES_SHOWN])


def _matching(actor: Actor, wanted: Wanted) -> QuerySet[ChargingStation]:
    rows = with_conditions(stations_for(actor)).filter(condition(wanted.status))
    if wanted.status == "new":
        rows = rows.filter(state__last_seen_at__isnull=True)
    if wanted.q:
        rows = rows.filter(
            Q(identity__icontains=wanted.q)
            | Q(name__icontains=wanted.q)
            | Q(location__name__icontains=wanted.q)
            | Q(location__city__icontains=wanted.q)
            | Q(state__serial_number__icontains=wanted.q)
        )
    if wanted.location:
        rows = rows.filter(location_id=wanted.location)
    if wanted.model:
        rows = rows.filter(state__model=wanted.model)
    return rows


def _chunk(
    matching: QuerySet[ChargingStation], wanted: Wanted, size: int
) -> tuple[list[ChargingStation], str | None]:
    """The rows past `wanted.after`, and where the next ones begin."""
    expression, field = SORTS[wanted.column]
    rows: Any = matching.annotate(sort_key=expression)
    cursor = _cursor(wanted.after, field)
    if cursor is not None:
        op = "lt" if wanted.is_descending else "gt"
        rows = rows.filter(
            Q(**{f"sort_key__{op}": cursor.value}) | Q(sort_key=cursor.value, pk__gt=cursor.pk)
        )
    sign = "-" if wanted.is_descending else ""
    rows = with_state(rows).select_related("location", "state").order_by(f"{sign}sort_key", "pk")
    found = list(rows[: size + 1])
    if len(found) <= size:
        return found, None
    last = found[size - 1]
    return found[:size], Cursor("after", last.sort_key, last.pk).encode()


def _cursor(text: str, field: Any) -> Cursor | None:
    """None for the first page, and for a place that no list ever named."""
    if not text:
        return None
    try:
        return Cursor.decode(text, field)
    except (ValueError, OverflowError, RecursionError, binascii.Error):
        return None
