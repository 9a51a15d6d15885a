"""Back to where somebody came from, once a question is answered."""

from urllib.parse import urlsplit

from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme


def way_back(request: HttpRequest) -> str:
    """An address of the portal: what the form carries, else the page that led here, else the overview.

    A question is asked on a page of its own or on top of another one (`js/dialog.js`); the browser
    names the page before it either way. Its form carries the answer on as `next`, since what a form
    sends comes from itself.
    """
    asked = (
        request.POST.get("next") or request.GET.get("next") or request.headers.get("Referer", "")
    )
    safe = url_has_allowed_host_and_scheme(
        asked, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    parts = urlsplit(asked if safe else "")
    portal = reverse("operator")
    if not parts.path.startswith(portal) or parts.path == request.path:
        return portal
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
