"""Firmware and logs: what a station was asked for, a look into its files, and the operator's firmware."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_safe

from accounts.services.permissions import require
from cms.base.errors import Invalid, NotFound
from cms.portal.access import OperatorRequest, operator_page
from cms.portal.pages import page
from cms.portal.paging import page_by_id
from cms.portal.refusals import show_refusal
from cms.portal.selectors import StationView
from cms.portal.station_page import station_page
from cms.portal.stored_file import FIND_LENGTH, look_at
from cms.portal.upkeep_forms import FirmwareForm
from cms.portal.upkeep_words import log_view, update_view
from stations.maintenance.files import CHUNK_BYTES, FileTooLarge, store_chunks
from stations.maintenance.firmware import create_firmware_file
from stations.selectors.upkeep import (
    firmware_files_for,
    firmware_updates_for,
    get_log_upload_for,
    log_uploads_for,
)
from stations.views.downloads import serve_file

_UPDATES_SHOWN = 20
_LOGS_SHOWN = 20
_MOST_LINES = 10**9


@require_GET
@operator_page
def station_upkeep(request: OperatorRequest, identity: str) -> HttpResponse:
    """Both histories, newest first; `?updates=` and `?logs=` turn their pages."""

    def add(view: StationView) -> dict[str, Any]:
        station = view.station
        zone = (station.location or request.actor.operator).time_zone
        updates_before = request.GET.get("updates", "")
        logs_before = request.GET.get("logs", "")
        updates, older_updates = page_by_id(
            firmware_updates_for(request.actor, station), updates_before, size=_UPDATES_SHOWN
        )
        of_station = log_uploads_for(request.actor).filter(station=station)
        logs, older_logs = page_by_id(of_station, logs_before, size=_LOGS_SHOWN)
        update_views = [update_view(update, zone=zone) for update in updates]
        log_views = [log_view(upload) for upload in logs]
        newest = update_views[0] if update_views and not updates_before else None
        return {
            "newest": newest,
            "updates": update_views[1:] if newest else update_views,
            "updates_before": updates_before,
            "older_updates": older_updates,
            "logs": log_views,
            "logs_before": logs_before,
            "older_logs": older_logs,
            "has_open_updates": any(update.is_open for update in update_views),
            "has_open_logs": any(log.is_open for log in log_views),
        }

    return station_page(request, identity, "station-upkeep", "portal/station_upkeep.html", add)


@require_GET
@operator_page
def log_upload(request: OperatorRequest, id: str) -> HttpResponse:
    """A file that a station handed over: `?entry=` of the archive, from `?from=` on, lines with `?find=`."""
    upload = get_log_upload_for(request.actor, id)
    station = upload.station
    find = request.GET.get("find", "").replace("\0", "")[:FIND_LENGTH]
    entry = _number(request.GET.get("entry", ""))
    first = max(1, _number(request.GET.get("from", "")) or 1)
    look = None
    if upload.received_at is not None:
        look = look_at(upload.sha256, first=first, find=find, entry=entry)
    context = {
        "log": log_view(upload),
        "upload": upload,
        "station": station,
        "zone": (station.location or request.actor.operator).time_zone,
        "look": look,
        "find": find,
        "entry": entry,
        "first": first,
        "room": "stations",
    }
    return page(request, "portal/log_upload.html", context)


def _number(text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        return None
    return min(int(text), _MOST_LINES)


@require_safe
@operator_page
def log_file(request: OperatorRequest, id: str) -> HttpResponseBase:
    """The file itself, to be saved."""
    upload = get_log_upload_for(request.actor, id)
    if upload.received_at is None:
        raise NotFound("There is no file yet.")
    name = upload.file_name or f"{upload.kind}-{upload.pk}"
    return serve_file(request, sha256=upload.sha256, name=name)


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def firmware_files(request: OperatorRequest) -> HttpResponse:
    """The operator's firmware, and a form for one more."""
    form = FirmwareForm(request.POST or None, request.FILES or None)
    if request.method == "POST":
        require(request.actor, "stations.change")
        if form.is_valid() and _keep(request, form):
            messages.success(
                request, _("The firmware is kept. Stations are updated from their own pages.")
            )
            return redirect("firmware")
    rows, next_before = page_by_id(
        firmware_files_for(request.actor), before := request.GET.get("before", "")
    )
    context = {
        "files": rows,
        "before": before,
        "next_before": next_before,
        "form": form,
        "zone": request.actor.operator.time_zone,
        "room": "stations",
    }
    return page(request, "portal/firmware_list.html", context, status=400 if form.is_bound else 200)


def _keep(request: OperatorRequest, form: FirmwareForm) -> bool:
    """Whether the file is kept now; its faults are in the form otherwise."""
    said = dict(form.cleaned_data)
    file = said.pop("file")
    try:
        stored = store_chunks(file.chunks(CHUNK_BYTES), max_bytes=settings.FIRMWARE_MAX_BYTES)
        create_firmware_file(acting=request.actor, stored=stored, name=file.name, **said)
    except FileTooLarge:
        form.add_error("file", _("The file is too large."))
    except Invalid as error:
        show_refusal(form, error)
    else:
        return True
    return False
