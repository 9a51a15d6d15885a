"""The messages of each OCPP version: who may send them, their JSON Schema, their shape.

The schema files are those of the `ocpp` package. A schema is read and compiled when its message is first asked for
(`preload` does it ahead), with these changes, because a rule of ours or a fault of the file says so:

- numbers without bounds are bounded to 64 bits, what a database column and our JSON writer hold;
- `sampledValue` may be empty: a reading without samples is answered, there is just nothing to keep;
- the 1.6 StopTransaction takes the samples that MeterValues takes (its own list lacks the unit Hertz);
- `format` is not enforced on what stations send (senseless timestamps are stored and flagged), only on what we send.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from functools import cached_property
from importlib.resources import files
from typing import Any, TypeAlias

import jsonschema_rs
from jsonschema_rs import Validator

from stations.ocpp.versions import Version

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1

Schema: TypeAlias = dict[str, Any]


class Sender(Enum):
    """Which side may send an action as a CALL (or, in 2.1, a SEND)."""

    STATION = "station"
    CSMS = "csms"
    BOTH = "both"


_STATION_16 = """
    Authorize BootNotification DiagnosticsStatusNotification FirmwareStatusNotification Heartbeat
    LogStatusNotification MeterValues SecurityEventNotification SignCertificate SignedFirmwareStatusNotification
    StartTransaction StatusNotification StopTransaction
"""
_CSMS_16 = """
    CancelReservation CertificateSigned ChangeAvailability ChangeConfiguration ClearCache ClearChargingProfile
    DeleteCertificate ExtendedTriggerMessage GetCompositeSchedule GetConfiguration GetDiagnostics
    GetInstalledCertificateIds GetLocalListVersion GetLog InstallCertificate RemoteStartTransaction
    RemoteStopTransaction ReserveNow Reset SendLocalList SetChargingProfile SignedUpdateFirmware TriggerMessage
    UnlockConnector UpdateFirmware
"""
_STATION_201 = """
    Authorize BootNotification ClearedChargingLimit FirmwareStatusNotification Get15118EVCertificate
    GetCertificateStatus Heartbeat LogStatusNotification MeterValues NotifyChargingLimit NotifyCustomerInformation
    NotifyDisplayMessages NotifyEVChargingNeeds NotifyEVChargingSchedule NotifyEvent NotifyMonitoringReport
    NotifyReport PublishFirmwareStatusNotification ReportChargingProfiles ReservationStatusUpdate
    SecurityEventNotification SignCertificate StatusNotification TransactionEvent
"""
_CSMS_201 = """
    CancelReservation CertificateSigned ChangeAvailability ClearCache ClearChargingProfile ClearDisplayMessage
    ClearVariableMonitoring CostUpdated CustomerInformation DeleteCertificate GetBaseReport GetChargingProfiles
    GetCompositeSchedule GetDisplayMessages GetInstalledCertificateIds GetLocalListVersion GetLog
    GetMonitoringReport GetReport GetTransactionStatus GetVariables InstallCertificate PublishFirmware
    RequestStartTransaction RequestStopTransaction ReserveNow Reset SendLocalList SetChargingProfile
    SetDisplayMessage SetMonitoringBase SetMonitoringLevel SetNetworkProfile SetVariableMonitoring SetVariables
    TriggerMessage UnlockConnector UnpublishFirmware UpdateFirmware
"""
_STATION_21_ONLY = """
    BatterySwap ClosePeriodicEventStream GetCertificateChainStatus NotifyDERAlarm NotifyDERStartStop
    NotifyPeriodicEventStream NotifyPriorityCharging NotifySettlement OpenPeriodicEventStream
    PullDynamicScheduleUpdate ReportDERControl VatNumberValidation
"""
_CSMS_21_ONLY = """
    AFRRSignal AdjustPeriodicEventStream ChangeTransactionTariff ClearDERControl ClearTariffs GetDERControl
    GetPeriodicEventStream GetTariffs NotifyAllowedEnergyTransfer NotifyWebPaymentStarted RequestBatterySwap
    SetDERControl SetDefaultTariff UpdateDynamicSchedule UsePriorityCharging
"""


def _senders(station: str, csms: str) -> Mapping[str, Sender]:
    return (
        dict.fromkeys(station.split(), Sender.STATION)
        | dict.fromkeys(csms.split(), Sender.CSMS)
        | {"DataTransfer": Sender.BOTH}
    )


SENDERS: Mapping[Version, Mapping[str, Sender]] = {
    Version.V16: _senders(_STATION_16, _CSMS_16),
    Version.V201: _senders(_STATION_201, _CSMS_201),
    Version.V21: _senders(_STATION_201 + _STATION_21_ONLY, _CSMS_201 + _CSMS_21_ONLY),
}
# Messages of OCPP 2.1 that travel as SEND: they have no response, and their schema file no suffix.
UNANSWERED = frozenset({"NotifyPeriodicEventStream"})

# Where a message carries meter readings: a list of {timestamp, sampledValue: [sample, ...]}.
METER_FIELDS: Mapping[str, str] = {
    "MeterValues": "meterValue",
    "StopTransaction": "transactionData",
    "TransactionEvent": "meterValue",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """What a schema says about one value: its properties in order, or its items.

    `is_open`: properties it does not name may join; `is_any`: it names no type, so even null will do.
    """

    properties: Mapping[str, Shape]
    required: frozenset[str]
    items: Shape | None
    is_open: bool
    is_any: bool


class Message:
    """One message of one version, ready to check and to order."""

    def __init__(self, schema: Schema, action: str) -> None:
        self._schema = schema
        self._reading = _reading_schema(schema, action)
        self.meter_field = METER_FIELDS[action] if self._reading is not None else None
        self.shape = _shape(schema, schema, {})
        self.is_valid: Callable[[object], bool] = self.validator.is_valid

    @cached_property
    def validator(self) -> Validator:
        """For what stations send."""
        return jsonschema_rs.validator_for(self._schema, validate_formats=False, offline=True)

    @cached_property
    def strict_validator(self) -> Validator:
        """For what we send: formats count."""
        return jsonschema_rs.validator_for(self._schema, validate_formats=True, offline=True)

    @cached_property
    def sample_validator(self) -> Validator | None:
        """For one element of `sampledValue`; None where the message has no readings."""
        if self._reading is None:
            return None
        schema = {
            "$schema": self._schema["$schema"],
            "definitions": self._schema.get("definitions", {}),
            "allOf": [self._reading["properties"]["sampledValue"]["items"]],
        }
        return jsonschema_rs.validator_for(schema, validate_formats=False, offline=True)

    @cached_property
    def sample_shape(self) -> Shape | None:
        if self.meter_field is None:
            return None
        readings = self.shape.properties[self.meter_field].items
        return readings.properties["sampledValue"].items if readings is not None else None


class _Messages(dict[str, Message]):
    """action → Message, filled on first use; KeyError for an action this version does not know."""

    def __init__(self, version: Version, suffix: str) -> None:
        super().__init__()
        self._version = version
        self._suffix = suffix

    def __missing__(self, action: str) -> Message:
        if action not in SENDERS[self._version]:
            raise KeyError(action)
        if action in UNANSWERED and self._suffix == "Response":
            raise KeyError(action)
        suffix = "" if action in UNANSWERED else self._suffix
        message = self[action] = Message(_load(self._version, action, suffix), action)
        return message


REQUESTS: Mapping[Version, _Messages] = {
    Version.V16: _Messages(Version.V16, ""),
    Version.V201: _Messages(Version.V201, "Request"),
    Version.V21: _Messages(Version.V21, "Request"),
}
RESPONSES: Mapping[Version, _Messages] = {
    version: _Messages(version, "Response") for version in Version
}
_FOLDERS = {Version.V16: "v16", Version.V201: "v201", Version.V21: "v21"}


def preload(version: Version, actions: Iterable[str] | None = None) -> None:
    """Read and compile now, so that no station waits for it; all actions of the version unless named."""
    for action in SENDERS[version] if actions is None else actions:
        REQUESTS[version][action]
        if action not in UNANSWERED:
            RESPONSES[version][action]


def _load(version: Version, action: str, suffix: str) -> Schema:
    path = files("ocpp") / _FOLDERS[version] / "schemas" / f"{action}{suffix}.json"
    schema: Schema = json.loads(path.read_text(encoding="utf-8-sig"), parse_float=Decimal)
    _bound_numbers(schema)
    reading = _reading_schema(schema, action)
    if reading is not None:
        reading["properties"]["sampledValue"].pop("minItems", None)
        if version is Version.V16 and action == "StopTransaction":
            model = _load(version, "MeterValues", suffix)["properties"]["meterValue"]["items"]
            reading["properties"]["sampledValue"] = model["properties"]["sampledValue"]
    return schema


def _bound_numbers(node: object) -> None:
    if isinstance(node, dict):
        if node.get("type") in ("integer", "number"):
            node.setdefault("minimum", INT64_MIN)
            node.setdefault("maximum", INT64_MAX)
        for child in node.values():
            _bound_numbers(child)
    elif isinstance(node, list):
        for child in node:
            _bound_numbers(child)


def _reading_schema(schema: Schema, action: str) -> Schema | None:
    """The schema of one {timestamp, sampledValue}, if the message carries such readings."""
    field = METER_FIELDS.get(action)
    readings = schema.get("properties", {}).get(field)
    return _resolve(readings["items"], schema) if readings is not None else None


def _resolve(node: Schema, root: Schema) -> Schema:
    while "$ref" in node:
        node = root["definitions"][node["$ref"].removeprefix("#/definitions/")]
    return node


def _shape(node: Schema, root: Schema, known: dict[str, Shape]) -> Shape:
    reference = node.get("$ref")
    if reference is not None:
        if reference not in known:
            known[reference] = _shape(_resolve(node, root), root, known)
        return known[reference]
    items = node.get("items")
    return Shape(
        properties={
            name: _shape(child, root, known) for name, child in node.get("properties", {}).items()
        },
        required=frozenset(node.get("required", ())),
        items=_shape(items, root, known) if items is not None else None,
        is_open=node.get("additionalProperties") is not False,
        is_any="type" not in node,
    )
