"""Celery tasks of the ground floor."""

from celery import shared_task

from cms.base import outbox


@shared_task(name="cms.base.tasks.work_outbox")
def work_outbox() -> int:
    """Work off due outbox rows; may run many times at once, a row is never run by two."""
    return outbox.work()
