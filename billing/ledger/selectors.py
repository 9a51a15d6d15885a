"""The ledger as an operator's people and programs see it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Prefetch, QuerySet, Sum

from accounts.services.actors import Actor
from billing.models import LedgerAccount, LedgerEntry, LedgerTransaction
from cms.base.ids import get_by_id, parse_id

_NOTHING = 0


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account stands at: minor units, a debit balance positive."""

    account: LedgerAccount
    balance_minor: int


def ledger_for(actor: Actor) -> QuerySet[LedgerTransaction]:
    """The operator's transactions, each with its entries and their accounts; two queries."""
    entries = LedgerEntry.objects.select_related("account")
    return (
        LedgerTransaction.objects.filter(operator=actor.operator)
        .select_related("cdr")
        .prefetch_related(Prefetch("entries", entries))
    )


def get_ledger_transaction_for(actor: Actor, public_id: str) -> LedgerTransaction:
    """Raises NotFound for another operator's."""
    return get_by_id(ledger_for(actor), public_id)


def filter_ledger(
    transactions: QuerySet[LedgerTransaction],
    *,
    account: str | None = None,
    kind: str | None = None,
    session: str | None = None,
    currency: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[LedgerTransaction]:
    """`account` is a kind of account, `session` a public id; `since` is in, `until` is out."""
    given: dict[str, Any] = {
        "entries__account__kind": account,
        "kind": kind,
        "currency": currency,
        "at__gte": since,
        "at__lt": until,
    }
    if session is not None:
        given["cdr__session_id"] = parse_id(session) or _NOTHING
    narrowed = transactions.filter(**{k: v for k, v in given.items() if v is not None})
    return narrowed.distinct() if account is not None else narrowed


def balances_for(actor: Actor, *, until: datetime | None = None) -> list[Balance]:
    """What each account of the operator stood at (before `until`); one query over the whole ledger."""
    entries = LedgerEntry.objects.filter(account__operator=actor.operator)
    if until is not None:
        entries = entries.filter(transaction__at__lt=until)
    sums = dict(entries.order_by().values_list("account").annotate(Sum("amount_minor")))
    accounts = LedgerAccount.objects.filter(pk__in=sums)
    return [Balance(account, int(sums[account.pk])) for account in accounts]


def are_balanced(balances: Iterable[Balance]) -> bool:
    """Whether the accounts of each currency add up to zero."""
    totals: dict[str, int] = {}
    for balance in balances:
        currency = balance.account.currency
        totals[currency] = totals.get(currency, 0) + balance.balance_minor
    return not any(totals.values())
