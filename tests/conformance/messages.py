"""Payloads of 1.6 messages, and the times in them."""

from datetime import UTC, datetime, timedelta
from typing import Any

Payload = dict[str, Any]


def at(moment: datetime) -> str:
    """As most stations write it."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def ago(**delta: float) -> str:
    """A timestamp of a while ago."""
    return at(datetime.now(UTC) - timedelta(**delta))


def start_of(id_tag: str, **fields: Any) -> Payload:
    """A start half an hour ago, at 1000 Wh."""
    return {
        "connectorId": 1,
        "idTag": id_tag,
        "meterStart": 1000,
        "timestamp": ago(minutes=30),
        **fields,
    }


def stop_of(transaction_id: int, **fields: Any) -> Payload:
    """A stop just now, after 5 kWh."""
    return {
        "transactionId": transaction_id,
        "meterStop": 6000,
        "timestamp": ago(seconds=1),
        **fields,
    }


def sample(value: object, measurand: str | None = None, **fields: Any) -> Payload:
    named = {} if measurand is None else {"measurand": measurand}
    return {"value": str(value), **named, **fields}


def meter_values(
    transaction_id: int | None, *samples: Payload, connector_id: int = 1, timestamp: str = ""
) -> Payload:
    """Samples of one instant."""
    named = {} if transaction_id is None else {"transactionId": transaction_id}
    reading = {"timestamp": timestamp or ago(minutes=5), "sampledValue": list(samples)}
    return {"connectorId": connector_id, **named, "meterValue": [reading]}
