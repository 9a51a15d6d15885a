"""Charging profiles: the library with its editor, and what lies at a station."""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from accounts.services.permissions import require
from cms.base.errors import Conflict, Invalid
from cms.portal.access import OperatorRequest, operator_page
from cms.portal.commands import command_page
from cms.portal.pages import page
from cms.portal.profile_form import Editor, fits_form
from cms.portal.profile_words import (
    PURPOSES,
    ScheduleView,
    installed_view,
    schedule_view,
)
from cms.portal.selectors import StationView
from cms.portal.station_page import station_page
from cms.portal.tariff_editor import JsonEditor
from stations.choices import ProfileStatus
from stations.models import ChargingProfile
from stations.selectors.charging_profiles import (
    charging_profiles_for,
    composite_schedules,
    get_charging_profile_for,
    installed_profiles_for,
)
from stations.services.charging_profile_rules import check_profile
from stations.services.charging_profiles import (
    change_charging_profile,
    create_charging_profile,
    delete_charging_profile,
)

_PROFILES_SHOWN = 200
_PAST_SHOWN = 10
_PAST = (ProfileStatus.CLEARED, ProfileStatus.REJECTED)


@require_GET
@operator_page
def profile_list(request: OperatorRequest) -> HttpResponse:
    """The library: what each profile allows."""
    zone = request.actor.operator.time_zone
    rows = charging_profiles_for(request.actor)[:_PROFILES_SHOWN]
    profiles = [
        {
            "row": row,
            "purpose": PURPOSES.get(row.profile["chargingProfilePurpose"], ""),
            "schedule": schedule_view(row.profile, zone=zone),
        }
        for row in rows
    ]
    context = {"profiles": profiles, "zone": zone, "room": "stations"}
    return page(request, "portal/profile_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def profile_new(request: OperatorRequest) -> HttpResponse:
    """The editor of a profile that does not exist yet."""
    require(request.actor, "stations.change")
    return _editor(request, None)


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def profile_edit(request: OperatorRequest, id: str) -> HttpResponse:
    """The editor of a profile of the library."""
    row = get_charging_profile_for(request.actor, id)
    require(request.actor, "stations.change")
    return _editor(request, row)


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def profile_delete(request: OperatorRequest, id: str) -> HttpResponse:
    """Ask once, then take it out of the library."""
    row = get_charging_profile_for(request.actor, id)
    require(request.actor, "stations.change")
    if request.method == "POST":
        delete_charging_profile(acting=request.actor, charging_profile=row)
        messages.success(request, _("Deleted. Where it is installed it stays so."))
        return redirect("charging-profiles")
    return page(request, "portal/profile_delete.html", {"profile": row, "room": "stations"})


def _editor(request: OperatorRequest, row: ChargingProfile | None) -> HttpResponse:
    """Three buttons: draw, one more row, save."""
    zone = request.actor.operator.time_zone
    shown = row is None or fits_form(row.profile)
    posted = request.POST if request.method == "POST" else None
    with timezone.override(ZoneInfo(zone)):
        editor = Editor(
            posted if shown else None,
            name=row.name if row else "",
            profile=row.profile if row and shown else None,
        )
        status = 200
        if posted is not None and not shown:
            status = 400
        elif posted is not None and "add-row" in posted:
            editor.add_row()
        elif posted is not None and "calculate" not in posted:
            if editor.is_valid():
                saved = _save(request, row, editor)
                if saved is not None:
                    return saved
            status = 400
        context = {
            "profile": row,
            "form": editor.form,
            "rows": editor.rows,
            "shown": shown,
            "schedule": _drawn(editor, posted, row, zone),
            "content": JsonEditor.text_of(row.profile) if row and not shown else "",
            "zone": zone,
            "room": "stations",
        }
        return page(request, "portal/profile_form.html", context, status=status)


def _save(
    request: OperatorRequest, row: ChargingProfile | None, editor: Editor
) -> HttpResponse | None:
    name = editor.form.cleaned_data["name"]
    try:
        if row is None:
            create_charging_profile(acting=request.actor, name=name, profile=editor.profile)
        else:
            change_charging_profile(
                acting=request.actor, charging_profile=row, name=name, profile=editor.profile
            )
    except (Conflict, Invalid) as error:
        editor.show(error)
        return None
    messages.success(request, _("Saved."))
    return redirect("charging-profiles")


def _drawn(
    editor: Editor, posted: Mapping[str, Any] | None, row: ChargingProfile | None, zone: str
) -> ScheduleView | None:
    """The curve of what is filled in, where it makes a profile; without input, of what is kept."""
    if posted is None:
        return schedule_view(row.profile, zone=zone) if row else None
    judge = Editor(posted, name="", profile=None)
    if "name" in judge.form.fields:
        judge.form.fields["name"].required = False
    return schedule_view(check_profile(judge.profile), zone=zone) if judge.is_valid() else None


@require_GET
@operator_page
def station_smart_charging(request: OperatorRequest, identity: str) -> HttpResponse:
    """What the station may draw: its profiles, what they allow together, and what was there before."""

    def add(view: StationView) -> dict[str, Any]:
        station = view.station
        zone = (station.location or request.actor.operator).time_zone
        past = installed_profiles_for(request.actor, station, statuses=_PAST)
        running, _more = command_page(station, before="", size=1)
        return {
            "profiles": [
                installed_view(row, zone=zone)
                for row in installed_profiles_for(request.actor, station)[:_PROFILES_SHOWN]
            ],
            "past": [installed_view(row, zone=zone).past for row in past[:_PAST_SHOWN]],
            "composites": [
                {
                    "told": told,
                    "schedule": schedule_view(
                        {}, zone=zone, schedule=_placed(told.schedule, told.starts_at)
                    )
                    if told.schedule
                    else None,
                }
                for told in composite_schedules(station)
            ],
            "has_open_commands": any(command.is_open for command in running),
        }

    return station_page(
        request, identity, "station-smart-charging", "portal/station_smart_charging.html", add
    )


def _placed(schedule: Mapping[str, Any], starts_at: Any) -> dict[str, Any]:
    """A composite schedule begins when the station said so."""
    return {**schedule, "startSchedule": starts_at.isoformat()}
