"""What a station's page says of its security: how it signs in, its certificates, its events."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.services.actors import Actor
from cms.portal.looks import Look
from cms.portal.security_words import EVENT_WORDS
from stations.choices import CertificateUse, SecurityProfile
from stations.models import ChargingStation, Command, Connection, SecurityEvent, StationCertificate
from stations.selectors.certificates import certificates_of
from stations.selectors.security_events import filter_security_events, security_events_for

EVENTS_SHOWN = 50
CERTIFICATES_SHOWN = 50
# Time enough for somebody to drive there.
EXPIRES_SOON = timedelta(days=30)

VALID = Look(_("Valid"), "good", "check")
ON_ITS_WAY = Look(_("On its way"), "busy", "clock")
INSTALLED = Look(_("Installed"), "good", "check")
SOON = Look(_("Expires soon"), "warn", "clock")
EXPIRED = Look(_("Expired"), "bad", "warning")
REVOKED = Look(_("Revoked"), "bad", "cross")
REMOVED = Look(_("Not there (any more)"), "offline", "ring")


@dataclass(frozen=True, slots=True)
class CertificateView:
    """One certificate; `is_revocable` and `is_deletable` say what can be done about it."""

    row: StationCertificate
    look: Look

    @property
    def is_revocable(self) -> bool:
        return self.row.use == CertificateUse.CLIENT and self.look not in (REVOKED, EXPIRED)

    @property
    def is_deletable(self) -> bool:
        return self.row.hash_data is not None and self.row.removed_at is None

    @property
    def title(self) -> str:
        return self.row.subject or self.row.serial_number


@dataclass(frozen=True, slots=True)
class EventView:
    """One event in words; a maker's own type is shown as it came."""

    row: SecurityEvent

    @property
    def words(self) -> str | Promise:
        return EVENT_WORDS.get(self.row.type, self.row.type)

    @property
    def is_open(self) -> bool:
        return self.row.critical and self.row.acknowledged_at is None


@dataclass(frozen=True, slots=True)
class Security:
    """`reached` is the profile that its present socket reached, None while there is none."""

    profile: SecurityProfile
    offered: SecurityProfile | None
    reached: SecurityProfile | None
    key_waits_until: datetime | None
    key_change: Command | None
    certificates: list[CertificateView]
    events: list[EventView]


def security_of(actor: Actor, station: ChargingStation, *, now: datetime) -> Security:
    """Everything the tab shows; six queries."""
    waits = station.previous_password_until
    offered = station.offered_security_profile
    changes = Command.objects.filter(
        station=station, action="ChangeConfiguration", payload__key="AuthorizationKey"
    )
    events = filter_security_events(security_events_for(actor), station=station.identity)
    return Security(
        profile=SecurityProfile(station.security_profile),
        offered=None if offered is None else SecurityProfile(offered),
        reached=_reached(station),
        key_waits_until=waits if waits is not None and waits > now else None,
        key_change=changes.first(),
        certificates=[
            CertificateView(row, _look(row, now))
            for row in certificates_of(station)[:CERTIFICATES_SHOWN]
        ],
        events=[EventView(row) for row in events[:EVENTS_SHOWN]],
    )


def _reached(station: ChargingStation) -> SecurityProfile | None:
    state = getattr(station, "state", None)
    if state is None or not state.connected:
        return None
    socket = Connection.objects.filter(station=station, generation=state.generation).first()
    return SecurityProfile(socket.security_profile) if socket is not None else None


def _look(row: StationCertificate, now: datetime) -> Look:
    if row.revoked_at is not None:
        return REVOKED
    if row.removed_at is not None:
        return REMOVED
    if row.not_after is not None and row.not_after <= now:
        return EXPIRED
    if row.not_after is not None and row.not_after <= now + EXPIRES_SOON:
        return SOON
    if row.installed_at is None:
        return ON_ITS_WAY
    return VALID if row.use == CertificateUse.CLIENT else INSTALLED
