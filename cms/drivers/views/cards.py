"""A driver's cards: listed, added by holding one to a reader, blocked when lost."""

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from accounts.choices import IdTokenStatus
from accounts.services.drivers import block_own_id_token
from cms.base.errors import Conflict, NotFound
from cms.drivers.access import SignedInRequest, driver_page, page
from cms.drivers.cards import begin_claim, cards_of, follow_claim, get_card_for
from cms.drivers.forms import CodeForm
from cms.drivers.places import get_outlet


@require_GET
@driver_page
def card_list(request: SignedInRequest) -> HttpResponse:
    """Every card of the driver's, whoever issued it."""
    cards = cards_of(request.driver)[:100]
    return page(
        request,
        "driver/card_list.html",
        {"cards": cards, "now": timezone.now(), "blocked": IdTokenStatus.BLOCKED, "room": "cards"},
    )


@require_http_methods(["GET", "HEAD", "POST"])
@driver_page
def card_add(request: SignedInRequest) -> HttpResponse:
    """Names the station at whose reader the card will be held; `?code=` fills it in."""
    form = CodeForm(
        request.POST if request.method == "POST" else None,
        initial={"code": request.GET.get("code", "")},
    )
    if form.is_bound and form.is_valid():
        try:
            outlet = get_outlet(form.cleaned_data["code"])
            claim = begin_claim(driver=request.driver, outlet=outlet, now=timezone.now())
        except (Conflict, NotFound) as error:
            form.add_error("code", error.message)
        else:
            return redirect("driver-card-claim", id=claim.pk)
    return page(
        request,
        "driver/card_add.html",
        {"form": form, "room": "cards"},
        status=400 if form.is_bound else 200,
    )


@require_GET
@driver_page
def card_claim(request: SignedInRequest, id: str) -> HttpResponse:
    """Waits for the card."""
    try:
        claim = follow_claim(request.driver, id, now=timezone.now())
        refusal = ""
    except Conflict as error:
        claim, refusal = None, error.message
    return page(
        request,
        "driver/card_claim.html",
        {"claim": claim, "refusal": refusal, "room": "cards"},
    )


@require_http_methods(["GET", "HEAD", "POST"])
@driver_page
def card_block(request: SignedInRequest, id: str) -> HttpResponse:
    """Asks once, then blocks."""
    card = get_card_for(request.driver, id)
    if request.method == "POST":
        block_own_id_token(driver=request.driver, id_token=card)
        return redirect("driver-cards")
    return page(request, "driver/card_block.html", {"card": card, "room": "cards"})
