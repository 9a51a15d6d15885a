"""Headers that keep foreign scripts out of our pages."""

from collections.abc import Callable, Iterable

from django.http import HttpRequest, HttpResponse


def policy(*, images: Iterable[str] = ()) -> str:
    """The Content-Security-Policy of a page that may also load pictures from `images`."""
    return "; ".join(
        [
            "default-src 'self'",
            " ".join(["img-src 'self' data:", *images]),
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ]
    )


POLICY = policy()


class ContentSecurityPolicyMiddleware:
    """Sets the Content-Security-Policy of every response that has none."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response
