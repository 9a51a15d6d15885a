"""Who changed what."""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from accounts.models.operator import ApiKey, Operator
from accounts.models.user import User


class AuditEntry(models.Model):
    """One change by a person or an API key: who, what, when, before and after. Never edited."""

    operator = models.ForeignKey(
        Operator, on_delete=models.CASCADE, null=True, related_name="audit_entries"
    )
    at = models.DateTimeField(db_default=Now())
    user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True)
    api_key = models.ForeignKey(ApiKey, on_delete=models.SET_NULL, null=True, blank=True)
    action = models.CharField(max_length=64)
    object_type = models.CharField(max_length=64)
    object_id = models.CharField(max_length=64)
    before = models.JSONField(null=True, blank=True)
    after = models.JSONField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        verbose_name_plural = "audit entries"
        indexes: ClassVar = [
            # "What happened to this thing?"
            models.Index(fields=["object_type", "object_id", "-id"], name="accounts_audit_object"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.object_type} {self.object_id}"
