"""Rows that every app relies on: side effects waiting to happen, and answers already given."""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now


class OutboxItem(models.Model):
    """A side effect that must follow a fact: written in the fact's own transaction, worked off later.

    Delivered at least once and about in order; handlers are idempotent and mind no order.
    """

    topic = models.CharField(max_length=64)
    key = models.CharField(max_length=128)
    payload = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField(db_default=Now())
    attempts = models.PositiveSmallIntegerField(db_default=0)
    error = models.TextField(db_default="", blank=True)
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["id"]
        indexes: ClassVar = [
            # The worker's query: what is due and not done.
            models.Index(
                fields=["due_at", "id"],
                name="base_outbox_due",
                condition=models.Q(done_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.topic} {self.key}"


class IdempotentAnswer(models.Model):
    """The answer given to one POST with an `Idempotency-Key`, so that a retry gets it again.

    `owner` names who asked (an API key or user), so that keys of different callers never meet. A row
    without `status` is a request still under way.
    """

    owner = models.CharField(max_length=64)
    key = models.CharField(max_length=255)
    request_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    body = models.TextField(db_default="")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["owner", "key"], name="base_one_answer_per_key"),
        ]

    def __str__(self) -> str:
        return f"{self.owner} {self.key}"
