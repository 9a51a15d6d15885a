"""Addresses of what is sold, to whom, and by whom: sessions, tokens, tariffs, refusals, the team."""

from django.urls import path

from cms.portal.views import handshakes, sessions, tariffs, team, tokens

urlpatterns = [
    path("operator/sessions.csv", sessions.session_export, name="session-export"),
    path("operator/sessions/", sessions.session_list, name="sessions"),
    path("operator/sessions/<str:id>/", sessions.session_detail, name="session"),
    path("operator/tokens/", tokens.token_list, name="id-tokens"),
    path("operator/new-token/", tokens.token_new, name="new-id-token"),
    path("operator/tokens/<str:id>/", tokens.token_edit, name="id-token"),
    path("operator/tokens/<str:id>/block/", tokens.token_block, name="block-id-token"),
    path("operator/unknown-id-tokens/", tokens.unknown_list, name="unknown-id-tokens"),
    path(
        "operator/unknown-id-tokens/<str:id>/dismiss/",
        tokens.unknown_dismiss,
        name="dismiss-unknown-id-token",
    ),
    path("operator/token-groups/", tokens.group_list, name="token-groups"),
    path("operator/new-token-group/", tokens.group_new, name="new-token-group"),
    path("operator/token-groups/<str:id>/", tokens.group_edit, name="token-group"),
    # A tariff's id is text of the operator's own: no word may stand where an id can.
    path("operator/tariffs/", tariffs.tariff_list, name="tariffs"),
    path("operator/new-tariff/", tariffs.tariff_new, name="new-tariff"),
    path("operator/tariff-choice/", tariffs.tariff_choice, name="tariff-choice"),
    path("operator/tariffs/<str:id>/", tariffs.tariff_detail, name="tariff"),
    path("operator/tariffs/<str:id>/edit/", tariffs.tariff_edit, name="edit-tariff"),
    path("operator/tariffs/<str:id>/assign/", tariffs.tariff_assign, name="assign-tariff"),
    path(
        "operator/tariffs/<str:id>/status/<slug:status>/",
        tariffs.tariff_status,
        name="tariff-status",
    ),
    path(
        "operator/tariff-assignments/<str:id>/remove/",
        tariffs.assignment_remove,
        name="remove-assignment",
    ),
    path("operator/handshakes/", handshakes.handshake_list, name="handshakes"),
    path("operator/team/", team.team_page, name="team"),
    path("operator/new-member/", team.member_add, name="new-member"),
    path("operator/team/<str:id>/role/", team.member_role, name="member-role"),
    path("operator/team/<str:id>/remove/", team.member_remove, name="remove-member"),
    path("operator/team/<str:id>/invite/", team.member_invite, name="invite-member"),
    path("operator/api-keys/", team.api_key_list, name="api-keys"),
    path("operator/new-api-key/", team.api_key_new, name="new-api-key"),
    path("operator/api-keys/<str:id>/revoke/", team.api_key_revoke, name="revoke-api-key"),
    path("operator/audit/", team.audit_log, name="audit"),
    path("join/<str:uidb64>/<str:token>/", team.Join.as_view(), name="join"),
]
