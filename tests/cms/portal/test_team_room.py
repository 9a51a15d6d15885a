"""The team: roles, invitations, keys, and the log of what everybody did."""

import re
from collections.abc import Callable
from html import unescape

import pytest
from django.core import mail
from django.test import Client

from accounts.choices import Role
from accounts.models import ApiKey, AuditEntry, Membership, User
from accounts.models.id_token import mask_uid
from accounts.services.actors import Actor
from accounts.services.api_keys import find_api_key
from accounts.services.audit import record_audit
from accounts.services.id_tokens import create_id_token, update_id_token
from accounts.services.teams import INVITED_TOPIC
from cms.base import outbox
from stations.models import HandshakeFailure
from tests.cms.portal.conftest import World
from tests.cms.portal.test_pages import text
from tests.factories import (
    make_handshake_failure,
    make_membership,
    make_operator,
    make_user,
    unique,
)


def _deliver(membership: Membership) -> None:
    for function in outbox._handlers[INVITED_TOPIC]:
        function(str(membership.pk), {"membership": membership.pk})


def _invite(client: Client, email: str, role: Role = Role.SUPPORT) -> Membership:
    response = client.post("/operator/new-member/", {"email": email, "role": role, "name": "Bo"})
    assert response.status_code == 302
    return Membership.objects.filter(user__email=email).latest("pk")


def test_a_new_person_sets_a_password_by_the_mail_and_is_in(world: World, owner: Client) -> None:
    email = f"{unique('bo')}@example.org"
    membership = _invite(owner, email)
    assert "Invited, no password yet" in text(owner, "/operator/team/")
    _deliver(membership)
    (sent,) = mail.outbox
    assert sent.to == [email]
    assert world.operator.name in sent.subject
    link = re.search(r"https?://[^/]+(/join/\S+)", sent.body)
    assert link is not None

    visitor = Client()
    page = visitor.get(link[1], follow=True)
    assert "token" not in page.redirect_chain[-1][0]
    form = page.redirect_chain[-1][0]
    refused = visitor.post(form, {"new_password1": "12345678", "new_password2": "12345678"})
    assert refused.status_code == 200
    secret = "a-good-long-password"
    response = visitor.post(form, {"new_password1": secret, "new_password2": secret})
    assert response.headers["Location"] == "/operator/"
    assert visitor.get("/operator/").status_code == 200
    assert User.objects.get(email=email).check_password(secret)

    assert "This link no longer works" in Client().get(link[1], follow=True).content.decode()
    assert "Invited, no password yet" not in text(owner, "/operator/team/")


def test_somebody_known_is_told_without_a_link_that_sets_a_password(
    world: World, owner: Client
) -> None:
    user = make_user()
    _deliver(_invite(owner, user.email))
    (sent,) = mail.outbox
    assert "/join/" not in sent.body
    assert "/operator/" in sent.body


def test_whoever_left_again_gets_no_mail(world: World, owner: Client) -> None:
    membership = _invite(owner, f"{unique('bo')}@example.org")
    owner.post(f"/operator/team/{membership.pk}/remove/")
    _deliver(membership)
    assert mail.outbox == []


def test_a_mail_is_sent_again_until_a_password_is_set(world: World, owner: Client) -> None:
    membership = _invite(owner, f"{unique('bo')}@example.org")
    path = f"/operator/team/{membership.pk}/invite/"
    page = owner.post(path, follow=True).content.decode()
    assert "The mail is on its way." in page
    membership.user.set_password("x")
    membership.user.save()
    page = owner.post(path, follow=True).content.decode()
    assert "has set a password already" in page


def test_what_cannot_be_is_said_in_the_form(world: World, owner: Client) -> None:
    member = make_membership(world.operator)
    for data, sentence in (
        ({"email": member.user.email.upper(), "role": "viewer"}, "in the team already"),
        ({"email": "nobody", "role": "viewer"}, "valid email address"),
        ({"email": "a@example.org", "role": "emperor"}, "not one of the available choices"),
    ):
        response = owner.post("/operator/new-member/", data)
        assert response.status_code == 400
        assert sentence in response.content.decode()


def test_a_role_holds_from_the_next_click_on(
    world: World, owner: Client, client_as: Callable[..., Client]
) -> None:
    other = client_as(world.operator, Role.VIEWER)
    membership = Membership.objects.filter(operator=world.operator, role=Role.VIEWER).latest("pk")
    assert other.get("/operator/api-keys/").status_code == 403
    owner.post(f"/operator/team/{membership.pk}/role/", {"role": "manager"})
    assert other.get("/operator/api-keys/").status_code == 200
    owner.post(f"/operator/team/{membership.pk}/remove/")
    assert "No operator team yet" in other.get("/operator/").content.decode()


def test_the_last_owner_stays(world: World, owner: Client) -> None:
    (own,) = Membership.objects.filter(operator=world.operator, role=Role.OWNER)
    response = owner.post(f"/operator/team/{own.pk}/role/", {"role": "viewer"})
    assert response.status_code == 400
    assert "A team needs an owner." in response.content.decode()
    page = owner.post(f"/operator/team/{own.pk}/remove/", follow=True).content.decode()
    assert "A team needs an owner." in page
    assert Membership.objects.get(pk=own.pk).role == Role.OWNER


def test_a_key_is_shown_once_and_revoked(world: World, owner: Client) -> None:
    page = owner.post("/operator/new-api-key/", {"name": "Reports", "role": "viewer"})
    shown = re.search(r"mgz_\w{12}_[\w-]{43}", page.content.decode())
    assert shown is not None
    api_key = find_api_key(shown[0])
    assert api_key is not None
    assert (api_key.operator, api_key.name, api_key.role) == (world.operator, "Reports", "viewer")
    listed = owner.get("/operator/api-keys/").content.decode()
    assert api_key.prefix in listed
    assert shown[0] not in listed
    owner.post(f"/operator/api-keys/{api_key.pk}/revoke/")
    assert find_api_key(shown[0]) is None


def test_a_manager_gives_no_key_with_more_rights_than_a_manager(
    world: World, client_as: Callable[..., Client]
) -> None:
    manager = client_as(world.operator, Role.MANAGER)
    data = {"name": "Everything", "role": "owner"}
    assert manager.post("/operator/new-api-key/", data).status_code == 400
    assert not ApiKey.objects.filter(operator=world.operator, role=Role.OWNER).exists()


def test_a_refusal_is_told_in_the_language_of_whoever_asks(world: World, owner: Client) -> None:
    alone = Membership.objects.get(operator=world.operator, role=Role.OWNER)
    path, data = f"/operator/team/{alone.pk}/role/", {"role": "viewer"}
    english = owner.post(path, data).content.decode()
    french = owner.post(path, data, headers={"Accept-Language": "fr"}).content.decode()
    assert "A team needs an owner." in english
    assert "A team needs an owner." not in french
    assert "Une équipe a besoin d’un propriétaire" in unescape(french)


def test_the_log_tells_who_changed_what_and_is_filtered(world: World, owner: Client) -> None:
    acting = Actor.from_membership(make_membership(world.operator, Role.SUPPORT))
    assert acting.user is not None
    token = create_id_token(acting=acting, uid=unique("SECRET"))
    update_id_token(acting=acting, id_token=token, status="blocked")
    page = text(owner, "/operator/audit/")
    card = f"Card {re.escape(token.masked_uid)}"
    assert re.search(rf"{card} changed Status Accepted → Blocked", page)
    assert "id_token.update" in page
    assert token.uid not in page

    def actions(query: str) -> set[str]:
        found = text(owner, f"/operator/audit/?{query}")
        return set(re.findall(rf"{card} (\w+)", found))

    user = acting.user.pk
    assert actions(f"who=user-{user}") == {"added", "changed"}
    assert actions("q=update") == {"changed"}
    assert actions(f"object_type=id_token&object_id={token.pk}") == {"added", "changed"}
    assert actions("object_type=tariff") == set()
    assert actions("since=2999-01-01") == set()
    assert actions("until=2001-01-01") == set()


def test_the_log_says_fields_and_values_in_words(world: World, owner: Client) -> None:
    acting = Actor.from_membership(make_membership(world.operator, Role.OWNER))
    record_audit(
        actor=acting,
        action="station.create",
        obj=world.station,
        after={
            "registration_status": "pending",
            "assumes_ocpp16": False,
            "evses": [{"evse_id": 1, "power_type": "AC_3_PHASE", "max_power_w": 22000}],
            "location": None,
        },
    )
    query = f"?object_type=charging_station&object_id={world.station.pk}"
    page = text(owner, f"/operator/audit/{query}")
    words = re.split(r"As kept (?=\{|&quot;)", page)[0].split("As kept ")[-1]
    assert f"Station {world.station.identity} added" in words
    assert "Answer to its boot notice Pending" in words
    assert "EVSEs 1 EVSE (AC 22 kW)" in words
    for raw in ("registration_status", "assumes_ocpp16", "Location", "AC_3_PHASE"):
        assert raw not in words


def test_the_log_shows_no_whole_number_of_a_card_that_a_command_was_given(
    world: World, owner: Client
) -> None:
    acting = Actor.from_membership(make_membership(world.operator, Role.OWNER))
    uid = unique("SECRET")
    record_audit(
        actor=acting,
        action="command.create",
        obj=world.station,
        after={"action": "RemoteStartTransaction", "payload": str({"idTag": uid})},
    )
    page = text(owner, "/operator/audit/?q=command.create")
    assert "RemoteStartTransaction" in page
    assert mask_uid(uid) in page
    assert uid not in page


def test_the_log_of_another_operator_is_not_ones_own(
    world: World, client_as: Callable[..., Client]
) -> None:
    foreign = client_as(make_operator(), Role.OWNER)
    somebody = AuditEntry.objects.filter(operator=world.operator).latest("pk")
    page = text(foreign, f"/operator/audit/?object_id={somebody.object_id}")
    assert "No change matches." in page


@pytest.mark.parametrize(
    ("query", "seen"),
    [("", True), ("?state=resolved", False), ("?state=all", True), ("?reason=no_subprotocol", False),
     ("?reason=wrong_credentials", True), ("?q=nobody", False)],
)  # fmt: skip
def test_refusals_are_listed_with_what_mends_them(
    world: World, owner: Client, query: str, seen: bool
) -> None:
    page = owner.get(f"/operator/handshakes/{query}").content.decode()
    assert (f'href="/operator/handshakes/{world.failure.pk}/"' in page) is seen
    assert ("If nobody knows the right one, make a new one." in page) is seen
    assert ("Make a new password…" in page) is seen


def test_the_latest_refusal_comes_first_and_pages_lose_none(
    world: World, owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        make_handshake_failure(world.station, remote_address=f"192.0.2.{n}") for n in range(20, 25)
    ]
    moment = rows[0].last_at
    # Three of one moment: their order is by id.
    HandshakeFailure.objects.filter(pk__in=[row.pk for row in rows[:3]]).update(last_at=moment)
    expected = list(
        HandshakeFailure.objects.filter(operator=world.operator)
        .order_by("-last_at", "-pk")
        .values_list("pk", flat=True)
    )
    monkeypatch.setattr("cms.portal.paging.PER_PAGE", 2)
    seen: list[int] = []
    query = ""
    while True:
        page = owner.get(f"/operator/handshakes/{query}").content.decode()
        seen += [
            int(pk) for pk in re.findall(r'data-dialog href="/operator/handshakes/(\d+)/"', page)
        ]
        following = re.search(r'href="/operator/handshakes/(\?before=[\d-]+)" rel="next"', page)
        if following is None:
            break
        query = following[1]
    # Among them those of nobody's stations that other tests left.
    assert [pk for pk in seen if pk in expected] == expected
