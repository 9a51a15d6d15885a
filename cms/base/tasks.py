"""Celery tasks of the ground floor."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from cms.base import outbox
from cms.base.models import OutboxItem
from cms.base.rest.idempotency import forget_old_answers

KEEP_DONE = timedelta(days=7)


@shared_task(name="cms.base.tasks.work_outbox")
def work_outbox() -> int:
    """Work off due outbox rows; may run many times at once, a row is never run by two."""
    return outbox.work()


@shared_task(name="cms.base.tasks.clean_up")
def clean_up() -> None:
    """Drop outbox rows long done and answers whose retries are long over. Idempotent."""
    OutboxItem.objects.filter(done_at__lt=timezone.now() - KEEP_DONE).delete()
    forget_old_answers()
