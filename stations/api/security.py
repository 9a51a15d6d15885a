"""Our CA, other people's, the certificates of stations, and security events."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.base import ApiView
from cms.base.rest.fields import Choice, Id, Moment, Text, TextOrNull
from cms.base.rest.serializers import Filters, StrictSerializer
from stations.api.commands import Nothing, StationView
from stations.choices import CertificateUse
from stations.maintenance import certificates, security_events
from stations.models import SecurityEvent
from stations.selectors.certificates import (
    certificates_of,
    get_certificate_of,
    get_trusted_ca_for,
    trusted_cas_for,
)
from stations.selectors.security_events import (
    filter_security_events,
    get_security_event_for,
    security_events_for,
)


class PemRenderer(BaseRenderer):
    """Certificates as text."""

    media_type = "application/x-pem-file"
    format = "pem"
    charset = "ascii"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> str:
        return str(data)


class _Pem(BaseContentNegotiation):
    """PEM whatever is accepted; refusals are JSON as everywhere."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> Any:
        return renderers[0], renderers[0].media_type


class OwnCA(ApiView):
    """The certificate of the CA that issues client certificates to stations."""

    serializer_class = Nothing
    content_negotiation_class = _Pem

    @extend_schema(responses={(200, PemRenderer.media_type): OpenApiTypes.STR})
    def get(self, request: Request) -> Response:
        request.accepted_renderer = PemRenderer()
        request.accepted_media_type = PemRenderer.media_type
        return Response(certificates.get_authority().certificate)


class TrustedCASerializer(StrictSerializer):
    """A CA whose client certificates open the door; `fingerprint` is SHA-256 over its DER."""

    id = Id(source="pk")
    name = Text(max_length=100)
    pem = Text(max_length=certificates.MAX_PEM)
    fingerprint = serializers.CharField(read_only=True)
    not_after = Moment(read_only=True)
    created_at = Moment(read_only=True)


class TrustedCAList(ApiView):
    """Whom this operator trusts besides our own CA."""

    capabilities = {"POST": "stations.change"}
    serializer_class = TrustedCASerializer
    ordering_fields = {"id": "id", "name": "name"}

    @extend_schema(responses=TrustedCASerializer(many=True))
    def get(self, request: Request) -> Response:
        self.filters()
        return self.page(trusted_cas_for(self.actor))

    @extend_schema(responses={201: TrustedCASerializer})
    def post(self, request: Request) -> Response:
        return self.created(certificates.add_trusted_ca(acting=self.actor, **self.body()))


class TrustedCADetail(ApiView):
    """One of them. DELETE ends the trust: 204."""

    capabilities = {"DELETE": "stations.change"}
    serializer_class = TrustedCASerializer

    def get(self, request: Request, id: str) -> Response:
        return self.shown(get_trusted_ca_for(self.actor, id))

    def delete(self, request: Request, id: str) -> Response:
        certificates.remove_trusted_ca(acting=self.actor, ca=get_trusted_ca_for(self.actor, id))
        return Response(status=status.HTTP_204_NO_CONTENT)


class StationCertificateSerializer(StrictSerializer):
    """A certificate that a station has or had. `pem` is null where the station told only `hash_data`."""

    id = Id(source="pk")
    use = Choice(CertificateUse.values, read_only=True)
    subject = TextOrNull()
    serial_number = TextOrNull()
    fingerprint = TextOrNull()
    hash_data = serializers.JSONField(read_only=True, allow_null=True)
    pem = TextOrNull()
    not_before = Moment(read_only=True, allow_null=True)
    not_after = Moment(read_only=True, allow_null=True)
    created_at = Moment(read_only=True)
    installed_at = Moment(read_only=True, allow_null=True)
    revoked_at = Moment(read_only=True, allow_null=True)
    removed_at = Moment(read_only=True, allow_null=True)


class StationCertificates(StationView):
    """What a station has or had: its own certificates, and the roots that it trusts."""

    serializer_class = StationCertificateSerializer

    @extend_schema(responses=StationCertificateSerializer(many=True))
    def get(self, request: Request, identity: str) -> Response:
        self.filters()
        return self.page(certificates_of(self.station))


class StationCertificateRevocation(StationView):
    """Let a client certificate open no door any more."""

    capabilities = {"POST": "stations.change"}
    serializer_class = StationCertificateSerializer

    @extend_schema(request=None, responses={200: StationCertificateSerializer})
    def post(self, request: Request, identity: str, id: str) -> Response:
        certificate = get_certificate_of(self.station, id)
        self.body(Nothing)
        return self.shown(
            certificates.revoke_certificate(certificate=certificate, acting=self.actor)
        )


class SecurityEventSerializer(StrictSerializer):
    """Something that concerns a station's security; `at` is its time, `received_at` ours."""

    id = Id(source="pk")
    station = serializers.CharField(read_only=True)
    type = serializers.CharField(read_only=True)
    critical = serializers.BooleanField(read_only=True)
    at = Moment(read_only=True)
    received_at = Moment(read_only=True)
    tech_info = TextOrNull()
    acknowledged_at = Moment(read_only=True, allow_null=True)

    def to_representation(self, instance: SecurityEvent) -> dict[str, Any]:
        return super().to_representation(instance) | {"station": instance.station.identity}


class SecurityEventFilters(Filters):
    station = Text(required=False, max_length=48, trim_whitespace=False)
    type = Text(required=False, max_length=50)
    critical = Choice(["true", "false"], required=False)
    acknowledged = Choice(["true", "false"], required=False)

    def validate_critical(self, word: str) -> bool:
        return word == "true"

    def validate_acknowledged(self, word: str) -> bool:
        return word == "true"


class SecurityEventList(ApiView):
    """What concerns the security of this operator's stations."""

    serializer_class = SecurityEventSerializer
    filter_class = SecurityEventFilters

    @extend_schema(parameters=[SecurityEventFilters], responses=SecurityEventSerializer(many=True))
    def get(self, request: Request) -> Response:
        events = filter_security_events(security_events_for(self.actor), **self.filters())
        return self.page(events)


class SecurityEventAcknowledgement(ApiView):
    """Somebody has seen it."""

    capabilities = {"POST": "stations.command"}
    serializer_class = SecurityEventSerializer

    @extend_schema(request=None, responses={200: SecurityEventSerializer})
    def post(self, request: Request, id: str) -> Response:
        event = get_security_event_for(self.actor, id)
        self.body(Nothing)
        return self.shown(
            security_events.acknowledge_security_event(event=event, acting=self.actor)
        )
