"""Transactions with the session that each belongs to: the one thing that `stations` cannot know."""

from typing import Any

from django.db.models import F, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from stations.api import transactions
from stations.models import Transaction


class TransactionSerializer(transactions.TransactionSerializer):
    __doc__ = transactions.TransactionSerializer.__doc__

    session = serializers.CharField(read_only=True, allow_null=True)

    def to_representation(self, instance: Transaction) -> dict[str, Any]:
        session_id = instance.session_id  # type: ignore[attr-defined]
        session = str(session_id) if session_id is not None else None
        return {**super().to_representation(instance), "session": session}


class TransactionList(transactions.TransactionList):
    """What this operator's stations reported of charging."""

    serializer_class = TransactionSerializer

    def rows(self) -> QuerySet[Transaction]:
        return with_session(super().rows())

    @extend_schema(
        parameters=[transactions.TransactionFilters], responses=TransactionSerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        return super().get(request)


class TransactionDetail(transactions.TransactionDetail):
    """One transaction."""

    serializer_class = TransactionSerializer

    def rows(self) -> QuerySet[Transaction]:
        return with_session(super().rows())


def with_session(rows: QuerySet[Transaction]) -> QuerySet[Transaction]:
    """Each with `session_id`, null where no session was opened yet; no further query."""
    return rows.annotate(session_id=F("charging_session__pk"))
