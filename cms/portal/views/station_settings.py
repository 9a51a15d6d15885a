"""Stations as rows: made, described, given a new password."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.services.permissions import allows, require
from cms.base.errors import Conflict, Invalid, NotAllowed
from cms.portal.access import OperatorRequest, operator_page
from cms.portal.pages import page, station_address
from cms.portal.passwords import password_page
from cms.portal.plans import NEW_LINES, OutletFormSet, outlets_of
from cms.portal.refusals import show_refusal
from cms.portal.station_forms import NewStationForm, StationSettingsForm
from cms.portal.station_page import station_page
from stations.choices import SecurityProfile
from stations.models import ChargingStation
from stations.selectors.locations import locations_for
from stations.selectors.stations import get_station_for
from stations.services.passwords import generate_password
from stations.services.stations import Registered, create_station, update_station


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def new_station(request: OperatorRequest) -> HttpResponse:
    """A station before it is installed; its password is shown once."""
    require(request.actor, "stations.change")
    data = request.POST if request.method == "POST" else None
    locations = locations_for(request.actor)
    first = locations.first() if locations.count() == 1 else None
    initial: dict[str, Any] = {
        "security_profile": int(SecurityProfile.BASIC),
        "location": first,
    }
    initial |= {"identity": request.GET.get("identity", "")[:48]}
    form = NewStationForm(data, locations=locations, initial=initial)
    outlets = OutletFormSet(data, prefix="outlets")
    outlets.extra = NEW_LINES
    if request.method == "POST" and all([form.is_valid(), outlets.is_valid()]):
        try:
            made = _create(request, form, outlets)
        except (Conflict, Invalid) as error:
            show_refusal(form, error)
        else:
            return password_page(request, made.station, made.generated_password)
    context = {
        "form": form,
        "outlets": outlets,
        "station_address": station_address(),
        "may_add_location": allows(request.actor.role, "locations.change"),
        "room": "stations",
    }
    status = 400 if form.is_bound else 200
    return page(request, "portal/station_new.html", context, status=status)


def _create(request: OperatorRequest, form: NewStationForm, outlets: Any) -> Registered:
    return create_station(
        acting=request.actor,
        identity=form.cleaned_data["identity"],
        name=form.cleaned_data["name"],
        location=form.location_id,
        security_profile=form.cleaned_data["security_profile"],
        evses=outlets.plan(),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def station_settings(request: OperatorRequest, identity: str) -> HttpResponse:
    """Its name, place, outlets and the way it signs in."""
    station = get_station_for(request.actor, identity)
    data = request.POST if request.method == "POST" else None
    if data is not None:
        require(request.actor, "stations.change")
    form = StationSettingsForm(
        data, locations=locations_for(request.actor), initial=_initial(station)
    )
    outlets = OutletFormSet(data, prefix="outlets", initial=outlets_of(station))
    if data is not None and all([form.is_valid(), outlets.is_valid()]):
        try:
            done = _change(request, station, form, outlets)
        except NotAllowed as error:
            form.add_error("security_profile", error.message)
        except (Conflict, Invalid) as error:
            show_refusal(form, error)
        else:
            if done.generated_password:
                return password_page(request, station, done.generated_password)
            messages.success(request, _("Saved."))
            return redirect("station-settings", identity=identity)
    return station_page(
        request,
        identity,
        "station-settings",
        "portal/station_settings.html",
        lambda _view: {"form": form, "outlets": outlets, "station_address": station_address()},
        status=400 if form.is_bound else 200,
    )


def _initial(station: ChargingStation) -> dict[str, Any]:
    names = ("name", "registration_status", "assumes_ocpp16", "accepts_literal_hex")
    plain = {name: getattr(station, name) for name in names}
    return plain | {
        "location": station.location_id,
        "security_profile": int(station.security_profile),
    }


def _change(
    request: OperatorRequest, station: ChargingStation, form: StationSettingsForm, outlets: Any
) -> Registered:
    """Only what was changed is written, so that nobody undoes another's change by saving."""
    changes = {name: form.cleaned_data[name] for name in form.changed_data}
    if "location" in changes:
        changes["location"] = form.location_id
    if outlets.has_changed():
        changes["evses"] = outlets.plan()
    return update_station(acting=request.actor, station=station, **changes)


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def new_password(request: OperatorRequest, identity: str) -> HttpResponse:
    """Say what a new password means, ask once, show it once."""
    station = get_station_for(request.actor, identity)
    require(request.actor, "stations.change")
    if request.method == "POST":
        secret = generate_password()
        changes: dict[str, Any] = {}
        if station.security_profile == SecurityProfile.NONE:
            changes["security_profile"] = SecurityProfile.BASIC
        update_station(
            acting=request.actor, station=station, secret=secret.encode("ascii"), **changes
        )
        return password_page(request, station, secret)
    context = {
        "title": _("Make a new password"),
        "about": station.identity,
        "effects": [
            _("The old password stops working at the station's next connection."),
            _("The new one is shown once; somebody has to enter it in the station."),
        ],
        "button": _("Make a new password"),
        "dangerous": True,
        "action": request.path,
        "cancel_href": reverse("station-settings", args=[identity]),
        "room": "stations",
    }
    return page(request, "portal/station_new_password.html", context)
