"""Error pages: one sentence, a next step, and a reference that is in the log beside the error.

The reference is in the header `X-Reference` too, for scripts. The pages of 500 and 503 stand on their own:
they extend nothing and ask for nothing, so whatever broke does not break them too.
"""

import logging
import secrets
import sys

import django.db
import redis
from django.http import HttpRequest, HttpResponse
from django.template import loader
from django.utils.translation import gettext as _

logger = logging.getLogger("magetsi.errors")

RETRY_AFTER_S = 15

# What is no fault of ours and passes: a server behind us is away or starts again.
PASSING = (django.db.OperationalError, django.db.InterfaceError, redis.ConnectionError)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400."""
    return _error(request, 400)


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403; the sentence of a domain function is shown, since it was written for people."""
    return _error(request, 403, words=str(exception or ""))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 of a form whose token is missing or old; Django's reason is for the log."""
    return _error(request, 403, template_name="403_csrf.html", reason=reason)


def page_not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404."""
    return _error(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    """500, or 503 where the error that is being handled passes by itself."""
    if isinstance(sys.exc_info()[1], PASSING):
        response = _error(request, 503)
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
        return response
    return _error(request, 500)


def _error(
    request: HttpRequest, status: int, *, words: str = "", template_name: str = "", reason: str = ""
) -> HttpResponse:
    """`words` are shown, `reason` is logged."""
    reference = secrets.token_hex(4).upper()
    log = logger.error if status >= 500 else logger.info
    log(
        "ref %s: %s %s answered with %s %s", reference, request.method, request.path, status, reason
    )
    context = {
        "reference": reference,
        "reason": words,
        "is_operator": request.path.startswith("/operator/"),
    }
    try:
        text = loader.get_template(template_name or f"{status}.html").render(context)
    except Exception:
        logger.exception("ref %s: the page of %s could not be made", reference, status)
        text = _("Something went wrong on our side. Try again in a moment.") + f" ({reference})"
    response = HttpResponse(text, status=status)
    response.headers["X-Reference"] = reference
    return response
