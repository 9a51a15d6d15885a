"""Commands: OCPP's own, and those that need no knowledge of a version."""

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.base import ApiView
from accounts.selectors import find_id_token_for
from cms.base.errors import Invalid
from cms.base.ids import parse_id
from cms.base.rest.fields import INT_MAX, Choice, Id, Moment, Text, Whole, YesNo
from cms.base.rest.serializers import Filters, StrictSerializer
from stations.choices import CommandStatus
from stations.commands.secrets import mask_payload
from stations.models import ChargingStation, Command, Transaction
from stations.selectors.commands import commands_for, filter_commands, get_command_for
from stations.selectors.stations import get_station_for
from stations.selectors.transactions import transactions_for
from stations.services import commands


class CommandSerializer(StrictSerializer):
    """One request to a station and its outcome. `payload` is OCPP's own; secrets in it are masked."""

    id = Id(source="pk")
    station = serializers.CharField(read_only=True)
    action = Text(max_length=64)
    payload = serializers.DictField(default=dict)
    status = Choice(CommandStatus.values, read_only=True)
    response = serializers.JSONField(read_only=True, allow_null=True)
    error = serializers.DictField(read_only=True, allow_null=True)
    created_at = Moment(read_only=True)
    sent_at = Moment(read_only=True, allow_null=True)
    finished_at = Moment(read_only=True, allow_null=True)
    expires_at = Moment(required=False, allow_null=True)

    def to_representation(self, instance: Command) -> dict[str, Any]:
        return {
            "id": str(instance.pk),
            "station": instance.station.identity,
            "action": instance.action,
            "payload": mask_payload(instance.action, instance.payload),
            "status": instance.status,
            "response": _masked(instance.action, instance.response),
            "error": instance.error,
            "created_at": instance.created_at,
            "sent_at": instance.sent_at,
            "finished_at": instance.finished_at,
            "expires_at": instance.expires_at,
        }


def _masked(action: str, response: Any) -> Any:
    return mask_payload(action, response) if isinstance(response, dict) else response


class StationCommandFilters(Filters):
    status = Choice(CommandStatus.values, required=False)
    action = Text(required=False, max_length=64)


class CommandFilters(StationCommandFilters):
    station = Text(required=False, max_length=48, trim_whitespace=False)


class LimitSerializer(StrictSerializer):
    """How much a session may draw at most: either `power_w` in all, or `current_a` on each phase, one decimal."""

    power_w = Whole(min_value=0, max_value=INT_MAX, required=False)
    current_a = serializers.DecimalField(
        max_digits=6, decimal_places=1, min_value=Decimal(0), coerce_to_string=False, required=False
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            raise serializers.ValidationError({"power_w": ["Give either power_w or current_a."]})
        return attrs


class StartSerializer(StrictSerializer):
    """`id_token` is a uid, in any case, or the id of a token. `limit` goes along as a charging profile of the
    transaction; a station without smart charging may refuse the start for it."""

    id_token = Text(max_length=255, trim_whitespace=False)
    evse_id = Whole(min_value=1, max_value=INT_MAX, required=False)
    connector_id = Whole(min_value=1, max_value=INT_MAX, required=False)
    limit = LimitSerializer(required=False)


class StopSerializer(StrictSerializer):
    """`transaction` is the id of a transaction of this station."""

    transaction = Text(max_length=20)


class UnlockSerializer(StrictSerializer):
    evse_id = Whole(min_value=1, max_value=INT_MAX)
    connector_id = Whole(min_value=1, max_value=INT_MAX, default=1)


class ResetSerializer(StrictSerializer):
    type = Choice(["soft", "hard"])


class AvailabilitySerializer(StrictSerializer):
    """Without `evse_id` it concerns the station as a whole."""

    operative = YesNo()
    evse_id = Whole(min_value=1, max_value=INT_MAX, required=False)
    connector_id = Whole(min_value=1, max_value=INT_MAX, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "connector_id" in attrs and "evse_id" not in attrs:
            raise serializers.ValidationError({"evse_id": ["A connector belongs to an EVSE."]})
        return attrs


class CommandList(ApiView):
    """What was asked of this operator's stations."""

    serializer_class = CommandSerializer
    filter_class = CommandFilters

    @extend_schema(parameters=[CommandFilters], responses=CommandSerializer(many=True))
    def get(self, request: Request) -> Response:
        return self.page(filter_commands(commands_for(self.actor), **self.filters()))


class CommandDetail(ApiView):
    """One command."""

    serializer_class = CommandSerializer

    def get(self, request: Request, id: str) -> Response:
        return self.shown(get_command_for(self.actor, id))


class CommandCancellation(ApiView):
    """Take a command back that was not sent yet."""

    capabilities = {"POST": "stations.command"}
    serializer_class = CommandSerializer

    @extend_schema(request=None, responses={200: CommandSerializer})
    def post(self, request: Request, id: str) -> Response:
        command = get_command_for(self.actor, id)
        self.body(Nothing)
        return self.shown(commands.cancel_command(command=command, acting=self.actor))


class Nothing(StrictSerializer):
    """A body without fields."""


class StationView(ApiView):
    """An address below one station."""

    lookup_field = "identity"

    @property
    def station(self) -> ChargingStation:
        """Raises NotFound for another operator's."""
        return get_station_for(self.actor, self.kwargs["identity"])


class StationRequest(StationView):
    """Something that a station is asked to do."""

    serializer_class = CommandSerializer

    def queued(self, command: Command) -> Response:
        """202 with the row."""
        return self.shown(command, status=status.HTTP_202_ACCEPTED)


class StationCommandList(StationRequest):
    """What was asked of one station."""

    capabilities = {"POST": "stations.command"}
    filter_class = StationCommandFilters

    @extend_schema(parameters=[StationCommandFilters], responses=CommandSerializer(many=True))
    def get(self, request: Request, identity: str) -> Response:
        own = commands_for(self.actor).filter(station=self.station)
        return self.page(filter_commands(own, **self.filters()))

    @extend_schema(responses={202: CommandSerializer})
    def post(self, request: Request, identity: str) -> Response:
        station = self.station
        return self.queued(
            commands.queue_command(station=station, acting=self.actor, **self.body())
        )


class StationStart(StationRequest):
    """Start a transaction for a token."""

    capabilities = {"POST": "transactions.start_stop"}

    @extend_schema(request=StartSerializer, responses={202: CommandSerializer})
    def post(self, request: Request, identity: str) -> Response:
        station, asked = self.station, self.body(StartSerializer)
        token = find_id_token_for(self.actor, asked.pop("id_token"))
        if token is None:
            raise Invalid.fields({"id_token": ["There is no such id token."]})
        limit = asked.pop("limit", {})
        return self.queued(
            commands.request_start(
                station=station, id_token=token.uid, acting=self.actor, **asked, **limit
            )
        )


class StationStop(StationRequest):
    """Stop a running transaction."""

    capabilities = {"POST": "transactions.start_stop"}

    @extend_schema(request=StopSerializer, responses={202: CommandSerializer})
    def post(self, request: Request, identity: str) -> Response:
        station, asked = self.station, self.body(StopSerializer)
        tx = self._transaction(station, asked["transaction"])
        return self.queued(commands.request_stop(tx=tx, acting=self.actor))

    def _transaction(self, station: ChargingStation, public_id: str) -> Transaction:
        pk = parse_id(public_id)
        found = transactions_for(self.actor).filter(station=station, pk=pk) if pk else None
        tx = found.first() if found is not None else None
        if tx is None:
            raise Invalid.fields({"transaction": ["This station has no such transaction."]})
        return tx


class StationUnlock(StationRequest):
    """Unlock a connector."""

    capabilities = {"POST": "stations.command"}

    @extend_schema(request=UnlockSerializer, responses={202: CommandSerializer})
    def post(self, request: Request, identity: str) -> Response:
        station, asked = self.station, self.body(UnlockSerializer)
        return self.queued(commands.request_unlock(station=station, acting=self.actor, **asked))


class StationReset(StationRequest):
    """Restart a station."""

    capabilities = {"POST": "stations.command"}

    @extend_schema(request=ResetSerializer, responses={202: CommandSerializer})
    def post(self, request: Request, identity: str) -> Response:
        station, asked = self.station, self.body(ResetSerializer)
        return self.queued(
            commands.request_reset(station=station, kind=asked["type"], acting=self.actor)
        )


class StationAvailability(StationRequest):
    """Put a connector, an EVSE or the whole station in or out of service."""

    capabilities = {"POST": "stations.command"}

    @extend_schema(request=AvailabilitySerializer, responses={202: CommandSerializer})
    def post(self, request: Request, identity: str) -> Response:
        station, asked = self.station, self.body(AvailabilitySerializer)
        return self.queued(
            commands.request_availability(station=station, acting=self.actor, **asked)
        )
