"""Public ids: opaque strings outside, primary keys inside."""

import re
from typing import TypeVar

from django.db.models import Model, QuerySet

from cms.base.errors import NotFound

_ID = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_BIGINT_MAX = 2**63 - 1

M = TypeVar("M", bound=Model)


def parse_id(text: str) -> int | None:
    """The primary key that a public id stands for; None where it can be nobody's."""
    if not _ID.fullmatch(text):
        return None
    pk = int(text)
    return pk if pk <= _BIGINT_MAX else None


def get_by_id(rows: QuerySet[M], public_id: str) -> M:
    """The row of `rows` with this id; `rows` holds only what the asker may see.

    Raises:
        NotFound: none of the rows has it, or it is no id at all.
    """
    pk = parse_id(public_id)
    row = rows.filter(pk=pk).first() if pk is not None else None
    if row is None:
        raise NotFound(f"There is no such {rows.model._meta.verbose_name}.")
    return row
