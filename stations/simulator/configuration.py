"""The configuration keys of a 1.6 station, and what changing each of them means."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .smart_charging import MAX_PERIODS, MAX_PROFILES, MAX_STACK_LEVEL
from .wire import Payload

MEASURANDS = (
    "Energy.Active.Import.Register",
    "Power.Active.Import",
    "Current.Import",
    "Voltage",
    "SoC",
)


@dataclass
class Setting:
    """`kind` is int, bool, text, csl (comma separated measurands) or secret (write-only)."""

    value: str
    kind: str = "text"
    readonly: bool = False
    needs_reboot: bool = False

    def accepts(self, value: str) -> bool:
        match self.kind:
            case "int":
                return value.isascii() and value.isdigit()
            case "bool":
                return value.lower() in ("true", "false")
            case "csl":
                return all(part.strip() in MEASURANDS for part in value.split(",") if part.strip())
        return len(value) <= 500


def default_settings(connectors: int) -> dict[str, Setting]:
    """Source: OCPP 1.6 §9.1 (core profile) and the security whitepaper's AuthorizationKey."""
    return {
        "AllowOfflineTxForUnknownId": Setting("true", "bool"),
        "AuthorizationKey": Setting("", "secret"),
        "ChargeProfileMaxStackLevel": Setting(str(MAX_STACK_LEVEL), "int", readonly=True),
        "ChargingScheduleAllowedChargingRateUnit": Setting("Current,Power", readonly=True),
        "ChargingScheduleMaxPeriods": Setting(str(MAX_PERIODS), "int", readonly=True),
        "AuthorizeRemoteTxRequests": Setting("false", "bool"),
        "ClockAlignedDataInterval": Setting("0", "int", readonly=True),
        "ConnectionTimeOut": Setting("60", "int"),
        "ConnectorPhaseRotation": Setting("NotApplicable", readonly=True),
        "GetConfigurationMaxKeys": Setting("50", "int", readonly=True),
        "HeartbeatInterval": Setting("300", "int"),
        "LocalAuthListEnabled": Setting("true", "bool"),
        "LocalAuthListMaxLength": Setting("1000", "int", readonly=True),
        "LocalAuthorizeOffline": Setting("true", "bool"),
        "LocalPreAuthorize": Setting("false", "bool", readonly=True),
        "MaxChargingProfilesInstalled": Setting(str(MAX_PROFILES), "int", readonly=True),
        "MeterValueSampleInterval": Setting("60", "int"),
        "MeterValuesAlignedData": Setting("", "csl", readonly=True),
        "MeterValuesSampledData": Setting(",".join(MEASURANDS), "csl"),
        "NumberOfConnectors": Setting(str(connectors), "int", readonly=True),
        "ReserveConnectorZeroSupported": Setting("true", "bool", readonly=True),
        "ResetRetries": Setting("1", "int"),
        "SecurityProfile": Setting("1", "int"),
        "SendLocalListMaxLength": Setting("100", "int", readonly=True),
        "StopTransactionOnEVSideDisconnect": Setting("true", "bool", readonly=True),
        "StopTransactionOnInvalidId": Setting("true", "bool"),
        "StopTxnAlignedData": Setting("", "csl", readonly=True),
        "StopTxnSampledData": Setting("", "csl"),
        "SupportedFeatureProfiles": Setting(
            "Core,FirmwareManagement,LocalAuthListManagement,RemoteTrigger,Reservation,SmartCharging",
            readonly=True,
        ),
        "TransactionMessageAttempts": Setting("3", "int"),
        "TransactionMessageRetryInterval": Setting("60", "int"),
        "UnlockConnectorOnEVSideDisconnect": Setting("true", "bool"),
        "WebSocketPingInterval": Setting("0", "int", needs_reboot=True),
    }


class Configuration:
    def __init__(self, connectors: int, overrides: dict[str, str] | None = None) -> None:
        self.settings = default_settings(connectors)
        for key, value in (overrides or {}).items():
            self.settings.setdefault(key, Setting("")).value = value

    def text(self, key: str) -> str:
        return self.settings[key].value

    def integer(self, key: str) -> int:
        return int(self.settings[key].value)

    def flag(self, key: str) -> bool:
        return self.settings[key].value.lower() == "true"

    def supports(self, profile: str) -> bool:
        """Whether a feature profile (OCPP 1.6 §3.3) is among those the station has."""
        return profile in self.text("SupportedFeatureProfiles").split(",")

    def measurands(self, key: str) -> list[str]:
        return [part.strip() for part in self.text(key).split(",") if part.strip()]

    def set(self, key: str, value: str) -> None:
        self.settings[key].value = value

    def read(self, keys: Iterable[str]) -> Payload:
        """Answer of GetConfiguration; no keys means all. A secret shows only that it exists."""
        wanted = list(keys) or [k for k, s in self.settings.items() if s.kind != "secret"]
        known = [key for key in wanted if key in self.settings]
        answer: Payload = {"configurationKey": [self._entry(key) for key in known]}
        unknown = [key for key in wanted if key not in self.settings]
        if unknown:
            answer["unknownKey"] = unknown
        return answer

    def _entry(self, key: str) -> Payload:
        setting = self.settings[key]
        entry: Payload = {"key": key, "readonly": setting.readonly}
        if setting.kind != "secret":
            entry["value"] = setting.value
        return entry

    def change(self, key: str, value: str) -> str:
        """Apply a ChangeConfiguration and return its status. Secrets are the caller's business."""
        setting = self.settings.get(key)
        if setting is None:
            return "NotSupported"
        if setting.readonly or not setting.accepts(value):
            return "Rejected"
        setting.value = value
        return "RebootRequired" if setting.needs_reboot else "Accepted"


def decode_authorization_key(value: str) -> bytes | None:
    """The key is written as hex: 16 to 20 bytes. None if it is not that (OCPP-J 1.6 errata 3.10)."""
    try:
        key = bytes.fromhex(value)
    except ValueError:
        return None
    return key if 16 <= len(key) <= 20 else None
