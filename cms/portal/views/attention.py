"""What needs a person: refused handshakes and unknown cards, each with its remedy."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.selectors import get_unknown_id_token_for
from accounts.services.id_tokens import adopt_unknown_id_token
from accounts.services.permissions import allows, require
from cms.base.errors import Conflict, Invalid
from cms.portal.access import OperatorRequest, operator_page
from cms.portal.forms import AdoptionForm, UnknownIdTokenForm
from cms.portal.pages import page
from cms.portal.passwords import password_page
from cms.portal.refusals import show_refusal
from cms.portal.remedies import (
    advice_for,
    apply_remedy,
    detail_of,
    dismiss_failure,
    remedy_for,
)
from cms.portal.way_back import way_back
from stations.choices import HandshakeRefusal, SecurityProfile
from stations.models import HandshakeFailure
from stations.selectors.handshakes import get_handshake_failure_for
from stations.selectors.locations import locations_for
from stations.services.stations import adopt_station


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def handshake(request: OperatorRequest, id: str) -> HttpResponse:
    """Why a station was turned away; for an unknown one, the form that adopts it."""
    failure = get_handshake_failure_for(request.actor, id)
    is_unknown = failure.reason == HandshakeRefusal.UNKNOWN_IDENTITY
    form = None
    if is_unknown and not failure.resolved_at and allows(request.actor.role, "handshakes.adopt"):
        form = AdoptionForm(
            request.POST if request.method == "POST" else None,
            locations=locations_for(request.actor),
            allow_open=settings.OCPP_ALLOW_PROFILE_0,
        )
    if request.method == "POST":
        require(request.actor, "handshakes.adopt")
        if form is not None and form.is_valid():
            try:
                return _adopted(request, failure, form)
            except (Conflict, Invalid) as error:
                show_refusal(form, error)
    remedy = remedy_for(failure)
    return page(
        request,
        "portal/handshake_detail.html",
        {
            "failure": failure,
            "advice": advice_for(failure),
            "detail": detail_of(failure),
            "form": form,
            "remedy": remedy,
            "may_mend": remedy is not None and allows(request.actor.role, remedy.capability),
            "zone": request.actor.operator.time_zone,
            "back": way_back(request),
            "room": "handshakes",
        },
        status=400 if request.method == "POST" else 200,
    )


def _adopted(
    request: OperatorRequest, failure: HandshakeFailure, form: AdoptionForm
) -> HttpResponse:
    asked = form.cleaned_data
    open_door = asked.get("protection") == "none"
    done = adopt_station(
        acting=request.actor,
        failure_id=str(failure.pk),
        name=asked["name"],
        location=str(asked["location"].pk) if asked["location"] else None,
        security_profile=SecurityProfile.NONE if open_door else SecurityProfile.BASIC,
    )
    if done.generated_password is None:
        messages.success(
            request, _("%(identity)s is yours now.") % {"identity": done.station.identity}
        )
        return redirect("station", identity=done.station.identity)
    return password_page(request, done.station, done.generated_password)


@require_POST
@operator_page
def mend_handshake(request: OperatorRequest, id: str) -> HttpResponse:
    """Do what mends the cause; a new password is shown this once."""
    failure = get_handshake_failure_for(request.actor, id)
    try:
        password = apply_remedy(acting=request.actor, failure=failure)
    except (Conflict, Invalid) as error:
        messages.error(request, error.message)
        back = urlencode({"next": way_back(request)})
        return redirect(f"{reverse('handshake', args=[id])}?{back}")
    if password is not None and failure.station is not None:
        return password_page(request, failure.station, password)
    messages.success(request, _("Done. The station is let in at its next attempt."))
    return redirect(way_back(request))


@require_POST
@operator_page
def dismiss_handshake(request: OperatorRequest, id: str) -> HttpResponse:
    """Take a refusal off the list."""
    dismiss_failure(acting=request.actor, failure=get_handshake_failure_for(request.actor, id))
    messages.success(request, _("Taken off the list. Another attempt would bring it back."))
    return redirect(way_back(request))


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def unknown_id_token(request: OperatorRequest, id: str) -> HttpResponse:
    """A card that nobody knows: accept it or block it."""
    unknown = get_unknown_id_token_for(request.actor, id)
    may_adopt = allows(request.actor.role, "tokens.change")
    form = UnknownIdTokenForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            token = adopt_unknown_id_token(
                acting=request.actor, unknown_id=id, status=form.cleaned_data["status"]
            )
        except (Conflict, Invalid) as error:
            show_refusal(form, error)
        else:
            messages.success(
                request,
                _("The card %(card)s is %(status)s now.")
                % {"card": token.masked_uid, "status": token.get_status_display().lower()},
            )
            return redirect(way_back(request))
    return page(
        request,
        "portal/unknown_id_token_detail.html",
        {
            "room": "tokens",
            "unknown": unknown,
            "form": form if may_adopt else None,
            "zone": request.actor.operator.time_zone,
            "back": way_back(request),
        },
        status=400 if form.is_bound else 200,
    )
