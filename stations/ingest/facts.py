"""What a message says, in words that know no OCPP version: the values that go to the writer.

A handler turns a message into facts and awaits `writer.record`, which returns once they are committed.
Times are aware UTC; energy is in Wh, power in W.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, TypeAlias, get_args
from uuid import UUID


@dataclass(frozen=True, slots=True)
class MessageSeen:
    """One frame for the inbox and trace. `payload` is JSON text, secrets masked."""

    at: datetime
    station_id: int
    generation: int
    direction: str
    type: str
    action: str
    message_id: str
    payload: str


@dataclass(frozen=True, slots=True)
class StatusReported:
    """The status of a connector, or of the whole station where `evse_id` is 0."""

    station_id: int
    evse_id: int
    connector_id: int
    status: str
    error_code: str
    vendor_error_code: str
    info: str
    status_at: datetime


@dataclass(frozen=True, slots=True)
class BootReported:
    """A station's account of itself after a start. The result is its new boot count."""

    station_id: int
    at: datetime
    vendor: str
    model: str
    serial_number: str
    firmware_version: str


@dataclass(frozen=True, slots=True)
class TransactionStarted:
    """A start as reported. Equal (`station_id`, `start_key`) is the same start; the result is a `StartResult`.

    `max_concurrent` limits the token's transactions; None is no limit. An open transaction on the same EVSE
    gives way and goes to review.
    """

    station_id: int
    operator_id: int
    evse_id: int
    connector_id: int
    start_key: str
    id_token_uid: str
    id_token_id: int | None
    max_concurrent: int | None
    authorization_status: str
    device_at: datetime | None
    received_at: datetime
    started_at: datetime
    meter_start_wh: int
    reservation_id: int | None
    review_reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StartResult:
    """The transaction a start belongs to, made now or on an earlier report of the same start."""

    transaction_id: int
    ocpp_transaction_id: str
    authorization_status: str
    received_at: datetime
    created: bool


@dataclass(frozen=True, slots=True)
class TransactionEnded:
    """A stop as reported; the result is an `EndResult`."""

    station_id: int
    operator_id: int
    ocpp_transaction_id: str
    end_key: str
    device_at: datetime | None
    received_at: datetime
    ended_at: datetime
    meter_stop_wh: int
    reason: str
    id_token_uid: str
    review_reasons: tuple[str, ...] = ()


class EndOutcome(Enum):
    """What a reported stop did."""

    ENDED = "ended"
    DUPLICATE = "duplicate"
    ORPHAN = "orphan"


@dataclass(frozen=True, slots=True)
class EndResult:
    """`transaction_id` is the row the stop was written to, an orphan's too."""

    transaction_id: int | None
    outcome: EndOutcome


@dataclass(frozen=True, slots=True)
class Reading:
    """One sampled value; `value` in `unit`, `raw_*` as sent. See `stations.models.MeterValue`."""

    at: datetime
    device_at: datetime
    has_device_time: bool
    received_at: datetime
    measurand: str
    phase: str | None
    location: str
    context: str
    unit: str
    value: Decimal
    raw_value: str
    raw_unit: str | None
    signed: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """The newest figures of a running transaction; None leaves what was known."""

    at: datetime
    register_wh: int | None
    power_w: int | None
    soc_percent: int | None


@dataclass(frozen=True, slots=True)
class MeterReported:
    """Readings of one EVSE, of a transaction where `transaction_id` is given.

    `tx_month` is the first day of the month in which the transaction was received.
    """

    station_id: int
    evse_id: int
    transaction_id: int | None
    tx_month: date
    readings: tuple[Reading, ...]
    progress: Progress | None = None
    review_reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UnknownTokenSeen:
    """A token that this operator does not know was presented."""

    operator_id: int
    uid: str
    uid_folded: str
    station_identity: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ConnectionOpened:
    """A socket was accepted. The result is an `OpenResult`."""

    station_id: int
    gateway_id: UUID
    protocol: str
    security_profile: int
    remote_address: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OpenResult:
    """The generation of the new socket, how often the station has booted, whether a command waits for it.

    The texts are what the station said of itself when it last booted.
    """

    generation: int
    boot_count: int
    command_waits: bool
    vendor: str = ""
    model: str = ""
    firmware_version: str = ""


@dataclass(frozen=True, slots=True)
class ConnectionClosed:
    """A socket is gone; presence changes only if no newer generation was accepted."""

    station_id: int
    generation: int
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class HandshakeRefused:
    """A handshake was refused before the upgrade."""

    operator_id: int | None
    station_id: int | None
    identity: str
    reason: str
    detail: str
    remote_address: str
    subprotocols: str
    at: datetime


Fact: TypeAlias = (
    MessageSeen
    | StatusReported
    | BootReported
    | TransactionStarted
    | TransactionEnded
    | MeterReported
    | UnknownTokenSeen
    | ConnectionOpened
    | ConnectionClosed
    | HandshakeRefused
)

# Facts that change who is current or connected: at most one of a station in a batch.
LifecycleFact: TypeAlias = (
    TransactionStarted | TransactionEnded | BootReported | ConnectionOpened | ConnectionClosed
)
LIFECYCLE: frozenset[type] = frozenset(get_args(LifecycleFact))

Result: TypeAlias = Any
