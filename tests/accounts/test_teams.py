"""Who may be in a team, and what keeps it from losing its head."""

import pytest

from accounts.choices import Role
from accounts.models import AuditEntry, Driver, IdToken, Membership, UnknownIdToken, User
from accounts.services.api_keys import create_api_key, find_api_key, revoke_api_key
from accounts.services.id_tokens import (
    create_id_token,
    dismiss_unknown_id_token,
    update_id_token,
)
from accounts.services.teams import (
    INVITED_TOPIC,
    change_role,
    invite_again,
    invite_member,
    is_invited,
    remove_member,
)
from cms.base.errors import Conflict, Invalid, NotAllowed, NotFound
from cms.base.models import OutboxItem
from tests.factories import (
    make_actor,
    make_membership,
    make_operator,
    make_unknown_id_token,
    make_user,
    unique,
)

pytestmark = pytest.mark.django_db


def _mails(membership: Membership) -> int:
    return OutboxItem.objects.filter(topic=INVITED_TOPIC, key=str(membership.pk)).count()


def test_a_new_person_joins_without_a_password_and_is_told() -> None:
    owner = make_actor()
    email = f"{unique('new')}@example.org"
    membership = invite_member(acting=owner, email=f" {email} ", role=Role.FINANCE, name="Bo")
    assert (membership.user.email, membership.user.name) == (email, "Bo")
    assert is_invited(membership.user)
    assert _mails(membership) == 1
    entry = AuditEntry.objects.get(action="membership.create", object_id=str(membership.pk))
    assert entry.after == {"user": email, "role": "finance"}

    invite_again(acting=owner, membership=membership)
    assert _mails(membership) == 2


def test_a_known_person_joins_in_any_case_of_the_address_and_keeps_the_password() -> None:
    owner, user = make_actor(), make_user()
    membership = invite_member(acting=owner, email=user.email.upper(), role=Role.VIEWER)
    assert membership.user == user
    assert User.objects.get(pk=user.pk).check_password("let-me-in-9")
    with pytest.raises(Conflict):
        invite_member(acting=owner, email=user.email, role=Role.OWNER)
    with pytest.raises(Conflict):
        invite_again(acting=owner, membership=membership)


def test_a_password_that_somebody_set_without_proving_the_address_opens_nothing() -> None:
    squatted = make_user(is_active=False)
    membership = invite_member(acting=make_actor(), email=squatted.email, role=Role.OWNER)
    user = User.objects.get(pk=squatted.pk)
    assert not user.check_password("let-me-in-9")
    assert is_invited(user)
    assert membership.user == user


def test_a_blocked_account_stays_blocked() -> None:
    blocked = make_membership().user
    User.objects.filter(pk=blocked.pk).update(is_active=False)
    with pytest.raises(Conflict):
        invite_member(acting=make_actor(), email=blocked.email, role=Role.VIEWER)
    assert not User.objects.get(pk=blocked.pk).is_active


@pytest.mark.parametrize("email", ["", "nobody", "a@b@c"])
def test_what_is_no_address_is_refused(email: str) -> None:
    with pytest.raises(Invalid):
        invite_member(acting=make_actor(), email=email, role=Role.VIEWER)


@pytest.mark.parametrize("role", [role for role in Role if role != Role.OWNER])
def test_only_owners_decide_about_the_team(role: Role) -> None:
    operator = make_operator()
    member, acting = make_membership(operator), make_actor(operator, role)
    with pytest.raises(NotAllowed):
        invite_member(acting=acting, email="x@example.org", role=Role.VIEWER)
    with pytest.raises(NotAllowed):
        change_role(acting=acting, membership=member, role=Role.VIEWER)
    with pytest.raises(NotAllowed):
        remove_member(acting=acting, membership=member)
    assert Membership.objects.get(pk=member.pk).role == member.role


def test_the_last_owner_can_neither_leave_nor_step_down() -> None:
    operator = make_operator()
    first = make_membership(operator, Role.OWNER)
    acting = make_actor(operator, Role.OWNER)
    second = Membership.objects.get(user=acting.user)
    change_role(acting=acting, membership=first, role=Role.MANAGER)
    for change in (
        lambda: change_role(acting=acting, membership=second, role=Role.MANAGER),
        lambda: remove_member(acting=acting, membership=second),
    ):
        with pytest.raises(Conflict, match="needs an owner"):
            change()
    assert Membership.objects.get(pk=second.pk).role == Role.OWNER


def test_an_owner_who_can_no_longer_sign_in_does_not_count() -> None:
    operator = make_operator()
    gone = make_membership(operator, Role.OWNER)
    User.objects.filter(pk=gone.user_id).update(is_active=False)
    acting = make_actor(operator, Role.OWNER)
    with pytest.raises(Conflict, match="needs an owner"):
        remove_member(acting=acting, membership=Membership.objects.get(user=acting.user))


def test_a_member_of_another_team_is_out_of_reach() -> None:
    stranger = make_membership()
    with pytest.raises(Conflict):
        remove_member(acting=make_actor(), membership=stranger)
    assert Membership.objects.filter(pk=stranger.pk).exists()


def test_a_revoked_key_opens_nothing_and_is_revoked_once() -> None:
    owner = make_actor()
    api_key, text = create_api_key(acting=owner, role=Role.VIEWER, name="Reports")
    assert find_api_key(text) == api_key
    for _ in range(2):
        revoke_api_key(acting=owner, api_key=api_key)
    assert find_api_key(text) is None
    assert AuditEntry.objects.filter(action="api_key.revoke").count() == 1


def test_a_manager_cannot_revoke_an_owners_key_nor_anybody_a_foreign_one() -> None:
    owner = make_actor()
    api_key, text = create_api_key(acting=owner, role=Role.OWNER)
    with pytest.raises(NotAllowed):
        revoke_api_key(acting=make_actor(owner.operator, Role.MANAGER), api_key=api_key)
    revoke_api_key(acting=make_actor(), api_key=api_key)
    assert find_api_key(text) == api_key


def test_a_card_finds_its_driver_by_address_among_those_whom_the_operator_knows() -> None:
    acting = make_actor()
    token = create_id_token(acting=acting, uid=unique("T"), driver_email="ada@example.org")
    again = create_id_token(acting=acting, uid=unique("T"), driver_email="ADA@example.org")
    assert token.driver is not None
    assert again.driver == token.driver
    elsewhere = create_id_token(acting=make_actor(), uid="T", driver_email="ada@example.org")
    assert elsewhere.driver != token.driver

    update_id_token(acting=acting, id_token=token, driver_email="")
    assert IdToken.objects.get(pk=token.pk).driver is None


def test_whose_account_an_address_is_stays_unknown_to_an_operator() -> None:
    user = make_user(name="Secret Name")
    account = Driver.objects.create(user=user, name=user.name, email=user.email)
    token = create_id_token(acting=make_actor(), uid="T", driver_email=user.email)
    assert token.driver != account
    assert str(token.driver) == user.email


def test_a_dismissed_card_is_forgotten() -> None:
    acting = make_actor(role=Role.SUPPORT)
    unknown = make_unknown_id_token(acting.operator)
    with pytest.raises(NotAllowed):
        dismiss_unknown_id_token(
            acting=make_actor(acting.operator, Role.VIEWER), unknown_id=str(unknown.pk)
        )
    with pytest.raises(NotFound):
        dismiss_unknown_id_token(acting=make_actor(), unknown_id=str(unknown.pk))
    dismiss_unknown_id_token(acting=acting, unknown_id=str(unknown.pk))
    assert not UnknownIdToken.objects.filter(pk=unknown.pk).exists()
