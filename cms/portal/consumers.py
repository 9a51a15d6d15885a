"""The websocket of open pages: says that something changed, and nothing else.

A page that hears of a change asks for itself again over HTTP, where sessions, teams and roles are checked
anew; no data travels here.
"""

import logging
import re
from typing import Any, TypedDict
from urllib.parse import urlsplit

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings

from accounts.models import Membership, User
from accounts.services.permissions import allows
from cms.portal.access import SESSION_KEY, choose_membership, memberships_of
from stations.newcomers import NEWCOMERS

logger = logging.getLogger("magetsi.errors")

NOT_ALLOWED = 4403
_LOST = re.compile(rb"lost=([0-9A-F]{8})")


class StationsChanged(TypedDict):
    """What a gateway publishes to the groups `operator.<pk>` and `newcomers`."""

    type: str
    stations: list[int]


class OperatorConsumer(AsyncJsonWebsocketConsumer):
    """`/ws/operator/`: sends `{"changed": [station ids]}` as stations of the member's operator change."""

    heard: tuple[str, ...] = ()

    async def connect(self) -> None:
        membership = await self._membership() if self._is_own_page() else None
        if membership is None:
            await self.close(code=NOT_ALLOWED)
            return
        self.heard = (f"operator.{membership.operator_id}",)
        if allows(membership.role, "handshakes.adopt"):
            self.heard += (NEWCOMERS,)
        for group in self.heard:
            await self.channel_layer.group_add(group, self.channel_name)
        await self.accept()
        lost = _LOST.fullmatch(self.scope["query_string"])
        if lost:  # the reference that the page showed meanwhile
            logger.info("ref %s: a live page lost its connection and is back", lost[1].decode())
        await self.send_json({"changed": []})

    async def disconnect(self, code: int) -> None:
        for group in self.heard:
            await self.channel_layer.group_discard(group, self.channel_name)

    async def receive(self, text_data: Any = None, bytes_data: Any = None, **kwargs: Any) -> None:
        """Pages have nothing to say here."""

    async def stations_changed(self, event: StationsChanged) -> None:
        await self.send_json({"changed": event["stations"]})

    def _is_own_page(self) -> bool:
        """Whether the page that asks came from here; cookies alone would let foreign pages listen."""
        headers = dict(self.scope["headers"])
        origin = headers.get(b"origin", b"").decode("latin-1")
        host = headers.get(b"host", b"").decode("latin-1")
        return bool(origin) and (
            urlsplit(origin).netloc == host or origin in settings.CSRF_TRUSTED_ORIGINS
        )

    async def _membership(self) -> Membership | None:
        user = self.scope.get("user")
        if not isinstance(user, User) and not getattr(user, "is_authenticated", False):
            return None
        slug = await database_sync_to_async(self.scope["session"].get)(SESSION_KEY)
        memberships = await database_sync_to_async(memberships_of)(user)
        return choose_membership(memberships, slug)
