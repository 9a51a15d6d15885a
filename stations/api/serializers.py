"""Stations, their handshakes and messages, and sites, as the API shows them."""

import re
import zoneinfo
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from cms.base import json
from cms.base.rest.fields import (
    INT_MAX,
    Choice,
    Id,
    Moment,
    QueryMoment,
    Text,
    TextOrNull,
    Whole,
    YesNo,
)
from cms.base.rest.serializers import Filters, StrictSerializer
from stations.choices import HandshakeRefusal, RegistrationStatus, SecurityProfile
from stations.models import (
    ChargingStation,
    ConnectorStatus,
    HandshakeFailure,
    Location,
    OcppMessage,
)
from stations.models.station import IDENTITY_PATTERN, validate_identity
from stations.ocpi import ALPHA2_BY_ALPHA3, ALPHA3_BY_ALPHA2, CONNECTOR_TYPES, POWER_TYPES
from stations.selectors.stations import is_online
from stations.services.passwords import MAX_LENGTH, MIN_LENGTH

_MAX_EVSES = 200
_MAX_CONNECTORS = 20


class ConnectorSerializer(StrictSerializer):
    """One outlet. `status` is OCPP's word as the station last reported it."""

    connector_id = Whole(min_value=1, max_value=INT_MAX)
    standard = Choice(CONNECTOR_TYPES, allow_null=True, default=None)
    power_type = Choice(POWER_TYPES, allow_null=True, default=None)
    max_power_w = Whole(min_value=0, max_value=INT_MAX, allow_null=True, default=None)
    status = TextOrNull()
    error_code = TextOrNull()
    status_at = Moment(read_only=True, allow_null=True)


class EVSESerializer(StrictSerializer):
    """The part of a station that charges one vehicle; without `connectors` it has one."""

    evse_id = Whole(min_value=1, max_value=INT_MAX)
    connectors = ConnectorSerializer(  # type: ignore[call-arg]
        many=True, required=False, max_length=_MAX_CONNECTORS
    )

    def validate_connectors(self, connectors: list[dict[str, Any]]) -> list[dict[str, Any]]:
        _refuse_repeated(connectors, "connector_id")
        return connectors


class StationFields(StrictSerializer):
    """What is set of a station, besides its identity."""

    name = Text(max_length=120, allow_blank=True, required=False)
    location = Text(max_length=20, allow_null=True, required=False)
    registration_status = Choice(RegistrationStatus.values, required=False)
    security_profile = Whole(
        min_value=min(SecurityProfile.values), max_value=max(SecurityProfile.values), required=False
    )
    password = Text(
        write_only=True,
        required=False,
        trim_whitespace=False,
        min_length=MIN_LENGTH,
        max_length=MAX_LENGTH,
    )
    password_hex = Text(
        write_only=True,
        required=False,
        help_text="The password's raw bytes, 8 to 40 of them, in hexadecimal.",
    )
    accepts_literal_hex = YesNo(required=False)
    assumes_ocpp16 = YesNo(required=False)
    evses = EVSESerializer(  # type: ignore[call-arg]
        many=True, required=False, max_length=_MAX_EVSES
    )

    def validate_password_hex(self, text: str) -> bytes:
        digits = re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", text)
        if digits is None or not MIN_LENGTH <= len(text) // 2 <= MAX_LENGTH:
            raise ValidationError("Between 8 and 40 bytes in hexadecimal, two digits each.")
        return bytes.fromhex(text)

    def validate_evses(self, evses: list[dict[str, Any]]) -> list[dict[str, Any]]:
        _refuse_repeated(evses, "evse_id")
        return [
            {
                "evse_id": evse["evse_id"],
                "connectors": [
                    _without_nulls(connector)
                    for connector in evse.get("connectors") or [{"connector_id": 1}]
                ],
            }
            for evse in evses
        ]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        password, raw = attrs.pop("password", None), attrs.pop("password_hex", None)
        if password is not None and raw is not None:
            raise ValidationError({"password_hex": ["Give either the password or its bytes."]})
        if password is not None:
            raw = password.encode()
        if raw is not None:
            attrs["secret"] = raw
        return attrs


class StationSerializer(StationFields):
    """One station: what the operator says of it, and what it said of itself."""

    fixed = ("identity",)

    identity = Text(
        max_length=48,
        trim_whitespace=False,
        validators=[validate_identity],
        help_text=f"On the platform one of its kind: {IDENTITY_PATTERN}",
    )
    online = serializers.BooleanField(read_only=True)
    protocol = TextOrNull(help_text="The OCPP version last spoken.")
    last_seen_at = Moment(read_only=True, allow_null=True)
    vendor = TextOrNull()
    model = TextOrNull()
    serial_number = TextOrNull()
    firmware_version = TextOrNull()
    status = TextOrNull(help_text="Of the station as a whole, in OCPP's word.")
    error_code = TextOrNull()
    status_at = Moment(read_only=True, allow_null=True)
    limits = serializers.DictField(child=serializers.IntegerField(), read_only=True)
    created_at = Moment(read_only=True)

    def to_representation(self, instance: ChargingStation) -> dict[str, Any]:
        """`instance` comes from `stations.selectors.stations.with_state`."""
        state = getattr(instance, "state", None)
        said = {
            name: (getattr(state, name, None) or None)
            for name in (
                "protocol",
                "last_seen_at",
                "vendor",
                "model",
                "serial_number",
                "firmware_version",
                "status",
                "error_code",
                "status_at",
            )
        }
        return {
            "identity": instance.identity,
            "name": instance.name,
            "location": str(instance.location_id) if instance.location_id else None,
            "registration_status": instance.registration_status,
            "security_profile": instance.security_profile,
            "accepts_literal_hex": instance.accepts_literal_hex,
            "assumes_ocpp16": instance.assumes_ocpp16,
            "online": is_online(instance),
            **said,
            # Stations of OCPP 2.x report these as device model variables; 1.6 has none.
            "limits": {},
            "evses": _evses(instance),
            "created_at": instance.created_at,
        }


class RegisteredStationSerializer(StationSerializer):
    """A station, and the password that was made for it: shown once, never again."""

    password = Text(read_only=True, required=False, help_text="Only where one was made.")

    def to_representation(self, instance: ChargingStation) -> dict[str, Any]:
        shown = super().to_representation(instance)
        password = self.context.get("generated_password")
        return {**shown, "password": password} if password else shown


class StationFilters(Filters):
    location = Text(required=False, max_length=20)
    registration_status = Choice(RegistrationStatus.values, required=False)
    online = Choice(["true", "false"], required=False)

    def validate_online(self, word: str) -> bool:
        return word == "true"


class MessageSerializer(StrictSerializer):
    """One OCPP frame; secrets are masked."""

    at = Moment(read_only=True)
    direction = Choice(["in", "out"], read_only=True)
    type = Choice(["call", "result", "error"], read_only=True)
    action = serializers.CharField(read_only=True)
    message_id = serializers.CharField(read_only=True)
    payload = serializers.JSONField(read_only=True)

    def to_representation(self, instance: OcppMessage) -> dict[str, Any]:
        return {
            "at": instance.at,
            "direction": instance.direction,
            "type": instance.type,
            "action": instance.action,
            "message_id": instance.message_id,
            "payload": json.loads(instance.payload),
        }


class MessageFilters(Filters):
    action = Text(required=False, max_length=64)
    direction = Choice(["in", "out"], required=False)
    since = QueryMoment(required=False)


class HandshakeFailureSerializer(StrictSerializer):
    """A refused handshake: one row for each identity, reason and address, counted."""

    id = Id(source="pk")
    identity = serializers.CharField(read_only=True)
    station = serializers.CharField(read_only=True, allow_null=True)
    reason = Choice(HandshakeRefusal.values, read_only=True)
    message = serializers.CharField(source="get_reason_display", read_only=True)
    detail = serializers.CharField(read_only=True)
    remote_address = serializers.CharField(read_only=True)
    subprotocols = serializers.CharField(read_only=True)
    times = serializers.IntegerField(read_only=True)
    first_at = Moment(read_only=True)
    last_at = Moment(read_only=True)
    resolved_at = Moment(read_only=True, allow_null=True)

    def to_representation(self, instance: HandshakeFailure) -> dict[str, Any]:
        shown = super().to_representation(instance)
        shown["station"] = instance.station.identity if instance.station else None
        return shown


class HandshakeFailureFilters(Filters):
    reason = Choice(HandshakeRefusal.values, required=False)
    resolved = Choice(["true", "false"], required=False)

    def validate_resolved(self, word: str) -> bool:
        return word == "true"


class AllHandshakeFailureFilters(HandshakeFailureFilters):
    identity = Text(required=False, max_length=255, trim_whitespace=False)


class CoordinatesSerializer(StrictSerializer):
    """OCPI's GeoLocation: decimal degrees as text (OCPI 2.2.1 §8.4.13)."""

    latitude = Text(max_length=12)
    longitude = Text(max_length=12)

    def validate_latitude(self, text: str) -> Decimal:
        return _degrees(text, 90)

    def validate_longitude(self, text: str) -> Decimal:
        return _degrees(text, 180)


class LocationSerializer(StrictSerializer):
    """A site, in OCPI's fields (OCPI 2.2.1 §8.3.1). `country` takes two letters or three and shows three."""

    id = Id()
    name = Text(max_length=255, required=False, help_text="Without one, the address.")
    address = Text(max_length=45, allow_blank=True, required=False)
    city = Text(max_length=45, allow_blank=True, required=False)
    postal_code = Text(max_length=10, allow_blank=True, required=False)
    country = Text(max_length=3, allow_blank=True, required=False)
    coordinates = CoordinatesSerializer(allow_null=True, required=False)
    time_zone = Text(max_length=64, required=False)
    created_at = Moment(read_only=True)

    def validate_country(self, code: str) -> str:
        code = code.upper()
        alpha2 = ALPHA2_BY_ALPHA3.get(code, code)
        if alpha2 and alpha2 not in ALPHA3_BY_ALPHA2:
            raise ValidationError("A country is a code of ISO 3166-1, MWI or MW.")
        return alpha2

    def validate_time_zone(self, name: str) -> str:
        if name not in zoneinfo.available_timezones():
            raise ValidationError("A time zone is an IANA name, Africa/Blantyre.")
        return name

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "coordinates" in attrs:
            at = attrs.pop("coordinates") or {"latitude": None, "longitude": None}
            attrs |= {"latitude": at["latitude"], "longitude": at["longitude"]}
        if self.instance is None and "name" not in attrs:
            attrs["name"] = attrs.get("address", "")
            if not attrs["name"]:
                raise ValidationError({"name": ["A location needs a name or an address."]})
        return attrs

    def to_representation(self, instance: Location) -> dict[str, Any]:
        return {
            "id": str(instance.pk),
            "name": instance.name,
            "address": instance.address,
            "city": instance.city,
            "postal_code": instance.postal_code,
            "country": ALPHA3_BY_ALPHA2.get(instance.country, ""),
            "coordinates": _coordinates(instance),
            "time_zone": instance.time_zone,
            "created_at": instance.created_at,
        }


def _refuse_repeated(items: Iterable[Mapping[str, Any]], name: str) -> None:
    seen: set[Any] = set()
    for item in items:
        if item[name] in seen:
            raise ValidationError(f"{name} {item[name]} appears twice.")
        seen.add(item[name])


def _without_nulls(connector: Mapping[str, Any]) -> dict[str, Any]:
    """`connector` as its columns have it: words that nobody gave are empty there."""
    return {
        "connector_id": connector["connector_id"],
        "standard": connector.get("standard") or "",
        "power_type": connector.get("power_type") or "",
        "max_power_w": connector.get("max_power_w"),
    }


def _evses(station: ChargingStation) -> list[dict[str, Any]]:
    """What was described and what was reported, by EVSE and connector; asks the database nothing."""
    statuses: dict[tuple[int, int], ConnectorStatus] = {
        (row.evse_id, row.connector_id): row for row in station.connector_statuses.all()
    }
    described = {
        (evse.evse_id, connector.connector_id): connector
        for evse in station.evses.all()
        for connector in evse.connectors.all()
    }
    evses: dict[int, list[dict[str, Any]]] = {evse.evse_id: [] for evse in station.evses.all()}
    for evse_id, connector_id in sorted(described.keys() | statuses.keys()):
        connector = described.get((evse_id, connector_id))
        reported = statuses.get((evse_id, connector_id))
        evses.setdefault(evse_id, []).append(
            {
                "connector_id": connector_id,
                "standard": (connector.standard or None) if connector else None,
                "power_type": (connector.power_type or None) if connector else None,
                "max_power_w": connector.max_power_w if connector else None,
                "status": reported.status if reported else None,
                "error_code": (reported.error_code or None) if reported else None,
                "status_at": reported.status_at if reported else None,
            }
        )
    return [{"evse_id": evse_id, "connectors": evses[evse_id]} for evse_id in sorted(evses)]


def _degrees(text: str, bound: int) -> Decimal:
    if not re.fullmatch(r"-?\d{1,3}(\.\d{1,7})?", text, re.ASCII) or abs(Decimal(text)) > bound:
        raise ValidationError(f"Decimal degrees from -{bound} to {bound}, at most 7 decimals.")
    return Decimal(text)


def _coordinates(location: Location) -> dict[str, str] | None:
    if location.latitude is None or location.longitude is None:
        return None
    return {"latitude": f"{location.latitude:.7f}", "longitude": f"{location.longitude:.7f}"}
