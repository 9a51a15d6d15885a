"""Stations: registered, changed, adopted. Gateways hear of each change through the database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.services.actors import Actor
from accounts.services.audit import record_audit
from accounts.services.permissions import require
from cms.base.errors import Conflict, Invalid
from cms.base.ids import parse_id
from stations.choices import HandshakeRefusal, RegistrationStatus, SecurityProfile
from stations.models import EVSE, ChargingStation, Connector, HandshakeFailure, Location
from stations.models.station import validate_identity
from stations.selectors.handshakes import get_handshake_failure_for
from stations.selectors.locations import locations_for
from stations.selectors.stations import is_online, with_presence
from stations.services.commands import queue_command
from stations.services.passwords import generate_password, hash_password

_PLAIN_FIELDS = (
    "name",
    "registration_status",
    "security_profile",
    "accepts_literal_hex",
    "assumes_ocpp16",
)
_PASSWORD_FIELDS = ("password_hash", "previous_password_hash", "previous_password_until")


class ConnectorPlan(TypedDict, total=False):
    """One outlet as an operator describes it; `standard` and `power_type` in OCPI's words."""

    connector_id: int
    standard: str
    power_type: str
    max_power_w: int | None


class EVSEPlan(TypedDict):
    """One EVSE as an operator describes it."""

    evse_id: int
    connectors: Sequence[ConnectorPlan]


@dataclass(frozen=True, slots=True)
class Registered:
    """A station, and the password that was made for it, to be shown this once."""

    station: ChargingStation
    generated_password: str | None


@transaction.atomic
def create_station(
    *, acting: Actor, identity: str, secret: bytes | None = None, **fields: Any
) -> Registered:
    """A new station of the actor's operator; `fields` are those of `update_station`.

    The security profile is 1 with a password and 0 without one, unless it is given; above 0 a missing
    password is made.

    Raises:
        NotAllowed: the role may not change stations.
        Invalid: the identity is none that a station can have, or the location is unknown.
        Conflict: the identity is taken, whoever owns it.
    """
    require(acting, "stations.change")
    _check_identity(identity)
    with_password = SecurityProfile.BASIC if secret is not None else SecurityProfile.NONE
    fields.setdefault("security_profile", with_password)
    plan = fields.pop("evses", None)
    station = ChargingStation(operator=acting.operator, identity=identity)
    _assign(acting, station, fields)
    generated = _set_password(station, secret)
    try:
        with transaction.atomic():
            station.save(force_insert=True)
    except IntegrityError as error:
        if "stations_identity_unique" not in str(error):
            raise
        raise Conflict(
            "A station with this identity exists.",
            data={"fields": {"identity": ["It is taken."]}},
        ) from error
    if plan is not None:
        _replace_evses(station, plan)
    # Its refused attempts to connect have had their remedy.
    _resolve_handshake_failures(station)
    after = {"identity": identity, **_state(station), "evses": _evses(station)}
    record_audit(actor=acting, action="station.create", obj=station, after=after)
    return Registered(station, generated)


@transaction.atomic
def update_station(
    *, acting: Actor, station: ChargingStation, secret: bytes | None = None, **fields: Any
) -> Registered:
    """Change `name, location` (an id)`, registration_status, security_profile, accepts_literal_hex,
    assumes_ocpp16, evses` or the password.

    `evses` replaces what was described before. A station that is connected keeps its socket: profile
    and password decide its next handshake. From pending to accepted, a connected station is asked
    for a new boot. A profile above 0 without any password gets one made. Idempotent.

    Raises:
        NotAllowed: the role may not change stations, or not lower a security profile.
        Invalid: the location is unknown.
    """
    require(acting, "stations.change")
    # NO KEY: gateways insert rows that refer to the station meanwhile.
    station = ChargingStation.objects.select_for_update(no_key=True).get(pk=station.pk)
    before = _state(station)
    plan = fields.pop("evses", None)
    evses_before = _evses(station) if plan is not None else None
    if fields.get("security_profile", station.security_profile) < station.security_profile:
        require(acting, "stations.lower_security")
    _assign(acting, station, fields)
    if "security_profile" in fields:
        station.offered_security_profile = None
    password_before = station.password_hash
    generated = _set_password(station, secret)
    station.save(update_fields=[*fields, "offered_security_profile", *_PASSWORD_FIELDS])
    after = _state(station)
    if plan is not None:
        _replace_evses(station, plan)
        before["evses"], after["evses"] = evses_before, _evses(station)
    if station.password_hash != password_before:
        before["password"], after["password"] = None, "changed"
    _record_change(acting, station, before, after)
    _trigger_boot_if_accepted(acting, station, before["registration_status"])
    return Registered(station, generated)


def adopt_station(
    *, acting: Actor, failure_id: str, secret: bytes | None = None, **fields: Any
) -> Registered:
    """Register the station whose handshake was refused because nobody knew it.

    Raises:
        NotAllowed: the role may not adopt.
        NotFound: no such refusal, or none that the actor may see.
        Invalid: no station can have this identity, or the location is unknown.
        Conflict: it was refused for another reason, or somebody has registered the identity.
    """
    require(acting, "handshakes.adopt")
    failure = get_handshake_failure_for(acting, failure_id)
    if failure.reason != HandshakeRefusal.UNKNOWN_IDENTITY:
        raise Conflict("Only a station that nobody knows can be adopted.")
    return create_station(acting=acting, identity=failure.identity, secret=secret, **fields)


def _check_identity(identity: str) -> None:
    try:
        validate_identity(identity)
    except ValidationError as error:
        raise Invalid.fields({"identity": list(error.messages)}) from error


def _assign(acting: Actor, station: ChargingStation, fields: Mapping[str, Any]) -> None:
    unknown = set(fields) - {*_PLAIN_FIELDS, "location"}
    if unknown:
        raise TypeError(f"A station has no {', '.join(sorted(unknown))}.")
    for name in _PLAIN_FIELDS:
        if name in fields:
            setattr(station, name, fields[name])
    if "location" in fields:
        station.location = _location(acting, fields["location"])


def _location(acting: Actor, public_id: str | None) -> Location | None:
    if public_id is None:
        return None
    pk = parse_id(public_id)
    location = locations_for(acting).filter(pk=pk).first() if pk is not None else None
    if location is None:
        raise Invalid.fields({"location": ["There is no such location."]})
    return location


def _set_password(station: ChargingStation, secret: bytes | None) -> str | None:
    """Set the password, or make one where the profile needs it; returns one that was made."""
    generated = None
    if secret is None:
        if station.security_profile == SecurityProfile.NONE or station.password_hash:
            return None
        generated = generate_password()
        secret = generated.encode("ascii")
    station.password_hash = hash_password(secret)
    station.previous_password_hash = ""
    station.previous_password_until = None
    return generated


def _replace_evses(station: ChargingStation, plan: Sequence[EVSEPlan]) -> None:
    """Make the described EVSEs and connectors be those of `plan`; a few statements, whatever its size."""
    station.evses.exclude(evse_id__in=[item["evse_id"] for item in plan]).delete()
    EVSE.objects.bulk_create(
        [EVSE(station=station, evse_id=item["evse_id"]) for item in plan], ignore_conflicts=True
    )
    evses = {evse.evse_id: evse for evse in station.evses.all()}
    connectors = [
        Connector(evse=evses[item["evse_id"]], **connector)
        for item in plan
        for connector in item["connectors"]
    ]
    kept = {(connector.evse_id, connector.connector_id) for connector in connectors}
    gone = [
        connector.pk
        for connector in Connector.objects.filter(evse__station=station)
        if (connector.evse_id, connector.connector_id) not in kept
    ]
    Connector.objects.filter(pk__in=gone).delete()
    Connector.objects.bulk_create(
        connectors,
        update_conflicts=True,
        unique_fields=["evse", "connector_id"],
        update_fields=["standard", "power_type", "max_power_w"],
    )


def _resolve_handshake_failures(station: ChargingStation) -> None:
    HandshakeFailure.objects.filter(
        identity=station.identity,
        reason=HandshakeRefusal.UNKNOWN_IDENTITY,
        operator__isnull=True,
        resolved_at__isnull=True,
    ).update(operator=station.operator, station=station, resolved_at=timezone.now())


def _trigger_boot_if_accepted(
    acting: Actor, station: ChargingStation, status_before: RegistrationStatus
) -> None:
    """Ask a connected station that was pending for a new BootNotification (OCPP 1.6 §4.2)."""
    if (status_before, station.registration_status) != (
        RegistrationStatus.PENDING,
        RegistrationStatus.ACCEPTED,
    ):
        return
    if not is_online(with_presence(ChargingStation.objects.filter(pk=station.pk)).get()):
        return
    queue_command(
        station=station,
        action="TriggerMessage",
        payload={"requestedMessage": "BootNotification"},
        acting=acting,
    )


def _state(station: ChargingStation) -> dict[str, Any]:
    """What the audit log keeps of a station; no secret."""
    plain = {name: getattr(station, name) for name in _PLAIN_FIELDS}
    location = str(station.location_id) if station.location_id else None
    return plain | {"location": location}


def _evses(station: ChargingStation) -> list[dict[str, Any]]:
    """The described EVSEs for the audit log."""
    rows = Connector.objects.filter(evse__station=station).order_by("evse__evse_id", "connector_id")
    values = rows.values("evse__evse_id", "connector_id", "standard", "power_type", "max_power_w")
    described: list[dict[str, Any]] = [dict(row) for row in values]
    return [{"evse_id": row.pop("evse__evse_id"), **row} for row in described]


def _record_change(
    acting: Actor, station: ChargingStation, before: dict[str, Any], after: dict[str, Any]
) -> None:
    """One audit row with what changed; none where nothing did."""
    changed = [name for name in after if before[name] != after[name]]
    if changed:
        record_audit(
            actor=acting,
            action="station.update",
            obj=station,
            before={name: before[name] for name in changed},
            after={name: after[name] for name in changed},
        )
