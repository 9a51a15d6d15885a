"""API keys: made once, shown once, found by their prefix.

A key reads `mgz_<prefix>_<secret>`. The secret is 32 random bytes, so that one SHA-256 is hash enough.
"""

import hashlib
import hmac
import re
import secrets
import string
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.choices import Role
from accounts.models import ApiKey
from accounts.services.actors import Actor
from accounts.services.audit import record_audit
from accounts.services.permissions import require

_KEY = re.compile(r"mgz_([a-z0-9]{12})_([A-Za-z0-9_-]{43})", re.ASCII)
_PREFIX_ALPHABET = string.ascii_lowercase + string.digits
# `last_used_at` is for people; a write for every request would be for nobody.
_LAST_USED_RESOLUTION = timedelta(minutes=1)


@transaction.atomic
def create_api_key(*, acting: Actor, role: Role, name: str = "") -> tuple[ApiKey, str]:
    """A new key of the actor's operator: the row, and the text that is never to be seen again.

    Raises:
        NotAllowed: the actor may not manage the team, or gives away more than it has.
    """
    require(acting, "team.change")
    if role == Role.OWNER:
        require(acting, "team.ownership")
    prefix = "".join(secrets.choice(_PREFIX_ALPHABET) for _ in range(12))
    secret = secrets.token_urlsafe(32)
    api_key = ApiKey.objects.create(
        operator=acting.operator, role=role, name=name, prefix=prefix, key_hash=_hash(secret)
    )
    record_audit(
        actor=acting,
        action="api_key.create",
        obj=api_key,
        after={"prefix": prefix, "role": role, "name": name},
    )
    return api_key, f"mgz_{prefix}_{secret}"


@transaction.atomic
def revoke_api_key(*, acting: Actor, api_key: ApiKey) -> None:
    """Refuse the key from now on, for ever. Idempotent.

    Raises:
        NotAllowed: the actor may not manage the team, or the key has more rights than it.
    """
    require(acting, "team.change")
    if api_key.role == Role.OWNER:
        require(acting, "team.ownership")
    revoked = ApiKey.objects.filter(
        pk=api_key.pk, operator=acting.operator, revoked_at__isnull=True
    ).update(revoked_at=timezone.now())
    if revoked:
        record_audit(
            actor=acting,
            action="api_key.revoke",
            obj=api_key,
            before={"prefix": api_key.prefix, "role": api_key.role, "name": api_key.name},
        )


def find_api_key(text: str) -> ApiKey | None:
    """The key that `text` is, with its operator; None for anything else, revoked keys included."""
    match = _KEY.fullmatch(text)
    if match is None:
        return None
    prefix, secret = match.groups()
    api_key = (
        ApiKey.objects.select_related("operator")
        .filter(prefix=prefix, revoked_at__isnull=True)
        .first()
    )
    if api_key is None or not hmac.compare_digest(api_key.key_hash, _hash(secret)):
        return None
    return api_key


def note_api_key_use(api_key: ApiKey) -> None:
    """Move `last_used_at`, at most once a minute."""
    now = timezone.now()
    stale = now - _LAST_USED_RESOLUTION
    if api_key.last_used_at is None or api_key.last_used_at < stale:
        ApiKey.objects.filter(
            Q(last_used_at__isnull=True) | Q(last_used_at__lt=stale), pk=api_key.pk
        ).update(last_used_at=now)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("ascii")).hexdigest()
