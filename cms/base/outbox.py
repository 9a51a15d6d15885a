"""The outbox: what must follow a fact is a row written with the fact.

`enqueue` writes a row in the caller's transaction. `handler` registers the function that does the
work of a topic. `work` takes due rows and runs their handlers, each in a transaction of its own with
the row locked, so that two workers never run one row at the same time.
"""

import logging
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from cms.base.models import OutboxItem

logger = logging.getLogger(__name__)

Handler = Callable[[str, Mapping[str, Any]], None]
_handlers: dict[str, list[Handler]] = {}

MAX_BACKOFF_S = 3600
# A worker that is asked to end finishes its tasks first, so none may be long.
BUDGET_S = 5.0


def handler(topic: str) -> Callable[[Handler], Handler]:
    """Register a function `(key, payload)` for a topic; called from an app's `ready()`."""

    def register(function: Handler) -> Handler:
        functions = _handlers.setdefault(topic, [])
        if function not in functions:
            functions.append(function)
        return function

    return register


def enqueue(topic: str, key: str, payload: dict[str, Any] | None = None, delay_s: int = 0) -> None:
    """Write an outbox row in the current transaction; it is worked off after the commit."""
    item = OutboxItem(topic=topic, key=key, payload=payload or {})
    if delay_s:
        item.due_at = timezone.now() + timedelta(seconds=delay_s)
    item.save(force_insert=True)


def work(limit: int = 200, budget_s: float = BUDGET_S) -> int:
    """Run the handlers of at most `limit` due rows, oldest first; returns how many were done.

    No row is begun once `budget_s` are over; what is left is for the next call.
    A handler that raises leaves its row due again with exponential back-off and the error kept: other
    rows go on. Rows whose topic nobody handles are done at once.
    """
    done = 0
    until = time.monotonic() + budget_s
    for _ in range(limit):
        if time.monotonic() > until:
            break
        outcome = _work_one()
        if outcome is None:
            break
        done += outcome
    return done


def _work_one() -> int | None:
    """One row: 1 done, 0 failed and put off, None when nothing is due."""
    with transaction.atomic():
        item = (
            OutboxItem.objects.select_for_update(skip_locked=True)
            .filter(done_at__isnull=True, due_at__lte=timezone.now())
            .order_by("due_at", "id")
            .first()
        )
        if item is None:
            return None
        try:
            with transaction.atomic():
                for function in _handlers.get(item.topic, []):
                    function(item.key, item.payload)
        except Exception as error:  # noqa: BLE001 - the worker's outermost loop: one bad row stops no other
            if isinstance(error, DatabaseError) and connection.connection is None:
                raise
            item.attempts += 1
            item.error = f"{type(error).__name__}: {error}"[:2000]
            backoff_s = min(2 ** min(item.attempts, 12), MAX_BACKOFF_S)
            item.due_at = timezone.now() + timedelta(seconds=backoff_s)
            item.save(update_fields=["attempts", "error", "due_at"])
            logger.exception("outbox %s %s failed, attempt %d", item.topic, item.key, item.attempts)
            return 0
        item.done_at = timezone.now()
        item.save(update_fields=["done_at"])
        return 1
