"""JSON that keeps numbers exact: decimals are read as `Decimal` and written with the same digits."""

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson
from django.db import models
from psycopg.types.json import Jsonb

from cms.base.time import rfc3339


def _default(value: Any) -> Any:
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise TypeError("JSON knows no infinite numbers.")
        return orjson.Fragment(format(value, "f"))
    raise TypeError(f"{type(value).__name__} is not JSON.")


def _encode_time(value: Any) -> Any:
    return rfc3339(value) if isinstance(value, datetime) else _default(value)


def dumps(value: Any) -> str:
    """Compact JSON text; datetimes as RFC 3339 UTC with `Z`. Raises TypeError for foreign types."""
    return dumps_bytes(value).decode()


def dumps_bytes(value: Any) -> bytes:
    """As `dumps`, encoded."""
    try:
        return _encode(value)
    except TypeError:
        # orjson writes integers of 64 bits; stations and programs send longer ones.
        return _encode(_with_long_integers(value))


def _encode(value: Any) -> bytes:
    return orjson.dumps(value, default=_encode_time, option=orjson.OPT_PASSTHROUGH_DATETIME)


def _with_long_integers(value: Any) -> Any:
    """A copy whose integers orjson can write, however long they are."""
    if isinstance(value, Mapping):
        return {name: _with_long_integers(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_long_integers(item) for item in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return orjson.Fragment(str(value))
    return value


def loads(text: str | bytes) -> Any:
    """Raises ValueError for anything that is not JSON, `NaN` and `Infinity` included."""
    return json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON.")


class ExactJSONField(models.JSONField):
    """A jsonb column whose decimals come back as they went in."""

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if value is None or hasattr(value, "as_sql"):
            return value
        return Jsonb(value, dumps=dumps)

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        return self.get_db_prep_value(value, connection)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return loads(value) if isinstance(value, str | bytes) else value
