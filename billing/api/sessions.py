"""Sessions, CDRs and quotes."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.base import ApiView
from accounts.selectors import find_id_token_for
from billing.api.prices import PriceSerializer, TariffReferenceSerializer
from billing.choices import SessionStatus
from billing.models import CDR, ChargingSession, TariffVersion
from billing.sessions.evidence import register_so_far
from billing.sessions.quotes import quote_session
from billing.sessions.review import join_session, waive_session
from billing.sessions.running import running_prices
from billing.sessions.selectors import (
    cdrs_for,
    filter_cdrs,
    filter_sessions,
    get_cdr_for,
    get_session_for,
    sessions_for,
)
from billing.sessions.services import release_session
from billing.tariffs.price import price_to_json
from cms.base.errors import Invalid
from cms.base.rest.fields import INT_MAX, Choice, Moment, QueryMoment, Text, Whole
from cms.base.rest.serializers import Filters, StrictSerializer
from stations.choices import ReviewReason
from stations.selectors.stations import stations_for

# What one session may plausibly be asked about: 1 GWh, a month.
_MAX_WH = 10**9
_MAX_S = 31 * 24 * 3600


class SessionSerializer(StrictSerializer):
    """One charging session. `id_token` is the uid as the station sent it."""

    id = serializers.CharField(read_only=True)
    status = Choice(SessionStatus.values, read_only=True)
    transaction = serializers.CharField(read_only=True, allow_null=True)
    station = serializers.CharField(read_only=True)
    driver = serializers.CharField(read_only=True, allow_null=True)
    id_token = serializers.CharField(read_only=True, allow_null=True)
    tariff = TariffReferenceSerializer(read_only=True, allow_null=True)
    price = PriceSerializer(read_only=True, allow_null=True)
    payment = serializers.CharField(read_only=True, allow_null=True)
    cdr = serializers.CharField(read_only=True, allow_null=True)
    started_at = Moment(read_only=True, allow_null=True)
    ended_at = Moment(read_only=True, allow_null=True)
    energy_wh = serializers.IntegerField(
        read_only=True, allow_null=True, help_text="So far, while it runs."
    )
    review_reasons = serializers.ListField(child=Choice(ReviewReason.values), read_only=True)
    created_at = Moment(read_only=True)

    def to_representation(self, instance: ChargingSession) -> dict[str, Any]:
        tx, version = instance.transaction, instance.tariff_version
        bill = next(iter(instance.bills), None)  # type: ignore[attr-defined]
        running = self.context["prices"].get(instance.pk)
        return {
            "id": str(instance.pk),
            "status": instance.status,
            "transaction": str(tx.pk) if tx else None,
            "station": instance.station.identity,
            "driver": str(instance.driver_id) if instance.driver_id else None,
            "id_token": (tx.id_token_uid or None) if tx else None,
            "tariff": tariff_reference(version) if version else None,
            "price": bill.price if bill else running and price_to_json(running),
            "payment": None,
            "cdr": str(bill.pk) if bill else None,
            "started_at": tx.started_at if tx else None,
            "ended_at": tx.ended_at if tx else None,
            "energy_wh": _energy_so_far(instance),
            "review_reasons": tx.review_reasons if tx else [],
            "created_at": instance.created_at,
        }


class SessionFilters(Filters):
    station = Text(required=False, max_length=48, trim_whitespace=False)
    transaction = Text(required=False, max_length=20)
    id_token = Text(required=False, max_length=255, trim_whitespace=False)
    status = Choice(SessionStatus.values, required=False)
    started_after = QueryMoment(required=False, help_text="Effective time, exclusive.")


class ReleaseSerializer(StrictSerializer):
    """Why a reviewed session may be priced, and by which energy if not by its registers."""

    energy_wh = Whole(min_value=0, max_value=_MAX_WH, required=False, allow_null=True)
    reason = Text(max_length=500)


class WaiveSerializer(StrictSerializer):
    """Why a reviewed session is not billed."""

    reason = Text(max_length=500)


class JoinSerializer(StrictSerializer):
    """The session that this one's stop ended."""

    session = Text(max_length=20)


class CDRSerializer(StrictSerializer):
    """The immutable priced record of a finished session."""

    id = serializers.CharField(read_only=True)
    number = serializers.CharField(read_only=True)
    session = serializers.CharField(read_only=True)
    transaction = serializers.CharField(read_only=True, allow_null=True)
    station = serializers.CharField(read_only=True)
    evse_id = serializers.IntegerField(read_only=True)
    connector_id = serializers.IntegerField(read_only=True)
    id_token = serializers.CharField(read_only=True, allow_null=True)
    started_at = Moment(read_only=True)
    ended_at = Moment(read_only=True)
    energy_wh = serializers.IntegerField(read_only=True)
    duration_s = serializers.IntegerField(read_only=True)
    idle_s = serializers.IntegerField(read_only=True)
    tariff = TariffReferenceSerializer(read_only=True)
    price = PriceSerializer(read_only=True)
    credit_of = serializers.CharField(read_only=True, allow_null=True)
    created_at = Moment(read_only=True)

    def to_representation(self, instance: CDR) -> dict[str, Any]:
        tx_id = instance.session.transaction_id
        return {
            "id": str(instance.pk),
            "number": instance.number,
            "session": str(instance.session_id),
            "transaction": str(tx_id) if tx_id else None,
            "station": instance.station_identity,
            "evse_id": instance.evse_id,
            "connector_id": instance.connector_id,
            "id_token": instance.id_token_uid or None,
            "started_at": instance.started_at,
            "ended_at": instance.ended_at,
            "energy_wh": instance.energy_wh,
            "duration_s": instance.duration_s,
            "idle_s": instance.idle_s,
            "tariff": {"id": instance.tariff["id"], "version": instance.tariff["version"]},
            "price": instance.price,
            "credit_of": str(instance.credit_of_id) if instance.credit_of_id else None,
            "created_at": instance.created_at,
        }


class CDRFilters(Filters):
    station = Text(required=False, max_length=48, trim_whitespace=False)
    session = Text(required=False, max_length=20)
    transaction = Text(required=False, max_length=20)
    id_token = Text(required=False, max_length=255, trim_whitespace=False)
    number = Text(required=False, max_length=32)
    started_after = QueryMoment(required=False, help_text="Effective time, exclusive.")


class QuoteRequestSerializer(StrictSerializer):
    """A session as a driver imagines it: charging evenly for `charging_s`, then parked for `idle_s`."""

    station = Text(max_length=48, trim_whitespace=False)
    evse_id = Whole(min_value=1, max_value=INT_MAX, required=False, allow_null=True)
    id_token = Text(max_length=255, trim_whitespace=False, required=False, allow_null=True)
    starts_at = Moment()
    energy_wh = Whole(min_value=0, max_value=_MAX_WH)
    charging_s = Whole(min_value=0, max_value=_MAX_S)
    idle_s = Whole(min_value=0, max_value=_MAX_S, default=0)

    def validate_starts_at(self, starts_at: datetime) -> datetime:
        if not datetime(2000, 1, 1, tzinfo=UTC) <= starts_at < datetime(2100, 1, 1, tzinfo=UTC):
            raise serializers.ValidationError("A quote is for a time from 2000 to 2099.")
        return starts_at


class QuoteSerializer(StrictSerializer):
    """A price and the tariff it comes from."""

    tariff = TariffReferenceSerializer(read_only=True)
    price = PriceSerializer(read_only=True)


class SessionView(ApiView):
    """Shows sessions with their prices."""

    serializer_class = SessionSerializer

    def page_context(self, rows: Sequence[ChargingSession]) -> dict[str, Any]:
        return {"prices": running_prices(rows, now=timezone.now())}

    def session(self, public_id: str) -> Response:
        """One session as it is now."""
        session = get_session_for(self.actor, public_id)
        context = {**self.get_serializer_context(), **self.page_context([session])}
        return Response(SessionSerializer(session, context=context).data)


class SessionList(SessionView):
    """What this operator's drivers charged and what it costs."""

    filter_class = SessionFilters
    ordering_fields = {"id": "id", "created_at": "created_at"}

    @extend_schema(parameters=[SessionFilters], responses=SessionSerializer(many=True))
    def get(self, request: Request) -> Response:
        return self.page(filter_sessions(self.actor, sessions_for(self.actor), **self.filters()))


class SessionDetail(SessionView):
    """One charging session."""

    def get(self, request: Request, id: str) -> Response:
        return self.session(id)


class SessionRelease(SessionView):
    """Let a session in review go on to its price."""

    capabilities = {"POST": "sessions.release"}

    @extend_schema(request=ReleaseSerializer, responses=SessionSerializer)
    def post(self, request: Request, id: str) -> Response:
        session = get_session_for(self.actor, id)
        release_session(
            actor=self.actor, session=session, now=timezone.now(), **self.body(ReleaseSerializer)
        )
        return self.session(id)


class SessionWaive(SessionView):
    """End a session in review without a bill."""

    capabilities = {"POST": "sessions.release"}

    @extend_schema(request=WaiveSerializer, responses=SessionSerializer)
    def post(self, request: Request, id: str) -> Response:
        session = get_session_for(self.actor, id)
        waive_session(actor=self.actor, session=session, **self.body(WaiveSerializer))
        return self.session(id)


class SessionJoin(SessionView):
    """Give a stop that named no transaction of ours to the session that it ended; answers with that one."""

    capabilities = {"POST": "sessions.release"}

    @extend_schema(request=JoinSerializer, responses=SessionSerializer)
    def post(self, request: Request, id: str) -> Response:
        session = get_session_for(self.actor, id)
        to = get_session_for(self.actor, self.body(JoinSerializer)["session"])
        join_session(actor=self.actor, session=session, to=to)
        return self.session(str(to.pk))


class CDRList(ApiView):
    """What was billed."""

    serializer_class = CDRSerializer
    filter_class = CDRFilters
    ordering_fields = {"id": "id", "started_at": "started_at", "created_at": "created_at"}

    @extend_schema(parameters=[CDRFilters], responses=CDRSerializer(many=True))
    def get(self, request: Request) -> Response:
        return self.page(filter_cdrs(cdrs_for(self.actor), **self.filters()))


class CDRDetail(ApiView):
    """One charge detail record."""

    serializer_class = CDRSerializer

    def get(self, request: Request, id: str) -> Response:
        return self.shown(get_cdr_for(self.actor, id))


class QuoteList(ApiView):
    """What a session would cost, by the very rules that will price it."""

    capabilities = {"POST": "read"}
    serializer_class = QuoteSerializer

    @extend_schema(request=QuoteRequestSerializer, responses=QuoteSerializer)
    def post(self, request: Request) -> Response:
        asked = self.body(QuoteRequestSerializer)
        stations = stations_for(self.actor).select_related("location", "operator")
        station = stations.filter(identity=asked.pop("station")).first()
        if station is None:
            raise Invalid.fields({"station": ["There is no such station."]})
        uid = asked.pop("id_token", None)
        token = find_id_token_for(self.actor, uid) if uid is not None else None
        if uid is not None and token is None:
            raise Invalid.fields({"id_token": ["There is no such id token."]})
        evse_id = asked.pop("evse_id", None)
        quote = quote_session(
            station=station,
            evse_id=evse_id,
            id_token_id=token.pk if token else None,
            now=timezone.now(),
            **asked,
        )
        return Response(
            {"tariff": tariff_reference(quote.version), "price": price_to_json(quote.price)}
        )


def tariff_reference(version: TariffVersion) -> dict[str, Any]:
    """`{"id", "version"}`; the tariff should be loaded."""
    return {"id": version.tariff.ocpi_id, "version": version.version}


def _energy_so_far(session: ChargingSession) -> int | None:
    tx = session.transaction
    if tx is None or tx.meter_start_wh is None:
        return None
    if tx.ended_at is not None:
        energy_wh: int | None = tx.energy_wh
        return energy_wh
    return register_so_far(tx) - tx.meter_start_wh
