"""Tokens, groups and operators as the API shows them."""

from typing import Any

from django.utils import timezone
from rest_framework import serializers

from accounts.choices import IdTokenStatus, IdTokenType, Role
from accounts.models import IdToken, Operator
from accounts.selectors import EXPIRED, effective_status
from cms.base.rest.fields import SMALLINT_MAX, Choice, Id, Moment, Text, Whole, YesNo
from cms.base.rest.serializers import Filters, StrictSerializer

TOKEN_STATUSES = [*IdTokenStatus.values, EXPIRED]


class IdTokenFields(StrictSerializer):
    """What is set of a token, besides its uid."""

    type = Choice(IdTokenType.values, default=IdTokenType.ISO14443)
    status = Choice(TOKEN_STATUSES, shown_only=[EXPIRED], default=IdTokenStatus.ACCEPTED)
    expires_at = Moment(allow_null=True, default=None)
    group = Text(max_length=36, allow_null=True, default=None)
    driver = Text(max_length=20, allow_null=True, default=None)
    max_concurrent = Whole(min_value=1, max_value=SMALLINT_MAX, allow_null=True, default=None)


class IdTokenSerializer(IdTokenFields):
    """One id token. `group` is a name; `expired` is shown and never set."""

    id = Id()
    uid = Text(max_length=255, trim_whitespace=False)
    last_used_at = Moment(read_only=True, allow_null=True)
    created_at = Moment(read_only=True)

    def to_representation(self, instance: IdToken) -> dict[str, Any]:
        return {
            "id": str(instance.pk),
            "uid": instance.uid,
            "type": instance.type,
            "status": effective_status(instance, timezone.now()),
            "expires_at": instance.expires_at,
            "group": instance.group.name if instance.group else None,
            "driver": str(instance.driver_id) if instance.driver_id else None,
            "max_concurrent": instance.max_concurrent,
            "last_used_at": instance.last_used_at,
            "created_at": instance.created_at,
        }


class IdTokenFilters(Filters):
    uid = Text(required=False, max_length=255, trim_whitespace=False)
    status = Choice(TOKEN_STATUSES, required=False)
    group = Text(required=False, max_length=36)


class IdTokenGroupSerializer(StrictSerializer):
    """Tokens that may end each other's transactions; a master group's may end anybody's."""

    id = Id(source="pk")
    name = Text(max_length=36)
    master = YesNo(default=False)


class UnknownIdTokenSerializer(StrictSerializer):
    """A token that was presented and belongs to nobody yet."""

    id = Id(source="pk")
    uid = serializers.CharField(read_only=True)
    station = serializers.CharField(source="station_identity", read_only=True)
    first_seen_at = Moment(read_only=True)
    last_seen_at = Moment(read_only=True)
    times_seen = serializers.IntegerField(read_only=True)


class OperatorSerializer(StrictSerializer):
    """The operator that the key belongs to, and the key's role."""

    id = Id(source="pk")
    slug = serializers.CharField(read_only=True)
    name = serializers.CharField(read_only=True)
    country = serializers.CharField(read_only=True)
    currency = serializers.CharField(read_only=True)
    time_zone = serializers.CharField(read_only=True)
    role = serializers.SerializerMethodField()
    created_at = Moment(read_only=True)

    def get_role(self, operator: Operator) -> Role:
        """The role of whoever asks."""
        role: Role = self.context["view"].actor.role
        return role
