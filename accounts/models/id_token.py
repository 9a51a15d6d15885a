"""What identifies a driver at a station, and whether it may charge."""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from accounts.choices import IdTokenStatus, IdTokenType
from accounts.models.operator import Operator
from accounts.models.user import Driver


class IdTokenGroup(models.Model):
    """Tokens that may end each other's transactions (OCPP 1.6 parentIdTag, 2.x groupIdToken).

    A master group's tokens may end anybody's transaction (OCPP 2.0.1 Part 2, C16).
    """

    operator = models.ForeignKey(Operator, on_delete=models.CASCADE, related_name="id_token_groups")
    name = models.CharField(max_length=36)
    master = models.BooleanField(default=False)

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["operator", "name"], name="accounts_id_token_group_name_unique"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class IdToken(models.Model):
    """One identifier of a driver: an RFID card, an app token, a vehicle id.

    `uid` is kept as written; `uid_folded` is its normal form, by which it is compared.
    """

    operator = models.ForeignKey(Operator, on_delete=models.CASCADE, related_name="id_tokens")
    uid = models.CharField(max_length=255)
    uid_folded = models.CharField(max_length=255, editable=False)
    type = models.CharField(max_length=20, choices=IdTokenType, default=IdTokenType.ISO14443)
    status = models.CharField(max_length=10, choices=IdTokenStatus, default=IdTokenStatus.ACCEPTED)
    expires_at = models.DateTimeField(null=True, blank=True)
    group = models.ForeignKey(
        IdTokenGroup, on_delete=models.SET_NULL, null=True, blank=True, related_name="tokens"
    )
    driver = models.ForeignKey(
        Driver, on_delete=models.SET_NULL, null=True, blank=True, related_name="id_tokens"
    )
    max_concurrent = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Transactions at one time; empty means any number."
    )
    created_at = models.DateTimeField(db_default=Now())
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["operator", "uid_folded"], name="accounts_id_token_uid_unique"
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=IdTokenStatus.values),
                name="accounts_id_token_status_known",
            ),
            models.CheckConstraint(
                condition=~models.Q(max_concurrent=0),
                name="accounts_id_token_max_concurrent_positive",
            ),
        ]

    def __str__(self) -> str:
        return self.masked_uid

    def save(self, *args: object, **kwargs: object) -> None:
        self.uid_folded = fold_uid(self.uid)
        super().save(*args, **kwargs)  # type: ignore[arg-type]

    @property
    def masked_uid(self) -> str:
        """The uid as lists and logs show it: its last four characters."""
        return mask_uid(self.uid)


class UnknownIdToken(models.Model):
    """A token that was presented at an operator's station and belongs to nobody yet; kept for adoption."""

    operator = models.ForeignKey(
        Operator, on_delete=models.CASCADE, related_name="unknown_id_tokens"
    )
    uid = models.CharField(max_length=255)
    uid_folded = models.CharField(max_length=255)
    station_identity = models.CharField(max_length=48)
    first_seen_at = models.DateTimeField(db_default=Now())
    last_seen_at = models.DateTimeField(db_default=Now())
    times_seen = models.PositiveIntegerField(db_default=1)

    class Meta:
        ordering: ClassVar = ["-last_seen_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["operator", "uid_folded"], name="accounts_unknown_id_token_unique"
            ),
        ]

    def __str__(self) -> str:
        return mask_uid(self.uid)


class ChargingRight(models.Model):
    """What the door must know about money: pushed here by billing, read by the hot path.

    Absent means allowed without a limit. `limit_minor` is in minor units of the operator's currency.
    """

    id_token = models.OneToOneField(
        IdToken, on_delete=models.CASCADE, related_name="charging_right"
    )
    allowed = models.BooleanField(default=True)
    reason = models.CharField(max_length=120, blank=True)
    limit_minor = models.BigIntegerField(null=True, blank=True)
    valid_until = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.id_token}: {'allowed' if self.allowed else self.reason}"


def fold_uid(uid: str) -> str:
    """The normal form by which tokens are compared: without case (OCPP 1.6 §7.15, CiString)."""
    return uid.casefold()


def mask_uid(uid: str) -> str:
    """Shows the last four characters at most, and never more than half."""
    shown = min(4, len(uid) // 2)
    return "•" * min(4, len(uid) - shown) + (uid[-shown:] if shown else "")
