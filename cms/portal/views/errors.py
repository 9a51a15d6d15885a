"""Error pages: one sentence, a next step, and a reference that is in the log beside the error."""

import logging
import secrets

from django.http import HttpRequest, HttpResponse
from django.template import loader

logger = logging.getLogger("magetsi.errors")


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400."""
    return _error(request, 400)


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403; the sentence of a domain function is shown, since it was written for people."""
    return _error(request, 403, reason=str(exception or ""))


def page_not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404."""
    return _error(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    """500; asks neither the database nor the session."""
    return _error(request, 500)


def _error(request: HttpRequest, status: int, reason: str = "") -> HttpResponse:
    reference = secrets.token_hex(4).upper()
    log = logger.error if status >= 500 else logger.info
    log("ref %s: %s %s answered with %s", reference, request.method, request.path, status)
    template = loader.get_template(f"{status}.html")
    return HttpResponse(template.render({"reference": reference, "reason": reason}), status=status)
