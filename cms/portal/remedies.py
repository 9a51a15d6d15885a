"""Refused handshakes: what each reason means for people, and the one thing that mends it."""

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.services.actors import Actor
from accounts.services.audit import record_audit
from accounts.services.permissions import Capability, require
from cms.base.errors import Conflict
from stations.choices import HandshakeRefusal, SecurityProfile
from stations.models import ChargingStation, HandshakeFailure
from stations.services.passwords import generate_password
from stations.services.stations import update_station

ADOPT = "adopt"
NEW_PASSWORD = "new-password"  # noqa: S105 - the name of a remedy
ASSUME_OCPP16 = "assume-ocpp16"
LOWER_PROFILE = "lower-profile"


@dataclass(frozen=True)
class Remedy:
    """`button` and `consequence` of the mending action `name`."""

    name: str
    button: str | Promise
    consequence: str | Promise
    capability: Capability


_REMEDIES = {
    NEW_PASSWORD: Remedy(
        NEW_PASSWORD,
        _("Make a new password"),
        _(
            "The old password stops working. The new one is shown once; enter it in the station, "
            "which then connects."
        ),
        "stations.change",
    ),
    ASSUME_OCPP16: Remedy(
        ASSUME_OCPP16,
        _("Assume OCPP 1.6"),
        _("From now on this station is let in without naming a version and is spoken to in 1.6."),
        "stations.change",
    ),
    LOWER_PROFILE: Remedy(
        LOWER_PROFILE,
        _("Accept connections without TLS"),
        _(
            "The station's password then travels unencrypted unless the network in between is "
            "private. The change is kept in the audit log."
        ),
        "stations.lower_security",
    ),
}

_BY_REASON = {
    HandshakeRefusal.NO_CREDENTIALS: NEW_PASSWORD,
    HandshakeRefusal.WRONG_CREDENTIALS: NEW_PASSWORD,
    HandshakeRefusal.PROFILE_0_DISABLED: NEW_PASSWORD,
    HandshakeRefusal.NO_SUBPROTOCOL: ASSUME_OCPP16,
    HandshakeRefusal.PROFILE_TOO_LOW: LOWER_PROFILE,
}

ADVICE: dict[str, str | Promise] = {
    HandshakeRefusal.BAD_IDENTITY: _(
        "Set the address in the station to …/ocpp/ and its identity: letters, digits, blank and "
        "* _ = + | @ . - only."
    ),
    HandshakeRefusal.UNKNOWN_IDENTITY: _(
        "If this is your station, adopt it. If its identity is misspelt, correct it in the station."
    ),
    HandshakeRefusal.NO_CREDENTIALS: _(
        "Enter the station's password in its settings (AuthorizationKey). If nobody knows it any "
        "more, make a new one."
    ),
    HandshakeRefusal.WRONG_CREDENTIALS: _(
        "Compare the password in the station. If nobody knows the right one, make a new one."
    ),
    HandshakeRefusal.WRONG_USER: _(
        "Set the user name in the station to its identity, or correct the end of its address."
    ),
    HandshakeRefusal.PROFILE_TOO_LOW: _(
        "Set the station's address to wss://… so that it connects with TLS."
    ),
    HandshakeRefusal.PROFILE_0_DISABLED: _(
        "This installation lets no station in without a password. Give it one."
    ),
    HandshakeRefusal.NO_SUBPROTOCOL: _(
        "The station asks for no OCPP version that is spoken here. Choose one in the station; if it "
        "speaks 1.6 and names no version at all, let us assume it."
    ),
    HandshakeRefusal.CLIENT_CERTIFICATE: _(
        "Client certificates are not accepted yet. Set the station to security profile 2."
    ),
    HandshakeRefusal.RATE_LIMITED: _(
        "Too many wrong attempts came from this address. Mend the cause and wait a minute."
    ),
    HandshakeRefusal.UNAVAILABLE: _(
        "The database was out of reach for a moment. The station tries again by itself."
    ),
}


def remedy_for(failure: HandshakeFailure) -> Remedy | None:
    """What mends it from here; None where the station itself must be mended, or must be adopted."""
    name = _BY_REASON.get(HandshakeRefusal(failure.reason))
    if name == ASSUME_OCPP16 and failure.subprotocols:
        return None  # It named versions, only none of ours.
    return _REMEDIES[name] if name and failure.station_id else None


@transaction.atomic
def apply_remedy(*, acting: Actor, failure: HandshakeFailure) -> str | None:
    """Mend the cause and close the refusal; returns a password that was made, to be shown this once.

    Raises:
        NotAllowed: the role may not do this.
        Conflict: nothing on our side mends it.
    """
    remedy = remedy_for(failure)
    if remedy is None or failure.station is None:
        raise Conflict("This has to be mended at the station.")
    require(acting, remedy.capability)
    password = None
    changes: dict[str, Any] = {}
    if remedy.name == NEW_PASSWORD:
        password = generate_password()
        changes["secret"] = password.encode("ascii")
        changes["security_profile"] = max(failure.station.security_profile, SecurityProfile.BASIC)
    elif remedy.name == ASSUME_OCPP16:
        changes["assumes_ocpp16"] = True
    else:
        changes["security_profile"] = SecurityProfile.BASIC
    update_station(acting=acting, station=failure.station, **changes)
    _close(acting, failure, remedy.name)
    return password


@transaction.atomic
def dismiss_failure(*, acting: Actor, failure: HandshakeFailure) -> None:
    """Close a refusal without changing anything; the next one of its kind is shown again. Idempotent.

    Raises:
        NotAllowed: the role may not change stations.
    """
    require(acting, "stations.change")
    _close(acting, failure, "dismiss")


def _close(acting: Actor, failure: HandshakeFailure, how: str) -> None:
    closed = HandshakeFailure.objects.filter(pk=failure.pk, resolved_at__isnull=True).update(
        resolved_at=timezone.now()
    )
    if closed:
        record_audit(
            actor=acting,
            action="handshake_failure.resolve",
            obj=failure,
            after={"how": how, "identity": failure.identity, "reason": failure.reason},
        )


def own_failures(station: ChargingStation) -> list[HandshakeFailure]:
    """A station's open refusals, the latest first."""
    return list(HandshakeFailure.objects.filter(station=station, resolved_at__isnull=True)[:10])
