"""Rows for tests, made with as few words as possible.

Every call makes new names, so that rows may be committed and left behind: the hot path's own connection
sees committed rows only, and no test empties tables.
"""

import secrets
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from django.utils import timezone

from accounts.choices import Role
from accounts.models import IdToken, IdTokenGroup, Membership, Operator, UnknownIdToken, User
from accounts.services.actors import Actor
from accounts.services.api_keys import create_api_key
from stations.choices import (
    CertificateUse,
    CommandStatus,
    FirmwareStatus,
    HandshakeRefusal,
    LogKind,
    LogStatus,
    ProfileStatus,
    ReservationStatus,
    SecurityProfile,
    TransactionStatus,
)
from stations.models import (
    EVSE,
    ChargingProfile,
    ChargingStation,
    Command,
    Connector,
    ConnectorStatus,
    FirmwareFile,
    FirmwareUpdate,
    Gateway,
    HandshakeFailure,
    InstalledProfile,
    LocalList,
    Location,
    LogUpload,
    MeterValue,
    OcppMessage,
    Reservation,
    SecurityEvent,
    StationCertificate,
    StationState,
    Transaction,
    TrustedCA,
)
from stations.services.charging_profile_rules import TX_DEFAULT_PROFILE, constant_limit
from stations.services.passwords import hash_password

STATION_PASSWORD = "station-password-1"


def unique(prefix: str) -> str:
    """A name that no other call has given, in this run or an earlier one."""
    return f"{prefix}-{secrets.token_hex(5)}"


# --- accounts --------------------------------------------------------------------------------


def make_operator(**fields: Any) -> Operator:
    slug = fields.pop("slug", None) or unique("operator")
    return Operator.objects.create(slug=slug, **{"name": slug.title(), **fields})


def make_user(**fields: Any) -> User:
    """Signs in with the password `let-me-in-9`."""
    email = fields.pop("email", None) or f"{unique('user')}@example.org"
    return User.objects.create_user(email, fields.pop("password", "let-me-in-9"), **fields)


def make_membership(operator: Operator | None = None, role: Role = Role.MANAGER) -> Membership:
    """A new user in the team."""
    return Membership.objects.create(
        operator=operator or make_operator(), user=make_user(), role=role
    )


def make_actor(operator: Operator | None = None, role: Role = Role.OWNER) -> Actor:
    """Somebody of the team, for calling domain functions."""
    return Actor.from_membership(make_membership(operator, role))


def make_api_key(operator: Operator, role: Role = Role.MANAGER) -> str:
    """The key's text."""
    return create_api_key(acting=Actor.system(operator), role=role)[1]


def make_id_token_group(operator: Operator, **fields: Any) -> IdTokenGroup:
    return IdTokenGroup.objects.create(operator=operator, **{"name": unique("g"), **fields})


def make_id_token(operator: Operator, **fields: Any) -> IdToken:
    """The uid fits OCPP 1.6's idTag."""
    return IdToken.objects.create(operator=operator, **{"uid": unique("TAG"), **fields})


def make_unknown_id_token(operator: Operator, **fields: Any) -> UnknownIdToken:
    uid = fields.pop("uid", None) or unique("NEW")
    return UnknownIdToken.objects.create(
        operator=operator,
        uid=uid,
        uid_folded=uid.casefold(),
        **{"station_identity": "CP-1", **fields},
    )


# --- stations --------------------------------------------------------------------------------


def make_location(operator: Operator, **fields: Any) -> Location:
    return Location.objects.create(operator=operator, **{"name": unique("Site"), **fields})


def make_station(operator: Operator | None = None, **fields: Any) -> ChargingStation:
    """Profile 1 with `STATION_PASSWORD`, no EVSEs, never connected."""
    defaults: dict[str, Any] = {
        "identity": unique("CP"),
        "security_profile": SecurityProfile.BASIC,
        "password_hash": hash_password(STATION_PASSWORD.encode()),
    }
    return ChargingStation.objects.create(
        operator=operator or make_operator(), **{**defaults, **fields}
    )


def make_station_certificate(station: ChargingStation, **fields: Any) -> StationCertificate:
    """A client certificate of the station's, valid for a year; without `pem`."""
    defaults: dict[str, Any] = {
        "use": CertificateUse.CLIENT,
        "subject": station.identity,
        "serial_number": secrets.token_hex(10),
        "fingerprint": secrets.token_hex(32),
        "not_before": timezone.now(),
        "not_after": timezone.now() + timedelta(days=365),
        "installed_at": timezone.now(),
    }
    return StationCertificate.objects.create(station=station, **{**defaults, **fields})


def make_trusted_ca(operator: Operator, **fields: Any) -> TrustedCA:
    """A CA of which only the name and the print are there."""
    return TrustedCA.objects.create(
        operator=operator,
        **{
            "name": unique("CA"),
            "fingerprint": secrets.token_hex(32),
            "not_after": timezone.now() + timedelta(days=365),
            **fields,
        },
    )


def make_security_event(station: ChargingStation, **fields: Any) -> SecurityEvent:
    defaults: dict[str, Any] = {
        "type": "TamperDetectionActivated",
        "critical": True,
        "at": timezone.now(),
        "tech_info": "door contact",
        "event_key": unique("event"),
    }
    return SecurityEvent.objects.create(
        operator=station.operator, station=station, **{**defaults, **fields}
    )


def make_connector(station: ChargingStation, evse_id: int = 1, **fields: Any) -> Connector:
    evse, _ = EVSE.objects.get_or_create(station=station, evse_id=evse_id)
    return Connector.objects.create(evse=evse, **{"connector_id": 1, **fields})


def make_connector_status(
    station: ChargingStation, evse_id: int = 1, connector_id: int = 1, **fields: Any
) -> ConnectorStatus:
    defaults = {"status": "Available", "error_code": "NoError", "status_at": timezone.now()}
    return ConnectorStatus.objects.create(
        station=station, evse_id=evse_id, connector_id=connector_id, **{**defaults, **fields}
    )


def make_gateway(*, lease: timedelta = timedelta(minutes=5)) -> Gateway:
    """A process that holds sockets; with a negative lease, one that died."""
    return Gateway.objects.create(
        id=uuid4(), host="gateway.test", pid=1, lease_until=timezone.now() + lease
    )


def make_state(station: ChargingStation, **fields: Any) -> StationState:
    """What a 1.6 station said that is not connected now; `gateway=` connects it."""
    gateway: Gateway | None = fields.pop("gateway", None)
    gateway_id: UUID | None = gateway.pk if gateway else None
    defaults: dict[str, Any] = {
        "protocol": "ocpp1.6",
        "generation": 1,
        "connected": gateway is not None,
        "gateway_id": gateway_id,
        "last_seen_at": timezone.now(),
        "vendor": "Acme",
        "model": "Wallbox",
        "serial_number": "A-1",
        "firmware_version": "1.0",
    }
    return StationState.objects.create(station=station, **{**defaults, **fields})


def make_transaction(station: ChargingStation, **fields: Any) -> Transaction:
    """One that runs on EVSE 1, or with `ended_at` one that is over."""
    started_at = fields.pop("started_at", None) or timezone.now()
    ended_at: datetime | None = fields.get("ended_at")
    id_token: IdToken | None = fields.get("id_token")
    defaults: dict[str, Any] = {
        "evse_id": 1,
        "connector_id": 1,
        "ocpp_transaction_id": str(secrets.randbelow(2**31)),
        "start_key": unique("start"),
        "status": TransactionStatus.ENDED if ended_at else TransactionStatus.ACTIVE,
        "is_current": ended_at is None,
        "id_token_uid": id_token.uid if id_token else "",
        "authorization_status": "Accepted",
        "device_started_at": started_at,
        "received_started_at": started_at,
        "started_at": started_at,
        "meter_start_wh": 0,
    }
    return Transaction.objects.create(
        operator=station.operator, station=station, **{**defaults, **fields}
    )


def make_charging_profile(operator: Operator, **fields: Any) -> ChargingProfile:
    """11 kW at most, for every transaction."""
    return ChargingProfile.objects.create(
        operator=operator,
        **{
            "name": unique("profile"),
            "profile": constant_limit("W", 11_000, purpose=TX_DEFAULT_PROFILE),
            **fields,
        },
    )


def make_installed_profile(station: ChargingStation, **fields: Any) -> InstalledProfile:
    """11 kW at most, for every transaction at EVSE 1."""
    defaults: dict[str, Any] = {
        "evse_id": 1,
        "profile_id": secrets.randbelow(2**31),
        "purpose": TX_DEFAULT_PROFILE,
        "stack_level": 0,
        "profile": constant_limit("W", 11_000, purpose=TX_DEFAULT_PROFILE),
        "status": ProfileStatus.INSTALLED,
        "installed_at": timezone.now(),
    }
    return InstalledProfile.objects.create(station=station, **{**defaults, **fields})


def make_reservation(station: ChargingStation, **fields: Any) -> Reservation:
    """EVSE 1, held for an hour for a card of its own."""
    defaults: dict[str, Any] = {
        "operator": station.operator,
        "evse_id": 1,
        "reservation_id": secrets.randbelow(2**31),
        "id_token_uid": unique("TAG"),
        "expires_at": timezone.now() + timedelta(hours=1),
        "status": ReservationStatus.RESERVED,
    }
    return Reservation.objects.create(station=station, **{**defaults, **fields})


def make_local_list(station: ChargingStation, *uids: str, **fields: Any) -> LocalList:
    """Version 1, on which these cards may charge."""
    defaults: dict[str, Any] = {
        "version": 1,
        "entries": [{"idTag": uid, "idTagInfo": {"status": "Accepted"}} for uid in uids],
    }
    return LocalList.objects.create(station=station, **{**defaults, **fields})


def make_firmware_file(operator: Operator, **fields: Any) -> FirmwareFile:
    """A file of which only the name is there, unless its bytes are stored and told."""
    defaults: dict[str, Any] = {
        "name": "charger.bin",
        "version": "2.0.0",
        "size_bytes": 1000,
        "sha256": secrets.token_hex(32),
    }
    return FirmwareFile.objects.create(operator=operator, **(defaults | fields))


def make_firmware_update(station: ChargingStation, **fields: Any) -> FirmwareUpdate:
    """Downloading, from an address of the maker's."""
    defaults: dict[str, Any] = {
        "request_id": secrets.randbelow(2**31),
        "location": "https://maker.example/fw.bin",
        "retrieve_at": timezone.now(),
        "status": FirmwareStatus.DOWNLOADING,
    }
    return FirmwareUpdate.objects.create(station=station, **(defaults | fields))


def make_log_upload(station: ChargingStation, **fields: Any) -> LogUpload:
    """Diagnostics that the station has agreed to send."""
    defaults: dict[str, Any] = {
        "kind": LogKind.DIAGNOSTICS,
        "request_id": secrets.randbelow(2**31),
        "status": LogStatus.ACCEPTED,
        "expires_at": timezone.now() + timedelta(hours=48),
    }
    return LogUpload.objects.create(station=station, **(defaults | fields))


def make_meter_value(transaction: Transaction, **fields: Any) -> MeterValue:
    """An energy register of 1000 Wh."""
    at = fields.pop("at", None) or timezone.now()
    month = transaction.received_started_at.astimezone(UTC).date().replace(day=1)
    defaults: dict[str, Any] = {
        "tx_month": month,
        "station_id": transaction.station_id,
        "evse_id": transaction.evse_id,
        "at": at,
        "device_at": at,
        "has_device_time": True,
        "received_at": at,
        "measurand": "Energy.Active.Import.Register",
        "location": "Outlet",
        "context": "Sample.Periodic",
        "unit": "Wh",
        "value": Decimal(1000),
        "raw_value": "1.0",
        "raw_unit": "kWh",
    }
    return MeterValue.objects.create(transaction_id=transaction.pk, **{**defaults, **fields})


def make_message(station: ChargingStation, **fields: Any) -> OcppMessage:
    """A heartbeat that came in."""
    defaults: dict[str, Any] = {
        "at": timezone.now(),
        "generation": 1,
        "direction": "in",
        "type": "call",
        "action": "Heartbeat",
        "message_id": unique("m"),
        "payload": "{}",
    }
    return OcppMessage.objects.create(station_id=station.pk, **{**defaults, **fields})


def make_command(station: ChargingStation, **fields: Any) -> Command:
    """A reset that waits to be sent."""
    defaults: dict[str, Any] = {
        "protocol": "ocpp1.6",
        "action": "Reset",
        "payload": {"type": "Soft"},
        "status": CommandStatus.QUEUED,
        "expires_at": timezone.now() + timedelta(hours=1),
    }
    return Command.objects.create(
        operator=station.operator, station=station, **{**defaults, **fields}
    )


def make_handshake_failure(
    station: ChargingStation | None = None, **fields: Any
) -> HandshakeFailure:
    """A wrong password of `station`; without one, an identity that nobody knows."""
    defaults: dict[str, Any] = {
        "operator": station.operator if station else None,
        "identity": station.identity if station else unique("NEW"),
        "reason": HandshakeRefusal.WRONG_CREDENTIALS
        if station
        else HandshakeRefusal.UNKNOWN_IDENTITY,
        "remote_address": "192.0.2.7",
    }
    return HandshakeFailure.objects.create(station=station, **{**defaults, **fields})
