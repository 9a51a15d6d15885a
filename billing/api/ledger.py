"""The ledger over REST: to look at, never to write."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.base import ApiView
from billing.choices import LedgerAccountKind, LedgerKind
from billing.ledger.selectors import (
    are_balanced,
    balances_for,
    filter_ledger,
    get_ledger_transaction_for,
    ledger_for,
)
from billing.models import LedgerTransaction
from cms.base.rest.fields import Choice, Moment, QueryMoment, Text
from cms.base.rest.serializers import Filters, StrictSerializer


class LedgerEntrySerializer(StrictSerializer):
    """One account moved. `reference` tells accounts of one kind apart."""

    account = Choice(LedgerAccountKind.values, read_only=True)
    reference = serializers.CharField(read_only=True, allow_null=True)
    amount_minor = serializers.IntegerField(
        read_only=True, help_text="A debit is positive, a credit negative."
    )


class LedgerTransactionSerializer(StrictSerializer):
    """One thing that happened to money, in double entry."""

    id = serializers.CharField(read_only=True)
    kind = Choice(LedgerKind.values, read_only=True)
    at = Moment(read_only=True)
    currency = serializers.CharField(read_only=True, help_text="ISO 4217.")
    session = serializers.CharField(read_only=True, allow_null=True)
    cdr = serializers.CharField(read_only=True, allow_null=True)
    entries = LedgerEntrySerializer(many=True, read_only=True)
    balanced = serializers.BooleanField(read_only=True, help_text="The entries add up to zero.")

    def to_representation(self, instance: LedgerTransaction) -> dict[str, Any]:
        entries = list(instance.entries.all())
        return {
            "id": str(instance.pk),
            "kind": instance.kind,
            "at": instance.at,
            "currency": instance.currency,
            "session": str(instance.cdr.session_id) if instance.cdr else None,
            "cdr": str(instance.cdr_id) if instance.cdr_id else None,
            "entries": [
                {
                    "account": entry.account.kind,
                    "reference": entry.account.reference or None,
                    "amount_minor": entry.amount_minor,
                }
                for entry in entries
            ],
            "balanced": sum(entry.amount_minor for entry in entries) == 0,
        }


class LedgerFilters(Filters):
    account = Choice(LedgerAccountKind.values, required=False)
    kind = Choice(LedgerKind.values, required=False)
    session = Text(required=False, max_length=20)
    currency = Text(required=False, max_length=3)
    since = QueryMoment(required=False, help_text="Inclusive.")
    until = QueryMoment(required=False, help_text="Exclusive.")


class BalanceFilters(Filters):
    until = QueryMoment(required=False, help_text="Exclusive; everything, if left out.")


class BalanceSerializer(StrictSerializer):
    """What one account stands at."""

    account = Choice(LedgerAccountKind.values, read_only=True)
    reference = serializers.CharField(read_only=True, allow_null=True)
    currency = serializers.CharField(read_only=True)
    balance_minor = serializers.IntegerField(
        read_only=True, help_text="A debit balance is positive, a credit balance negative."
    )


class TrialBalanceSerializer(StrictSerializer):
    """Every account, and whether those of each currency add up to zero."""

    balances = BalanceSerializer(many=True, read_only=True)
    balanced = serializers.BooleanField(read_only=True)


class LedgerList(ApiView):
    """What money did."""

    serializer_class = LedgerTransactionSerializer
    filter_class = LedgerFilters
    ordering_fields = {"id": "id", "at": "at"}

    @extend_schema(parameters=[LedgerFilters], responses=LedgerTransactionSerializer(many=True))
    def get(self, request: Request) -> Response:
        return self.page(filter_ledger(ledger_for(self.actor), **self.filters()))


class LedgerDetail(ApiView):
    """One transaction of the ledger."""

    serializer_class = LedgerTransactionSerializer

    def get(self, request: Request, id: str) -> Response:
        return self.shown(get_ledger_transaction_for(self.actor, id))


class LedgerBalances(ApiView):
    """The trial balance."""

    serializer_class = TrialBalanceSerializer
    filter_class = BalanceFilters

    @extend_schema(parameters=[BalanceFilters], responses=TrialBalanceSerializer)
    def get(self, request: Request) -> Response:
        balances = balances_for(self.actor, **self.filters())
        shown = [
            {
                "account": balance.account.kind,
                "reference": balance.account.reference or None,
                "currency": balance.account.currency,
                "balance_minor": balance.balance_minor,
            }
            for balance in balances
        ]
        return Response({"balances": shown, "balanced": are_balanced(balances)})
