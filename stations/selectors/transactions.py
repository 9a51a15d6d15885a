"""Transactions and their readings."""

from datetime import UTC, datetime

from django.db.models import Q, QuerySet

from accounts.selectors import find_id_token_for
from accounts.services.actors import Actor
from cms.base.ids import get_by_id
from stations.models import MeterValue, Transaction


def transactions_for(actor: Actor) -> QuerySet[Transaction]:
    """What the operator's stations reported, each with its station."""
    return Transaction.objects.filter(operator=actor.operator).select_related("station")


def get_transaction_for(actor: Actor, public_id: str) -> Transaction:
    """Raises NotFound for another operator's."""
    return get_by_id(transactions_for(actor), public_id)


def filter_transactions(
    actor: Actor,
    transactions: QuerySet[Transaction],
    *,
    station: str | None = None,
    id_token: str | None = None,
    status: str | None = None,
    started_after: datetime | None = None,
) -> QuerySet[Transaction]:
    """`station` is an identity, `id_token` a uid in any case or an id, `started_after` exclusive."""
    if station is not None:
        transactions = transactions.filter(station__identity=station)
    if id_token is not None:
        token = find_id_token_for(actor, id_token)
        # Without a token row there can still be a start with this very uid.
        named = Q(id_token=token) if token is not None else Q(id_token_uid=id_token)
        transactions = transactions.filter(named)
    if status is not None:
        transactions = transactions.filter(status=status)
    if started_after is not None:
        transactions = transactions.filter(started_at__gt=started_after)
    return transactions


def meter_values_of(transaction: Transaction) -> QuerySet[MeterValue]:
    """The transaction's readings; only its own partition is read."""
    received = transaction.received_started_at.astimezone(UTC)
    return MeterValue.objects.filter(
        tx_month=received.date().replace(day=1), transaction_id=transaction.pk
    )
