"""Posting to the ledger: the one way to add to it.

Whoever makes a fact that moves money posts it in the fact's own transaction, under a key that names the
fact; a fact that comes again is found posted. What does not add up, the database refuses at the commit.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from billing.choices import LedgerAccountKind, LedgerKind
from billing.models import CDR, LedgerAccount, LedgerEntry, LedgerTransaction
from cms.base.errors import Conflict


@dataclass(frozen=True, slots=True)
class Leg:
    """One account moved: minor units, a debit positive, a credit negative."""

    kind: LedgerAccountKind
    amount_minor: int
    reference: str = ""


class PostedOtherwise(Conflict):
    """The key is taken by a transaction that moved other amounts: one of the two is wrong."""

    code = "posted_otherwise"


@transaction.atomic
def post(
    *,
    operator_id: int,
    key: str,
    kind: LedgerKind,
    currency: str,
    at: datetime,
    legs: Collection[Leg],
    cdr: CDR | None = None,
) -> LedgerTransaction | None:
    """Post what happened `at` that time, once; what was posted under this key before is returned as it is.

    Legs that move nothing are left out; None where none is left. Accounts are made on use.

    Raises:
        PostedOtherwise: the key is taken, with other amounts.
        IntegrityError: at the commit, where the legs do not add up to zero (`billing_check_ledger`).

    Source: RELIABILITY rules 4 and 10.
    """
    moving = [leg for leg in legs if leg.amount_minor]
    if not moving:
        return None
    posted, is_new = LedgerTransaction.objects.get_or_create(
        operator_id=operator_id,
        key=key,
        defaults={"kind": kind, "currency": currency, "at": at, "cdr": cdr},
    )
    if is_new:
        accounts = _accounts(operator_id, currency, moving)
        LedgerEntry.objects.bulk_create(
            LedgerEntry(
                transaction=posted,
                account=accounts[leg.kind, leg.reference],
                amount_minor=leg.amount_minor,
            )
            for leg in moving
        )
    elif _moved(posted) != {(leg.kind.value, leg.reference): leg.amount_minor for leg in moving}:
        raise PostedOtherwise(f"{key} was posted with other amounts.")
    return posted


def post_cdr(cdr: CDR) -> LedgerTransaction | None:
    """What was billed: the customer owes the gross, of which the net is earned and the tax is passed on.

    A credit (`credit_of`) bears negative amounts and so moves the same accounts back. None for a bill of zero.
    """
    return post(
        operator_id=cdr.operator_id,
        key=f"cdr/{cdr.pk}",
        kind=LedgerKind.CREDIT if cdr.credit_of_id else LedgerKind.SALE,
        currency=cdr.currency,
        at=cdr.created_at,
        cdr=cdr,
        legs=[
            Leg(LedgerAccountKind.RECEIVABLE, cdr.gross_minor),
            Leg(LedgerAccountKind.REVENUE, -cdr.net_minor),
            Leg(LedgerAccountKind.TAX, -cdr.tax_minor),
        ],
    )


def post_missing() -> int:
    """Post bills that are not in the ledger: those older than the ledger itself. Idempotent; how many they were."""
    missing = (
        CDR.objects.filter(ledger_transaction=None)
        .exclude(net_minor=0, tax_minor=0)
        .defer("facts", "price", "tariff")
    )
    number = 0
    for cdr in missing.order_by("pk").iterator():
        post_cdr(cdr)
        number += 1
    return number


def _accounts(
    operator_id: int, currency: str, legs: Collection[Leg]
) -> Mapping[tuple[str, str], LedgerAccount]:
    """The accounts of the legs, by kind and reference."""
    wanted = {(leg.kind.value, leg.reference) for leg in legs}
    found = {
        (account.kind, account.reference): account
        for account in LedgerAccount.objects.filter(
            operator_id=operator_id,
            currency=currency,
            kind__in={kind for kind, _ in wanted},
            reference__in={reference for _, reference in wanted},
        )
    }
    # In one order, or two that make the same accounts could wait for each other.
    for kind, reference in sorted(wanted - found.keys()):
        found[kind, reference], _ = LedgerAccount.objects.get_or_create(
            operator_id=operator_id, currency=currency, kind=kind, reference=reference
        )
    return found


def _moved(posted: LedgerTransaction) -> dict[tuple[str, str], int]:
    entries = posted.entries.select_related("account")
    return {(e.account.kind, e.account.reference): e.amount_minor for e in entries}
