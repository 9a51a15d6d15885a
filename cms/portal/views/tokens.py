"""Cards and tokens: the list, one of them, blocking it at once, unknown cards, groups."""

from django.contrib import messages
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.choices import IdTokenStatus
from accounts.selectors import (
    effective_status,
    get_id_token_for,
    get_id_token_group_for,
    id_token_groups_for,
    unknown_id_tokens_for,
)
from accounts.services.id_tokens import (
    create_id_token,
    create_id_token_group,
    dismiss_unknown_id_token,
    update_id_token,
    update_id_token_group,
)
from accounts.services.permissions import allows, require
from cms.base.errors import Conflict, Invalid
from cms.portal.access import OperatorRequest, operator_page
from cms.portal.pages import page
from cms.portal.paging import page_by_id, page_by_time
from cms.portal.refusals import show_refusal
from cms.portal.sessions import session_views, sessions_for
from cms.portal.tokens import TOKEN, GroupForm, TokenForm, found_tokens, initial_of, token_views

_SESSIONS_SHOWN = 10


@require_GET
@operator_page
def token_list(request: OperatorRequest) -> HttpResponse:
    """`?q=`, `?status=` and `?group=` filter, `?before=` turns the page."""
    asked = {name: request.GET.get(name, "").replace("\0", "").strip() for name in ("q", "group")}
    status = request.GET.get("status", "")
    status = status if status in TOKEN else ""
    before = request.GET.get("before", "")
    tokens, following = page_by_id(found_tokens(request.actor, status=status, **asked), before)
    return page(
        request,
        "portal/token_list.html",
        {
            "tokens": token_views(tokens, now=timezone.now()),
            "following": following,
            "before": before,
            "status": status,
            "statuses": TOKEN.items(),
            "groups": id_token_groups_for(request.actor),
            "is_filtered": bool(status or asked["q"] or asked["group"]),
            **_shared(request, "tokens"),
            **asked,
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def token_new(request: OperatorRequest) -> HttpResponse:
    """A card whose number is known."""
    require(request.actor, "tokens.change")
    form = TokenForm(
        request.POST if request.method == "POST" else None,
        groups=id_token_groups_for(request.actor),
        zone=request.actor.operator.time_zone,
        existing=False,
    )
    if form.is_valid():
        try:
            token = create_id_token(acting=request.actor, **form.asked())
        except (Conflict, Invalid) as error:
            show_refusal(form, error)
        else:
            messages.success(
                request, _("The card %(card)s can be used now.") % {"card": token.masked_uid}
            )
            return redirect("id-tokens")
    return page(
        request,
        "portal/token_form.html",
        {"form": form, **_shared(request, "tokens")},
        status=400 if form.is_bound else 200,
    )


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def token_edit(request: OperatorRequest, id: str) -> HttpResponse:
    """One card, what it may, and what it did lately."""
    token = get_id_token_for(request.actor, id)
    zone = request.actor.operator.time_zone
    form = TokenForm(
        request.POST if request.method == "POST" else None,
        groups=id_token_groups_for(request.actor),
        zone=zone,
        existing=True,
        initial=initial_of(token, zone),
    )
    if request.method == "POST":
        require(request.actor, "tokens.change")
        if form.is_valid():
            try:
                update_id_token(acting=request.actor, id_token=token, **form.asked(token))
            except (Conflict, Invalid) as error:
                show_refusal(form, error)
            else:
                messages.success(request, _("Saved. Stations decide by it within a second."))
                return redirect("id-token", id=id)
    now = timezone.now()
    sessions = sessions_for(request.actor).filter(id_token=token)[:_SESSIONS_SHOWN]
    return page(
        request,
        "portal/token_detail.html",
        {
            "token": token,
            "look": TOKEN[effective_status(token, now)],
            "form": form if allows(request.actor.role, "tokens.change") else None,
            "sessions": session_views(list(sessions), now=now),
            **_shared(request, "tokens"),
        },
        status=400 if form.is_bound else 200,
    )


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def token_block(request: OperatorRequest, id: str) -> HttpResponse:
    """Say what will happen, ask once, block."""
    token = get_id_token_for(request.actor, id)
    require(request.actor, "tokens.change")
    if request.method == "POST":
        update_id_token(acting=request.actor, id_token=token, status=IdTokenStatus.BLOCKED)
        messages.success(request, _("The card %(card)s is blocked.") % {"card": token.masked_uid})
        return redirect("id-token", id=id)
    return page(
        request,
        "portal/ask.html",
        {
            "title": _("Block this card"),
            "about": token.masked_uid,
            "effects": [
                _("Within a second, no station of yours that is online accepts it."),
                _(
                    "A session that is running on it goes on; stop it at its station if it must end."
                ),
                _("It can be accepted again at any time."),
            ],
            "button": _("Block"),
            "dangerous": True,
            "cancel_href": reverse("id-token", args=[id]),
            **_shared(request, "tokens"),
        },
    )


@require_GET
@operator_page
def unknown_list(request: OperatorRequest) -> HttpResponse:
    """Cards that were refused because nobody has registered them, the latest first."""
    before = request.GET.get("before", "")
    unknown, following = page_by_time(unknown_id_tokens_for(request.actor), "last_seen_at", before)
    return page(
        request,
        "portal/unknown_list.html",
        {
            "unknown": unknown,
            "following": following,
            "before": before,
            **_shared(request, "unknown"),
        },
    )


@require_POST
@operator_page
def unknown_dismiss(request: OperatorRequest, id: str) -> HttpResponse:
    """Forget a card until it is presented again."""
    dismiss_unknown_id_token(acting=request.actor, unknown_id=id)
    messages.success(request, _("Forgotten. Presented again, the card is listed again."))
    return redirect("unknown-id-tokens")


@require_GET
@operator_page
def group_list(request: OperatorRequest) -> HttpResponse:
    """All groups with their number of cards."""
    groups = id_token_groups_for(request.actor).annotate(tokens_count=Count("tokens"))
    return page(request, "portal/group_list.html", {"groups": groups, **_shared(request, "groups")})


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def group_new(request: OperatorRequest) -> HttpResponse:
    """A new group."""
    require(request.actor, "tokens.change")
    form = GroupForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            create_id_token_group(acting=request.actor, **form.cleaned_data)
        except Conflict as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("The group is there. Put cards into it."))
            return redirect("token-groups")
    return _group_page(request, form, _("New group"))


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def group_edit(request: OperatorRequest, id: str) -> HttpResponse:
    """Another name, master or not."""
    group = get_id_token_group_for(request.actor, id)
    require(request.actor, "tokens.change")
    form = GroupForm(
        request.POST if request.method == "POST" else None,
        initial={"name": group.name, "master": group.master},
    )
    if form.is_valid():
        try:
            update_id_token_group(acting=request.actor, group=group, **form.cleaned_data)
        except Conflict as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("Saved."))
            return redirect("token-groups")
    return _group_page(request, form, group.name)


def _group_page(request: OperatorRequest, form: GroupForm, title: str) -> HttpResponse:
    return page(
        request,
        "portal/group_form.html",
        {"form": form, "title": title, **_shared(request, "groups")},
        status=400 if form.is_bound else 200,
    )


def _shared(request: OperatorRequest, current: str) -> dict[str, object]:
    """The room, and its parts as tabs."""
    unknown = unknown_id_tokens_for(request.actor).count()
    tabs = [
        ("tokens", _("Cards and tokens"), reverse("id-tokens"), None),
        ("unknown", _("Unknown cards"), reverse("unknown-id-tokens"), unknown or None),
        ("groups", _("Groups"), reverse("token-groups"), None),
    ]
    return {
        "room": "tokens",
        "zone": request.actor.operator.time_zone,
        "tabs": [
            {"href": href, "word": word, "count": count, "current": name == current}
            for name, word, href, count in tabs
        ],
    }
