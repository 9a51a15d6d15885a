"""Virtual charging stations: they speak OCPP over real sockets and behave like hardware, good and bad.

Operators try tariffs and train staff with them; tests and fault runs use them as an independent
witness of what the central system acknowledged. For that reason nothing here imports the server's
own protocol code, and nothing needs Django (only the management command does).
"""

from .client import CallErrorReceived, CallTimeout, ConnectionLost, HandshakeRefused, RawClient
from .curve import Vehicle
from .journal import Journal
from .personalities import Personality, all_personalities, personality
from .station import OutletSpec, VirtualStation

__all__ = [
    "CallErrorReceived",
    "CallTimeout",
    "ConnectionLost",
    "HandshakeRefused",
    "Journal",
    "OutletSpec",
    "Personality",
    "RawClient",
    "Vehicle",
    "VirtualStation",
    "all_personalities",
    "personality",
]
