"""Words with a fixed list of values, as stored and as shown."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class SessionStatus(models.TextChoices):
    """Where a charging session is on its way from plug to bill."""

    PENDING = "pending", _("Waiting for the vehicle")
    ACTIVE = "active", _("Charging")
    ENDED = "ended", _("Ended")
    IN_REVIEW = "in_review", _("In review")
    COMPLETED = "completed", _("Completed")
    CANCELLED = "cancelled", _("Cancelled")


class TariffStatus(models.TextChoices):
    """Drafts are never assigned; retired tariffs keep their history."""

    DRAFT = "draft", _("Draft")
    ACTIVE = "active", _("Active")
    RETIRED = "retired", _("Retired")


class LedgerAccountKind(models.TextChoices):
    """What a ledger account counts. Assets and expenses grow by debits, the others by credits."""

    RECEIVABLE = "receivable", _("Owed by customers")
    REVENUE = "revenue", _("Revenue, net")
    TAX = "tax", _("Tax to be paid on")


class LedgerKind(models.TextChoices):
    """What happened to money."""

    SALE = "sale", _("Charging billed")
    CREDIT = "credit", _("Bill corrected")
