"""An operator as its own programs see it: a key for the REST API and the address stations dial."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

import httpx

from tests.conformance.wire import WireStation
from tests.server import ServerProcess

T = TypeVar("T")

PASSWORD = "key-of-twenty-chars!"
# 0.40 EUR/kWh and 20 % VAT: prices that can be checked in the head.
TARIFF = {
    "currency": "EUR",
    "elements": [
        {"price_components": [{"type": "ENERGY", "price": 0.40, "vat": 20, "step_size": 1}]}
    ],
}


def unique(prefix: str) -> str:
    """A name nobody else has; short enough for an idTag."""
    return f"{prefix}-{secrets.token_hex(5)}"


async def until(probe: Callable[[], Awaitable[T]], timeout_s: float = 20) -> T:
    """Ask again and again; the first true answer."""
    async with asyncio.timeout(timeout_s):
        while not (value := await probe()):
            await asyncio.sleep(0.05)
        return value


class Rest:
    """The API with one key. Every refusal has the one shape."""

    def __init__(self, url: str, key: str) -> None:
        self.http = httpx.AsyncClient(
            base_url=f"{url}/api/v1", headers={"Authorization": f"Bearer {key}"}, timeout=30
        )

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        status: int,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> Any:
        response = await self.http.request(
            method, path, json=body, headers=dict(headers or {}), params=params or None
        )
        assert response.status_code == status, (response.status_code, response.text)
        answer = response.json()
        if status >= 400:
            assert set(answer) == {"code", "message", "data"}, answer
        return answer

    async def get(self, path: str, *, status: int = 200, **params: Any) -> Any:
        return await self.send("GET", path, status=status, params=params)

    async def rows(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """One page of a list."""
        results: list[dict[str, Any]] = (await self.get(path, **params))["results"]
        return results

    async def post(
        self, path: str, body: Any = None, *, status: int = 201, key: str | None = None
    ) -> Any:
        """`key` is an Idempotency-Key."""
        headers = {"Idempotency-Key": key} if key else {}
        return await self.send("POST", path, body, status=status, headers=headers)

    async def patch(self, path: str, body: Any, *, status: int = 200) -> Any:
        return await self.send("PATCH", path, body, status=status)


@dataclass(frozen=True)
class Registered:
    """A station that the operator has registered."""

    identity: str
    password: str | bytes | None

    @property
    def path(self) -> str:
        return f"/stations/{quote(self.identity, safe='')}/"


class Site:
    """Everything a test does to the server goes through the API or a socket."""

    def __init__(self, server: ServerProcess, rest: Rest) -> None:
        self.server = server
        self.rest = rest

    # --- what the operator keeps --------------------------------------------------------------

    async def make_station(self, **fields: Any) -> Registered:
        """Profile 1 with PASSWORD, unless `fields` say otherwise."""
        secret = {} if "password_hex" in fields else {"password": PASSWORD}
        body = {"identity": unique("C"), **secret, **fields}
        row = await self.rest.post("/stations/", body)
        assert "password" not in row
        return Registered(row["identity"], PASSWORD)

    async def make_id_token(self, **fields: Any) -> str:
        """Its uid."""
        row = await self.rest.post("/id-tokens/", {"uid": unique("TAG"), **fields})
        return str(row["uid"])

    async def charge_money(self) -> None:
        """TARIFF for the whole operator."""
        tariff = await self.rest.post("/tariffs/", TARIFF)
        await self.rest.post("/tariff-assignments/", {"tariff": tariff["id"], "operator": True})

    @asynccontextmanager
    async def connect(
        self, station: Registered, *, boot: bool = True, server: ServerProcess | None = None
    ) -> AsyncIterator[WireStation]:
        """An open socket of the station, booted unless told."""
        url = (server or self.server).ocpp_url
        async with WireStation.open(url, station.identity, password=station.password) as wire:
            if boot:
                assert (await wire.boot())["status"] == "Accepted"
            yield wire

    # --- what the operator sees -----------------------------------------------------------------

    async def station(self, station: Registered) -> dict[str, Any]:
        row: dict[str, Any] = await self.rest.get(station.path)
        return row

    async def connector(self, station: Registered, connector_id: int = 1) -> dict[str, Any]:
        """The outlet that 1.6 numbers so."""
        [connector] = [
            evse["connectors"][0]
            for evse in (await self.station(station))["evses"]
            if evse["evse_id"] == connector_id
        ]
        return dict(connector)

    async def transactions(self, station: Registered) -> list[dict[str, Any]]:
        """The newest first."""
        return await self.rest.rows("/transactions/", station=station.identity)

    async def transaction(self, ocpp_id: int, station: Registered) -> dict[str, Any]:
        """The one that the station knows by this id."""
        [row] = [
            row
            for row in await self.transactions(station)
            if row["ocpp_transaction_id"] == str(ocpp_id)
        ]
        return row

    async def meter_values(self, transaction: Mapping[str, Any]) -> list[dict[str, Any]]:
        return await self.rest.rows(f"/transactions/{transaction['id']}/meter-values/", limit=200)

    async def session(self, transaction: Mapping[str, Any], *statuses: str) -> dict[str, Any]:
        """The transaction's session, once it has one of these statuses."""

        async def find() -> dict[str, Any] | None:
            rows = await self.rest.rows("/sessions/", transaction=transaction["id"])
            assert len(rows) <= 1
            return next((row for row in rows if row["status"] in statuses), None)

        found = await until(find)
        assert found is not None
        return found

    async def cdr(self, transaction: Mapping[str, Any]) -> dict[str, Any]:
        """The one record of a completed transaction, once the worker has made it."""
        await self.session(transaction, "completed")
        [cdr] = await self.rest.rows("/cdrs/", transaction=transaction["id"])
        return cdr

    # --- what the operator asks for -----------------------------------------------------------

    async def ask(self, station: Registered, action: str, **payload: Any) -> dict[str, Any]:
        """Queue a command; the row as it was taken."""
        row: dict[str, Any] = await self.rest.post(
            f"{station.path}commands/", {"action": action, "payload": payload}, status=202
        )
        assert (row["action"], row["status"], row["station"]) == (
            action,
            "queued",
            station.identity,
        )
        return row

    async def ended(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """The command once it is over."""

        async def find() -> dict[str, Any] | None:
            row: dict[str, Any] = await self.rest.get(f"/commands/{command['id']}/")
            return row if row["finished_at"] else None

        found = await until(find)
        assert found is not None
        return found
