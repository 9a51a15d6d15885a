"""How much anybody may send: files where files are taken, little elsewhere."""

from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings

Scope = dict[str, Any]
ASGIApplication = Callable[[Scope, Callable[..., Any], Callable[..., Any]], Awaitable[None]]

# What stands around a file in a form.
_ENVELOPE_BYTES = 64 * 1024
_FORM_BYTES = 4 * 1024 * 1024


def body_limit(path: str) -> int:
    """The most bytes that the body of a request to `path` may have; views decide on less."""
    if path.startswith("/files/uploads/"):
        return settings.LOG_UPLOAD_MAX_BYTES + _ENVELOPE_BYTES
    if path in ("/api/v1/firmware/", "/operator/firmware/"):
        return settings.FIRMWARE_MAX_BYTES + _ENVELOPE_BYTES
    return _FORM_BYTES


class BodyLimitMiddleware:
    """Answers 413 as soon as a body is too large, by its own account or while it comes.

    Our own server asks `body_limit` itself before it keeps anything; this holds behind any other.
    """

    def __init__(self, app: ASGIApplication) -> None:
        self._app = app

    async def __call__(
        self, scope: Scope, receive: Callable[..., Any], send: Callable[..., Any]
    ) -> None:
        limit = body_limit(scope["path"])
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > limit:
            await _refuse(send)
            return
        seen_bytes, refused = 0, False

        async def receive_bounded() -> dict[str, Any]:
            nonlocal seen_bytes, refused
            message: dict[str, Any] = await receive()
            if message["type"] == "http.request":
                seen_bytes += len(message.get("body", b""))
                if seen_bytes > limit:
                    refused = True
                    # To the application, its client has gone.
                    return {"type": "http.disconnect"}
            return message

        await self._app(scope, receive_bounded, send)
        if refused:
            await _refuse(send)


async def _refuse(send: Callable[..., Any]) -> None:
    headers = [(b"content-type", b"text/plain"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": b"The body is too large.\n"})
