"""Tokens and groups: made, changed, adopted. Gateways hear of each change through the database."""

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from accounts.models import Driver, IdToken, IdTokenGroup, UnknownIdToken
from accounts.models.id_token import fold_uid
from accounts.selectors import drivers_for, get_unknown_id_token_for
from accounts.services.actors import Actor
from accounts.services.audit import record_audit
from accounts.services.permissions import require
from cms.base.errors import Conflict, Invalid
from cms.base.ids import parse_id

_UID_LENGTH = 255
# What `update_id_token` may set besides `group` and `driver`.
_PLAIN_FIELDS = ("uid", "type", "status", "expires_at", "max_concurrent")


@transaction.atomic
def create_id_token(*, acting: Actor, uid: str, **fields: Any) -> IdToken:
    """A new token of the actor's operator; `fields` are those of `update_id_token`.

    Forgets that the token was unknown.

    Raises:
        NotAllowed: the role may not manage tokens.
        Invalid: the driver is unknown, or the uid has no normal form that fits.
        Conflict: the operator has a token with this uid, in whatever case.
    """
    require(acting, "tokens.change")
    token = IdToken(operator=acting.operator)
    _assign(acting, token, {"uid": uid, **fields})
    _save(token)
    UnknownIdToken.objects.filter(operator=acting.operator, uid_folded=token.uid_folded).delete()
    record_audit(actor=acting, action="id_token.create", obj=token, after=_state(token))
    return token


@transaction.atomic
def update_id_token(*, acting: Actor, id_token: IdToken, **fields: Any) -> IdToken:
    """Change `uid, type, status, expires_at, max_concurrent, group` (a name), `driver` (an id) or `driver_email`.

    Running transactions go on. A group that does not exist yet is made. `driver_email` finds the driver among those
    whom the operator knows, or makes one: who else has an account is not for an operator to find out. Idempotent.

    Raises:
        NotAllowed: the role may not manage tokens.
        Invalid: the driver is unknown, or the uid has no normal form that fits.
        Conflict: the operator has another token with this uid.
    """
    require(acting, "tokens.change")
    # NO KEY: gateways insert transactions that refer to the token meanwhile.
    token = IdToken.objects.select_for_update(no_key=True).get(pk=id_token.pk)
    before = _state(token)
    changed = _assign(acting, token, fields)
    _save(token, update_fields=changed)
    _record_change(acting, "id_token.update", token, before, _state(token))
    return token


def adopt_unknown_id_token(*, acting: Actor, unknown_id: str, **fields: Any) -> IdToken:
    """Make a token out of one that was presented and refused; `fields` as in `create_id_token`.

    Raises:
        NotFound: it is another operator's, or was adopted before.
        NotAllowed, Invalid, Conflict: as `create_id_token`.
    """
    require(acting, "tokens.change")
    unknown = get_unknown_id_token_for(acting, unknown_id)
    return create_id_token(acting=acting, uid=unknown.uid, **fields)


@transaction.atomic
def dismiss_unknown_id_token(*, acting: Actor, unknown_id: str) -> None:
    """Forget that a token was presented and refused; presented again, it is listed again.

    Raises:
        NotFound: it is another operator's, or was adopted or dismissed before.
        NotAllowed: the role may not manage tokens.
    """
    require(acting, "tokens.change")
    unknown = get_unknown_id_token_for(acting, unknown_id)
    record_audit(
        actor=acting,
        action="unknown_id_token.dismiss",
        obj=unknown,
        before={"uid": unknown.uid, "times_seen": unknown.times_seen},
    )
    unknown.delete()


@transaction.atomic
def create_id_token_group(*, acting: Actor, name: str, master: bool = False) -> IdTokenGroup:
    """A new group.

    Raises:
        NotAllowed: the role may not manage tokens.
        Conflict: the operator has a group of this name.
    """
    require(acting, "tokens.change")
    group = IdTokenGroup(operator=acting.operator, name=name, master=master)
    _save_group(group)
    record_audit(
        actor=acting,
        action="id_token_group.create",
        obj=group,
        after={"name": name, "master": master},
    )
    return group


@transaction.atomic
def update_id_token_group(*, acting: Actor, group: IdTokenGroup, **fields: Any) -> IdTokenGroup:
    """Rename a group, or make it a master group or not.

    Raises:
        NotAllowed: the role may not manage tokens.
        Conflict: the operator has another group of this name.
    """
    require(acting, "tokens.change")
    group = IdTokenGroup.objects.select_for_update(no_key=True).get(pk=group.pk)
    before = {"name": group.name, "master": group.master}
    group.name = fields.get("name", group.name)
    group.master = fields.get("master", group.master)
    _save_group(group)
    after = {"name": group.name, "master": group.master}
    _record_change(acting, "id_token_group.update", group, before, after)
    return group


def _assign(acting: Actor, token: IdToken, fields: dict[str, Any]) -> list[str]:
    """Set `fields` on `token`; returns the columns touched."""
    unknown = set(fields) - {*_PLAIN_FIELDS, "group", "driver", "driver_email"}
    if unknown:
        raise TypeError(f"A token has no {', '.join(sorted(unknown))}.")
    for name in _PLAIN_FIELDS:
        if name in fields:
            setattr(token, name, fields[name])
    # Folding can lengthen a text: one character may become three.
    if "uid" in fields and len(fold_uid(token.uid)) > _UID_LENGTH:
        raise Invalid.fields(
            {"uid": [_("A uid has at most %(most)s characters.") % {"most": _UID_LENGTH}]}
        )
    if "group" in fields:
        token.group = _group(acting, fields["group"])
    if "driver" in fields:
        token.driver = _driver(acting, fields["driver"])
    if "driver_email" in fields:
        token.driver = _driver_by_email(acting, fields["driver_email"])
    columns = ["driver" if name == "driver_email" else name for name in fields]
    return [*columns, "uid_folded"] if "uid" in fields else columns


def _group(acting: Actor, name: str | None) -> IdTokenGroup | None:
    if name is None:
        return None
    group, _created = IdTokenGroup.objects.get_or_create(operator=acting.operator, name=name)
    return group


def _driver(acting: Actor, public_id: str | None) -> Driver | None:
    if public_id is None:
        return None
    pk = parse_id(public_id)
    driver = drivers_for(acting).filter(pk=pk).first() if pk is not None else None
    if driver is None:
        raise Invalid.fields({"driver": [_("There is no such driver.")]})
    return driver


def _driver_by_email(acting: Actor, email: str | None) -> Driver | None:
    if not email:
        return None
    known = drivers_for(acting).filter(Q(email__iexact=email) | Q(user__email__iexact=email))
    return known.order_by("pk").first() or Driver.objects.create(email=email)


def _save(token: IdToken, update_fields: list[str] | None = None) -> None:
    try:
        with transaction.atomic():
            token.save(update_fields=update_fields)
    except IntegrityError as error:
        if "accounts_id_token_uid_unique" not in str(error):
            raise
        raise Conflict(
            _("There is a token with this uid."), data={"fields": {"uid": [_("It is taken.")]}}
        ) from error


def _save_group(group: IdTokenGroup) -> None:
    try:
        with transaction.atomic():
            group.save()
    except IntegrityError as error:
        if "accounts_id_token_group_name_unique" not in str(error):
            raise
        raise Conflict(
            _("There is a group of this name."), data={"fields": {"name": [_("It is taken.")]}}
        ) from error


def _state(token: IdToken) -> dict[str, Any]:
    """What the audit log keeps of a token."""
    plain = {name: getattr(token, name) for name in _PLAIN_FIELDS}
    return plain | {
        "group": token.group.name if token.group else None,
        "driver": str(token.driver_id) if token.driver_id else None,
    }


def _record_change(
    acting: Actor,
    action: str,
    obj: IdToken | IdTokenGroup,
    before: dict[str, Any],
    after: dict[str, Any],
) -> None:
    """One audit row with the fields that changed; none where nothing did."""
    changed = {name for name in after if before[name] != after[name]}
    if changed:
        record_audit(
            actor=acting,
            action=action,
            obj=obj,
            before={name: before[name] for name in changed},
            after={name: after[name] for name in changed},
        )
