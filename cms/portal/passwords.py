"""A station's new password, shown once with everything that has to be typed into the station."""

from django.http import HttpResponse

from cms.portal.access import OperatorRequest
from cms.portal.pages import page, station_address
from stations.models import ChargingStation


def password_page(
    request: OperatorRequest, station: ChargingStation, password: str | None
) -> HttpResponse:
    """Not a redirect: the password is in this one answer and nowhere else; None where there is none."""
    address = station_address()
    context = {
        "station": station,
        "password": password,
        "address": address,
        "full_address": address + station.identity.replace(" ", "%20").replace("|", "%7C"),
        "room": "stations",
    }
    return page(request, "portal/station_password.html", context)
