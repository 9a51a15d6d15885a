"""Pages of long lists by cursor: as fast at the end as at the beginning, and steady while rows are added."""

from datetime import UTC, datetime, timedelta
from typing import TypeVar

from django.db.models import Model, Q, QuerySet

from cms.base.ids import parse_id

PER_PAGE = 50
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The year 9999; later moments are nobody's.
_MOST_US = 253_402_300_799_999_999

M = TypeVar("M", bound=Model)


def page_by_id(rows: QuerySet[M], before: str, *, size: int = 0) -> tuple[list[M], str]:
    """The newest rows made before the one called `before`, and the cursor of the next page or ""; PER_PAGE unless told."""
    size = size or PER_PAGE
    rows = rows.order_by("-pk")
    if (pk := parse_id(before)) is not None:
        rows = rows.filter(pk__lt=pk)
    found = list(rows[: size + 1])
    return found[:size], str(found[size - 1].pk) if len(found) > size else ""


def page_by_time(
    rows: QuerySet[M], field: str, before: str, *, size: int = 0
) -> tuple[list[M], str]:
    """As `page_by_id`, by a time that never is null; rows of one moment by their id."""
    size = size or PER_PAGE
    rows = rows.order_by(f"-{field}", "-pk")
    at, _, pk_text = before.partition("-")
    pk = parse_id(pk_text)
    if pk is not None and at.isascii() and at.isdigit() and int(at[:20]) <= _MOST_US:
        moment = _EPOCH + timedelta(microseconds=int(at[:20]))
        rows = rows.filter(Q(**{f"{field}__lt": moment}) | Q(**{field: moment, "pk__lt": pk}))
    found = list(rows[: size + 1])
    if len(found) <= size:
        return found, ""
    last = found[size - 1]
    microseconds = (getattr(last, field) - _EPOCH) // timedelta(microseconds=1)
    return found[:size], f"{microseconds}-{last.pk}"
