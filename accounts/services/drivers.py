"""Drivers: people who register themselves, prove their address, and hold tokens at operators.

Whoever asks learns nothing about who has an account: registering, asking for another mail and resetting a
password answer the same for every address, and the mail says the rest to the address's owner. Mails leave through
the outbox, under the topics below; whoever renders them makes the link, so that no token lies in a row.

A registered user is inactive and has never signed in until the address is proven. No link opens an account that
a person has blocked: it was used, or belongs to somebody's team.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core import signing
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext as _

from accounts.choices import IdTokenStatus, IdTokenType, Role
from accounts.models import AuditEntry, Driver, IdToken, Operator, UnknownIdToken, User
from accounts.models.id_token import fold_uid
from accounts.services.actors import Actor
from accounts.services.audit import object_type, record_audit
from cms.base import outbox
from cms.base.errors import Conflict, Invalid

CONFIRM_TOPIC = "driver.confirm_address"
KNOWN_TOPIC = "driver.address_known"
RESET_TOPIC = "driver.reset_password"
CONFIRM_WITHIN = timedelta(days=3)

# One person's mailbox is nobody's toy.
_MAIL_PAUSE = timedelta(minutes=1)
_MAILS_A_DAY = 6

_SALT = "accounts.services.drivers.confirm"
_OCPP16_UID_LENGTH = 20
_NEW_CARD_TYPES = frozenset({IdTokenType.ISO14443, IdTokenType.ISO15693})


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A user whose address is proven, and the page that registering had interrupted."""

    user: User
    next_path: str


# --- accounts --------------------------------------------------------------------------------


@transaction.atomic
def register_driver(
    *, email: str, password: str, name: str = "", language: str = "", next_path: str = ""
) -> None:
    """Take down a new driver and send a mail to prove the address; says nothing of who is known.

    An address that awaits its proof takes the newest password: the links of older mails then open nothing.
    The owner of a used address is told that there is an account already.

    Raises:
        Invalid: no e-mail address, or a password that is too easily guessed.
    """
    email = email.strip()
    _check_registration(email, password, name)
    fields = {"name": name.strip()[:120], "language": language[:8]}
    user = _find_user(email)
    if user is None:
        try:
            with transaction.atomic():
                user = User.objects.create_user(email, password, is_active=False, **fields)
        except IntegrityError:  # the same form, sent twice
            user = _find_user(email)
    elif awaits_proof(user):
        user.set_password(password)
        user.name, user.language = fields["name"], fields["language"]
        user.save(update_fields=["password", "name", "language"])
    else:
        make_password(password)  # as slow as for a new address
    if user is not None:
        _mail(user, CONFIRM_TOPIC if awaits_proof(user) else KNOWN_TOPIC, next_path=next_path)


@transaction.atomic
def resend_confirmation(*, email: str, next_path: str = "") -> None:
    """Send the proof's mail again, where an address awaits it. Says nothing of who is known."""
    user = _find_user(email.strip())
    if user is not None:
        _mail(user, CONFIRM_TOPIC if awaits_proof(user) else KNOWN_TOPIC, next_path=next_path)


@transaction.atomic
def request_password_reset(*, email: str) -> None:
    """Send a link to set a new password; to an address that awaits its proof, that mail instead."""
    user = _find_user(email.strip())
    if user is not None:
        _mail(user, CONFIRM_TOPIC if awaits_proof(user) else RESET_TOPIC)


def confirmation_token(user: User, next_path: str = "") -> str:
    """What the link in the mail carries: signed, for three days, for this password alone."""
    return signing.dumps({"user": user.pk, "seal": _seal(user), "next": next_path}, salt=_SALT)


def read_confirmation(token: str) -> Confirmed:
    """Whose address a link proves, without proving it yet: mail filters open links, too.

    Raises:
        Conflict: forged, too old, used, or a later registration took its place.
    """
    try:
        told: dict[str, Any] = signing.loads(token, salt=_SALT, max_age=CONFIRM_WITHIN)
    except signing.BadSignature:
        raise _dead_link() from None
    user = User.objects.filter(pk=told["user"]).first()
    if (
        user is None
        or not awaits_proof(user)
        or not constant_time_compare(_seal(user), told["seal"])
    ):
        raise _dead_link()
    return Confirmed(user, str(told["next"]))


@transaction.atomic
def confirm_address(*, token: str) -> Confirmed:
    """Open the account: the person may sign in and charge from now on.

    Cards that operators gave to the address before, and their sessions, are the person's now.

    Raises:
        Conflict: as `read_confirmation`.
    """
    confirmed = read_confirmation(token)
    user = User.objects.select_for_update().get(pk=confirmed.user.pk)
    if not awaits_proof(user):
        raise _dead_link()
    user.is_active = True
    user.last_login = timezone.now()
    user.save(update_fields=["is_active", "last_login"])
    _adopt(user, Driver.objects.filter(email__iexact=user.email))
    _audit_user(user, "driver.confirm_address", acting=user)
    return Confirmed(user, confirmed.next_path)


def awaits_proof(user: User) -> bool:
    """Registered, and nobody has proven yet that the address is theirs."""
    return (
        not user.is_active
        and user.last_login is None
        and not user.is_staff
        and not user.memberships.exists()
    )


def driver_of(user: User) -> Driver:
    """The driver that a user is; made on first use. Idempotent, also side by side."""
    driver, _made = Driver.objects.get_or_create(
        user=user, defaults={"name": user.name, "email": user.email}
    )
    driver.user = user
    return driver


def _adopt(user: User, given: QuerySet[Driver]) -> Driver:
    """Make the user of a proven address one with drivers whom operators made for it; returns the user's driver.

    An operator who gives a card to an address makes a driver without a user, each operator another one. The
    oldest becomes the user's where there is none yet; what belongs to the others moves over, and they go. Drivers
    of other users are left alone.
    """
    rows = list(given.filter(user=None).select_for_update().order_by("pk"))
    own = Driver.objects.filter(user=user).first()
    if own is None and rows:
        own = rows.pop(0)
        own.user, own.email, own.name = user, user.email, user.name or own.name
        own.save(update_fields=["user", "email", "name"])
    own = own or driver_of(user)
    for row in rows:
        _merge(row, into=own)
    return own


def _merge(row: Driver, *, into: Driver) -> None:
    tokens = list(IdToken.objects.filter(driver=row).select_related("operator").order_by("pk"))
    # Also rows of layers above, such as sessions: whoever refers to a driver refers to the other one now.
    for relation in Driver._meta.related_objects:
        if relation.one_to_many:
            manager = relation.related_model._base_manager
            manager.filter(**{relation.field.name: row}).update(**{relation.field.name: into})
    for token in tokens:
        record_audit(
            actor=driver_actor(into, token.operator),
            action="id_token.adopt",
            obj=token,
            before={"driver": str(row.pk)},
            after={"driver": str(into.pk)},
        )
    row.delete()


def _check_registration(email: str, password: str, name: str) -> None:
    faults: dict[str, list[str]] = {}
    try:
        validate_email(email)
    except ValidationError as error:
        faults["email"] = list(error.messages)
    try:
        validate_password(password, User(email=email, name=name))
    except ValidationError as error:
        faults["password"] = list(error.messages)
    if faults:
        raise Invalid.fields(faults)


def _find_user(email: str) -> User | None:
    if "\0" in email:
        return None
    return User.objects.select_for_update().filter(email__iexact=email).first()


def _seal(user: User) -> str:
    return salted_hmac(_SALT, f"{user.pk}/{user.email}/{user.password}").hexdigest()[:24]


def _dead_link() -> Conflict:
    return Conflict(
        _("This link is too old, was used before, or a newer one has taken its place."),
        code="dead_link",
    )


def _mail(user: User, topic: str, *, next_path: str = "") -> None:
    """Ask for a mail, unless this person got one a moment ago or enough today."""
    if topic != CONFIRM_TOPIC and not user.is_active:
        return  # blocked by a person
    now = timezone.now()
    sent = AuditEntry.objects.filter(
        object_type=object_type(User), object_id=str(user.pk), action__startswith="driver.mail"
    )
    if sent.filter(at__gt=now - _MAIL_PAUSE).exists():
        return
    if sent.filter(at__gt=now - timedelta(days=1)).count() >= _MAILS_A_DAY:
        return
    _audit_user(user, "driver.mail", {"topic": topic})
    outbox.enqueue(topic, str(user.pk), {"user": user.pk, "next": next_path})


def _audit_user(
    user: User, action: str, after: dict[str, Any] | None = None, *, acting: User | None = None
) -> None:
    """An audit row of no operator: drivers belong to the platform."""
    AuditEntry.objects.create(
        user=acting,
        action=action,
        object_type=object_type(User),
        object_id=str(user.pk),
        after=after,
    )


# --- tokens ----------------------------------------------------------------------------------


def driver_actor(driver: Driver, operator: Operator) -> Actor:
    """The driver in the operator's audit log, with no more rights there than to read.

    For domain functions that ask who acts; never hand it to a selector that shows an operator's rows.
    """
    return Actor(operator=operator, role=Role.VIEWER, user=driver.user)


def find_app_token(*, driver: Driver, operator: Operator) -> IdToken | None:
    """What the driver's telephone shows an operator's stations; None before the first use."""
    tokens = IdToken.objects.filter(
        operator=operator, driver=driver, type=IdTokenType.CENTRAL
    ).order_by("id")
    return next((token for token in tokens if len(token.uid) <= _OCPP16_UID_LENGTH), None)


@transaction.atomic
def ensure_app_token(*, driver: Driver, operator: Operator) -> IdToken:
    """The driver's app token at an operator, made on first use. Idempotent, also side by side.

    Its uid is random and fits OCPP 1.6's idTag. A token that the operator blocked is returned as it is.
    """
    Driver.objects.select_for_update(no_key=True).get(pk=driver.pk)
    token = find_app_token(driver=driver, operator=operator)
    if token is None:
        uid = secrets.token_hex(_OCPP16_UID_LENGTH // 2).upper()
        token = IdToken.objects.create(
            operator=operator, uid=uid, type=IdTokenType.CENTRAL, driver=driver
        )
        record_audit(
            actor=driver_actor(driver, operator),
            action="id_token.create",
            obj=token,
            after={"type": token.type, "driver": str(driver.pk)},
        )
    return token


def claimable_uids(
    *, operator: Operator, uids: list[str], driver: Driver | None = None
) -> list[str]:
    """Of tokens just presented, those that a driver may make their own, in the order given.

    A card that nobody knows, or one that the operator handed out and nobody has used: accepted, nobody's, in
    no group. Whatever has a history stays the operator's to give, and what the operator gave to `driver`'s address
    is given.
    """
    folded = {fold_uid(uid): uid for uid in uids}
    tokens = IdToken.objects.filter(operator=operator, uid_folded__in=folded)
    known = {token.uid_folded: token for token in tokens.select_related("driver")}
    return [
        uid
        for key, uid in folded.items()
        if key not in known or _is_unused(known[key]) or _is_given_to(driver, known[key])
    ]


def _is_unused(token: IdToken) -> bool:
    return (
        token.driver_id is None
        and token.group_id is None
        and token.last_used_at is None
        and token.status == IdTokenStatus.ACCEPTED
        and token.type in _NEW_CARD_TYPES
    )


def _is_given_to(driver: Driver | None, token: IdToken) -> bool:
    """An operator gave the token to the address of this driver's account, not knowing of the account."""
    return (
        driver is not None
        and driver.user is not None
        and token.driver is not None
        and token.driver.user_id is None
        and token.driver.email.casefold() == driver.user.email.casefold()
    )


@transaction.atomic
def claim_id_token(
    *, driver: Driver, operator: Operator, uid: str, station_identity: str, presented_at: datetime
) -> IdToken:
    """Make a card that was just held to a reader the driver's own.

    The caller has seen it presented; `station_identity` and `presented_at` go into the audit log. A card that the
    operator gave to the driver's address brings along all that the operator knows of that address.

    Raises:
        Conflict: it has become somebody's, or has a history.
    """
    token = (
        IdToken.objects.select_for_update()
        .filter(operator=operator, uid_folded=fold_uid(uid))
        .first()
    )
    if token is not None and _is_given_to(driver, token):
        assert driver.user and token.driver  # noqa: S101 - `_is_given_to`
        _adopt(driver.user, Driver.objects.filter(pk=token.driver.pk))
        token.driver = driver
    if token is not None and token.driver_id == driver.pk:
        return token
    if token is not None and not _is_unused(token):
        raise _taken()
    if token is None:
        try:
            with transaction.atomic():
                token = IdToken.objects.create(operator=operator, uid=uid, driver=driver)
        except IntegrityError:
            raise _taken() from None
        UnknownIdToken.objects.filter(operator=operator, uid_folded=token.uid_folded).delete()
    else:
        token.driver = driver
        token.save(update_fields=["driver"])
    record_audit(
        actor=driver_actor(driver, operator),
        action="id_token.claim",
        obj=token,
        after={
            "driver": str(driver.pk),
            "station": station_identity,
            "presented_at": presented_at,
        },
    )
    return token


def _taken() -> Conflict:
    return Conflict(
        _("This card belongs to somebody already. Ask the operator of the station about it."),
        code="card_taken",
    )


@transaction.atomic
def block_own_id_token(*, driver: Driver, id_token: IdToken) -> IdToken:
    """Refuse a lost card everywhere from now on; only the operator can undo it. Idempotent.

    What charges with it now goes on. Gateways hear of it within a second.
    """
    token = IdToken.objects.select_for_update(no_key=True).get(pk=id_token.pk, driver=driver)
    if token.status != IdTokenStatus.BLOCKED:
        before = token.status
        token.status = IdTokenStatus.BLOCKED
        token.save(update_fields=["status"])
        record_audit(
            actor=driver_actor(driver, token.operator),
            action="id_token.block",
            obj=token,
            before={"status": before},
            after={"status": token.status},
        )
    return token
