"""Registering, proving an address, app tokens and claimed cards."""

from datetime import timedelta

import pytest
from django.core import mail, signing
from django.utils import timezone

from accounts.choices import IdTokenStatus, IdTokenType, Role
from accounts.models import AuditEntry, Driver, IdToken, Operator, UnknownIdToken, User
from accounts.services import drivers
from accounts.services.drivers import (
    block_own_id_token,
    claim_id_token,
    claimable_uids,
    confirm_address,
    confirmation_token,
    driver_of,
    ensure_app_token,
    read_confirmation,
    register_driver,
    request_password_reset,
    resend_confirmation,
)
from cms.base import outbox
from cms.base.errors import Conflict, Invalid
from cms.base.models import OutboxItem
from tests.factories import (
    make_id_token,
    make_id_token_group,
    make_membership,
    make_unknown_id_token,
    make_user,
    unique,
)

PASSWORD = "wet-and-windy-7"


@pytest.fixture
def email(db: None) -> str:
    return f"{unique('Driver')}@example.org"


@pytest.fixture
def driver(db: None) -> Driver:
    return driver_of(make_user())


def asked_for(user: User) -> list[str]:
    """The mails that the outbox is to send to this user."""
    return list(
        OutboxItem.objects.filter(key=str(user.pk), topic__startswith="driver.")
        .order_by("id")
        .values_list("topic", flat=True)
    )


def forget_the_pause(user: User) -> None:
    entries = AuditEntry.objects.filter(object_type="user", object_id=str(user.pk))
    entries.update(at=timezone.now() - timedelta(minutes=2))


# --- registering ------------------------------------------------------------------------------


def test_a_new_driver_cannot_sign_in_before_the_address_is_proven(email: str) -> None:
    register_driver(email=email, password=PASSWORD, name="Alice")
    user = User.objects.get(email__iexact=email)
    assert not user.is_active
    assert not Driver.objects.filter(user=user).exists()
    assert asked_for(user) == [drivers.CONFIRM_TOPIC]

    confirmed = confirm_address(token=confirmation_token(user, "/c/00000000"))
    assert (confirmed.user, confirmed.next_path) == (user, "/c/00000000")
    assert confirmed.user.is_active
    assert confirmed.user.check_password(PASSWORD)
    assert Driver.objects.get(user=user).name == "Alice"


def test_a_link_opens_once(email: str) -> None:
    register_driver(email=email, password=PASSWORD)
    token = confirmation_token(User.objects.get(email__iexact=email))
    confirm_address(token=token)
    for use in (read_confirmation, lambda token: confirm_address(token=token)):
        with pytest.raises(Conflict):
            use(token)


def test_a_later_registration_disarms_the_links_of_an_earlier_one(email: str) -> None:
    """Who registers somebody else's address must not own the account that its owner opens."""
    register_driver(email=email, password="mallory-was-here-1")
    user = User.objects.get(email__iexact=email)
    first = confirmation_token(user)
    register_driver(email=email.upper(), password=PASSWORD)
    with pytest.raises(Conflict):
        confirm_address(token=first)
    user.refresh_from_db()
    assert confirm_address(token=confirmation_token(user)).user.check_password(PASSWORD)
    assert User.objects.filter(email__iexact=email).count() == 1


def test_forged_and_old_links_open_nothing(email: str, monkeypatch: pytest.MonkeyPatch) -> None:
    register_driver(email=email, password=PASSWORD)
    token = confirmation_token(User.objects.get(email__iexact=email))
    for broken in (token[:-1], f"x{token}", "", signing.dumps({"user": 1}, salt="another")):
        with pytest.raises(Conflict):
            read_confirmation(broken)
    later = signing.time.time() + drivers.CONFIRM_WITHIN.total_seconds() + 1
    monkeypatch.setattr(signing.time, "time", lambda: later)
    with pytest.raises(Conflict):
        read_confirmation(token)


def test_a_known_address_answers_like_a_new_one_and_keeps_its_password(email: str) -> None:
    user = make_user(email=email)
    register_driver(email=email, password=PASSWORD, name="Mallory")
    user.refresh_from_db()
    assert user.check_password("let-me-in-9")
    assert user.name == ""
    assert asked_for(user) == [drivers.KNOWN_TOPIC]


def test_no_link_opens_an_account_that_a_person_has_blocked(email: str) -> None:
    used = make_user(email=email, is_active=False, last_login=timezone.now())
    staff = make_membership(role=Role.VIEWER).user
    User.objects.filter(pk=staff.pk).update(is_active=False)
    staff.refresh_from_db()
    for user in (used, staff):
        register_driver(email=user.email, password=PASSWORD)
        with pytest.raises(Conflict):
            confirm_address(token=confirmation_token(user))
        user.refresh_from_db()
        assert not user.is_active
        assert user.check_password("let-me-in-9")
        assert asked_for(user) == []


@pytest.mark.parametrize(
    ("email", "password", "field"),
    [
        ("nobody", PASSWORD, "email"),
        ("a@example.org", "short", "password"),
        ("a@example.org", "password", "password"),
    ],
)
def test_what_cannot_be_accepted_is_named(db: None, email: str, password: str, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        register_driver(email=email, password=password)
    assert list(refused.value.data["fields"]) == [field]
    assert not User.objects.filter(email=email).exists()


def test_nobody_gets_mail_without_end(email: str) -> None:
    register_driver(email=email, password=PASSWORD)
    user = User.objects.get(email__iexact=email)
    for _ in range(3):
        resend_confirmation(email=email)
    assert len(asked_for(user)) == 1
    for _ in range(10):
        forget_the_pause(user)
        resend_confirmation(email=email)
    assert len(asked_for(user)) == 6


def test_a_forgotten_password_is_a_mail_to_who_has_an_account(email: str) -> None:
    request_password_reset(email=email)
    assert not OutboxItem.objects.filter(topic=drivers.RESET_TOPIC, payload__email=email).exists()
    user = make_user(email=email)
    request_password_reset(email=email.upper())
    assert asked_for(user) == [drivers.RESET_TOPIC]


def test_an_unproven_address_gets_its_proof_instead_of_a_reset(email: str) -> None:
    register_driver(email=email, password=PASSWORD)
    user = User.objects.get(email__iexact=email)
    forget_the_pause(user)
    request_password_reset(email=email)
    assert asked_for(user) == [drivers.CONFIRM_TOPIC, drivers.CONFIRM_TOPIC]


def test_mails_are_sent_by_the_outbox_and_only_while_they_have_a_reason(email: str) -> None:
    register_driver(email=email, password=PASSWORD)
    user = User.objects.get(email__iexact=email)
    row = OutboxItem.objects.get(key=str(user.pk), topic=drivers.CONFIRM_TOPIC)
    for function in outbox._handlers[drivers.CONFIRM_TOPIC]:
        function(row.key, row.payload)
    assert [message.to for message in mail.outbox] == [[user.email]]
    assert "/me/confirm/" in mail.outbox[0].body
    user.is_active = True
    user.save()
    for function in outbox._handlers[drivers.CONFIRM_TOPIC]:
        function(row.key, row.payload)
    assert len(mail.outbox) == 1


# --- tokens -----------------------------------------------------------------------------------


def test_a_driver_has_one_app_token_at_each_operator(
    driver: Driver, operator: Operator, stranger: Operator
) -> None:
    token = ensure_app_token(driver=driver, operator=operator)
    assert ensure_app_token(driver=driver, operator=operator) == token
    assert ensure_app_token(driver=driver, operator=stranger) != token
    assert len(token.uid) <= 20
    assert (token.type, token.driver) == (IdTokenType.CENTRAL, driver)


def test_only_cards_without_a_history_can_be_claimed(driver: Driver, operator: Operator) -> None:
    other = driver_of(make_user())
    unused = make_id_token(operator)
    taken = [
        make_id_token(operator, driver=other),
        make_id_token(operator, last_used_at=timezone.now()),
        make_id_token(operator, group=make_id_token_group(operator)),
        make_id_token(operator, status=IdTokenStatus.BLOCKED),
        make_id_token(operator, type=IdTokenType.CENTRAL),
    ]
    uids = ["NEVER-SEEN", unused.uid.lower(), *(token.uid for token in taken)]
    assert claimable_uids(operator=operator, uids=uids) == ["NEVER-SEEN", unused.uid.lower()]
    for token in taken:
        with pytest.raises(Conflict):
            claim_id_token(
                driver=driver,
                operator=operator,
                uid=token.uid,
                station_identity="CP-1",
                presented_at=timezone.now(),
            )


def test_a_claimed_card_is_known_from_then_on(driver: Driver, operator: Operator) -> None:
    unknown = make_unknown_id_token(operator)
    for _ in range(2):
        token = claim_id_token(
            driver=driver,
            operator=operator,
            uid=unknown.uid,
            station_identity="CP-1",
            presented_at=timezone.now(),
        )
    assert (token.driver, token.status, token.uid) == (driver, IdTokenStatus.ACCEPTED, unknown.uid)
    assert not UnknownIdToken.objects.filter(pk=unknown.pk).exists()
    entries = AuditEntry.objects.filter(operator=operator, action="id_token.claim")
    assert [(entry.user, entry.after["station"]) for entry in entries] == [(driver.user, "CP-1")]


def test_a_driver_blocks_an_own_card_at_once_and_no_other(
    driver: Driver, operator: Operator
) -> None:
    own, other = make_id_token(operator, driver=driver), make_id_token(operator)
    for _ in range(2):
        assert block_own_id_token(driver=driver, id_token=own).status == IdTokenStatus.BLOCKED
    assert AuditEntry.objects.filter(action="id_token.block", object_id=str(own.pk)).count() == 1
    with pytest.raises(IdToken.DoesNotExist):
        block_own_id_token(driver=driver, id_token=other)
