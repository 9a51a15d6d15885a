"""Stations, their messages and refused handshakes, and sites."""

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.base import ApiView
from cms.base.ids import parse_id
from stations.api.commands import StationView
from stations.api.serializers import (
    AllHandshakeFailureFilters,
    HandshakeFailureFilters,
    HandshakeFailureSerializer,
    LocationSerializer,
    MessageFilters,
    MessageSerializer,
    RegisteredStationSerializer,
    StationFields,
    StationFilters,
    StationSerializer,
)
from stations.selectors.handshakes import (
    filter_handshake_failures,
    get_handshake_failure_for,
    handshake_failures_for,
)
from stations.selectors.locations import get_location_for, locations_for
from stations.selectors.messages import messages_of
from stations.selectors.stations import (
    filter_stations,
    get_station_with_state_for,
    stations_for,
    with_state,
)
from stations.services import locations, stations


class _RegisteringView(ApiView):
    """Answers with a station and, this once, the password that was made for it."""

    def registered(self, done: stations.Registered, *, status: int) -> Response:
        station = get_station_with_state_for(self.actor, done.station.identity)
        context = {
            **self.get_serializer_context(),
            "generated_password": done.generated_password,
        }
        return Response(RegisteredStationSerializer(station, context=context).data, status=status)


class StationList(_RegisteringView):
    """This operator's stations."""

    capabilities = {"POST": "stations.change"}
    serializer_class = StationSerializer
    filter_class = StationFilters
    ordering_fields = {"id": "id", "identity": "identity", "created_at": "created_at"}

    @extend_schema(parameters=[StationFilters], responses=StationSerializer(many=True))
    def get(self, request: Request) -> Response:
        filters = self.filters()
        if "location" in filters:
            # No row has the primary key 0: an id that can be nobody's finds nothing.
            filters["location"] = parse_id(filters["location"]) or 0
        return self.page(filter_stations(with_state(stations_for(self.actor)), **filters))

    @extend_schema(responses={201: RegisteredStationSerializer})
    def post(self, request: Request) -> Response:
        done = stations.create_station(acting=self.actor, **self.body())
        return self.registered(done, status=status.HTTP_201_CREATED)


class StationDetail(_RegisteringView):
    """One station."""

    capabilities = {"PATCH": "stations.change"}
    serializer_class = StationSerializer
    lookup_field = "identity"

    def get(self, request: Request, identity: str) -> Response:
        return self.shown(get_station_with_state_for(self.actor, identity))

    @extend_schema(responses=RegisteredStationSerializer)
    def patch(self, request: Request, identity: str) -> Response:
        station = get_station_with_state_for(self.actor, identity)
        changes = self.body(instance=station)
        changes.pop("identity", None)
        done = stations.update_station(acting=self.actor, station=station, **changes)
        return self.registered(done, status=status.HTTP_200_OK)


class StationMessages(StationView):
    """A station's OCPP frames, oldest first."""

    serializer_class = MessageSerializer
    filter_class = MessageFilters
    ordering = "at"
    ordering_fields = {"at": "at"}

    @extend_schema(parameters=[MessageFilters], responses=MessageSerializer(many=True))
    def get(self, request: Request, identity: str) -> Response:
        return self.page(messages_of(self.station, **self.filters()))


class StationHandshakeFailures(StationView):
    """A station's refused handshakes, the latest first."""

    serializer_class = HandshakeFailureSerializer
    filter_class = HandshakeFailureFilters
    ordering = "-last_at"
    ordering_fields = {"id": "id", "last_at": "last_at", "first_at": "first_at"}

    @extend_schema(
        parameters=[HandshakeFailureFilters], responses=HandshakeFailureSerializer(many=True)
    )
    def get(self, request: Request, identity: str) -> Response:
        failures = handshake_failures_for(self.actor).filter(station=self.station)
        return self.page(filter_handshake_failures(failures, **self.filters()))


class HandshakeFailureList(ApiView):
    """Refused handshakes of this operator's stations, and of stations that nobody knows."""

    serializer_class = HandshakeFailureSerializer
    filter_class = AllHandshakeFailureFilters
    ordering = "-last_at"
    ordering_fields = {"id": "id", "last_at": "last_at", "first_at": "first_at"}

    @extend_schema(
        parameters=[AllHandshakeFailureFilters], responses=HandshakeFailureSerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        failures = handshake_failures_for(self.actor)
        return self.page(filter_handshake_failures(failures, **self.filters()))


class HandshakeFailureAdoption(_RegisteringView):
    """Register the station that was refused because nobody knew it."""

    capabilities = {"POST": "handshakes.adopt"}
    serializer_class = StationSerializer

    @extend_schema(request=StationFields, responses={201: RegisteredStationSerializer})
    def post(self, request: Request, id: str) -> Response:
        get_handshake_failure_for(self.actor, id)
        fields = self.body(StationFields)
        done = stations.adopt_station(acting=self.actor, failure_id=id, **fields)
        return self.registered(done, status=status.HTTP_201_CREATED)


class LocationList(ApiView):
    """This operator's sites."""

    capabilities = {"POST": "locations.change"}
    serializer_class = LocationSerializer
    ordering_fields = {"id": "id", "name": "name", "created_at": "created_at"}

    @extend_schema(responses=LocationSerializer(many=True))
    def get(self, request: Request) -> Response:
        self.filters()
        return self.page(locations_for(self.actor))

    @extend_schema(responses={201: LocationSerializer})
    def post(self, request: Request) -> Response:
        return self.created(locations.create_location(acting=self.actor, **self.body()))


class LocationDetail(ApiView):
    """One site."""

    capabilities = {"PATCH": "locations.change"}
    serializer_class = LocationSerializer

    def get(self, request: Request, id: str) -> Response:
        return self.shown(get_location_for(self.actor, id))

    def patch(self, request: Request, id: str) -> Response:
        location = get_location_for(self.actor, id)
        changes = self.body(instance=location)
        return self.shown(
            locations.update_location(acting=self.actor, location=location, **changes)
        )
