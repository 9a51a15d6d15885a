"""Tariffs: the list, one with its versions and places, the editor with a live example, and why one applies."""

from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from accounts.selectors import find_id_token_for
from accounts.services.permissions import allows, require
from billing.choices import TariffStatus
from billing.exceptions import UnlawfulTariff
from billing.models import Tariff
from billing.tariffs.ocpi import parse_tariff, tariff_to_json
from billing.tariffs.plain import PlainTariff, Prices, from_tariff
from billing.tariffs.selectors import get_assignment_for, get_tariff_for, latest_version
from billing.tariffs.services import (
    assign_tariff,
    change_tariff,
    create_tariff,
    remove_assignment,
)
from billing.tariffs.tariff import Tariff as TariffValue
from cms.base.errors import Conflict, DomainError, Invalid, NotAllowed
from cms.portal.access import OperatorRequest, operator_page
from cms.portal.pages import page
from cms.portal.refusals import show_refusal, told
from cms.portal.tariff_editor import Editor, JsonEditor
from cms.portal.tariff_form import (
    ExampleForm,
    InsistForm,
    example_values,
    fits_form,
    show_tariff_refusal,
)
from cms.portal.tariffs import (
    TARIFF,
    AssignForm,
    Example,
    choices_at,
    example_of,
    placed,
    stations_without_price,
    tariff_views,
    versions_of,
)
from stations.selectors.stations import get_station_for, stations_for

_STATIONS_NAMED = 5
_STATIONS_SUGGESTED = 200
# What `change_tariff` must be told to take out where the form leaves it empty.
_OPTIONAL = ("min_price", "max_price", "type", "x_magetsi", "tariff_alt_text")


@require_GET
@operator_page
def tariff_list(request: OperatorRequest) -> HttpResponse:
    """All tariffs, and stations that have no price."""
    without = stations_without_price(request.actor)
    return page(
        request,
        "portal/tariff_list.html",
        {
            "tariffs": tariff_views(request.actor),
            "without_price": without.order_by("identity")[:_STATIONS_NAMED],
            "without_price_count": without.count(),
            "room": "tariffs",
        },
    )


@require_GET
@operator_page
def tariff_detail(request: OperatorRequest, id: str) -> HttpResponse:
    """What it says, what it would cost, where it applies, and what it said before."""
    tariff = get_tariff_for(request.actor, id)
    versions = versions_of(tariff)
    example_form = ExampleForm(example_values(request.GET))
    return page(
        request,
        "portal/tariff_detail.html",
        {
            "tariff": tariff,
            "look": TARIFF[tariff.status],
            "current": versions[0],
            "versions": versions[1:],
            "places": placed(request.actor, tariff),
            "example_form": example_form,
            "example": _example(request, example_form, versions[0].value),
            "content": _pretty(versions[0].version.content),
            "zone": request.actor.operator.time_zone,
            "room": "tariffs",
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def tariff_new(request: OperatorRequest) -> HttpResponse:
    """The editor of a tariff that does not exist yet."""
    require(request.actor, "tariffs.change")
    operator = request.actor.operator
    empty = PlainTariff(
        name="", currency=operator.currency, prices=Prices(), country=operator.country or None
    )
    return _editor(request, tariff=None, plain=empty, like=None)


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def tariff_edit(request: OperatorRequest, id: str) -> HttpResponse:
    """The editor of a tariff; saving makes a new version. `?as=json` edits the OCPI object."""
    tariff = get_tariff_for(request.actor, id)
    require(request.actor, "tariffs.change")
    value = parse_tariff(latest_version(tariff).content)
    plain = from_tariff(value)
    if plain is not None and not fits_form(plain):
        plain = None
    return _editor(request, tariff=tariff, plain=plain, like=value)


def _editor(
    request: OperatorRequest,
    *,
    tariff: Tariff | None,
    plain: PlainTariff | None,
    like: TariffValue | None,
) -> HttpResponse:
    """Form or JSON, with an example. Three buttons: calculate, one more row, save."""
    posted = request.POST if request.method == "POST" else None
    wants_json = plain is None or request.GET.get("as") == "json"
    editor: Editor | JsonEditor
    if wants_json:
        editor = JsonEditor(posted, like=like)
    else:
        assert plain is not None  # noqa: S101 - looked at above
        editor = Editor(posted, plain=plain, like=like)
    insist = InsistForm(posted) if allows(request.actor.role, "tariffs.force") else None
    is_unlawful = False
    status = 200
    saves = posted is not None and not {"calculate", "add-row"} & posted.keys()
    if posted is not None and "add-row" in posted:
        editor.add_row()
    elif saves and editor.is_valid():
        force = bool(insist and insist.is_valid() and insist.cleaned_data["insist"])
        try:
            saved = _save(request, tariff, editor.value, draft="draft" in request.POST, force=force)
        except UnlawfulTariff as error:
            is_unlawful = True
            show_tariff_refusal(editor.form, error)
        except NotAllowed:
            raise
        except DomainError as error:
            show_tariff_refusal(editor.form, error)
        else:
            _say_saved(request, tariff, saved)
            return redirect("tariff", id=saved.ocpi_id)
        status = 400
    elif saves:
        status = 400
    example_form = ExampleForm(example_values(posted if posted is not None else request.GET))
    value = (
        editor.value
        if (posted is not None and editor.is_valid())
        else like
        if posted is None
        else None
    )
    return page(
        request,
        "portal/tariff_form.html",
        {
            "tariff": tariff,
            "editor": editor,
            "form": editor.form,
            "as_json": wants_json,
            "has_form": plain is not None,
            "insist": insist if is_unlawful else None,
            "example_form": example_form,
            "example": _example(request, example_form, value) if value else None,
            "room": "tariffs",
        },
        status=status,
    )


def _save(
    request: OperatorRequest,
    tariff: Tariff | None,
    value: TariffValue,
    *,
    draft: bool,
    force: bool,
) -> Tariff:
    data = tariff_to_json(value)
    if tariff is None:
        return create_tariff(actor=request.actor, data=data, draft=draft, force=force)
    cleared: dict[str, Any] = dict.fromkeys(_OPTIONAL)
    data.pop("last_updated", None)
    return change_tariff(
        actor=request.actor, tariff=tariff, data={**cleared, **data}, draft=draft, force=force
    )


def _say_saved(request: OperatorRequest, before: Tariff | None, saved: Tariff) -> None:
    version = latest_version(saved).version
    if before is None:
        messages.success(
            request, _("The tariff is there. It costs nobody anything until you assign it.")
        )
    elif version == before.latest_version:  # type: ignore[attr-defined]
        messages.success(request, _("Nothing else was said, so the version stays the same."))
    else:
        messages.success(
            request,
            _("Version %(version)s holds for sessions that begin from now on.")
            % {"version": version},
        )


def _example(request: OperatorRequest, form: ExampleForm, value: TariffValue) -> Example | None:
    if not form.is_valid():
        return None
    zone = request.actor.operator.time_zone
    today = timezone.localtime(timezone=ZoneInfo(zone)).date()
    try:
        return example_of(value, form.facts(zone=zone, today=today))
    except DomainError as error:
        form.add_error(None, told(error.message))
        return None


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def tariff_assign(request: OperatorRequest, id: str) -> HttpResponse:
    """Say where the tariff applies from now on."""
    tariff = get_tariff_for(request.actor, id)
    require(request.actor, "tariffs.change")
    posted = request.POST if request.method == "POST" else None
    form = AssignForm(posted, actor=request.actor, initial=request.GET.dict())
    insist = InsistForm(posted) if allows(request.actor.role, "tariffs.force") else None
    is_unlawful = False
    if posted is not None and form.is_valid():
        force = bool(insist and insist.is_valid() and insist.cleaned_data["insist"])
        try:
            assignment = assign_tariff(
                actor=request.actor, tariff=tariff, force=force, **form.place
            )
        except UnlawfulTariff as error:
            is_unlawful = True
            show_tariff_refusal(form, error)
        except (Conflict, Invalid) as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("The tariff applies to sessions that begin from now on."))
            return redirect("tariff", id=assignment.tariff.ocpi_id)
    return page(
        request,
        "portal/tariff_assign.html",
        {
            "tariff": tariff,
            "form": form,
            "insist": insist if is_unlawful else None,
            "stations": stations_for(request.actor).order_by("identity")[:_STATIONS_SUGGESTED],
            "room": "tariffs",
        },
        status=400 if form.is_bound else 200,
    )


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def assignment_remove(request: OperatorRequest, id: str) -> HttpResponse:
    """Say what will happen, ask once, end the assignment."""
    assignment = get_assignment_for(request.actor, id)
    require(request.actor, "tariffs.change")
    ocpi_id = assignment.tariff.ocpi_id
    if request.method == "POST":
        remove_assignment(actor=request.actor, assignment=assignment)
        messages.success(request, _("It no longer applies there."))
        return redirect("tariff", id=ocpi_id)
    where = next(
        p.where for p in placed(request.actor, assignment.tariff) if p.assignment == assignment
    )
    return page(
        request,
        "portal/ask.html",
        {
            "title": _("Take the tariff off"),
            "about": where,
            "effects": [
                _("Sessions that begin from now on are priced by the next wider assignment."),
                _("Where there is none, they wait for a review and are not billed."),
                _("Running sessions keep their price."),
            ],
            "button": _("Take it off"),
            "dangerous": True,
            "cancel_href": reverse("tariff", args=[ocpi_id]),
            "room": "tariffs",
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def tariff_status(request: OperatorRequest, id: str, status: str) -> HttpResponse:
    """Retire a tariff, or take it (back) into use."""
    tariff = get_tariff_for(request.actor, id)
    if status not in (TariffStatus.ACTIVE, TariffStatus.RETIRED):
        raise Http404(_("There is no such state."))
    require(request.actor, "tariffs.change")
    if request.method == "POST":
        try:
            change_tariff(actor=request.actor, tariff=tariff, data={"status": status})
        except (Conflict, Invalid) as error:
            messages.error(request, error.message)
        else:
            messages.success(request, _("Done."))
        return redirect("tariff", id=id)
    retires = status == TariffStatus.RETIRED
    return page(
        request,
        "portal/ask.html",
        {
            "title": _("Retire this tariff") if retires else _("Publish this tariff"),
            "about": str(tariff),
            "effects": [
                _("It prices no session that begins from now on; its assignments rest."),
                _("Running sessions and bills keep it."),
                _("It can be taken back into use at any time."),
            ]
            if retires
            else [_("It can be assigned, and applies where it is assigned.")],
            "button": _("Retire") if retires else _("Publish"),
            "dangerous": retires,
            "cancel_href": reverse("tariff", args=[id]),
            "room": "tariffs",
        },
    )


@require_GET
@operator_page
def tariff_choice(request: OperatorRequest) -> HttpResponse:
    """`?station=` (and `?card=`): which tariff applies there now, and why."""
    identity = request.GET.get("station", "").replace("\0", "").strip()
    card = request.GET.get("card", "").replace("\0", "").strip()
    station = get_station_for(request.actor, identity) if identity else None
    token = find_id_token_for(request.actor, card) if card else None
    return page(
        request,
        "portal/tariff_choice.html",
        {
            "station": station,
            "identity": identity,
            "card": card,
            "token": token,
            "choices": choices_at(
                station, id_token_id=token.pk if token else None, now=timezone.now()
            )
            if station
            else [],
            "stations": stations_for(request.actor).order_by("identity")[:_STATIONS_SUGGESTED],
            "room": "tariffs",
        },
    )


def _pretty(content: dict[str, Any]) -> str:
    return JsonEditor.text_of(content)
