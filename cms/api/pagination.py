"""Keyset pages: a list costs the same on its first page and on its thousandth.

A cursor says where a page begins: the direction, and the ordering values of the row next to it. It
is opaque to programs; one that was tampered with is refused, and could show nothing but rows that its
holder may list anyway.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models import Q
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from cms.base import json
from cms.base.ids import parse_id

if TYPE_CHECKING:
    # The settings of REST framework import this module; its views import the settings.
    from rest_framework.views import APIView

DEFAULT_LIMIT = 50
MAX_LIMIT = 200

Side = Literal["after", "before"]


@dataclass(frozen=True, slots=True)
class Ordering:
    """One column, then the primary key, both in the same direction."""

    column: str
    descending: bool

    @classmethod
    def parse(cls, text: str) -> "Ordering":
        return cls(text.removeprefix("-"), text.startswith("-"))

    def columns(self, *, reverse: bool) -> list[str]:
        """What to sort by; reversed for a page that is read backwards."""
        sign = "-" if self.descending != reverse else ""
        names = [self.column] if self.column in {"id", "pk"} else [self.column, "pk"]
        return [f"{sign}{name}" for name in names]


@dataclass(frozen=True, slots=True)
class Cursor:
    """The row next to which a page begins: `value` of the ordering column and its primary key.

    `inclusive` where the page begins with that row itself.
    """

    side: Side
    value: Any
    pk: int
    inclusive: bool = False

    def encode(self) -> str:
        value = self.value.isoformat() if isinstance(self.value, datetime) else str(self.value)
        letter = self.side[0].upper() if self.inclusive else self.side[0]
        text = json.dumps_bytes([letter, value, str(self.pk)])
        return base64.urlsafe_b64encode(text).rstrip(b"=").decode("ascii")

    @classmethod
    def decode(cls, text: str, field: "models.Field[Any, Any]") -> "Cursor":
        """Raises ValueError for anything that `encode` did not make for this column."""
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        parts = json.loads(raw)
        if not isinstance(parts, list) or len(parts) != 3:
            raise ValueError("a cursor has three parts")
        letter, value, pk_text = parts
        pk = parse_id(pk_text) if isinstance(pk_text, str) else None
        if letter not in ("a", "b", "A", "B") or pk is None:
            raise ValueError("not a cursor")
        side: Side = "after" if letter in "aA" else "before"
        return cls(side, _column_value(value, field), pk, inclusive=letter.isupper())


class NewestFirstPagination(BasePagination):
    """`{"next", "previous", "results"}` with absolute addresses; `?limit=`, `?cursor=`, `?ordering=`.

    Reads `ordering` and `ordering_fields` of the view.
    """

    def paginate_queryset(
        self, queryset: Any, request: Request, view: "APIView | None" = None
    ) -> list[Any]:
        self.url = request.build_absolute_uri()
        limit = _limit(request.query_params.get("limit"))
        ordering = _ordering(request.query_params.get("ordering"), view)
        cursor = _cursor(request.query_params.get("cursor"), _field(queryset.model, ordering))
        backwards = cursor is not None and cursor.side == "before"
        rows = queryset.order_by(*ordering.columns(reverse=backwards))
        if cursor is not None:
            rows = rows.filter(_beyond(cursor, ordering))
        page = list(rows[: limit + 1])
        more = len(page) > limit
        page = page[:limit]
        if backwards:
            page.reverse()
        has_next = backwards or more
        has_previous = more if backwards else cursor is not None
        self.next = self._link("after", page[-1], ordering) if page and has_next else None
        self.previous = self._link("before", page[0], ordering) if page and has_previous else None
        if not page and cursor is not None:
            # Whoever ran off an end, because rows are gone, can turn round.
            self._turn_round(cursor)
        return page

    def get_paginated_response(self, data: Sequence[Any]) -> Response:
        return Response({"next": self.next, "previous": self.previous, "results": data})

    def _link(self, side: Side, row: Any, ordering: Ordering) -> str:
        cursor = Cursor(side, getattr(row, ordering.column), row.pk)
        return replace_query_param(self.url, "cursor", cursor.encode())

    def _turn_round(self, cursor: Cursor) -> None:
        other: Side = "before" if cursor.side == "after" else "after"
        back = Cursor(other, cursor.value, cursor.pk, inclusive=not cursor.inclusive)
        link = replace_query_param(self.url, "cursor", back.encode())
        if cursor.side == "after":
            self.previous = link
        else:
            self.next = link

    # --- for the schema ----------------------------------------------------------------------

    def get_paginated_response_schema(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        link = {"type": "string", "format": "uri", "nullable": True}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        words = [sign + name for name in view.ordering_fields for sign in ("", "-")]
        return [
            {
                "name": "limit",
                "in": "query",
                "description": "How many rows a page has.",
                "schema": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": MAX_LIMIT,
                    "default": DEFAULT_LIMIT,
                },
            },
            {
                "name": "cursor",
                "in": "query",
                "description": "Where a page begins; take it from `next` or `previous`.",
                "schema": {"type": "string"},
            },
            {
                "name": "ordering",
                "in": "query",
                "description": "The column to sort by, with `-` for the largest first.",
                "schema": {"type": "string", "enum": words},
            },
        ]


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    number = parse_id(text)
    if number is None or number > MAX_LIMIT:
        raise ValidationError({"limit": [f"A limit is a whole number from 1 to {MAX_LIMIT}."]})
    return number


def _ordering(text: str | None, view: Any) -> Ordering:
    if text is None:
        return Ordering.parse(view.ordering)
    asked = Ordering.parse(text)
    if asked.column not in view.ordering_fields:
        words = ", ".join(view.ordering_fields)
        raise ValidationError({"ordering": [f"This list can be ordered by: {words}."]})
    return Ordering(view.ordering_fields[asked.column], asked.descending)


def _cursor(text: str | None, field: "models.Field[Any, Any]") -> Cursor | None:
    if text is None:
        return None
    try:
        return Cursor.decode(text, field)
    except (ValueError, OverflowError, RecursionError, binascii.Error) as error:
        raise ValidationError({"cursor": ["This is not a cursor of this list."]}) from error


def _field(model: type[models.Model], ordering: Ordering) -> "models.Field[Any, Any]":
    if ordering.column == "pk":
        return model._meta.pk
    field = model._meta.get_field(ordering.column)
    if not isinstance(field, models.Field) or field.null:
        raise FieldDoesNotExist(f"{model.__name__} cannot be paged by {ordering.column}.")
    return field


def _column_value(value: Any, field: "models.Field[Any, Any]") -> Any:
    """`value` of a cursor as the column has it; ValueError where it cannot be."""
    if not isinstance(value, str) or "\0" in value or not value.isprintable():
        raise ValueError("not a value of this column")
    if isinstance(field, models.DateTimeField):
        at = datetime.fromisoformat(value)
        if at.tzinfo is None:
            raise ValueError("a time needs its zone")
        return at.astimezone(UTC)
    if isinstance(field, models.IntegerField):
        pk = parse_id(value)
        if pk is None:
            raise ValueError("not a whole number")
        return pk
    return value


def _beyond(cursor: Cursor, ordering: Ordering) -> Q:
    """Rows past the cursor. The first condition is redundant: it lets the index be used."""
    forwards = cursor.side == "after"
    op = "lt" if ordering.descending == forwards else "gt"
    or_equal = "e" if cursor.inclusive else ""
    past_key = Q(**{f"pk__{op}{or_equal}": cursor.pk})
    if ordering.column in {"id", "pk"}:
        return past_key
    column = ordering.column
    return Q(**{f"{column}__{op}e": cursor.value}) & (
        Q(**{f"{column}__{op}": cursor.value}) | past_key
    )
