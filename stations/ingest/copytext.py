"""Rows in PostgreSQL's text format for COPY: columns parted by tabs, `\\N` for null."""

from collections.abc import Iterable
from datetime import date, datetime

from stations.ingest.facts import MessageSeen, MeterReported

MAX_REMEMBERED = 1000
_NULL = "\\N"
_remembered: dict[str, str] = {}


def _text(value: str) -> str:
    """Escaped; four passes in C beat one through a translation table."""
    if "\\" in value:
        value = value.replace("\\", "\\\\")
    if "\n" in value or "\t" in value or "\r" in value:
        value = value.replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    return value


def _word(value: str | None) -> str:
    """Escaped, or null; for columns with few values, which are remembered."""
    if value is None:
        return _NULL
    text = _remembered.get(value)
    if text is None:
        text = _text(value)
        if len(_remembered) < MAX_REMEMBERED:
            _remembered[value] = text
    return text


class _Times:
    """Formats times, remembering the last: a batch's rows share most of them."""

    __slots__ = ("_last", "_text")

    def __init__(self) -> None:
        self._last: datetime | date | None = None
        self._text = ""

    def __call__(self, at: datetime | date) -> str:
        if at is not self._last:
            self._last = at
            self._text = at.isoformat()
        return self._text


def message_rows(messages: Iterable[MessageSeen]) -> str:
    """Rows of `sql.COPY_MESSAGES`."""
    return "".join(
        f"{m.at.isoformat()}\t{m.station_id}\t{m.generation}\t{m.direction}\t{m.type}\t{_word(m.action)}"
        f"\t{_text(m.message_id)}\t{_text(m.payload)}\n"
        for m in messages
    )


def meter_value_rows(reports: Iterable[MeterReported]) -> str:
    """Rows of `sql.METER_VALUE_COLUMNS`, in the order of the reports and their readings."""
    at, device_at, received_at = _Times(), _Times(), _Times()
    rows: list[str] = []
    for report in reports:
        transaction_id = _NULL if report.transaction_id is None else str(report.transaction_id)
        head = f"{report.tx_month.isoformat()}\t{report.station_id}\t{transaction_id}\t{report.evse_id}\t"
        rows += [
            f"{head}{at(r.at)}\t{device_at(r.device_at)}\t{'t' if r.has_device_time else 'f'}"
            f"\t{received_at(r.received_at)}\t{_word(r.measurand)}\t{_word(r.phase)}\t{_word(r.location)}"
            f"\t{_word(r.context)}\t{_word(r.unit)}\t{r.value:f}\t{_text(r.raw_value)}\t{_word(r.raw_unit)}"
            f"\t{_NULL if r.signed is None else _text(r.signed)}\n"
            for r in report.readings
        ]
    return "".join(rows)
