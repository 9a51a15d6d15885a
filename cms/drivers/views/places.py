"""Where to charge: the list of sites, one site, and the page behind a label."""

from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from accounts.models import Membership
from accounts.services.drivers import find_app_token
from billing.exceptions import NoTariff
from billing.models import ChargingSession
from cms.base.errors import Conflict, NotFound
from cms.drivers.access import DriverRequest, driver_page, page, public_page
from cms.drivers.charging import start_charging
from cms.drivers.forms import CodeForm, site_filter
from cms.drivers.places import POWERS_KW, Outlet, get_outlet, get_site, site_page
from cms.drivers.prices import PriceCard, price_card
from cms.drivers.sessions import running_sessions_of
from stations.services.connector_codes import normal_code


@require_GET
def home(request: DriverRequest) -> HttpResponse:
    """The front door: an operator's people go to their overview, everybody else to the sites."""
    if request.user.is_authenticated and Membership.objects.filter(user=request.user).exists():
        return redirect("operator")
    return site_list(request)


@require_GET
@public_page
def site_list(request: DriverRequest) -> HttpResponse:
    """`?q=`, `?power=` and `?free=` filter, `?after=` turns the page, `?code=` opens a connector."""
    form = CodeForm(request.GET if "code" in request.GET else None)
    if form.is_bound and form.is_valid():
        return redirect("connector", code=form.cleaned_data["code"])
    now = timezone.now()
    wanted = site_filter(request.GET)
    sites, next_after = site_page(**wanted, after=request.GET.get("after", ""), now=now)
    kept = {
        "q": wanted["search"],
        "power": wanted["power_kw"] or "",
        "free": "1" if wanted["only_free"] else "",
    }
    return page(
        request,
        "driver/site_list.html",
        {
            "sites": sites,
            "next_query": urlencode(kept | {"after": next_after}) if next_after else "",
            "filter": wanted,
            "is_filtered": any(kept.values()),
            "powers": POWERS_KW,
            "form": form,
            "running": running_sessions_of(request.driver, now=now),
            "room": "sites",
        },
    )


@require_GET
@public_page
def site_detail(request: DriverRequest, id: str) -> HttpResponse:
    """A site with each of its connectors."""
    site = get_site(id, now=timezone.now())
    return page(request, "driver/site_detail.html", {"site": site, "room": "sites"})


@require_GET
@public_page
def connector(request: DriverRequest, code: str) -> HttpResponse:
    """What the label leads to: is it free, what does it cost, start."""
    normal = normal_code(code)
    if normal is None:
        raise NotFound("There is no such connector.")
    if code != normal:
        return redirect("connector", code=normal)
    return _connector_page(request, get_outlet(code))


@require_http_methods(["GET", "HEAD", "POST"])
@driver_page
def start(request: DriverRequest, code: str) -> HttpResponse:
    """The button. Who comes here from the sign-in is led back to the price first."""
    if request.method != "POST":
        return redirect("connector", code=code)
    outlet = get_outlet(code)
    assert request.driver is not None  # noqa: S101 - `driver_page`
    try:
        begun = start_charging(driver=request.driver, outlet=outlet, now=timezone.now())
    except Conflict as error:
        return _connector_page(request, get_outlet(code), refusal=error.message)
    if isinstance(begun, ChargingSession):
        return redirect("driver-session", id=begun.pk)
    return redirect("driver-start", id=begun.pk)


def _connector_page(request: DriverRequest, outlet: Outlet, refusal: str = "") -> HttpResponse:
    now = timezone.now()
    running = running_sessions_of(request.driver, now=now)
    here = [
        view
        for view in running
        if view.tx is not None
        and (view.tx.station_id, view.tx.evse_id) == (outlet.station.pk, outlet.evse_id)
    ]
    price = _price_of(request, outlet)
    return page(
        request,
        "driver/connector.html",
        {
            "outlet": outlet,
            "price": price,
            "may_start": outlet.availability.may_start and price is not None and not here,
            "running": running,
            "here": here[0] if here else None,
            "refusal": refusal,
            "room": "sites",
        },
        status=409 if refusal else 200,
    )


def _price_of(request: DriverRequest, outlet: Outlet) -> PriceCard | None:
    """For whoever asks: a token can have a price of its own."""
    token = (
        find_app_token(driver=request.driver, operator=outlet.operator) if request.driver else None
    )
    try:
        return price_card(
            station=outlet.station,
            evse_id=outlet.evse_id,
            max_power_w=outlet.connector.max_power_w,
            id_token_id=token.pk if token else None,
            now=timezone.now(),
        )
    except NoTariff:
        return None
