"""Who gets which connection: the router of the ASGI application, and the gateway's life."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.conf import settings

from cms.bodies import BodyLimitMiddleware, body_limit
from cms.portal.routing import websocket_urlpatterns
from cms.proxy import TrustedProxyMiddleware
from stations.gateway import Gateway
from stations.ocpp.consumer import Endpoint, OcppConsumer
from stations.ocpp.schemas import preload
from stations.ocpp.versions import Version

logger = logging.getLogger(__name__)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Callable[..., Any], Callable[..., Any]], Awaitable[Any]]

OCPP_PREFIX = "/ocpp/"


class Application:
    """Routes by kind of connection; stations come first because they are many."""

    def __init__(self, http: Asgi) -> None:
        self._http = TrustedProxyMiddleware(BodyLimitMiddleware(http), settings.TRUSTED_PROXIES)
        # For a server that keeps a body before it asks the application.
        self.body_limit = body_limit
        self._stations = TrustedProxyMiddleware(self._serve_station, settings.TRUSTED_PROXIES)
        self._pages = AllowedHostsOriginValidator(
            AuthMiddlewareStack(URLRouter(websocket_urlpatterns))
        )
        self._endpoint: Endpoint | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http":
            await self._http(scope, receive, send)
        elif kind == "lifespan":
            await self._live(receive, send)
        elif scope["path"].startswith(OCPP_PREFIX) or scope["path"] == "/ocpp":
            await self._stations(scope, receive, send)
        else:
            await self._pages(scope, receive, send)

    async def _serve_station(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._endpoint is None:
            await receive()
            await send({"type": "websocket.close", "code": 1013})
            return
        consumer = OcppConsumer()
        consumer.endpoint = self._endpoint
        await consumer(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        gateway = Gateway()
        try:
            preload(Version.V16)
            await gateway.start()
        except Exception as error:  # noqa: BLE001 - the server must learn of it and end
            logger.exception("the gateway did not start")
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        self._endpoint = Endpoint(gateway)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await gateway.stop()
        await send({"type": "lifespan.shutdown.complete"})
