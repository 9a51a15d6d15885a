"""Fields that take a JSON value of their own type and nothing else.

REST framework's own fields turn numbers into text, text into numbers and "yes" into true; a program
that sends the wrong type should hear of it.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from rest_framework import serializers

from cms.base.time import rfc3339

BIGINT_MAX = 2**63 - 1
INT_MAX = 2**31 - 1
SMALLINT_MAX = 2**15 - 1

_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?(Z|z|[+-]\d\d:\d\d)", re.ASCII
)


class Text(serializers.CharField):
    """A string. NUL characters and lone surrogates are refused, blanks around it dropped unless told."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        # The base class calls "" blank before it looks at the type.
        if data is not serializers.empty and data is not None and not isinstance(data, str):
            self.fail("invalid")
        return super().run_validation(data)


class Whole(serializers.IntegerField):
    """A whole number that fits its column: within 64 bits unless told."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("max_value", BIGINT_MAX)
        options.setdefault("min_value", -BIGINT_MAX - 1)
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return data


class YesNo(serializers.BooleanField):
    """`true` or `false`."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class Choice(serializers.ChoiceField):
    """One word out of a list; words that are shown but cannot be set are in `shown_only`."""

    def __init__(
        self, choices: Sequence[Any], *, shown_only: Iterable[str] = (), **options: Any
    ) -> None:
        self.shown_only = frozenset(shown_only)
        super().__init__(choices, **options)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str) or data in self.shown_only:
            self.fail("invalid_choice", input=data)
        return super().to_internal_value(data)


class Moment(serializers.DateTimeField):
    """A time as RFC 3339 has it, with its zone; written in UTC with `Z`."""

    default_error_messages = {  # noqa: RUF012
        "invalid": "A time is written as RFC 3339 has it, with its zone: 2026-03-01T12:00:00Z."
    }

    def to_internal_value(self, value: Any) -> datetime:
        if not isinstance(value, str) or not _RFC3339.fullmatch(value):
            self.fail("invalid")
        try:
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail("invalid")

    def to_representation(self, value: datetime) -> str:
        return rfc3339(value)


class QueryMoment(Moment):
    """A time in a query string, where an unescaped `+` of the zone arrives as a blank."""

    def to_internal_value(self, value: Any) -> datetime:
        if isinstance(value, str):
            value = re.sub(r" (\d\d:\d\d)\Z", r"+\1", value)
        return super().to_internal_value(value)


class Id(serializers.CharField):
    """An opaque id, shown. Takes a primary key or a row; empty is null."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("read_only", True)
        super().__init__(**options)

    def to_representation(self, value: Any) -> str:
        return str(value)


class TextOrNull(serializers.CharField):
    """Text, shown; what is empty in the database is null outside: nobody has said it yet."""

    def __init__(self, **options: Any) -> None:
        super().__init__(read_only=True, allow_null=True, **options)

    def to_representation(self, value: Any) -> str | None:  # type: ignore[override]
        return str(value) if value != "" else None
