"""Firmware on its way to stations, and stations' files on their way to people."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import BinaryIO

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header, quote_etag
from django.views.decorators.csrf import csrf_exempt

from cms.base.errors import NotFound
from stations.maintenance.files import CHUNK_BYTES, open_file
from stations.maintenance.firmware import find_offered_firmware
from stations.maintenance.links import read_download
from stations.models import LogUpload

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


@csrf_exempt
def firmware_download(request: HttpRequest, secret: str, name: str = "") -> HttpResponseBase:
    """The firmware of an update that is under way: GET and HEAD, one range of bytes at a time.

    404 for everybody else. Nothing is cached on the way: the link ends with its update.
    """
    if request.method not in ("GET", "HEAD"):
        return _nothing()
    try:
        firmware = find_offered_firmware(secret)
    except NotFound:
        return _nothing()
    return serve_file(request, sha256=firmware.sha256, name=firmware.name)


def log_download(request: HttpRequest, token: str) -> HttpResponseBase:
    """A file that a station handed over, for whoever got the link from the API or the portal."""
    if request.method not in ("GET", "HEAD"):
        return _nothing()
    upload_id = read_download(token)
    received = LogUpload.objects.filter(received_at__isnull=False)
    upload = received.filter(pk=upload_id).first() if upload_id is not None else None
    if upload is None:
        return _nothing()
    return serve_file(request, sha256=upload.sha256, name=upload.file_name or f"log-{upload.pk}")


def serve_file(request: HttpRequest, *, sha256: str, name: str) -> HttpResponseBase:
    """A file of the store to be saved, never shown: 200, 206, 304 or 416; 404 if its bytes are gone.

    Source: RFC 9110, §13.1 and §14.
    """
    try:
        file = open_file(sha256)
    except FileNotFoundError:
        return _nothing()
    size = file.seek(0, 2)
    etag = quote_etag(sha256)
    asked = _asked_range(request, size, etag)
    response: HttpResponseBase
    if etag in (part.strip() for part in request.headers.get("If-None-Match", "").split(",")):
        response = HttpResponse(status=304)
        file.close()
    elif asked is None:
        response = HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
        file.close()
    elif request.method == "HEAD":
        response = HttpResponse(status=asked.status)
        file.close()
        _describe(response, asked, size)
    else:
        response = StreamingHttpResponse(_stream(request, file, asked), status=asked.status)
        _describe(response, asked, size)
    described = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-store",
        "Content-Disposition": content_disposition_header(True, name) or "attachment",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Content-Type": "application/octet-stream",
        "ETag": etag,
        "X-Content-Type-Options": "nosniff",
    }
    for header, value in described.items():
        response.headers[header] = value
    return response


@dataclass(frozen=True, slots=True)
class _Range:
    """Bytes `first` up to, not including, `end`."""

    first: int
    end: int
    status: int

    @property
    def length(self) -> int:
        return self.end - self.first


def _asked_range(request: HttpRequest, size: int, etag: str) -> _Range | None:
    """What to send; None where the range lies outside. What is no single range is all of it (RFC 9110 §14.2)."""
    whole = _Range(0, size, 200)
    match = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    if match is None or match.groups() == ("", ""):
        return whole
    if request.headers.get("If-Range", etag) != etag:
        return whole
    first_text, last_text = match.groups()
    if not first_text:
        length = min(int(last_text), size)
        return _Range(size - length, size, 206) if length else None
    first = int(first_text)
    last = min(int(last_text), size - 1) if last_text else size - 1
    if last_text and int(last_text) < first:
        return whole
    return _Range(first, last + 1, 206) if first < size else None


def _describe(response: HttpResponseBase, asked: _Range, size: int) -> None:
    response.headers["Content-Length"] = str(asked.length)
    if asked.status == 206:
        response.headers["Content-Range"] = f"bytes {asked.first}-{asked.end - 1}/{size}"


def _stream(
    request: HttpRequest, file: BinaryIO, asked: _Range
) -> AsyncIterator[bytes] | Iterator[bytes]:
    """Piece by piece. Django would read a plain iterator to its end before an ASGI server sends anything."""
    return _slowly(file, asked) if hasattr(request, "scope") else _read(file, asked)


def _read(file: BinaryIO, asked: _Range) -> Iterator[bytes]:
    with closing(file):
        file.seek(asked.first)
        left = asked.length
        while left and (piece := file.read(min(CHUNK_BYTES, left))):
            left -= len(piece)
            yield piece


async def _slowly(file: BinaryIO, asked: _Range) -> AsyncIterator[bytes]:
    pieces = _read(file, asked)
    try:
        while piece := await asyncio.to_thread(next, pieces, b""):
            yield piece
    finally:
        pieces.close()  # type: ignore[attr-defined]
        file.close()


def _nothing() -> HttpResponse:
    return HttpResponse(status=404, content_type="text/plain")
