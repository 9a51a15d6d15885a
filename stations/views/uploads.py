"""Where stations put the files that they were asked for.

The secret in the address is all that they show. Whoever has none learns nothing: every wrong way is the same 404.
"""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from cms.base.errors import Conflict, NotFound
from stations.maintenance.files import CHUNK_BYTES, FileTooLarge, store_chunks
from stations.maintenance.logs import find_awaited_upload, receive_log


@csrf_exempt
@never_cache
def upload_target(request: HttpRequest, secret: str, name: str = "") -> HttpResponse:
    """Takes one file by PUT or POST, as the body or as a form; chargers do all of these.

    201 once the file is stored for good; 404 for a link that is none, used or lapsed; 413 for too much; 400 for a form
    without a file. After anything but 201 the link is still good.
    """
    if request.method not in ("PUT", "POST"):
        return _plain(404)
    try:
        upload = find_awaited_upload(secret)
        sent_name, content_type, chunks = _body_of(request)
        stored = store_chunks(chunks, max_bytes=settings.LOG_UPLOAD_MAX_BYTES)
        receive_log(upload=upload, stored=stored, name=name or sent_name, content_type=content_type)
    except (NotFound, Conflict):
        return _plain(404)
    except FileTooLarge:
        return _plain(413)
    except (MultiPartParserError, _NoFile):
        return _plain(400)
    return _plain(201)


class _NoFile(Exception):
    """A form without one."""


def _body_of(request: HttpRequest) -> tuple[str, str, Iterator[bytes]]:
    """Its name and content type where the request tells them, and the file piece by piece."""
    if _declared_bytes(request) > settings.LOG_UPLOAD_MAX_BYTES + CHUNK_BYTES:
        raise FileTooLarge("Too large.")
    content_type = request.content_type or ""
    if content_type != "multipart/form-data":
        return "", content_type, _pieces(request)
    # Always to disk, whatever its size; request.FILES would only be filled for POST.
    request.upload_handlers = [TemporaryFileUploadHandler(request)]
    _fields, files = request.parse_file_upload(request.META, request)
    for file in files.values():
        assert isinstance(file, UploadedFile)  # noqa: S101 - the last one of its field
        return file.name or "", file.content_type or "", file.chunks(CHUNK_BYTES)
    raise _NoFile


def _declared_bytes(request: HttpRequest) -> int:
    declared = request.META.get("CONTENT_LENGTH") or "0"
    return int(declared) if declared.isascii() and declared.isdigit() else 0


def _pieces(file: Any) -> Iterator[bytes]:
    while piece := file.read(CHUNK_BYTES):
        yield piece


def _plain(status: int) -> HttpResponse:
    """Chargers log what they get; there is nothing to read."""
    return HttpResponse(status=status, content_type="text/plain")
