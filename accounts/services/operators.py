"""Operators, users and memberships: made from the server's shell, and by the demo."""

from collections.abc import Callable

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email, validate_slug
from django.db import IntegrityError, transaction

from accounts.choices import Role
from accounts.models import Membership, Operator, User
from accounts.services.actors import Actor
from accounts.services.audit import record_audit
from cms.base.errors import Conflict, Invalid


@transaction.atomic
def create_operator(
    *, slug: str, name: str, country: str = "", currency: str = "EUR", time_zone: str = "UTC"
) -> Operator:
    """A new tenant.

    Raises:
        Invalid: the slug is no slug.
        Conflict: the slug is taken.
    """
    _check(validate_slug, "slug", slug)
    operator = Operator(
        slug=slug, name=name, country=country, currency=currency, time_zone=time_zone
    )
    try:
        with transaction.atomic():
            operator.save(force_insert=True)
    except IntegrityError as error:
        raise Conflict(f"There is an operator {slug}.") from error
    record_audit(
        actor=Actor.system(operator),
        action="operator.create",
        obj=operator,
        after={"slug": slug, "name": name, "country": country, "currency": currency},
    )
    return operator


@transaction.atomic
def create_user(*, email: str, password: str) -> User:
    """A person who can sign in.

    Raises:
        Invalid: no e-mail address, or a password that is too easily guessed.
        Conflict: the address is taken, in whatever case.
    """
    _check(validate_email, "email", email)
    try:
        validate_password(password, User(email=email))
    except ValidationError as error:
        raise Invalid.fields({"password": list(error.messages)}) from error
    try:
        with transaction.atomic():
            return User.objects.create_user(email, password)
    except IntegrityError as error:
        raise Conflict(f"There is a user {email}.") from error


@transaction.atomic
def add_member(*, operator: Operator, user: User, role: Role) -> Membership:
    """Make `user` a member of the operator's team; a member already gets the new role. Idempotent."""
    membership, _ = Membership.objects.update_or_create(
        operator=operator, user=user, defaults={"role": role}
    )
    record_audit(
        actor=Actor.system(operator),
        action="membership.set",
        obj=membership,
        after={"user": user.email, "role": role},
    )
    return membership


def _check(validator: Callable[[str], None], field: str, value: str) -> None:
    try:
        validator(value)
    except ValidationError as error:
        raise Invalid.fields({field: list(error.messages)}) from error
