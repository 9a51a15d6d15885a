"""Charge detail records: what was billed, for ever."""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from billing.models.session import ChargingSession
from cms.base.json import ExactJSONField


class DocumentCounter(models.Model):
    """The last number given to one kind of document of one operator in one year; gapless."""

    operator = models.ForeignKey("accounts.Operator", on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=8)
    year = models.PositiveSmallIntegerField()
    last = models.PositiveIntegerField(db_default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["operator", "kind", "year"], name="billing_counter_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.year}: {self.last}"


class CDR(models.Model):
    """The immutable priced record of a finished session (OCPI 2.2.1 §10.3.1, CDR).

    Copies what it needs, so that it reads the same whatever changes later: `tariff` is the version's
    content with its id and number, `facts` the registers, readings and statuses the price was made of.
    A correction is a new CDR with `credit_of`. The database refuses updates and deletions. Amounts are
    in minor units.
    """

    operator = models.ForeignKey("accounts.Operator", on_delete=models.PROTECT, related_name="cdrs")
    number = models.CharField(max_length=32)
    session = models.ForeignKey(ChargingSession, on_delete=models.PROTECT, related_name="cdrs")
    credit_of = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, related_name="credited_by"
    )
    station_identity = models.CharField(max_length=48)
    evse_id = models.IntegerField()
    connector_id = models.IntegerField()
    id_token_uid = models.CharField(max_length=255, db_default="")
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    energy_wh = models.BigIntegerField()
    duration_s = models.IntegerField()
    idle_s = models.IntegerField()
    tariff = ExactJSONField()
    facts = ExactJSONField(default=dict)
    currency = models.CharField(max_length=3)
    net_minor = models.BigIntegerField()
    tax_minor = models.BigIntegerField()
    gross_minor = models.BigIntegerField()
    price = ExactJSONField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering: ClassVar = ["-id"]
        verbose_name = "CDR"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["operator", "number"], name="billing_cdr_number_unique"
            ),
            models.UniqueConstraint(
                fields=["session"],
                condition=models.Q(credit_of__isnull=True),
                name="billing_one_cdr_per_session",
            ),
            models.CheckConstraint(
                condition=models.Q(gross_minor=models.F("net_minor") + models.F("tax_minor")),
                name="billing_cdr_gross_is_net_plus_tax",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["operator", "-id"], name="billing_cdr_operator"),
            # What was billed today, on the overview.
            models.Index(fields=["operator", "created_at"], name="billing_cdr_operator_created"),
        ]

    def __str__(self) -> str:
        return self.number
