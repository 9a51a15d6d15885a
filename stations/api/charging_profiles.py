"""Charging profiles: the library, and what lies at a station."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.base import ApiView
from cms.base.errors import Invalid, NotFound
from cms.base.ids import parse_id
from cms.base.rest.fields import INT_MAX, Choice, Id, Moment, Text, TextOrNull, Whole
from cms.base.rest.serializers import Filters, StrictSerializer
from stations.api.commands import CommandSerializer, Nothing, StationView
from stations.choices import ProfileStatus
from stations.models import ChargingProfile, InstalledProfile, Transaction
from stations.selectors.charging_profiles import (
    PRESENT,
    charging_profiles_for,
    get_charging_profile_for,
    get_installed_profile_for,
    installed_profiles_for,
)
from stations.selectors.transactions import transactions_for
from stations.services import charging_profiles as services


class ProfileObject(serializers.DictField):
    """A ChargingProfileType of OCPP 2.0.1; the schema and its rules are the domain's to judge."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.fail("not_a_dict", input_type=type(data).__name__)
        return dict(data)

    def to_representation(self, value: Any) -> Any:
        return value


class ChargingProfileSerializer(StrictSerializer):
    """A profile under a name. `profile` is OCPP 2.0.1's ChargingProfileType, without an `id` and
    `transactionId`: those are chosen when it is installed. For OCPP 1.6 it is translated then."""

    id = Id(source="pk")
    name = Text(max_length=100)
    profile = ProfileObject()
    created_at = Moment(read_only=True)


@extend_schema_field({"oneOf": [{"type": "string"}, {"type": "object"}]})
class ProfileOrId(serializers.Field[Any, Any, Any, Any]):
    """The id of a profile of the library, or a profile as an object."""

    default_error_messages = {  # noqa: RUF012
        "invalid": "Give the id of a profile of the library, or the profile as an object."
    }

    def to_internal_value(self, data: Any) -> str | dict[str, Any]:
        if not isinstance(data, str | dict):
            self.fail("invalid")
        return data

    def to_representation(self, value: Any) -> Any:
        return value


class InstallSerializer(StrictSerializer):
    """`profile` is the id of one of the library, or an object whose `id` is kept. Without `evse_id` it goes to the
    station as a whole; a TxProfile goes to the EVSE of `transaction`, the id of a transaction that runs."""

    profile = ProfileOrId()
    evse_id = Whole(min_value=0, max_value=INT_MAX, required=False, allow_null=True)
    transaction = Text(max_length=20, required=False, allow_null=True)


class InstalledProfileSerializer(StrictSerializer):
    """A profile at a station, as far as we know. `evse_id` 0 is the station as a whole; `profile_id` is its id there.

    `status` is `requested` until the station has answered, or until a transaction came of the start that it was sent
    with. `reason` says why it was rejected or is gone: the station's word, or Replaced, TransactionEnded,
    NotStarted, NotFound, NotSent, NoAnswer.
    """

    id = Id(source="pk")
    station = serializers.CharField(read_only=True, source="station.identity")
    library_profile = Id(source="library_profile_id", allow_null=True)
    profile_id = serializers.IntegerField(read_only=True)
    evse_id = serializers.IntegerField(read_only=True)
    purpose = serializers.CharField(read_only=True)
    stack_level = serializers.IntegerField(read_only=True)
    transaction = Id(source="transaction_id", allow_null=True)
    profile = ProfileObject(read_only=True)
    status = Choice(ProfileStatus.values, read_only=True)
    reason = TextOrNull()
    command = Id(source="command_id", allow_null=True)
    created_at = Moment(read_only=True)
    installed_at = Moment(read_only=True, allow_null=True)
    ended_at = Moment(read_only=True, allow_null=True)


class InstalledProfileFilters(Filters):
    status = Choice(ProfileStatus.values, required=False)


class ChargingProfileList(ApiView):
    """The library of charging profiles."""

    capabilities = {"POST": "stations.change"}
    serializer_class = ChargingProfileSerializer

    @extend_schema(responses=ChargingProfileSerializer(many=True))
    def get(self, request: Request) -> Response:
        self.filters()
        return self.page(charging_profiles_for(self.actor))

    @extend_schema(responses={201: ChargingProfileSerializer})
    def post(self, request: Request) -> Response:
        return self.created(services.create_charging_profile(acting=self.actor, **self.body()))


class ChargingProfileDetail(ApiView):
    """One profile of the library. A change touches nothing that was installed from it."""

    capabilities = {"PATCH": "stations.change", "DELETE": "stations.change"}
    serializer_class = ChargingProfileSerializer

    def get(self, request: Request, id: str) -> Response:
        return self.shown(self._row(id))

    def patch(self, request: Request, id: str) -> Response:
        row = self._row(id)
        changes = self.body(instance=row)
        return self.shown(
            services.change_charging_profile(acting=self.actor, charging_profile=row, **changes)
        )

    def delete(self, request: Request, id: str) -> Response:
        services.delete_charging_profile(acting=self.actor, charging_profile=self._row(id))
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _row(self, id: str) -> ChargingProfile:
        return get_charging_profile_for(self.actor, id)


class StationChargingProfileList(StationView):
    """What is installed at a station or asked for; `status` shows what is not there (any more)."""

    capabilities = {"POST": "stations.command"}
    serializer_class = InstalledProfileSerializer
    filter_class = InstalledProfileFilters

    @extend_schema(
        parameters=[InstalledProfileFilters], responses=InstalledProfileSerializer(many=True)
    )
    def get(self, request: Request, identity: str) -> Response:
        station, asked = self.station, self.filters().get("status")
        statuses = [asked] if asked else PRESENT
        return self.page(installed_profiles_for(self.actor, station, statuses=statuses))

    @extend_schema(request=InstallSerializer, responses={201: InstalledProfileSerializer})
    def post(self, request: Request, identity: str) -> Response:
        station, asked = self.station, self.body(InstallSerializer)
        profile = asked["profile"]
        if isinstance(profile, str):
            profile = self._library(profile)
        installed = services.install_profile(
            acting=self.actor,
            station=station,
            profile=profile,
            evse_id=asked.get("evse_id"),
            tx=self._transaction(asked.get("transaction")),
        )
        return self.created(installed)

    def _library(self, public_id: str) -> ChargingProfile:
        try:
            return get_charging_profile_for(self.actor, public_id)
        except NotFound as error:
            raise Invalid.fields({"profile": [error.message]}) from error

    def _transaction(self, public_id: str | None) -> Transaction | None:
        if public_id is None:
            return None
        pk = parse_id(public_id)
        own = transactions_for(self.actor).filter(station=self.station)
        tx = own.filter(pk=pk).first() if pk is not None else None
        if tx is None:
            raise Invalid.fields({"transaction": ["This station has no such transaction."]})
        return tx


class StationChargingProfileDetail(StationView):
    """One profile at a station. DELETE asks the station to clear it by its id: 202 with the command."""

    capabilities = {"DELETE": "stations.command"}
    serializer_class = InstalledProfileSerializer

    def get(self, request: Request, identity: str, id: str) -> Response:
        return self.shown(self._row(id))

    @extend_schema(responses={202: CommandSerializer})
    def delete(self, request: Request, identity: str, id: str) -> Response:
        row = self._row(id)
        self.body(Nothing)
        command = services.clear_profile(acting=self.actor, installed=row)
        return Response(CommandSerializer(command).data, status=status.HTTP_202_ACCEPTED)

    def _row(self, id: str) -> InstalledProfile:
        return get_installed_profile_for(self.actor, self.station, id)
