"""Every refusal in one shape: `{"code", "message", "data"}`."""

import logging
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.core.signals import got_request_exception
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response

from cms.api.parsers import TooLarge
from cms.base.errors import Conflict, DomainError, Invalid, NotAllowed, NotFound

logger = logging.getLogger(__name__)

_CODES: dict[type[exceptions.APIException], str] = {
    exceptions.NotAuthenticated: "not_authenticated",
    exceptions.AuthenticationFailed: "not_authenticated",
    exceptions.MethodNotAllowed: "method_not_allowed",
    exceptions.NotAcceptable: "not_acceptable",
    exceptions.UnsupportedMediaType: "unsupported_media_type",
    exceptions.Throttled: "throttled",
}

# SQLSTATE: not_null_violation and check_violation blame a value, the others a row that exists.
_VALUE_VIOLATIONS = {"23502", "23514"}


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response:
    """The response to anything that a view raised; what nobody expected is logged and becomes a 500."""
    if isinstance(error, exceptions.APIException) and not isinstance(
        error, exceptions.ValidationError | exceptions.PermissionDenied | exceptions.NotFound
    ):
        return _framework_refusal(error)
    if isinstance(error, OperationalError | InterfaceError):
        logger.error("the database could not be asked", exc_info=error)
        return _response(
            503,
            "unavailable",
            "The database cannot be reached at the moment. Try again in a few seconds.",
            headers={"Retry-After": "5"},
        )
    refusal = _as_domain_error(error)
    if refusal is None:
        return _unexpected(error, context)
    return _response(refusal.status, refusal.code, refusal.message, refusal.data)


def _as_domain_error(error: Exception) -> DomainError | None:
    """`error` in our own words; None for what nobody expected."""
    if isinstance(error, DomainError):
        return error
    if isinstance(error, exceptions.ValidationError):
        return Invalid.fields(flatten(error.detail))
    if isinstance(error, Http404 | exceptions.NotFound):
        return NotFound("There is nothing at this address.")
    if isinstance(error, PermissionDenied | exceptions.PermissionDenied):
        return NotAllowed("Your role may not do this.")
    if isinstance(error, RequestDataTooBig):
        return TooLarge("A request has at most 1 MiB.")
    # The net under our own checks: a value or a race that only the database noticed.
    if isinstance(error, DataError):
        logger.warning("the database refused a value that validation let through", exc_info=error)
        return Invalid("A value cannot be stored.", data={"fields": {}})
    if isinstance(error, IntegrityError):
        logger.warning("a constraint refused what a service let through", exc_info=error)
        if getattr(error.__cause__, "sqlstate", None) in _VALUE_VIOLATIONS:
            return Invalid("A value cannot be stored.", data={"fields": {}})
        return Conflict("This contradicts something that exists.")
    return None


def _framework_refusal(error: exceptions.APIException) -> Response:
    """REST framework's own: no key, wrong method, wrong media type, too many requests."""
    headers = {}
    challenge = getattr(error, "auth_header", None)
    if challenge:
        headers["WWW-Authenticate"] = challenge
    data: dict[str, Any] = {}
    wait = getattr(error, "wait", None)
    if wait is not None:
        headers["Retry-After"] = str(int(wait) + 1)
        data["retry_after_s"] = int(wait) + 1
    if isinstance(error, exceptions.ParseError):
        return _response(400, "invalid", "The body cannot be read.", {"fields": {}})
    code = _CODES.get(type(error), str(error.default_code))
    return _response(error.status_code, code, str(error.detail), data, headers)


def _unexpected(error: Exception, context: Mapping[str, Any]) -> Response:
    reference = secrets.token_hex(4)
    request = context["request"]
    logger.error(
        "unexpected error %s at %s %s", reference, request.method, request.path, exc_info=error
    )
    try:
        raise error
    except Exception:  # noqa: BLE001 - receivers read the current exception
        got_request_exception.send(sender=None, request=request._request)
    return _response(
        500,
        "internal_error",
        f"Something went wrong on our side. Try again, or tell us the reference {reference}.",
        {"reference": reference},
    )


def _response(
    status: int,
    code: str,
    message: str,
    data: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    body = {"code": code, "message": message, "data": dict(data or {})}
    return Response(body, status=status, headers=dict(headers or {}))


def flatten(detail: Any) -> dict[str, list[str]]:
    """Nested complaints by path: `{"evses.0.evse_id": ["…"]}`."""
    fields: dict[str, list[str]] = {}
    for path, sentence in _walk(detail, ""):
        fields.setdefault(path or "body", []).append(sentence)
    return fields


def _walk(detail: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(detail, Mapping):
        for key, value in detail.items():
            inner = path if key == "non_field_errors" else f"{path}.{key}" if path else str(key)
            yield from _walk(value, inner)
    elif isinstance(detail, list | tuple):
        for number, value in enumerate(detail):
            if isinstance(value, Mapping | list | tuple):
                yield from _walk(value, f"{path}.{number}" if path else str(number))
            else:
                yield path, str(value)
    else:
        yield path, str(detail)
