"""Celery tasks of the ground floor."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from cms.base import outbox
from cms.base.models import IdempotentAnswer, OutboxItem

KEEP_DONE = timedelta(days=7)
KEEP_ANSWERS = timedelta(days=2)


@shared_task(name="cms.base.tasks.work_outbox")
def work_outbox() -> int:
    """Work off due outbox rows; may run many times at once, a row is never run by two."""
    return outbox.work()


@shared_task(name="cms.base.tasks.clean_up")
def clean_up() -> None:
    """Drop outbox rows long done and answers whose retries are long over. Idempotent."""
    now = timezone.now()
    OutboxItem.objects.filter(done_at__lt=now - KEEP_DONE).delete()
    IdempotentAnswer.objects.filter(created_at__lt=now - KEEP_ANSWERS).delete()
