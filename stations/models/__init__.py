"""Stations and what they report; `partitioned` holds the time series."""

from stations.models.command import Command
from stations.models.connection import Connection, Gateway, HandshakeFailure, QuarantinedFact
from stations.models.operations import (
    ChargingProfile,
    FirmwareFile,
    FirmwareUpdate,
    InstalledProfile,
    LocalList,
    LogUpload,
    Reservation,
    StationVariable,
)
from stations.models.partitioned import MeterValue, OcppMessage
from stations.models.repairs import StationRepair
from stations.models.security import (
    CertificateAuthority,
    SecurityEvent,
    StationCertificate,
    TrustedCA,
)
from stations.models.station import (
    EVSE,
    ChargingStation,
    Connector,
    ConnectorStatus,
    Location,
    StationState,
)
from stations.models.transaction import Transaction, TransactionProgress

__all__ = [
    "CertificateAuthority",
    "ChargingProfile",
    "ChargingStation",
    "Command",
    "Connection",
    "Connector",
    "ConnectorStatus",
    "EVSE",
    "FirmwareFile",
    "FirmwareUpdate",
    "Gateway",
    "HandshakeFailure",
    "InstalledProfile",
    "LocalList",
    "Location",
    "LogUpload",
    "MeterValue",
    "OcppMessage",
    "QuarantinedFact",
    "Reservation",
    "SecurityEvent",
    "StationCertificate",
    "StationRepair",
    "StationState",
    "StationVariable",
    "Transaction",
    "TransactionProgress",
    "TrustedCA",
]
