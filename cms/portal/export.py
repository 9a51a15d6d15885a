"""Lists as CSV files: sent row by row as they are read, and harmless when a spreadsheet opens them."""

import csv
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from itertools import chain, islice
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse

_ROWS_AT_ONCE = 500
# A cell that begins so is a formula to a spreadsheet (OWASP, CSV injection).
_BEGINS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_BOM = "\ufeff"


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, text: str) -> str:
        return text


def csv_response(
    request: HttpRequest, filename: str, head: Iterable[Any], rows: Iterable[Iterable[Any]]
) -> StreamingHttpResponse:
    """A download of `rows` under `head`, in UTF-8 with the mark that spreadsheets look for.

    Rows are read while they are sent, `_ROWS_AT_ONCE` at a time, so that memory does not grow with them.
    """
    lines = _lines(chain([head], rows))
    # The server is asynchronous; Django's test client is not, and each wants its own kind of iterator.
    content: Any = _asynchronous(lines) if isinstance(request, ASGIRequest) else lines
    response = StreamingHttpResponse(content, content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{filename}"'
    return response


def cell(value: Any) -> Any:
    """A value as a cell: times in ISO 8601, and no text that a spreadsheet would run."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, (int, float, Decimal)):
        return value
    text = str(value)
    return f"'{text}" if text.startswith(_BEGINS_FORMULA) else text


def _lines(rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield _BOM
    for row in rows:
        yield writer.writerow([cell(value) for value in row])


async def _asynchronous(lines: Iterator[str]) -> AsyncIterator[str]:
    """The same, each batch read in the thread that has the request's database connection."""

    def batch() -> str:
        return "".join(islice(lines, _ROWS_AT_ONCE))

    while text := await sync_to_async(batch)():
        yield text
