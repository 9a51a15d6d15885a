"""Operators (the tenants), their teams and their programs' keys."""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from accounts.choices import Role
from accounts.models.user import User


class Operator(models.Model):
    """A charge point operator: the tenant that owns stations, tokens, tariffs and everything under them."""

    slug = models.SlugField(max_length=50)
    name = models.CharField(max_length=120)
    country = models.CharField(max_length=2, blank=True, help_text="ISO 3166-1, two letters.")
    currency = models.CharField(max_length=3, default="EUR", help_text="ISO 4217.")
    time_zone = models.CharField(max_length=64, default="UTC", help_text="IANA name.")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering: ClassVar = ["slug"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["slug"], name="accounts_operator_slug_unique"),
        ]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """One user's place in one operator's team."""

    operator = models.ForeignKey(Operator, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=12, choices=Role)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering: ClassVar = ["operator", "user"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["operator", "user"], name="accounts_one_membership_per_user"
            ),
            models.CheckConstraint(
                condition=models.Q(role__in=Role.values), name="accounts_membership_role_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.role}) at {self.operator}"


class ApiKey(models.Model):
    """A bearer key of an operator's program. Only its hash is kept; `prefix` finds the row."""

    operator = models.ForeignKey(Operator, on_delete=models.CASCADE, related_name="api_keys")
    role = models.CharField(max_length=12, choices=Role, default=Role.MANAGER)
    name = models.CharField(max_length=80, blank=True)
    prefix = models.CharField(max_length=12)
    key_hash = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=Now())
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["prefix"], name="accounts_api_key_prefix_unique"),
            models.CheckConstraint(
                condition=models.Q(role__in=Role.values), name="accounts_api_key_role_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.prefix}… ({self.role})"
