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
from stations.choices import CertificateProblem, HandshakeRefusal, SecurityProfile
from stations.models import ChargingStation, HandshakeFailure
from stations.ocpp.handshake import LITERAL_HEX
from stations.services.passwords import generate_password
from stations.services.stations import update_station

ADOPT = "adopt"
NEW_PASSWORD = "new-password"  # noqa: S105 - the name of a remedy
ASSUME_OCPP16 = "assume-ocpp16"
LOWER_PROFILE = "lower-profile"
LOWER_TO_PASSWORD = "lower-to-password"  # noqa: S105 - the name of a remedy
ACCEPT_HEX = "accept-hex"


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
    LOWER_TO_PASSWORD: Remedy(
        LOWER_TO_PASSWORD,
        _("Accept a password over TLS instead"),
        _(
            "The station is let in with its password, encrypted, as security profile 2 has it. Then it "
            "can be asked for a new certificate and raised again. The change is kept in the audit log."
        ),
        "stations.lower_security",
    ),
    ACCEPT_HEX: Remedy(
        ACCEPT_HEX,
        _("Accept the digits"),
        _(
            "From now on the hexadecimal digits of this station's key, sent as text, are taken for the "
            "key."
        ),
        "stations.change",
    ),
}

_BY_REASON = {
    HandshakeRefusal.NO_CREDENTIALS: NEW_PASSWORD,
    HandshakeRefusal.WRONG_CREDENTIALS: NEW_PASSWORD,
    HandshakeRefusal.PROFILE_0_DISABLED: NEW_PASSWORD,
    HandshakeRefusal.NO_SUBPROTOCOL: ASSUME_OCPP16,
    HandshakeRefusal.PROFILE_TOO_LOW: LOWER_PROFILE,
    HandshakeRefusal.CLIENT_CERTIFICATE: LOWER_TO_PASSWORD,
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
        "Install a certificate in the station that a CA of yours has signed, for its identity."
    ),
    HandshakeRefusal.RATE_LIMITED: _(
        "Too many wrong attempts came from this address. Mend the cause and wait a minute."
    ),
    HandshakeRefusal.UNAVAILABLE: _(
        "The database was out of reach for a moment. The station tries again by itself."
    ),
}


# The same, where the word at the beginning of a refusal's detail tells more.
_ADVICE_BY_WORD: dict[str, str | Promise] = {
    LITERAL_HEX: _(
        "Set the station to take its key for hexadecimal digits, not for text. If it cannot, let us "
        "accept the digits."
    ),
    CertificateProblem.MISSING: _(
        "Install a certificate and its key in the station and choose it for the connection. If it "
        "has one, see whether our server asks for it (--request-client-cert)."
    ),
    CertificateProblem.NOT_ENCRYPTED: _(
        "Set the station's address to wss://…; its certificate is shown over TLS only."
    ),
    CertificateProblem.NOT_PASSED_ON: _(
        "Have the proxy ask for client certificates and pass them on as X-Client-Cert. If it does, "
        "install a certificate in the station."
    ),
    CertificateProblem.UNREADABLE: _(
        "Have the proxy pass the certificate on as PEM, URL-encoded, in X-Client-Cert."
    ),
    CertificateProblem.WRONG_NAME: _(
        "Install a certificate whose common name is the station's identity or serial number, or "
        "correct the identity at the end of the station's address."
    ),
    CertificateProblem.NOT_YET_VALID: _(
        "Compare the clocks of the station and of whoever issued the certificate, or wait."
    ),
    CertificateProblem.EXPIRED: _(
        "Install a new certificate. Without one the station can come back with its password, and ask "
        "for a new certificate then."
    ),
    CertificateProblem.WRONG_USE: _(
        "Have a certificate issued that clients may use (extended key usage clientAuth)."
    ),
    CertificateProblem.UNTRUSTED: _(
        "If you trust who issued it, add that CA over the API (/api/v1/trusted-cas/). Otherwise "
        "install a certificate of our CA or of one you trust, with its intermediate certificates."
    ),
    CertificateProblem.REVOKED: _(
        "Install a new certificate, or let the station come back with its password and renew it."
    ),
}


def advice_for(failure: HandshakeFailure) -> str | Promise:
    """What to change at the station, or in front of it."""
    return _ADVICE_BY_WORD.get(_word_of(failure)) or ADVICE.get(failure.reason, "")


def detail_of(failure: HandshakeFailure) -> str:
    """What was sent and what was wrong with it, as a sentence."""
    word = _word_of(failure)
    return failure.detail.removeprefix(f"{word}: ") if word in _ADVICE_BY_WORD else failure.detail


def _word_of(failure: HandshakeFailure) -> str:
    return failure.detail.partition(":")[0]


def remedy_for(failure: HandshakeFailure) -> Remedy | None:
    """What mends it from here; None where the station itself must be mended, or must be adopted."""
    name = _BY_REASON.get(HandshakeRefusal(failure.reason))
    if _word_of(failure) == LITERAL_HEX:
        name = ACCEPT_HEX
    if name == ASSUME_OCPP16 and failure.subprotocols:
        return None  # It named versions, only none of ours.
    if failure.station is None or name is None:
        return None
    needs_lowering = failure.station.security_profile == SecurityProfile.TLS_CLIENT
    if name == LOWER_TO_PASSWORD and not needs_lowering:
        return None
    return _REMEDIES[name]


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
    elif remedy.name == ACCEPT_HEX:
        changes["accepts_literal_hex"] = True
    elif remedy.name == LOWER_TO_PASSWORD:
        changes["security_profile"] = SecurityProfile.TLS_BASIC
    else:
        changes["security_profile"] = SecurityProfile.BASIC
    done = update_station(acting=acting, station=failure.station, **changes)
    _close(acting, failure, remedy.name)
    return password or done.generated_password


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
