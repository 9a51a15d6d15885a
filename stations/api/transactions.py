"""Transactions and readings. Whoever knows sessions adds `session` (see `cms.api`)."""

from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.base import ApiView
from cms.base.ids import get_by_id
from cms.base.rest.fields import Choice, Moment, QueryMoment, Text
from cms.base.rest.serializers import Filters, StrictSerializer
from stations.choices import ReviewReason, TransactionStatus
from stations.models import MeterValue, Transaction
from stations.selectors.transactions import (
    filter_transactions,
    get_transaction_for,
    meter_values_of,
    transactions_for,
)


class TransactionSerializer(StrictSerializer):
    """What a station reported of one charge. `id_token` is the uid as the station sent it.

    Three clocks for each end: the device's, ours, and the effective time chosen between them.
    """

    id = serializers.CharField(read_only=True)
    station = serializers.CharField(read_only=True)
    evse_id = serializers.IntegerField(read_only=True)
    connector_id = serializers.IntegerField(read_only=True)
    ocpp_transaction_id = serializers.CharField(read_only=True)
    id_token = serializers.CharField(read_only=True, allow_null=True)
    id_token_id = serializers.CharField(read_only=True, allow_null=True)
    status = Choice(TransactionStatus.values, read_only=True)
    started_at = Moment(read_only=True)
    ended_at = Moment(read_only=True, allow_null=True)
    device_started_at = Moment(read_only=True, allow_null=True)
    device_ended_at = Moment(read_only=True, allow_null=True)
    received_started_at = Moment(read_only=True)
    received_ended_at = Moment(read_only=True, allow_null=True)
    meter_start_wh = serializers.IntegerField(read_only=True, allow_null=True)
    meter_stop_wh = serializers.IntegerField(read_only=True, allow_null=True)
    energy_wh = serializers.IntegerField(read_only=True, allow_null=True)
    stop_reason = serializers.CharField(read_only=True, allow_null=True)
    remote_start_id = serializers.IntegerField(read_only=True, allow_null=True)
    needs_review = serializers.BooleanField(read_only=True)
    review_reasons = serializers.ListField(child=Choice(ReviewReason.values), read_only=True)

    def to_representation(self, instance: Transaction) -> dict[str, Any]:
        return {
            "id": str(instance.pk),
            "station": instance.station.identity,
            "evse_id": instance.evse_id,
            "connector_id": instance.connector_id,
            "ocpp_transaction_id": instance.ocpp_transaction_id,
            "id_token": instance.id_token_uid or None,
            "id_token_id": str(instance.id_token_id) if instance.id_token_id else None,
            "status": instance.status,
            "started_at": instance.started_at,
            "ended_at": instance.ended_at,
            "device_started_at": instance.device_started_at,
            "device_ended_at": instance.device_ended_at,
            "received_started_at": instance.received_started_at,
            "received_ended_at": instance.received_ended_at,
            "meter_start_wh": instance.meter_start_wh,
            "meter_stop_wh": instance.meter_stop_wh,
            "energy_wh": instance.energy_wh,
            "stop_reason": instance.stop_reason or None,
            "remote_start_id": instance.remote_start_id,
            "needs_review": instance.needs_review,
            "review_reasons": instance.review_reasons,
        }


class TransactionFilters(Filters):
    station = Text(required=False, max_length=48, trim_whitespace=False)
    id_token = Text(required=False, max_length=255, trim_whitespace=False)
    status = Choice(TransactionStatus.values, required=False)
    started_after = QueryMoment(required=False, help_text="Effective time, exclusive.")


class MeterValueSerializer(StrictSerializer):
    """One reading: `value` in `unit`, and as the station sent it."""

    at = Moment(read_only=True)
    device_at = Moment(read_only=True, allow_null=True)
    received_at = Moment(read_only=True)
    measurand = serializers.CharField(read_only=True)
    phase = serializers.CharField(read_only=True, allow_null=True)
    location = serializers.CharField(read_only=True)
    context = serializers.CharField(read_only=True)  # type: ignore[assignment]
    unit = serializers.CharField(read_only=True)
    value = serializers.FloatField(read_only=True)
    raw_value = serializers.CharField(read_only=True)
    raw_unit = serializers.CharField(read_only=True, allow_null=True)
    signed = serializers.DictField(read_only=True, allow_null=True)

    def to_representation(self, instance: MeterValue) -> dict[str, Any]:
        return {
            "at": instance.at,
            "device_at": instance.device_at if instance.has_device_time else None,
            "received_at": instance.received_at,
            "measurand": instance.measurand,
            "phase": instance.phase,
            "location": instance.location,
            "context": instance.context,
            "unit": instance.unit,
            "value": _shortest(instance.value),
            "raw_value": instance.raw_value,
            "raw_unit": instance.raw_unit,
            "signed": instance.signed,
        }


class TransactionList(ApiView):
    """What this operator's stations reported of charging."""

    serializer_class: type[TransactionSerializer] = TransactionSerializer
    filter_class = TransactionFilters
    ordering = "-started_at"
    ordering_fields = {"id": "id", "started_at": "started_at"}

    def rows(self) -> QuerySet[Transaction]:
        """What is listed, before filters."""
        return transactions_for(self.actor)

    def get(self, request: Request) -> Response:
        return self.page(filter_transactions(self.actor, self.rows(), **self.filters()))


class TransactionDetail(ApiView):
    """One transaction."""

    serializer_class: type[TransactionSerializer] = TransactionSerializer

    def rows(self) -> QuerySet[Transaction]:
        """Where it is looked for."""
        return transactions_for(self.actor)

    def get(self, request: Request, id: str) -> Response:
        return self.shown(get_by_id(self.rows(), id))


class TransactionMeterValues(ApiView):
    """A transaction's readings, oldest first."""

    serializer_class = MeterValueSerializer
    ordering = "at"
    ordering_fields = {"at": "at"}

    @extend_schema(responses=MeterValueSerializer(many=True))
    def get(self, request: Request, id: str) -> Response:
        self.filters()
        return self.page(meter_values_of(get_transaction_for(self.actor, id)))


def _shortest(value: Decimal) -> Decimal:
    """`value` without the zeros that its column appends: 230, not 230.000000."""
    return value.quantize(Decimal(1)) if value == value.to_integral_value() else value.normalize()
