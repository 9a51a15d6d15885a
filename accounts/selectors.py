"""What an operator's people and programs may read of tokens, groups and the audit log."""

from datetime import datetime

from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from accounts.choices import IdTokenStatus
from accounts.models import AuditEntry, Driver, IdToken, IdTokenGroup, UnknownIdToken
from accounts.models.id_token import fold_uid
from accounts.services.actors import Actor
from accounts.services.permissions import require
from cms.base.ids import get_by_id, parse_id

EXPIRED = "expired"


def id_tokens_for(actor: Actor) -> QuerySet[IdToken]:
    """The operator's tokens, each with its group."""
    return IdToken.objects.filter(operator=actor.operator).select_related("group")


def filter_id_tokens(
    tokens: QuerySet[IdToken],
    *,
    uid: str | None = None,
    status: str | None = None,
    group: str | None = None,
) -> QuerySet[IdToken]:
    """Those with this uid in any case, this status now, this group's name."""
    if uid is not None:
        tokens = tokens.filter(uid_folded=fold_uid(uid))
    if group is not None:
        tokens = tokens.filter(group__name=group)
    lapsed = Q(status=IdTokenStatus.ACCEPTED, expires_at__lte=Now())
    if status == EXPIRED:
        tokens = tokens.filter(lapsed)
    elif status is not None:
        tokens = tokens.filter(status=status).exclude(lapsed)
    return tokens


def effective_status(token: IdToken, now: datetime) -> str:
    """The status that is set, or `expired` where an accepted token's time is over."""
    if token.status == IdTokenStatus.ACCEPTED and token.expires_at and token.expires_at <= now:
        return EXPIRED
    return token.status


def get_id_token_for(actor: Actor, public_id: str) -> IdToken:
    """Raises NotFound for another operator's."""
    return get_by_id(id_tokens_for(actor), public_id)


def find_id_token_for(actor: Actor, reference: str) -> IdToken | None:
    """The token that `reference` names: its uid in any case or, failing that, its id."""
    tokens = id_tokens_for(actor)
    token = tokens.filter(uid_folded=fold_uid(reference)).first()
    if token is None and (pk := parse_id(reference)) is not None:
        token = tokens.filter(pk=pk).first()
    return token


def id_token_groups_for(actor: Actor) -> QuerySet[IdTokenGroup]:
    """The operator's groups."""
    return IdTokenGroup.objects.filter(operator=actor.operator)


def get_id_token_group_for(actor: Actor, public_id: str) -> IdTokenGroup:
    """Raises NotFound for another operator's."""
    return get_by_id(id_token_groups_for(actor), public_id)


def unknown_id_tokens_for(actor: Actor) -> QuerySet[UnknownIdToken]:
    """Tokens that were presented at the operator's stations and belong to nobody yet."""
    return UnknownIdToken.objects.filter(operator=actor.operator)


def get_unknown_id_token_for(actor: Actor, public_id: str) -> UnknownIdToken:
    """Raises NotFound for another operator's."""
    return get_by_id(unknown_id_tokens_for(actor), public_id)


def drivers_for(actor: Actor) -> QuerySet[Driver]:
    """Drivers belong to the platform; an operator knows those who hold a token of it."""
    return Driver.objects.filter(id_tokens__operator=actor.operator).distinct()


def audit_entries_for(actor: Actor) -> QuerySet[AuditEntry]:
    """What happened at the operator, with who did it.

    Raises:
        NotAllowed: the role may not read the audit log.
    """
    require(actor, "audit.read")
    return AuditEntry.objects.filter(operator=actor.operator).select_related("user", "api_key")
