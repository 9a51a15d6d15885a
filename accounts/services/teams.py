"""Teams: who belongs to an operator, with which role. Owners decide; a team never loses its last owner.

Mails leave through the outbox under `INVITED_TOPIC`; whoever renders them makes the link, so that no token lies in
a row.
"""

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts.choices import Role
from accounts.models import Membership, User
from accounts.services.actors import Actor
from accounts.services.audit import record_audit
from accounts.services.permissions import require
from cms.base import outbox
from cms.base.errors import Conflict, Invalid

INVITED_TOPIC = "membership.invited"


@transaction.atomic
def invite_member(*, acting: Actor, email: str, role: Role, name: str = "") -> Membership:
    """Take a person into the team and tell them by mail; a new one gets a link to set a password.

    Somebody who once registered as a driver and never proved the address counts as new: whoever chose that password
    need not be whoever reads the mail.

    Raises:
        NotAllowed: the actor is no owner.
        Invalid: no e-mail address.
        Conflict: already in the team, or the account was blocked.
    """
    require(acting, "team.ownership")
    email = email.strip()
    try:
        validate_email(email)
    except ValidationError as error:
        raise Invalid.fields({"email": list(error.messages)}) from error
    user = _user_for(email, name)
    try:
        with transaction.atomic():
            membership = Membership.objects.create(operator=acting.operator, user=user, role=role)
    except IntegrityError as error:
        raise Conflict(
            _("%(email)s is in the team already.") % {"email": user.email},
            data={"fields": {"email": [_("This person is in the team already.")]}},
        ) from error
    record_audit(
        actor=acting,
        action="membership.create",
        obj=membership,
        after={"user": user.email, "role": role},
    )
    outbox.enqueue(INVITED_TOPIC, str(membership.pk), {"membership": membership.pk})
    return membership


@transaction.atomic
def invite_again(*, acting: Actor, membership: Membership) -> None:
    """Send the mail once more to somebody who has not signed in yet.

    Raises:
        NotAllowed: the actor is no owner.
        Conflict: they have signed in.
    """
    require(acting, "team.ownership")
    if not is_invited(membership.user):
        raise Conflict(_("This person has set a password already."))
    record_audit(
        actor=acting,
        action="membership.invite",
        obj=membership,
        after={"user": membership.user.email},
    )
    outbox.enqueue(INVITED_TOPIC, str(membership.pk), {"membership": membership.pk})


@transaction.atomic
def change_role(*, acting: Actor, membership: Membership, role: Role) -> Membership:
    """Give a member another role, from the next click on. Idempotent.

    Raises:
        NotAllowed: the actor is no owner.
        Conflict: the team would be without an owner.
    """
    require(acting, "team.ownership")
    membership = _lock(acting, membership)
    before = membership.role
    if before != role:
        if before == Role.OWNER:
            _keep_an_owner(acting, membership)
        membership.role = role
        membership.save(update_fields=["role"])
        record_audit(
            actor=acting,
            action="membership.update",
            obj=membership,
            before={"user": membership.user.email, "role": before},
            after={"user": membership.user.email, "role": role},
        )
    return membership


@transaction.atomic
def remove_member(*, acting: Actor, membership: Membership) -> None:
    """Take somebody out of the team, from the next click on; the account stays.

    Raises:
        NotAllowed: the actor is no owner.
        Conflict: the team would be without an owner.
    """
    require(acting, "team.ownership")
    membership = _lock(acting, membership)
    if membership.role == Role.OWNER:
        _keep_an_owner(acting, membership)
    record_audit(
        actor=acting,
        action="membership.delete",
        obj=membership,
        before={"user": membership.user.email, "role": membership.role},
    )
    membership.delete()


def is_invited(user: User) -> bool:
    """Taken into a team, and has not set a password yet."""
    return user.is_active and not user.has_usable_password()


def _user_for(email: str, name: str) -> User:
    user = User.objects.select_for_update().filter(email__iexact=email).first()
    if user is None:
        return User.objects.create_user(email, name=name.strip()[:120])
    if user.is_active:
        return user
    if user.last_login is not None or user.is_staff or user.memberships.exists():
        raise Conflict(
            _("This account was blocked. Ask the people who run this installation."),
            data={"fields": {"email": [_("This account was blocked.")]}},
        )
    user.is_active = True
    user.set_unusable_password()
    user.save(update_fields=["is_active", "password"])
    return user


def _lock(acting: Actor, membership: Membership) -> Membership:
    """All owners with it, in one order, so that two people do not each remove the other."""
    rows = (
        Membership.objects.select_for_update(of=("self",))
        .filter(operator=acting.operator)
        .select_related("user")
        .order_by("pk")
    )
    found = {row.pk: row for row in rows}.get(membership.pk)
    if found is None:
        raise Conflict(_("This person is not in the team any more."))
    return found


def _keep_an_owner(acting: Actor, leaving: Membership) -> None:
    others = Membership.objects.filter(
        operator=acting.operator, role=Role.OWNER, user__is_active=True
    ).exclude(pk=leaving.pk)
    if not others.exists():
        raise Conflict(
            _("A team needs an owner. Make somebody else an owner first."), code="last_owner"
        )
