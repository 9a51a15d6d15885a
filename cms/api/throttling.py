"""Requests a key may make; off unless `API_THROTTLE` says otherwise."""

import logging
from typing import TYPE_CHECKING

from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from accounts.services.actors import Actor

if TYPE_CHECKING:
    # The settings of REST framework import this module; its views import the settings.
    from rest_framework.views import APIView

logger = logging.getLogger(__name__)


class ApiKeyThrottle(SimpleRateThrottle):
    """Counts by key in Redis. Without Redis nobody is refused: counting is not worth an outage."""

    scope = "key"

    def get_cache_key(self, request: Request, view: "APIView") -> str | None:
        if not isinstance(request.auth, Actor):
            return None
        return self.cache_format % {"scope": self.scope, "ident": request.auth.key}

    def allow_request(self, request: Request, view: "APIView") -> bool:
        try:
            return super().allow_request(request, view)
        except RedisError:
            logger.warning("requests are not counted: Redis cannot be reached")
            return True
