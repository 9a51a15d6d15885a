"""Meters that restart, mix or mislabel."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..memory import LocalTransaction
from ..personalities import Personality
from ..wire import Payload

if TYPE_CHECKING:
    from ..outlet import Outlet
    from ..station import VirtualStation


class RegisterResetsEachSession(Personality):
    """Its meter starts at zero in every session."""

    name = "register_resets_each_session"
    source = "ChargeTimeEU/Java-OCA-OCPP#331"

    def before_start(self, outlet: Outlet) -> None:
        outlet.register_wh = 0.0


class RegisterResetsEachBoot(Personality):
    """Its meter starts at zero after every boot."""

    name = "register_resets_each_boot"
    source = "ChargeTimeEU/Java-OCA-OCPP#331"

    async def after_boot(self, station: VirtualStation) -> None:
        for outlet in station.outlets.values():
            outlet.register_wh = 0.0


class RelativeMeterValues(Personality):
    """Start and Stop carry the lifetime register, MeterValues the energy of the session."""

    name = "relative_meter_values"
    source = "lbbrhzn/ocpp#2093 (Grizzl-E)"

    def sample_register_wh(self, outlet: Outlet, tx: LocalTransaction | None) -> float:
        return tx.drawn_wh if tx is not None else 0.0


class LifetimeRegister(Personality):
    """Starts at zero but stops at the lifetime register: a session of 939 kWh and more."""

    name = "lifetime_register"
    source = "evcc-io/evcc#29654 (FoxESS)"
    lifetime_wh = 939_000

    def start_register_wh(self, outlet: Outlet) -> int:
        return 0

    def sample_register_wh(self, outlet: Outlet, tx: LocalTransaction | None) -> float:
        return self.lifetime_wh + outlet.register_wh

    def stop_register_wh(self, outlet: Outlet, tx: LocalTransaction) -> int:
        return self.lifetime_wh + round(outlet.register_wh)


class KwhLabelledWh(Personality):
    """Its MeterValues give kWh and call them Wh."""

    name = "kwh_labelled_wh"
    source = "OpenEVSE/openevse_esp32_firmware#703"

    def payload(self, action: str, payload: Payload) -> Payload:
        return _map_samples(action, payload, _kwh_called_wh)


def _kwh_called_wh(sample: Payload) -> list[Payload]:
    if sample["measurand"] != "Energy.Active.Import.Register":
        return [sample]
    return [{**sample, "value": f"{float(sample['value']) / 1000:.3f}"}]


class UnitlessAndEmptySamples(Personality):
    """Power without a unit and again in Wh, empty values, odd contexts, empty sampledValue."""

    name = "unitless_and_empty_samples"
    source = "lbbrhzn/ocpp#361, #466, #1617, #1989; evcc-io/evcc#17836"

    def payload(self, action: str, payload: Payload) -> Payload:
        payload = _map_samples(action, payload, self._spoil)
        if action == "MeterValues":
            empty = {"timestamp": payload["meterValue"][0]["timestamp"], "sampledValue": []}
            payload["meterValue"].append(empty)
        return payload

    @staticmethod
    def _spoil(sample: Payload) -> list[Payload]:
        match sample["measurand"]:
            case "Power.Active.Import":
                bare = {key: value for key, value in sample.items() if key != "unit"}
                return [bare, {**sample, "unit": "Wh"}]
            case "Current.Import":
                return [{**sample, "value": ""}]
            case "Voltage":
                return [{**sample, "context": "Sample.Unknown"}]
        return [sample]


def _map_samples(
    action: str, payload: Payload, change: Callable[[Payload], list[Payload]]
) -> Payload:
    if action != "MeterValues":
        return payload
    values = [
        {**value, "sampledValue": [new for old in value["sampledValue"] for new in change(old)]}
        for value in payload["meterValue"]
    ]
    return {**payload, "meterValue": values}
