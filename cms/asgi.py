"""The one ASGI application: pages and API over HTTP, stations and live pages over websocket.

The gateway, which holds the stations' sockets, lives from lifespan startup to shutdown; without lifespan (plain
daphne) pages are served and stations are refused.
"""

import os
from collections.abc import Awaitable, Callable
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cms.settings.dev")

from django.core.asgi import get_asgi_application

# Loads the apps, which the rest needs to be imported.
_http = get_asgi_application()

from cms.application import Application  # noqa: E402

application: Callable[..., Awaitable[Any]] = Application(_http)
