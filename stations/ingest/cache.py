"""What gateways know by heart: stations and id tokens, kept true by notifications.

Triggers in the database notify `magetsi_cache` on commit of any change, whoever makes it. While the listening
connection is down nothing here is trusted and every question goes to the database; after it is back everything is
forgotten once. Unknown stations and tokens are never kept.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.models.id_token import fold_uid
from accounts.services.authorization import FIND_BY_UID, KnownIdToken
from stations.choices import RegistrationStatus
from stations.ingest import sql

CHANNEL = "magetsi_cache"
MAX_TOKENS = 200_000

FetchOne = Callable[[str, tuple[Any, ...]], Awaitable[tuple[Any, ...] | None]]


@dataclass(frozen=True, slots=True)
class KnownStation:
    """What a gateway needs of a `ChargingStation` row; the columns of `sql.FIND_STATION`, in order."""

    id: int
    operator_id: int
    identity: str
    registration_status: str
    security_profile: int
    password_hash: str
    previous_password_hash: str
    previous_password_until: datetime | None
    accepts_literal_hex: bool
    assumes_ocpp16: bool
    time_zone: str
    offered_security_profile: int | None = None

    @property
    def accepted(self) -> bool:
        """Whether its boot is answered with Accepted."""
        return self.registration_status == RegistrationStatus.ACCEPTED


@dataclass(frozen=True, slots=True)
class ClientTrust:
    """What a shown client certificate is judged by; the columns of `sql.FIND_CLIENT_TRUST`, in order.

    `own_cas` and `trusted_cas` are PEM. The last three are about the shown certificate: its row at this station, if
    there is one, when it was revoked, and whether the station is known to have it.
    """

    own_cas: list[str]
    trusted_cas: list[str]
    serial_number: str
    certificate_id: int | None
    revoked_at: datetime | None
    installed: bool | None


class Cache:
    """Answers from memory, reads through `fetch_one` on a miss. One instance a process, one event loop."""

    def __init__(self, fetch_one: FetchOne) -> None:
        self._fetch_one = fetch_one
        self._stations: dict[str, KnownStation] = {}
        self._tokens: dict[tuple[int, str], KnownIdToken] = {}
        self._trusted = False
        # Counts forgetting, so that what was read before is not kept after.
        self._epoch = 0

    async def station(self, identity: str) -> KnownStation | None:
        """The station with this identity, compared exactly; None if there is none."""
        known = self._stations.get(identity)
        if known is not None:
            return known
        epoch = self._epoch
        row = await self._fetch_one(sql.FIND_STATION, (identity,))
        if row is None:
            return None
        station = KnownStation(*row)
        if self._trusted and epoch == self._epoch:
            self._stations[identity] = station
        return station

    async def client_trust(self, station: KnownStation, fingerprint: str) -> ClientTrust:
        """Whom to trust when this station shows a certificate (SHA-256 over its DER). Never from memory."""
        parameters = (station.operator_id, station.id, station.id, fingerprint)
        row = await self._fetch_one(sql.FIND_CLIENT_TRUST, parameters)
        assert row is not None  # noqa: S101 - one row, whatever the tables hold
        return ClientTrust(*row)

    async def id_token(self, operator_id: int, uid: str) -> KnownIdToken | None:
        """The operator's token with this uid, compared without case; None if there is none."""
        key = (operator_id, fold_uid(uid))
        known = self._tokens.get(key)
        if known is not None:
            return known
        epoch = self._epoch
        row = await self._fetch_one(FIND_BY_UID, key)
        if row is None:
            return None
        token = KnownIdToken.from_row(row)
        if self._trusted and epoch == self._epoch:
            if len(self._tokens) >= MAX_TOKENS:
                self._tokens.clear()
            self._tokens[key] = token
        return token

    def trust(self) -> None:
        """Notifications arrive again: forget everything once, then keep what is read."""
        self.forget_all()
        self._trusted = True

    def distrust(self) -> None:
        """Notifications may be missed from now on."""
        self._trusted = False
        self.forget_all()

    def forget_all(self) -> None:
        """Read everything anew."""
        self._epoch += 1
        self._stations.clear()
        self._tokens.clear()

    def forget(self, payload: str) -> str | None:
        """Act on a notification; returns the identity of the station that changed, if it is about one."""
        self._epoch += 1
        kind, _, name = payload.partition(":")
        if kind == "station":
            self._stations.pop(name, None)
            return name
        if kind == "id_token":
            operator, _, folded = name.partition(":")
            self._tokens.pop((int(operator), folded), None)
        elif kind == "group":
            operator_id = int(name)
            for key in [key for key in self._tokens if key[0] == operator_id]:
                del self._tokens[key]
        return None
