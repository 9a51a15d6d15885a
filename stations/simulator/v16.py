"""The 1.6 dialect: what a station's events look like as 1.6 messages.

The seam for other versions: `VirtualStation` and `Outlet` know events only. A 2.x dialect offers the
same methods (one TransactionEvent instead of three messages) and its own table of commands.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from .commands import COMMANDS
from .curve import Current, Reading
from .memory import LocalTransaction
from .wire import Payload

if TYPE_CHECKING:
    from .outlet import Outlet
    from .personalities import Personality

Message = tuple[str, Payload]

# Sent when the central system never told us the transaction's id (OCPP 1.6 errata 3.18).
UNKNOWN_TRANSACTION_ID = -1


class Dialect16:
    subprotocol = "ocpp1.6"
    commands = COMMANDS

    def __init__(self, personality: Personality, *, vendor: str, model: str, serial: str) -> None:
        self._personality = personality
        self._vendor = vendor
        self._model = model
        self._serial = serial

    def _time(self, at: datetime) -> str:
        return self._personality.timestamp(at)

    def boot(self, firmware_version: str) -> Message:
        return "BootNotification", {
            "chargePointVendor": self._vendor,
            "chargePointModel": self._model,
            "chargePointSerialNumber": self._serial,
            "firmwareVersion": firmware_version,
        }

    def heartbeat(self) -> Message:
        return "Heartbeat", {}

    def status(
        self, connector_id: int, status: str, at: datetime, error_code: str = "NoError"
    ) -> Message:
        return "StatusNotification", {
            "connectorId": connector_id,
            "errorCode": error_code,
            "status": status,
            "timestamp": self._personality.status_timestamp(at),
        }

    def authorize(self, id_tag: str) -> Message:
        return "Authorize", {"idTag": id_tag}

    def start(self, tx: LocalTransaction) -> Message:
        payload: Payload = {
            "connectorId": tx.connector_id,
            "idTag": tx.id_tag,
            "meterStart": tx.meter_start_wh,
            "timestamp": self._time(tx.started_at),
        }
        if tx.reservation_id is not None:
            payload["reservationId"] = tx.reservation_id
        return "StartTransaction", payload

    def meter_values(self, connector_id: int, values: Sequence[Payload]) -> Message:
        return "MeterValues", {"connectorId": connector_id, "meterValue": list(values)}

    def stop(self, tx: LocalTransaction) -> Message:
        assert tx.stopped_at is not None  # noqa: S101 - a caller's mistake, not bad input
        payload: Payload = {"meterStop": tx.meter_stop_wh, "timestamp": self._time(tx.stopped_at)}
        if tx.reason is not None and tx.reason != "Local":
            payload["reason"] = tx.reason
        if tx.stop_id_tag is not None:
            payload["idTag"] = tx.stop_id_tag
        if tx.boundary_samples:
            payload["transactionData"] = tx.boundary_samples
        return "StopTransaction", payload

    def complete(self, action: str, payload: Payload, transaction_id: int | None) -> Payload:
        """Add the transaction id, known only when the message is sent."""
        if action == "StartTransaction":
            return payload
        known = UNKNOWN_TRANSACTION_ID if transaction_id is None else transaction_id
        return {**payload, "transactionId": known}

    def transaction_id(self, action: str, result: Payload) -> int | None:
        return result.get("transactionId") if action == "StartTransaction" else None

    def id_tag_status(self, result: Payload) -> str | None:
        """None when the answer says nothing about the tag."""
        status = result.get("idTagInfo", {}).get("status")
        return status if isinstance(status, str) else None

    def sample(
        self,
        outlet: Outlet,
        reading: Reading,
        at: datetime,
        context: str,
        measurands: Sequence[str],
    ) -> Payload:
        """One `meterValue`: a reading in the measurands asked for."""
        place = "Outlet"
        samples: list[Payload] = []

        def add(measurand: str, value: str, unit: str, phase: str | None = None) -> None:
            sample = {"value": value, "context": context, "measurand": measurand}
            if phase:
                sample["phase"] = phase
            samples.append({**sample, "location": place, "unit": unit})

        for measurand in measurands:
            match measurand:
                case "Energy.Active.Import.Register":
                    add(measurand, f"{reading.energy_wh:.0f}", "Wh")
                case "Power.Active.Import":
                    add(measurand, f"{reading.power_w:.1f}", "W")
                case "Voltage":
                    add(measurand, f"{reading.voltage_v:.1f}", "V")
                case "SoC" if reading.soc_percent is not None:
                    samples.append(
                        {
                            "value": f"{reading.soc_percent:.0f}",
                            "context": context,
                            "measurand": measurand,
                            "location": "EV",
                            "unit": "Percent",
                        }
                    )
                case "Current.Import" if outlet.spec.current is Current.DC:
                    add(measurand, f"{reading.currents_a[0]:.1f}", "A")
                case "Current.Import":
                    for number, amps in enumerate(reading.currents_a, start=1):
                        add(measurand, f"{amps:.1f}", "A", f"L{number}")
        return {"timestamp": self._time(at), "sampledValue": samples}
