"""Tariffs as OCPI 2.2.1 objects, and where they apply."""

from collections.abc import Callable
from typing import Any

from django.db.models import Model
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.base import ApiView
from accounts.models import IdTokenGroup
from accounts.selectors import id_token_groups_for
from accounts.services.actors import Actor
from billing.api.prices import exact
from billing.choices import TariffStatus
from billing.models import Tariff, TariffAssignment
from billing.tariffs import services
from billing.tariffs.selectors import (
    assignments_for,
    filter_assignments,
    get_assignment_for,
    get_tariff_for,
    tariffs_for,
)
from billing.tariffs.tariff import DayOfWeek, Dimension, ReservationRestriction, TariffType
from cms.base.errors import Invalid, NotFound
from cms.base.rest.fields import INT_MAX, Choice, Moment, Text, Whole, YesNo
from cms.base.rest.serializers import Filters, StrictSerializer
from stations.selectors.locations import get_location_for
from stations.selectors.stations import get_station_for


class PriceComponentSerializer(StrictSerializer):
    """OCPI PriceComponent: major units per kWh, hour or session, net of VAT."""

    type = Choice([d.value for d in Dimension])
    price = exact(required=True)
    vat = exact(required=False)
    step_size = Whole(min_value=0, required=False)


class RestrictionsSerializer(StrictSerializer):
    """OCPI TariffRestrictions; times in the location's time zone."""

    start_time = Text(required=False)
    end_time = Text(required=False)
    start_date = Text(required=False)
    end_date = Text(required=False)
    min_kwh = exact(required=False)
    max_kwh = exact(required=False)
    min_current = exact(required=False)
    max_current = exact(required=False)
    min_power = exact(required=False)
    max_power = exact(required=False)
    min_duration = Whole(required=False)
    max_duration = Whole(required=False)
    day_of_week = serializers.ListField(child=Choice([d.value for d in DayOfWeek]), required=False)
    reservation = Choice([r.value for r in ReservationRestriction], required=False)


class TariffElementSerializer(StrictSerializer):
    """OCPI TariffElement."""

    price_components = PriceComponentSerializer(many=True)
    restrictions = RestrictionsSerializer(required=False)


class PriceBoundSerializer(StrictSerializer):
    """OCPI Price: `excl_vat` bounds the net, `incl_vat` the gross."""

    excl_vat = exact(required=False)
    incl_vat = exact(required=False)


class ExtensionSerializer(StrictSerializer):
    """Ours: a name, the free first part of parking, a cap on its cost, the country for its law."""

    name = Text(required=False)
    idle_grace_s = Whole(required=False)
    idle_cap = exact(required=False)
    country = Text(required=False)


class DisplayTextSerializer(StrictSerializer):
    """OCPI DisplayText."""

    language = Text()
    text = Text()


class TariffSerializer(StrictSerializer):
    """An OCPI 2.2.1 tariff object with our `x_magetsi`; `billing.tariffs.ocpi` reads and writes it."""

    id = Text(max_length=36, required=False)
    version = serializers.IntegerField(read_only=True)
    status = Choice(TariffStatus.values, required=False)
    currency = Text(max_length=3)
    type = Choice([t.value for t in TariffType], required=False)
    tariff_alt_text = DisplayTextSerializer(many=True, required=False)
    tariff_alt_url = Text(required=False)
    min_price = PriceBoundSerializer(required=False)
    max_price = PriceBoundSerializer(required=False)
    elements = TariffElementSerializer(many=True)
    start_date_time = Moment(required=False)
    end_date_time = Moment(required=False)
    x_magetsi = ExtensionSerializer(required=False)
    last_updated = Moment(read_only=True)

    def to_representation(self, instance: Tariff) -> dict[str, Any]:
        content: dict[str, Any] = instance.latest_content  # type: ignore[attr-defined]
        return {
            "id": instance.ocpi_id,
            "version": instance.latest_version,  # type: ignore[attr-defined]
            "status": instance.status,
            **content,
            "last_updated": instance.latest_at,  # type: ignore[attr-defined]
        }


class TariffFilters(Filters):
    status = Choice(TariffStatus.values, required=False)


class TariffFlags(Filters):
    draft = Choice(["true", "false"], required=False, help_text="Keep it unpublished.")
    force = Choice(["true", "false"], required=False, help_text="An owner insists; audited.")


class AssignmentFlags(Filters):
    force = Choice(["true", "false"], required=False, help_text="An owner insists; audited.")


class AssignmentSerializer(StrictSerializer):
    """Where a tariff applies: a station, one EVSE of it, a location, a group, or the whole operator."""

    id = serializers.CharField(read_only=True)
    tariff = Text(max_length=36)
    station = Text(max_length=48, trim_whitespace=False, required=False, allow_null=True)
    evse_id = Whole(min_value=1, max_value=INT_MAX, required=False, allow_null=True)
    location = Text(max_length=20, required=False, allow_null=True)
    group = Text(max_length=36, required=False, allow_null=True)
    operator = YesNo(required=False)
    created_at = Moment(read_only=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        targets = [name for name in ("station", "location", "group", "operator") if attrs.get(name)]
        if len(targets) != 1:
            raise serializers.ValidationError(
                "Name one target: station, station and evse_id, location, group, or operator: true."
            )
        if attrs.get("evse_id") is not None and "station" not in targets:
            raise serializers.ValidationError({"evse_id": ["An EVSE needs its station beside it."]})
        return attrs

    def to_representation(self, instance: TariffAssignment) -> dict[str, Any]:
        return {
            "id": str(instance.pk),
            "tariff": instance.tariff.ocpi_id,
            "station": instance.station.identity if instance.station else None,
            "evse_id": instance.evse_id,
            "location": str(instance.location_id) if instance.location_id else None,
            "group": instance.group.name if instance.group else None,
            "operator": not (instance.station_id or instance.location_id or instance.group_id),
            "created_at": instance.created_at,
        }


class AssignmentFilters(Filters):
    tariff = Text(required=False, max_length=36)
    station = Text(required=False, max_length=48, trim_whitespace=False)


class TariffView(ApiView):
    """Reads the flags of an address and shows tariffs."""

    serializer_class = TariffSerializer

    @property
    def object(self) -> dict[str, Any]:
        """The body as it came: the parser lets nothing but an object through, OCPI's reader does the rest."""
        return dict(self.request.data)

    def flags(self, filters: type[Filters] = TariffFlags) -> dict[str, bool]:
        """The address's `?draft=true&force=true`.

        Raises:
            ValidationError: a flag is unknown, or neither true nor false.
        """
        given = filters(data=dict(self.request.query_params.items()))
        given.is_valid(raise_exception=True)
        return {name: value == "true" for name, value in given.validated_data.items()}

    def tariff(self, tariff: Tariff, *, status: int = status.HTTP_200_OK) -> Response:
        """The tariff as its latest version has it."""
        return self.shown(get_tariff_for(self.actor, tariff.ocpi_id), status=status)


class TariffList(TariffView):
    """This operator's tariffs."""

    capabilities = {"POST": "tariffs.change"}
    filter_class = TariffFilters
    ordering_fields = {"id": "id", "created_at": "created_at"}

    @extend_schema(parameters=[TariffFilters], responses=TariffSerializer(many=True))
    def get(self, request: Request) -> Response:
        return self.page(tariffs_for(self.actor).filter(**self.filters()))

    @extend_schema(parameters=[TariffFlags], responses={201: TariffSerializer})
    def post(self, request: Request) -> Response:
        flags = self.flags()
        tariff = services.create_tariff(actor=self.actor, data=self.object, **flags)
        return self.tariff(tariff, status=status.HTTP_201_CREATED)


class TariffDetail(TariffView):
    """One tariff; a change makes a new version."""

    capabilities = {"PATCH": "tariffs.change"}

    def get(self, request: Request, id: str) -> Response:
        return self.shown(get_tariff_for(self.actor, id))

    @extend_schema(parameters=[TariffFlags])
    def patch(self, request: Request, id: str) -> Response:
        flags = self.flags()
        tariff = get_tariff_for(self.actor, id)
        return self.tariff(
            services.change_tariff(actor=self.actor, tariff=tariff, data=self.object, **flags)
        )


class AssignmentList(TariffView):
    """Where tariffs apply; the narrowest wins (group, EVSE, station, location, operator)."""

    capabilities = {"POST": "tariffs.change"}
    serializer_class = AssignmentSerializer  # type: ignore[assignment]
    filter_class = AssignmentFilters

    @extend_schema(parameters=[AssignmentFilters], responses=AssignmentSerializer(many=True))
    def get(self, request: Request) -> Response:
        return self.page(filter_assignments(assignments_for(self.actor), **self.filters()))

    @extend_schema(parameters=[AssignmentFlags], responses={201: AssignmentSerializer})
    def post(self, request: Request) -> Response:
        flags = self.flags(AssignmentFlags)
        asked = self.body()
        assignment = services.assign_tariff(
            actor=self.actor,
            tariff=self._named(asked, "tariff"),
            station=self._named(asked, "station"),
            evse_id=asked.get("evse_id"),
            location=self._named(asked, "location"),
            group=self._named(asked, "group"),
            **flags,
        )
        return self.created(assignment)

    def _named(self, asked: dict[str, Any], field: str) -> Any:
        """The row that a field of the body names; None where it names none.

        Raises:
            Invalid: there is no such row, or it is another operator's.
        """
        name = asked.get(field)
        if name is None:
            return None
        try:
            return _FINDERS[field](self.actor, name)
        except NotFound:
            raise Invalid.fields({field: [f"There is no such {field}."]}) from None


def _group_named(actor: Actor, name: str) -> IdTokenGroup:
    group = id_token_groups_for(actor).filter(name=name).first()
    if group is None:
        raise NotFound("There is no such group.")
    return group


_FINDERS: dict[str, Callable[[Actor, str], Model]] = {
    "tariff": get_tariff_for,
    "station": get_station_for,
    "location": get_location_for,
    "group": _group_named,
}


class AssignmentDetail(ApiView):
    """One assignment; removing it leaves running sessions as they are."""

    capabilities = {"DELETE": "tariffs.change"}
    serializer_class = AssignmentSerializer

    def get(self, request: Request, id: str) -> Response:
        return self.shown(get_assignment_for(self.actor, id))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, id: str) -> Response:
        assignment = get_assignment_for(self.actor, id)
        services.remove_assignment(actor=self.actor, assignment=assignment)
        return Response(status=status.HTTP_204_NO_CONTENT)
