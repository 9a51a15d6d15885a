"""Websocket addresses of live pages."""

from typing import Any

websocket_urlpatterns: list[Any] = []
