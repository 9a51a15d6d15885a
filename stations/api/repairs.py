"""A station's known habits, and what had to be put right in its messages."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from cms.base.rest.fields import Choice
from cms.base.rest.serializers import StrictSerializer
from stations.api.commands import StationView
from stations.choices import RepairKind
from stations.selectors.repairs import quirks_of, repairs_of_week
from stations.selectors.stations import get_station_with_state_for


class QuirkProfileSerializer(StrictSerializer):
    """What is known of a kind of station: `key` names its file, `sources` say where it was learned."""

    key = serializers.CharField(read_only=True)
    title = serializers.CharField(read_only=True)
    sources = serializers.ListField(child=serializers.CharField(), read_only=True)


class RepairsSerializer(StrictSerializer):
    """How often one kind of repair was made."""

    kind = Choice(RepairKind.values, read_only=True)
    times = serializers.IntegerField(read_only=True)


class StationRepairsSerializer(StrictSerializer):
    """`quirk_profile` is null where none is known for the model. `repairs` are those of the seven UTC days that end
    with today, the most frequent first; what was sent stays in the messages as it came."""

    quirk_profile = QuirkProfileSerializer(read_only=True, allow_null=True)
    repairs = RepairsSerializer(many=True, read_only=True)


class StationRepairs(StationView):
    """The profile of known habits that governs a station, and what was repaired in its messages this week."""

    serializer_class = StationRepairsSerializer

    @extend_schema(responses={200: StationRepairsSerializer})
    def get(self, request: Request, identity: str) -> Response:
        self.filters()
        station = get_station_with_state_for(self.actor, identity)
        profile = quirks_of(getattr(station, "state", None))
        found: dict[str, Any] = {
            "quirk_profile": profile if profile.key else None,
            "repairs": repairs_of_week(station, now=timezone.now()),
        }
        return self.shown(found)
