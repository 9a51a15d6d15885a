"""What billing does when a transaction starts, ends or turns out otherwise.

Rows of the outbox arrive at least once and in any order; each handler looks at the rows as they are now
and does what is still to do.
"""

from collections.abc import Mapping
from typing import Any

from billing.sessions import services
from cms.base import outbox
from cms.base.time import utc_now


@outbox.handler("transaction.started")
def on_transaction_started(key: str, payload: Mapping[str, Any]) -> None:
    """Open the charging session. A transaction that is gone needs none."""
    services.open_session(transaction_id=payload["transaction_id"])


@outbox.handler("transaction.ended")
def on_transaction_ended(key: str, payload: Mapping[str, Any]) -> None:
    """Price the session, or send it to review. Opens it first where the start has not arrived."""
    services.settle_session(transaction_id=payload["transaction_id"], now=utc_now())


@outbox.handler("transaction.corrected")
def on_transaction_corrected(key: str, payload: Mapping[str, Any]) -> None:
    """Judge the session again, or, where it is billed, say that the bill may be wrong."""
    services.settle_session(transaction_id=payload["transaction_id"], now=utc_now())
