"""Sites: the map of them, the list, and their forms."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from accounts.services.permissions import allows, require
from cms.portal.access import OperatorRequest, operator_page
from cms.portal.middleware import policy
from cms.portal.pages import page
from cms.portal.places import places_of
from cms.portal.station_forms import LocationForm
from stations.models import Location
from stations.selectors.locations import get_location_for
from stations.services.locations import create_location, update_location

_FIELDS = (
    "name",
    "address",
    "postal_code",
    "city",
    "country",
    "latitude",
    "longitude",
    "time_zone",
)


@require_GET
@operator_page
def station_map(request: OperatorRequest) -> HttpResponse:
    """Locations with the state of their stations, as a list and, where scripts run, on a map."""
    response = page(
        request,
        "portal/map.html",
        {
            "places": places_of(request.actor),
            "tile_url": settings.MAP_TILE_URL,
            "attribution": settings.MAP_ATTRIBUTION,
            "room": "map",
        },
    )
    if settings.MAP_TILE_URL:
        response.headers["Content-Security-Policy"] = policy(images=[_tile_host()])
    return response


def _tile_host() -> str:
    """Where tiles come from, for the Content-Security-Policy; `{s}` stands for any subdomain."""
    parts = urlsplit(settings.MAP_TILE_URL)
    return f"{parts.scheme}://{parts.netloc.replace('{s}', '*')}" if parts.netloc else "'self'"


@require_GET
@operator_page
def location_list(request: OperatorRequest) -> HttpResponse:
    """Every site with its stations by state."""
    context = {"places": places_of(request.actor), "room": "stations"}
    return page(request, "portal/location_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def new_location(request: OperatorRequest) -> HttpResponse:
    """A new site."""
    require(request.actor, "locations.change")
    form = LocationForm(
        request.POST if request.method == "POST" else None,
        initial={
            "time_zone": request.actor.operator.time_zone,
            "country": request.actor.operator.country,
        },
    )
    if request.method == "POST" and form.is_valid():
        made = create_location(acting=request.actor, **_fields(form))
        messages.success(request, _("%(name)s is there.") % {"name": made.name})
        return redirect("locations")
    return _form_page(request, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def location_detail(request: OperatorRequest, id: str) -> HttpResponse:
    """A site's address, place on the map and time zone."""
    location = get_location_for(request.actor, id)
    initial = {name: getattr(location, name) for name in _FIELDS}
    form = LocationForm(request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST":
        require(request.actor, "locations.change")
        if form.is_valid():
            changes = {name: form.cleaned_data[name] for name in form.changed_data}
            if changes:
                update_location(acting=request.actor, location=location, **changes)
            messages.success(request, _("Saved."))
            return redirect("location", id=id)
    return _form_page(request, form, location)


def _fields(form: LocationForm) -> dict[str, Any]:
    return {name: form.cleaned_data[name] for name in _FIELDS}


def _form_page(
    request: OperatorRequest, form: LocationForm, location: Location | None
) -> HttpResponse:
    context = {
        "form": form,
        "location": location,
        "may_change": allows(request.actor.role, "locations.change"),
        "room": "stations",
    }
    status = 400 if form.is_bound else 200
    return page(request, "portal/location_form.html", context, status=status)
