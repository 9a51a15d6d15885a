"""The OCPP versions we speak and what tells them apart on the wire."""

from __future__ import annotations

from enum import StrEnum


class Version(StrEnum):
    """A negotiated protocol version; its value is what our rows and REST spell."""

    V16 = "1.6"
    V201 = "2.0.1"
    V21 = "2.1"

    @property
    def subprotocol(self) -> str:
        """The name in Sec-WebSocket-Protocol."""
        return f"ocpp{self.value}"
