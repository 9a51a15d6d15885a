"""The ledger: what money did, in double entry. Rows are only ever added.

A transaction says what happened, its entries which accounts it moved; the entries of one add up to zero.
The database refuses changes, deletions, and what does not add up. Source: RELIABILITY rule 10.
"""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from billing.choices import LedgerAccountKind, LedgerKind
from billing.models.cdr import CDR


class LedgerAccount(models.Model):
    """Where amounts of one kind, one currency and one operator are counted; made on use.

    `reference` tells apart accounts of one kind, where there are several.
    """

    operator = models.ForeignKey(
        "accounts.Operator", on_delete=models.PROTECT, related_name="ledger_accounts"
    )
    kind = models.CharField(max_length=16, choices=LedgerAccountKind)
    reference = models.CharField(max_length=64, db_default="", blank=True)
    currency = models.CharField(max_length=3)

    class Meta:
        ordering: ClassVar = ["operator", "currency", "kind", "reference"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["operator", "currency", "kind", "reference"],
                name="billing_ledger_account_unique",
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=LedgerAccountKind.values),
                name="billing_ledger_account_kind_known",
            ),
        ]

    def __str__(self) -> str:
        name = f"{self.kind}/{self.reference}" if self.reference else self.kind
        return f"{name} {self.currency}"


class LedgerTransaction(models.Model):
    """One thing that happened to money. `key` says which, `cdr/17`: a thing is posted once.

    Nothing here names a person: who owes what is told by the document that it refers to (rule 25).
    """

    operator = models.ForeignKey(
        "accounts.Operator", on_delete=models.PROTECT, related_name="ledger_transactions"
    )
    key = models.CharField(max_length=64)
    kind = models.CharField(max_length=16, choices=LedgerKind)
    currency = models.CharField(max_length=3)
    cdr = models.OneToOneField(
        CDR, on_delete=models.PROTECT, null=True, related_name="ledger_transaction"
    )
    at = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["operator", "key"], name="billing_ledger_transaction_key_unique"
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=LedgerKind.values),
                name="billing_ledger_transaction_kind_known",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["operator", "-id"], name="billing_ledger_operator"),
            # A month of the books.
            models.Index(fields=["operator", "at"], name="billing_ledger_operator_at"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class LedgerEntry(models.Model):
    """One account moved by one transaction. Minor units: a debit is positive, a credit negative."""

    transaction = models.ForeignKey(
        LedgerTransaction, on_delete=models.PROTECT, related_name="entries"
    )
    account = models.ForeignKey(LedgerAccount, on_delete=models.PROTECT, related_name="entries")
    amount_minor = models.BigIntegerField()

    class Meta:
        ordering: ClassVar = ["id"]
        verbose_name_plural = "ledger entries"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["transaction", "account"], name="billing_ledger_entry_account_once"
            ),
            models.CheckConstraint(
                condition=~models.Q(amount_minor=0), name="billing_ledger_entry_moves_something"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account}: {self.amount_minor}"
