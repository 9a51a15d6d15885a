"""The team: members and their roles, API keys, the audit log, and the door for who was invited."""

from django.contrib import messages
from django.contrib.auth.views import PasswordResetConfirmView
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.choices import Role
from accounts.services.api_keys import create_api_key, revoke_api_key
from accounts.services.permissions import allows, require
from accounts.services.teams import change_role, invite_again, invite_member, remove_member
from cms.base.errors import Conflict, Invalid
from cms.base.ids import get_by_id
from cms.portal.access import OperatorRequest, operator_page
from cms.portal.audit import AuditFilterForm, audit_views, filtered_audit
from cms.portal.pages import page
from cms.portal.paging import page_by_id
from cms.portal.refusals import show_refusal
from cms.portal.team import (
    ApiKeyForm,
    MemberForm,
    RoleForm,
    api_keys_for,
    get_membership_for,
    members_for,
)


@require_GET
@operator_page
def team_page(request: OperatorRequest) -> HttpResponse:
    """Who is in the team."""
    context = {"members": members_for(request.actor), **_shared(request, "team")}
    return page(request, "portal/team.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def member_add(request: OperatorRequest) -> HttpResponse:
    """Take somebody into the team; they get a mail."""
    require(request.actor, "team.ownership")
    form = MemberForm(
        request.POST if request.method == "POST" else None, initial={"role": Role.VIEWER}
    )
    if form.is_valid():
        asked = form.cleaned_data
        try:
            membership = invite_member(
                acting=request.actor,
                email=asked["email"],
                role=Role(asked["role"]),
                name=asked["name"],
            )
        except (Conflict, Invalid) as error:
            show_refusal(form, error)
        else:
            messages.success(
                request,
                _("%(email)s is in the team, and gets a mail that says how to sign in.")
                % {"email": membership.user.email},
            )
            return redirect("team")
    return page(
        request,
        "portal/team_form.html",
        {
            "form": form,
            "title": _("Add somebody to the team"),
            "button": _("Add"),
            "cancel_href": reverse("team"),
            **_shared(request, "team"),
        },
        status=400 if form.is_bound else 200,
    )


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def member_role(request: OperatorRequest, id: str) -> HttpResponse:
    """Another role, from the next click of that person on."""
    membership = get_membership_for(request.actor, id)
    require(request.actor, "team.ownership")
    form = RoleForm(
        request.POST if request.method == "POST" else None, initial={"role": membership.role}
    )
    if form.is_valid():
        try:
            change_role(
                acting=request.actor,
                membership=membership,
                role=Role(form.cleaned_data["role"]),
            )
        except Conflict as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("The role holds from now on."))
            return redirect("team")
    return page(
        request,
        "portal/team_form.html",
        {
            "form": form,
            "title": _("Role of %(name)s")
            % {"name": membership.user.name or membership.user.email},
            "button": _("Save"),
            "cancel_href": reverse("team"),
            **_shared(request, "team"),
        },
        status=400 if form.is_bound else 200,
    )


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def member_remove(request: OperatorRequest, id: str) -> HttpResponse:
    """Say what will happen, ask once, take them out."""
    membership = get_membership_for(request.actor, id)
    require(request.actor, "team.ownership")
    if request.method == "POST":
        try:
            remove_member(acting=request.actor, membership=membership)
        except Conflict as error:
            messages.error(request, error.message)
        else:
            messages.success(
                request,
                _("%(email)s is no longer in the team.") % {"email": membership.user.email},
            )
        return redirect("team")
    return page(
        request,
        "portal/ask.html",
        {
            "title": _("Take somebody out of the team"),
            "about": membership.user.email,
            "effects": [
                _("They see nothing of this operator from their next click on."),
                _("What they did stays in the audit log. Their account stays, too."),
                _("API keys that they made go on working: revoke those that are no longer wanted."),
            ],
            "button": _("Take out"),
            "dangerous": True,
            "cancel_href": reverse("team"),
            **_shared(request, "team"),
        },
    )


@require_POST
@operator_page
def member_invite(request: OperatorRequest, id: str) -> HttpResponse:
    """Send the mail once more."""
    membership = get_membership_for(request.actor, id)
    try:
        invite_again(acting=request.actor, membership=membership)
    except Conflict as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("The mail is on its way."))
    return redirect("team")


@require_GET
@operator_page
def api_key_list(request: OperatorRequest) -> HttpResponse:
    """Keys of programs, those that work first."""
    keys = api_keys_for(request.actor)
    return page(
        request,
        "portal/api_key_list.html",
        {
            "keys": keys.filter(revoked_at__isnull=True),
            "revoked": keys.filter(revoked_at__isnull=False)[:20],
            **_shared(request, "keys"),
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def api_key_new(request: OperatorRequest) -> HttpResponse:
    """Make a key; its text is in this one answer and nowhere else."""
    require(request.actor, "team.change")
    may_give_all = allows(request.actor.role, "team.ownership")
    form = ApiKeyForm(
        request.POST if request.method == "POST" else None,
        roles=[role for role in Role if may_give_all or role != Role.OWNER],
        initial={"role": Role.VIEWER},
    )
    if form.is_valid():
        api_key, text = create_api_key(
            acting=request.actor,
            role=Role(form.cleaned_data["role"]),
            name=form.cleaned_data["name"],
        )
        return page(
            request,
            "portal/api_key_made.html",
            {"api_key": api_key, "text": text, **_shared(request, "keys")},
        )
    return page(
        request,
        "portal/team_form.html",
        {
            "form": form,
            "title": _("New API key"),
            "button": _("Make the key"),
            "cancel_href": reverse("api-keys"),
            "is_whole_page": True,
            **_shared(request, "keys"),
        },
        status=400 if form.is_bound else 200,
    )


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def api_key_revoke(request: OperatorRequest, id: str) -> HttpResponse:
    """Say what will happen, ask once, revoke."""
    api_key = get_by_id(api_keys_for(request.actor), id)
    if request.method == "POST":
        revoke_api_key(acting=request.actor, api_key=api_key)
        messages.success(request, _("The key opens nothing any more."))
        return redirect("api-keys")
    return page(
        request,
        "portal/ask.html",
        {
            "title": _("Revoke this key"),
            "about": " · ".join(filter(None, (api_key.name, f"mgz_{api_key.prefix}…"))),
            "effects": [
                _("Programs that use it are refused from now on."),
                _("It cannot be taken back: a new key has another text."),
            ],
            "button": _("Revoke"),
            "dangerous": True,
            "cancel_href": reverse("api-keys"),
            **_shared(request, "keys"),
        },
    )


@require_GET
@operator_page
def audit_log(request: OperatorRequest) -> HttpResponse:
    """Who changed what; the filters are in the address."""
    require(request.actor, "audit.read")
    names = AuditFilterForm.base_fields
    form = AuditFilterForm(
        {name: request.GET.get(name, "").replace("\0", "") for name in names}, actor=request.actor
    )
    form.is_valid()
    before = request.GET.get("before", "")
    entries, following = page_by_id(filtered_audit(request.actor, form.cleaned_data), before)
    return page(
        request,
        "portal/audit_list.html",
        {
            "entries": audit_views(request.actor, entries),
            "following": following,
            "before": before,
            "form": form,
            "is_filtered": any(form.cleaned_data.values()),
            **_shared(request, "audit"),
        },
    )


class Join(PasswordResetConfirmView):
    """Where the link of an invitation leads. Django takes the token out of the address before it shows the form."""

    template_name = "portal/join.html"
    success_url = reverse_lazy("operator")
    post_reset_login = True
    post_reset_login_backend = "django.contrib.auth.backends.ModelBackend"


def _shared(request: OperatorRequest, current: str) -> dict[str, object]:
    """The room, and those of its parts that the role may see."""
    role = request.actor.role
    tabs = [
        ("team", _("People"), reverse("team"), True),
        ("keys", _("API keys"), reverse("api-keys"), allows(role, "team.change")),
        ("audit", _("Audit log"), reverse("audit"), allows(role, "audit.read")),
    ]
    return {
        "room": "team",
        "zone": request.actor.operator.time_zone,
        "tabs": [
            {"href": href, "word": word, "count": None, "current": name == current}
            for name, word, href, may_see in tabs
            if may_see
        ],
    }
