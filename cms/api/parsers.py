"""JSON in: one object, checked for everything that no column could hold before anyone looks at it."""

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import IO, Any

from rest_framework.parsers import BaseParser

from cms.base.errors import DomainError, Invalid

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 64
# Far above every column, far below what it takes to hurt: 1e999999999 written out fills the memory.
_MAX_DIGITS = 30


class TooLarge(DomainError):
    """The body has more bytes than any request needs."""

    code = "too_large"
    status = 413


class StrictJSONParser(BaseParser):
    """Reads one JSON object of at most 1 MiB and 64 levels, decimals exact.

    Raises:
        Invalid: it is not JSON, not an object, repeats a key, nests too deep, or holds a NUL character,
            a lone surrogate or a number of more than 30 digits; the last three are named by their path.
        TooLarge: it has more than 1 MiB.
    """

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        raw = stream.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise TooLarge("A request has at most 1 MiB.")
        if not raw.strip():
            return {}
        value = _load(raw)
        if not isinstance(value, dict):
            raise Invalid("The body must be a JSON object.", data={"fields": {}})
        errors = dict(_unfit(value))
        if errors:
            raise Invalid.fields({path: [sentence] for path, sentence in errors.items()})
        return value


def _load(raw: bytes) -> Any:
    try:
        return json.loads(
            raw.decode(),
            parse_float=Decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique_keys,
        )
    except RecursionError:
        raise _too_deep() from None
    except json.JSONDecodeError as error:
        # A sentence of our own: it names the place and never the content.
        where = f"line {error.lineno}, column {error.colno}"
        raise Invalid(f"The body is not JSON ({where}).", data={"fields": {}}) from error
    except (ValueError, ArithmeticError) as error:
        raise Invalid("The body is not JSON.", data={"fields": {}}) from error


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Invalid("An object in the body has the same key twice.", data={"fields": {}})
    return found


def _too_deep() -> Invalid:
    return Invalid(f"The body nests deeper than {MAX_DEPTH} levels.", data={"fields": {}})


def _unfit(root: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Path and complaint for each value that could not be stored."""
    todo: list[tuple[str, Any, int]] = [("", root, 1)]
    while todo:
        path, value, depth = todo.pop()
        if depth > MAX_DEPTH:
            raise _too_deep()
        if isinstance(value, dict):
            for key, item in value.items():
                if not _is_storable(key):
                    yield path or "body", "A field name holds a character that cannot be stored."
                else:
                    todo.append((f"{path}.{key}" if path else key, item, depth + 1))
        elif isinstance(value, list):
            todo.extend((f"{path}.{n}", item, depth + 1) for n, item in enumerate(value))
        elif isinstance(value, str):
            if not _is_storable(value):
                yield path, "NUL characters and lone surrogates cannot be stored."
        elif not _is_sane_number(value):
            yield path, f"A number has at most {_MAX_DIGITS} digits."


def _is_storable(text: str) -> bool:
    return "\0" not in text and (text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text))


def _is_sane_number(value: Any) -> bool:
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        return (
            isinstance(exponent, int)
            and exponent >= -_MAX_DIGITS
            and value.adjusted() < _MAX_DIGITS
        )
    return not isinstance(value, int) or abs(value) < 10**_MAX_DIGITS
