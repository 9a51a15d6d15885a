"""Stations and what they report; `partitioned` holds the time series."""

from stations.models.command import Command
from stations.models.connection import Connection, Gateway, HandshakeFailure, QuarantinedFact
from stations.models.partitioned import MeterValue, OcppMessage
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
    "EVSE",
    "ChargingStation",
    "Command",
    "Connection",
    "Connector",
    "ConnectorStatus",
    "Gateway",
    "HandshakeFailure",
    "Location",
    "MeterValue",
    "OcppMessage",
    "QuarantinedFact",
    "StationState",
    "Transaction",
    "TransactionProgress",
]
