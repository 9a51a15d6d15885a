"""Celery tasks of billing."""

from celery import shared_task

from billing.ledger import posting


@shared_task(name="billing.tasks.post_missing")
def post_missing() -> int:
    """Post bills that the ledger does not have. Idempotent."""
    return posting.post_missing()
