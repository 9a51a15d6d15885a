"""The audit log, across all apps."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.base import ApiView
from accounts.models import AuditEntry
from accounts.selectors import audit_entries_for
from accounts.services.actors import Actor
from accounts.services.audit import object_type
from cms.base.rest.fields import Id, Moment, QueryMoment, Text
from cms.base.rest.serializers import Filters, StrictSerializer
from stations.models import ChargingStation
from stations.selectors.stations import stations_for

_STATION = object_type(ChargingStation)


class AuditEntrySerializer(StrictSerializer):
    """Who changed what: `before` and `after` hold the fields that changed. A station is named by identity."""

    id = Id()
    at = Moment(read_only=True)
    user = serializers.CharField(read_only=True, allow_null=True)
    api_key = serializers.CharField(read_only=True, allow_null=True)
    action = serializers.CharField(read_only=True)
    object_type = serializers.CharField(read_only=True)
    object_id = serializers.CharField(read_only=True)
    before = serializers.DictField(read_only=True, allow_null=True)
    after = serializers.DictField(read_only=True, allow_null=True)

    def to_representation(self, instance: AuditEntry) -> dict[str, Any]:
        identities: dict[str, str] = self.context["identities"]
        is_station = instance.object_type == _STATION
        return {
            "id": str(instance.pk),
            "at": instance.at,
            "user": instance.user.email if instance.user else None,
            "api_key": instance.api_key.prefix if instance.api_key else None,
            "action": instance.action,
            "object_type": instance.object_type,
            "object_id": identities.get(instance.object_id, instance.object_id)
            if is_station
            else instance.object_id,
            "before": instance.before,
            "after": instance.after,
        }


class AuditFilters(Filters):
    action = Text(required=False, max_length=64)
    object_type = Text(required=False, max_length=64)
    object_id = Text(
        required=False,
        max_length=64,
        trim_whitespace=False,
        help_text="With `object_type`; a station's identity.",
    )
    since = QueryMoment(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "object_id" in attrs and "object_type" not in attrs:
            raise serializers.ValidationError({"object_type": ["An id alone names nothing."]})
        return attrs


class AuditLog(ApiView):
    """Who changed what at this operator, the latest first."""

    capabilities = {"GET": "audit.read"}
    serializer_class = AuditEntrySerializer
    filter_class = AuditFilters

    @extend_schema(parameters=[AuditFilters], responses=AuditEntrySerializer(many=True))
    def get(self, request: Request) -> Response:
        entries = filter_audit_entries(self.actor, audit_entries_for(self.actor), **self.filters())
        return self.page(entries)

    def page_context(self, rows: Sequence[AuditEntry]) -> dict[str, Any]:
        pks = [entry.object_id for entry in rows if entry.object_type == _STATION]
        named = stations_for(self.actor).filter(pk__in=pks).values_list("pk", "identity")
        return {"identities": {str(pk): identity for pk, identity in named}}


def filter_audit_entries(
    actor: Actor,
    entries: QuerySet[AuditEntry],
    *,
    action: str | None = None,
    object_type: str | None = None,
    object_id: str | None = None,
    since: datetime | None = None,
) -> QuerySet[AuditEntry]:
    """Of one action, one kind of thing, one thing, or from a time on."""
    if action is not None:
        entries = entries.filter(action=action)
    if object_type is not None:
        entries = entries.filter(object_type=object_type)
    if object_id is not None:
        if object_type == _STATION:
            station = stations_for(actor).filter(identity=object_id).first()
            object_id = str(station.pk) if station is not None else ""
        entries = entries.filter(object_id=object_id)
    if since is not None:
        entries = entries.filter(at__gte=since)
    return entries
