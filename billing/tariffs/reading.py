"""Reading a JSON object member by member, collecting every complaint instead of stopping at the first."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar

MAX_NUMBER = 10**9
MAX_DECIMALS = 12
MAX_NESTING = 16

_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)
_DATE = re.compile(r"[12][0-9]{3}-[01][0-9]-[0-3][0-9]", re.ASCII)
_INSTANT = re.compile(
    r"[12][0-9]{3}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?"
    r"(Z|[+-][0-2][0-9]:[0-5][0-9])?",
    re.ASCII,
)

Word = TypeVar("Word", bound=StrEnum)
Value = TypeVar("Value")


class ObjectReader:
    """One object. Each method takes a member by name; `null` counts as absent; `close()` objects to the rest.

    A member that is missing or wrong yields None and a sentence under its path in the shared `errors`.
    A float raises TypeError: whoever parses the JSON must keep numbers exact (`parse_float=Decimal`).
    """

    def __init__(self, data: Any, path: str, errors: dict[str, list[str]]) -> None:
        self._path = path
        self._errors = errors
        self._members: dict[str, Any] = data if isinstance(data, dict) else {}
        self._taken: set[str] = set()
        if not isinstance(data, dict):
            errors.setdefault(path or "tariff", []).append("Must be an object.")

    def path(self, name: str | int) -> str:
        return f"{self._path}.{name}" if self._path else str(name)

    def object_to(self, name: str | int, sentence: str) -> None:
        self._errors.setdefault(self.path(name), []).append(sentence)

    def has(self, name: str) -> bool:
        return self._members.get(name) is not None

    def take(self, name: str, *, required: bool = False) -> Any:
        self._taken.add(name)
        value = self._members.get(name)
        if value is None and required:
            self.object_to(name, "This field is required.")
        return value

    def close(self) -> None:
        for name in sorted(self._members.keys() - self._taken):
            self.object_to(_shown(name), "There is no such field.")

    def text(self, name: str, *, maximum: int, required: bool = False) -> str | None:
        value = self.take(name, required=required)
        if value is None:
            return None
        if not isinstance(value, str):
            self.object_to(name, "Must be a text.")
        elif not value.strip() or len(value) > maximum:
            self.object_to(name, f"Must have 1 to {maximum} characters.")
        elif not is_sound(value):
            self.object_to(name, "Contains characters that cannot be stored.")
        else:
            return value
        return None

    def word(self, name: str, words: type[Word], *, required: bool = False) -> Word | None:
        value = self.take(name, required=required)
        if value is None:
            return None
        if isinstance(value, str) and value in words.__members__.values():
            return words(value)
        self.object_to(name, f"Must be one of {', '.join(words)}.")
        return None

    def number(
        self, name: str, *, required: bool = False, maximum: int = MAX_NUMBER
    ) -> Decimal | None:
        """A number from 0 to `maximum` with at most twelve decimals, digits kept as written."""
        value = self.take(name, required=required)
        if value is None:
            return None
        if isinstance(value, float):
            raise TypeError(f"{self.path(name)} is a float: parse JSON with parse_float=Decimal.")
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            self.object_to(name, "Must be a number.")
        elif isinstance(value, Decimal) and not value.is_finite():
            self.object_to(name, "Must be a finite number.")
        elif not 0 <= value <= maximum:
            self.object_to(name, f"Must lie between 0 and {maximum}.")
        elif _decimals(value) > MAX_DECIMALS:
            self.object_to(name, f"Must have at most {MAX_DECIMALS} decimals.")
        else:
            return Decimal(value)
        return None

    def integer(
        self, name: str, *, required: bool = False, maximum: int = MAX_NUMBER
    ) -> int | None:
        """A whole number from 0 to `maximum`; `300.0` is one."""
        value = self.number(name, required=required, maximum=maximum)
        if value is None:
            return None
        if value != value.to_integral_value():
            self.object_to(name, "Must be a whole number.")
            return None
        return int(value)

    def time_of_day(self, name: str) -> time | None:
        return self._parsed(
            name, _TIME, time.fromisoformat, "Must be a time of day, such as 13:30."
        )

    def day(self, name: str) -> date | None:
        return self._parsed(name, _DATE, date.fromisoformat, "Must be a date, such as 2026-03-01.")

    def instant(self, name: str) -> datetime | None:
        """Aware, UTC. OCPI's DateTime may leave the zone out and then means UTC (2.2.1 §16.5)."""
        sentence = "Must be a date and time, such as 2026-03-01T12:00:00Z."
        value = self._parsed(name, _INSTANT, datetime.fromisoformat, sentence)
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

    def _parsed(
        self, name: str, shape: re.Pattern[str], parse: Callable[[str], Value], sentence: str
    ) -> Value | None:
        value = self.take(name)
        if value is None:
            return None
        if isinstance(value, str) and shape.fullmatch(value):
            try:
                return parse(value)
            except ValueError:
                pass
        self.object_to(name, sentence)
        return None

    def list_of(
        self, name: str, read: Callable[[Any, str], Value], *, required: bool = False, maximum: int
    ) -> tuple[Value, ...]:
        """`read(item, its path)` for each item. A required list must not be empty."""
        value = self.take(name, required=required)
        if value is None:
            return ()
        if not isinstance(value, list) or len(value) > maximum or (required and not value):
            self.object_to(name, f"Must be a list of {int(required)} to {maximum} items.")
            return ()
        return tuple(read(item, f"{self.path(name)}.{index}") for index, item in enumerate(value))

    def verbatim(self, name: str, kind: type, sentence: str) -> Any:
        """A member that only passes through, checked to be storable."""
        value = self.take(name)
        if value is not None and not (isinstance(value, kind) and is_sound(value)):
            self.object_to(name, sentence)
        return value


def is_sound(value: Any, depth: int = 0) -> bool:
    """Whether PostgreSQL can keep it: no NUL, no lone surrogates, not nested without end."""
    if isinstance(value, str):
        return "\x00" not in value and not any("\ud800" <= char <= "\udfff" for char in value)
    if depth > MAX_NESTING:
        return False
    if isinstance(value, dict):
        return all(is_sound(key) and is_sound(item, depth + 1) for key, item in value.items())
    if isinstance(value, list):
        return all(is_sound(item, depth + 1) for item in value)
    return True


def _decimals(value: int | Decimal) -> int:
    exponent = Decimal(value).as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _shown(name: object) -> str:
    """A member's name fit for an answer, whatever was sent."""
    return str(name)[:64].encode("ascii", "backslashreplace").decode().replace("\x00", "\\x00")
