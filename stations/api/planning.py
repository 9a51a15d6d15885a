"""Reservations, local authorisation lists, and settings as stations told them."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.base import ApiView
from accounts.models import IdToken, IdTokenGroup
from accounts.selectors import find_id_token_for, id_token_groups_for
from cms.base.errors import Invalid, NotFound
from cms.base.rest.fields import INT_MAX, Choice, Id, Moment, Text, TextOrNull, Whole
from cms.base.rest.serializers import Filters, StrictSerializer
from stations.api.commands import CommandSerializer, Nothing, StationRequest, StationView
from stations.choices import ReservationStatus
from stations.models import ChargingStation, LocalList
from stations.selectors.planning import (
    filter_reservations,
    get_reservation_for,
    local_list_for,
    reservations_for,
    variables_for,
)
from stations.selectors.stations import get_station_for
from stations.services import local_lists, reservations


class ReservationSerializer(StrictSerializer):
    """An EVSE kept free for one token. `evse_id` 0 is any EVSE of the station.

    `id_token` is a uid, in any case, or the id of a token; it is shown as the station was told. An OCPP 1.6 station's
    EVSEs may be given by `connector_id` instead; without either it is the whole station. `reason` is the station's word
    where it refused, or NoAnswer (it may hold it all the same), NotSent, Replaced.
    """

    id = Id(source="pk")
    reservation_id = serializers.IntegerField(
        read_only=True, help_text="The number that the station knows it by."
    )
    station = Text(max_length=48, trim_whitespace=False, source="station.identity")
    evse_id = Whole(min_value=0, max_value=INT_MAX, required=False)
    connector_id = Whole(min_value=0, max_value=INT_MAX, required=False, write_only=True)
    id_token = Text(max_length=255, trim_whitespace=False, source="id_token_uid")
    id_token_id = Id(allow_null=True)
    expires_at = Moment()
    status = Choice(ReservationStatus.values, read_only=True)
    reason = TextOrNull()
    command = Id(source="command_id", allow_null=True)
    transaction = Id(source="transaction_id", allow_null=True)
    created_at = Moment(read_only=True)
    ended_at = Moment(read_only=True, allow_null=True)


class ReservationFilters(Filters):
    station = Text(required=False, max_length=48, trim_whitespace=False)
    status = Choice(ReservationStatus.values, required=False)


class LocalListEntrySerializer(StrictSerializer):
    """One card, in OCPP's own words."""

    idTag = serializers.CharField(read_only=True)  # noqa: N815
    idTagInfo = serializers.DictField(read_only=True)  # noqa: N815


class LocalListSerializer(StrictSerializer):
    """The list as the station last accepted it.

    `version` is null while nobody knows, -1 where the station keeps no list. `entries` is null where nobody knows what
    is on it. `refusal` says why the last request was not taken: the station's word, the code of its CALLERROR, or
    NoAnswer, NotSent. `command` is that of a list on its way.
    """

    version = serializers.IntegerField(read_only=True, allow_null=True)
    entries = LocalListEntrySerializer(many=True, read_only=True, allow_null=True)
    refusal = TextOrNull()
    changed_at = Moment(read_only=True, allow_null=True)
    command = serializers.CharField(read_only=True, allow_null=True)

    def to_representation(self, instance: LocalList) -> dict[str, Any]:
        never = instance._state.adding
        return {
            "version": instance.version,
            "entries": instance.entries,
            "refusal": instance.refusal or None if not never else None,
            "changed_at": None if never else instance.changed_at,
            "command": str(instance.under_way["command"]) if instance.under_way else None,
        }


class SendLocalListSerializer(StrictSerializer):
    """`full` sends every card that may charge, `differential` what changed since the list that the station has.
    `group` is the name of a group; nobody else is on the list then."""

    type = Choice(["full", "differential"])
    group = Text(max_length=36, required=False, allow_null=True)


class VariableSerializer(StrictSerializer):
    """A setting as the station last told it, or took it. `component` is null for OCPP 1.6; `value` is null where the
    station gave none, and always for passwords. `pending_reboot`: taken, and to hold after a restart."""

    component = TextOrNull()
    variable = serializers.CharField(read_only=True)
    value = serializers.CharField(read_only=True, allow_null=True)
    readonly = serializers.BooleanField(read_only=True, allow_null=True)
    pending_reboot = serializers.BooleanField(read_only=True, source="awaits_restart")
    at = Moment(read_only=True)


class VariableFilters(Filters):
    component = Text(required=False, max_length=120)
    variable = Text(required=False, max_length=120)


class ReservationList(ApiView):
    """Reservations of this operator's stations. POST asks the station: the row is `requested` until it answered."""

    capabilities = {"POST": "transactions.start_stop"}
    serializer_class = ReservationSerializer
    filter_class = ReservationFilters

    @extend_schema(parameters=[ReservationFilters], responses=ReservationSerializer(many=True))
    def get(self, request: Request) -> Response:
        return self.page(filter_reservations(reservations_for(self.actor), **self.filters()))

    @extend_schema(responses={201: ReservationSerializer})
    def post(self, request: Request) -> Response:
        asked = self.body()
        reservation = reservations.request_reservation(
            acting=self.actor,
            station=self._station(asked["station"]["identity"]),
            id_token=self._id_token(asked["id_token_uid"]),
            evse_id=self._evse_id(asked),
            expires_at=asked["expires_at"],
        )
        return self.created(reservation)

    def _station(self, identity: str) -> ChargingStation:
        try:
            return get_station_for(self.actor, identity)
        except NotFound as error:
            raise Invalid.fields({"station": [error.message]}) from error

    def _id_token(self, reference: str) -> IdToken:
        token = find_id_token_for(self.actor, reference)
        if token is None:
            raise Invalid.fields({"id_token": ["There is no such id token."]})
        return token

    def _evse_id(self, asked: dict[str, Any]) -> int:
        """1.6's connector n is EVSE n, whose only connector is 1."""
        evse_id, connector_id = asked.get("evse_id"), asked.get("connector_id")
        if evse_id is None:
            return int(connector_id or 0)
        if connector_id not in (None, 1, evse_id):
            raise Invalid.fields({"connector_id": ["Give either evse_id or connector_id."]})
        return int(evse_id)


class ReservationDetail(ApiView):
    """One reservation. DELETE gives it up: 202 with the command that tells how it goes."""

    capabilities = {"DELETE": "transactions.start_stop"}
    serializer_class = ReservationSerializer

    def get(self, request: Request, id: str) -> Response:
        return self.shown(get_reservation_for(self.actor, id))

    @extend_schema(responses={202: CommandSerializer})
    def delete(self, request: Request, id: str) -> Response:
        reservation = get_reservation_for(self.actor, id)
        self.body(Nothing)
        command = reservations.cancel_reservation(acting=self.actor, reservation=reservation)
        return Response(CommandSerializer(command).data, status=status.HTTP_202_ACCEPTED)


class StationLocalList(StationRequest):
    """The cards that a station decides on by itself. POST sends them: 202 with the command of the first part."""

    capabilities = {"POST": "stations.command"}

    @extend_schema(responses={200: LocalListSerializer})
    def get(self, request: Request, identity: str) -> Response:
        self.filters()
        return Response(LocalListSerializer(local_list_for(self.actor, self.station)).data)

    @extend_schema(request=SendLocalListSerializer, responses={202: CommandSerializer})
    def post(self, request: Request, identity: str) -> Response:
        station, asked = self.station, self.body(SendLocalListSerializer)
        return self.queued(
            local_lists.send_local_list(
                acting=self.actor,
                station=station,
                is_full=asked["type"] == "full",
                group=self._group(asked.get("group")),
            )
        )

    def _group(self, name: str | None) -> IdTokenGroup | None:
        if name is None:
            return None
        group = id_token_groups_for(self.actor).filter(name=name).first()
        if group is None:
            raise Invalid.fields({"group": ["There is no such group."]})
        return group


class StationVariables(StationView):
    """The settings of a station as it told them."""

    serializer_class = VariableSerializer
    filter_class = VariableFilters

    @extend_schema(parameters=[VariableFilters], responses=VariableSerializer(many=True))
    def get(self, request: Request, identity: str) -> Response:
        station, asked = self.station, self.filters()
        rows = variables_for(self.actor, station)
        for name, value in asked.items():
            rows = rows.filter(**{f"{name}__iexact": value})
        return self.page(rows)
