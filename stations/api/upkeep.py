"""Firmware files and updates, diagnostics and logs."""

from collections.abc import Iterator, Mapping
from typing import IO, Any, cast

from django.conf import settings
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.base import ApiView
from cms.base.errors import Invalid, NotFound
from cms.base.rest.fields import Choice, Id, Moment, Text, TextOrNull, YesNo
from cms.base.rest.serializers import Filters, StrictSerializer
from stations.api.commands import StationView
from stations.choices import FirmwareStatus, LogKind, LogStatus
from stations.maintenance import firmware as updates
from stations.maintenance import logs
from stations.maintenance.files import CHUNK_BYTES, StoredFile, store_chunks
from stations.maintenance.links import sign_download
from stations.models import FirmwareFile, LogUpload
from stations.selectors.stations import get_station_for
from stations.selectors.upkeep import (
    filter_log_uploads,
    firmware_files_for,
    firmware_updates_for,
    get_firmware_file_for,
    get_firmware_update_for,
    get_log_upload_for,
    log_uploads_for,
)

CERTIFICATE_MAX, SIGNATURE_MAX = 5500, 800


# --- firmware files ------------------------------------------------------------------------------------


class FirmwareFileSerializer(StrictSerializer):
    """A firmware image. `signed` says whether signed updates (SignedUpdateFirmware) can be made from it."""

    id = Id(source="pk")
    name = serializers.CharField(read_only=True)
    version = serializers.CharField(read_only=True)
    vendor = TextOrNull()
    model = TextOrNull()
    size_bytes = serializers.IntegerField(read_only=True)
    sha256 = serializers.CharField(read_only=True)
    signed = serializers.SerializerMethodField()
    created_at = Moment(read_only=True)

    def get_signed(self, row: FirmwareFile) -> bool:
        return bool(row.signature)


class FirmwareFields(StrictSerializer):
    """What is said about a file. `signing_certificate` (PEM) and `signature` (base64) come from its maker."""

    name = Text(max_length=255, required=False)
    version = Text(max_length=50)
    vendor = Text(max_length=50, required=False, allow_blank=True, default="")
    model = Text(max_length=50, required=False, allow_blank=True, default="")
    signing_certificate = Text(
        max_length=CERTIFICATE_MAX, required=False, allow_blank=True, default=""
    )
    signature = Text(max_length=SIGNATURE_MAX, required=False, allow_blank=True, default="")


class FirmwareUpload(FirmwareFields):
    """The form: the file and what is said about it."""

    file = serializers.FileField()


class RawFileParser(BaseParser):
    """The body as it comes, unread."""

    media_type = "application/octet-stream"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        return {"file": stream}


_FIELD_PARAMETERS = [
    OpenApiParameter(name, OpenApiTypes.STR, description="Only beside a raw body.")
    for name in ("name", "version", "vendor", "model", "signing_certificate", "signature")
]


class FirmwareList(ApiView):
    """The operator's firmware files.

    POST takes a form (`multipart/form-data`: `file` and the fields), or the bytes alone as `application/octet-stream`
    with the fields in the query.
    """

    capabilities = {"POST": "stations.change"}
    serializer_class = FirmwareFileSerializer
    parser_classes = (MultiPartParser, RawFileParser, *ApiView.parser_classes)

    @extend_schema(responses=FirmwareFileSerializer(many=True))
    def get(self, request: Request) -> Response:
        self.filters()
        return self.page(firmware_files_for(self.actor))

    @extend_schema(
        parameters=_FIELD_PARAMETERS,
        request={
            "multipart/form-data": FirmwareUpload,
            "application/octet-stream": OpenApiTypes.BINARY,
        },
        responses={201: FirmwareFileSerializer},
    )
    def post(self, request: Request) -> Response:
        fields, stored, name = self._taken()
        fields.setdefault("name", name or "firmware.bin")
        return self.created(
            updates.create_firmware_file(acting=self.actor, stored=stored, **fields)
        )

    def idempotent_body(self, request: Request) -> bytes:
        """The same file is the same request, whatever boundary the form has; nobody keeps it in memory."""
        fields, stored, name = self._taken()
        return repr((sorted(fields.items()), stored, name)).encode()

    def _taken(self) -> tuple[dict[str, Any], StoredFile, str]:
        """What is said of the file, the file in the store, and its name; the body is read once."""
        if not hasattr(self, "_once"):
            self._once = self._take()
        fields, stored, name = self._once
        return dict(fields), stored, name

    def _take(self) -> tuple[dict[str, Any], StoredFile, str]:
        data = cast(Mapping[str, Any], self.request.data)
        file = data.get("file")
        # Of a form, what is said stands beside the file; of a raw body, in the query.
        is_raw = hasattr(file, "read") and not hasattr(file, "chunks")
        said = self.request.query_params if is_raw else data
        given = {name: said[name] for name in said if name != "file"}
        serializer = FirmwareFields(data=given)
        serializer.is_valid(raise_exception=True)
        if file is None or not hasattr(file, "read"):
            raise Invalid.fields({"file": ["Send the file, as a form or as the body."]})
        stored = store_chunks(_chunks(file), max_bytes=settings.FIRMWARE_MAX_BYTES)
        return serializer.validated_data, stored, str(getattr(file, "name", "") or "")


def _chunks(file: Any) -> Iterator[bytes]:
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


class FirmwareDetail(ApiView):
    """One firmware file."""

    serializer_class = FirmwareFileSerializer

    def get(self, request: Request, id: str) -> Response:
        return self.shown(get_firmware_file_for(self.actor, id))


# --- firmware updates ------------------------------------------------------------------------------------


class Report(StrictSerializer):
    """What the station said, and when we heard it; `version` where it booted on the way (`Booted`)."""

    status = serializers.CharField(read_only=True)
    at = serializers.DateTimeField(read_only=True)
    version = serializers.CharField(read_only=True, required=False)

    def to_representation(self, instance: Mapping[str, Any]) -> dict[str, Any]:
        return dict(instance)


class FirmwareUpdateSerializer(StrictSerializer):
    """A station's way to another firmware. `status` is OCPP's word, or Requested, Accepted, Refused, Unanswered,
    NotSent, Superseded, Expired. The secret of a link of ours in `location` is masked."""

    id = Id(source="pk")
    station = serializers.CharField(read_only=True, source="station.identity")
    firmware = Id(source="firmware_id", allow_null=True)
    location = serializers.CharField(read_only=True)
    signed = serializers.BooleanField(read_only=True, source="is_signed")
    request_id = serializers.IntegerField(read_only=True)
    retrieve_at = Moment(read_only=True)
    status = Choice(FirmwareStatus.values, read_only=True)
    history = Report(many=True, read_only=True)
    version_before = TextOrNull()
    version_after = TextOrNull()
    command = Id(source="command_id", allow_null=True)
    created_at = Moment(read_only=True)
    finished_at = Moment(read_only=True, allow_null=True)


class FirmwareUpdateRequest(StrictSerializer):
    """`firmware` is the id of a file of ours; `location` is somebody else's address. A signed update from there needs
    its maker's `signing_certificate` (PEM) and `signature` (base64)."""

    firmware = Text(max_length=20, required=False, allow_null=True)
    location = Text(max_length=updates.LOCATION_MAX, required=False, allow_null=True)
    retrieve_at = Moment(required=False, allow_null=True)
    signed = YesNo(required=False, default=False)
    signing_certificate = Text(max_length=CERTIFICATE_MAX, required=False, default="")
    signature = Text(max_length=SIGNATURE_MAX, required=False, default="")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if bool(attrs.get("firmware")) == bool(attrs.get("location")):
            raise serializers.ValidationError({"firmware": ["Give either firmware or location."]})
        return attrs


class StationFirmwareUpdateList(StationView):
    """A station's updates, however they were asked for."""

    capabilities = {"POST": "stations.command"}
    serializer_class = FirmwareUpdateSerializer

    @extend_schema(responses=FirmwareUpdateSerializer(many=True))
    def get(self, request: Request, identity: str) -> Response:
        station = self.station
        self.filters()
        return self.page(firmware_updates_for(self.actor, station))

    @extend_schema(request=FirmwareUpdateRequest, responses={201: FirmwareUpdateSerializer})
    def post(self, request: Request, identity: str) -> Response:
        station, asked = self.station, self.body(FirmwareUpdateRequest)
        file = asked.get("firmware")
        update = updates.request_firmware_update(
            acting=self.actor,
            station=station,
            firmware=self._file(file) if file else None,
            location=asked.get("location") or "",
            retrieve_at=asked.get("retrieve_at"),
            signed=asked["signed"],
            signing_certificate=asked["signing_certificate"],
            signature=asked["signature"],
        )
        return self.created(update)

    def _file(self, public_id: str) -> FirmwareFile:
        try:
            return get_firmware_file_for(self.actor, public_id)
        except NotFound as error:
            raise Invalid.fields({"firmware": [error.message]}) from error


class StationFirmwareUpdateDetail(StationView):
    """One update of a station."""

    serializer_class = FirmwareUpdateSerializer

    def get(self, request: Request, identity: str, id: str) -> Response:
        return self.shown(get_firmware_update_for(self.actor, self.station, id))


# --- logs --------------------------------------------------------------------------------------------------


class LogUploadSerializer(StrictSerializer):
    """A file that a station was asked for. It is here once `received_at` is set, whatever the station says; `download`
    is then an address that needs no key and is good for an hour. `location` is where somebody else's request sent the
    file, null for ours."""

    id = Id(source="pk")
    station = serializers.CharField(read_only=True, source="station.identity")
    kind = Choice(LogKind.values, read_only=True)
    request_id = serializers.IntegerField(read_only=True)
    status = Choice(LogStatus.values, read_only=True)
    reported_status = TextOrNull()
    history = Report(many=True, read_only=True)
    location = TextOrNull()
    file_name = TextOrNull()
    content_type = TextOrNull()
    size_bytes = serializers.IntegerField(read_only=True, allow_null=True)
    sha256 = TextOrNull()
    download = serializers.SerializerMethodField()
    command = Id(source="command_id", allow_null=True)
    created_at = Moment(read_only=True)
    expires_at = Moment(read_only=True)
    received_at = Moment(read_only=True, allow_null=True)
    finished_at = Moment(read_only=True, allow_null=True)

    def get_download(self, row: LogUpload) -> str | None:
        if row.received_at is None:
            return None
        path = reverse("log-download", args=[sign_download(row.pk)])
        request: Request = self.context["request"]
        return str(request.build_absolute_uri(path))


class LogRequest(StrictSerializer):
    """What to ask for: `diagnostics` by GetDiagnostics, `security` by GetLog; of a span of time if given."""

    station = Text(max_length=48, trim_whitespace=False)
    kind = Choice(LogKind.values)

    def get_fields(self) -> dict[str, Any]:
        """`from` is a word of Python's, so it cannot stand above."""
        return {
            **super().get_fields(),
            "from": Moment(required=False, allow_null=True),
            "to": Moment(required=False, allow_null=True),
        }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        begin, end = attrs.get("from"), attrs.get("to")
        if begin and end and begin >= end:
            raise serializers.ValidationError({"to": ["This must be later than `from`."]})
        return attrs


class LogUploadFilters(Filters):
    station = Text(required=False, max_length=48, trim_whitespace=False)
    kind = Choice(LogKind.values, required=False)
    status = Choice(LogStatus.values, required=False)


class LogUploadList(ApiView):
    """Diagnostics and logs of this operator's stations, however they were asked for."""

    capabilities = {"POST": "stations.command"}
    serializer_class = LogUploadSerializer
    filter_class = LogUploadFilters

    @extend_schema(parameters=[LogUploadFilters], responses=LogUploadSerializer(many=True))
    def get(self, request: Request) -> Response:
        return self.page(filter_log_uploads(log_uploads_for(self.actor), **self.filters()))

    @extend_schema(request=LogRequest, responses={201: LogUploadSerializer})
    def post(self, request: Request) -> Response:
        asked = self.body(LogRequest)
        try:
            station = get_station_for(self.actor, asked["station"])
        except NotFound as error:
            raise Invalid.fields({"station": [error.message]}) from error
        span = {"from_at": asked.get("from"), "to_at": asked.get("to")}
        if asked["kind"] == LogKind.DIAGNOSTICS:
            upload = logs.request_diagnostics(acting=self.actor, station=station, **span)
        else:
            upload = logs.request_log(
                acting=self.actor, station=station, kind=asked["kind"], **span
            )
        return self.created(upload)


class LogUploadDetail(ApiView):
    """One file, with where to download it once it is here."""

    serializer_class = LogUploadSerializer

    def get(self, request: Request, id: str) -> Response:
        return self.shown(get_log_upload_for(self.actor, id))
