"""Stations in closed loop: each sends its next message when the last is answered."""

import asyncio
import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count

from cms.base.time import rfc3339
from stations.simulator.client import RawClient

METER_VALUES = 10
# About 750 bytes, as stations send them.
_SAMPLES = [
    ("Energy.Active.Import.Register", None, "Wh"),
    ("Power.Active.Import", None, "W"),
    ("Current.Import", "L1", "A"),
    ("Current.Import", "L2", "A"),
    ("Voltage", "L1-N", "V"),
    ("SoC", None, "Percent"),
]


class WrongAnswer(AssertionError):
    """The server answered something else than it must; the figures would be worth nothing."""


@dataclass
class Tally:
    """What a run saw. `latencies_s` are those of all messages, unordered."""

    latencies_s: list[float] = field(default_factory=list)
    transaction_ids: set[int] = field(default_factory=set)
    boots_s: float = 0.0


class LoadStation:
    """One station that repeats whole sessions and checks every answer."""

    def __init__(self, client: RawClient, id_tag: str, tally: Tally) -> None:
        self._client = client
        self._id_tag = id_tag
        self._tally = tally
        self._ids = count(1)

    async def call(self, action: str, payload: dict[str, object]) -> dict[str, object]:
        """Send, await the answer, check that it is one."""
        message_id = str(next(self._ids))
        began = time.perf_counter()
        await self._client.send(json.dumps([2, message_id, action, payload], separators=(",", ":")))
        frame = json.loads(await self._client.receive(60))
        self._tally.latencies_s.append(time.perf_counter() - began)
        if frame[0] != 3 or frame[1] != message_id:
            raise WrongAnswer(f"{action}: {frame}")
        return dict(frame[2])

    async def boot(self) -> None:
        """BootNotification; must be Accepted."""
        answer = await self.call(
            "BootNotification", {"chargePointVendor": "Bench", "chargePointModel": "One"}
        )
        if answer["status"] != "Accepted":
            raise WrongAnswer(f"BootNotification: {answer}")

    async def sessions_until(self, deadline: float) -> None:
        """Whole sessions, one after the other, until the time of the performance counter."""
        while time.perf_counter() < deadline:
            await self._session(deadline)

    async def _session(self, deadline: float) -> None:
        answer = await self.call("Authorize", {"idTag": self._id_tag})
        if answer["idTagInfo"] != {"status": "Accepted"}:
            raise WrongAnswer(f"Authorize: {answer}")
        await self._status("Preparing")
        start = await self.call(
            "StartTransaction",
            {"connectorId": 1, "idTag": self._id_tag, "meterStart": 0, "timestamp": _now()},
        )
        tx_id = start["transactionId"]
        if not isinstance(tx_id, int) or tx_id in self._tally.transaction_ids:
            raise WrongAnswer(f"StartTransaction: {start}")
        self._tally.transaction_ids.add(tx_id)
        await self._status("Charging")
        for number in range(1, METER_VALUES + 1):
            if time.perf_counter() >= deadline:
                return
            await self.call("MeterValues", _meter_values(tx_id, number))
        await self.call(
            "StopTransaction",
            {"transactionId": tx_id, "meterStop": 1000, "timestamp": _now(), "idTag": self._id_tag},
        )
        await self._status("Available")
        await self.call("Heartbeat", {})

    async def _status(self, status: str) -> None:
        await self.call(
            "StatusNotification",
            {"connectorId": 1, "errorCode": "NoError", "status": status, "timestamp": _now()},
        )


async def session_mix(url: str, identities: list[str], id_tag: str, seconds: float) -> Tally:
    """Connect and boot all stations, then run sessions; raises WrongAnswer if any answer is wrong."""
    tally = Tally()
    began = time.perf_counter()

    async def arrive(identity: str) -> LoadStation:
        station = LoadStation(await RawClient.open(url, identity), id_tag, tally)
        await station.boot()
        return station

    stations = await asyncio.gather(*(arrive(identity) for identity in identities))
    tally.boots_s = time.perf_counter() - began
    tally.latencies_s.clear()
    deadline = time.perf_counter() + seconds
    await asyncio.gather(*(station.sessions_until(deadline) for station in stations))
    await asyncio.gather(*(station._client.close() for station in stations))
    return tally


def _meter_values(tx_id: int, number: int) -> dict[str, object]:
    samples = []
    for measurand, phase, unit in _SAMPLES:
        sample = {
            "value": f"{number * 100}.5",
            "context": "Sample.Periodic",
            "measurand": measurand,
        }
        if phase:
            sample["phase"] = phase
        samples.append(sample | {"location": "Outlet", "unit": unit})
    samples[-1]["value"] = str(number)
    return {
        "connectorId": 1,
        "transactionId": tx_id,
        "meterValue": [{"timestamp": _now(), "sampledValue": samples}],
    }


def _now() -> str:
    return rfc3339(datetime.now(UTC))
