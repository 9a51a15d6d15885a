"""The audit log: one row for each change by a person or a program, in the change's transaction."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import Model

from accounts.models import AuditEntry
from accounts.services.actors import Actor
from cms.base.time import rfc3339


def record_audit(
    *,
    actor: Actor,
    action: str,
    obj: Model,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Write who did what to `obj`; call it inside the transaction that makes the change.

    `action` is `noun.verb`, such as `station.update`. `before` and `after` hold the fields that
    changed, never a secret. Times, decimals and rows in them become text.
    """
    return AuditEntry.objects.create(
        operator=actor.operator,
        user=actor.user,
        api_key=actor.api_key,
        action=action,
        object_type=object_type(type(obj)),
        object_id=str(obj.pk),
        before=None if before is None else _plain(before),
        after=None if after is None else _plain(after),
    )


def object_type(model: type[Model]) -> str:
    """The name of a model in the audit log: its class in snake_case, `charging_station`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", model.__name__).lower()


def _plain(value: Any) -> Any:
    """`value` as JSON can hold it exactly."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return rfc3339(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Model):
        return str(value.pk)
    return str(value)
