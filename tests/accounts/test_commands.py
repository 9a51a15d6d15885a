"""What the server's shell offers."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.choices import Role
from accounts.models import AuditEntry, Membership, Operator, User
from tests.api import Api
from tests.factories import make_user, unique

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize("role", [None, *Role])
def test_api_key_prints_a_key_that_works_and_nothing_else(
    operator: Operator, role: Role | None
) -> None:
    printed = run("api_key", "--operator", operator.slug, *(["--role", role] if role else []))
    assert printed.count("\n") == 1
    body = Api(printed.strip()).get("/operators/me/").json()
    assert (body["slug"], body["role"]) == (operator.slug, role or Role.MANAGER)


def test_api_key_of_nobody_is_an_error() -> None:
    with pytest.raises(CommandError, match="no operator 'nobody'"):
        run("api_key", "--operator", "nobody")


def test_create_operator_makes_a_tenant_once() -> None:
    slug = unique("op")
    run("create_operator", slug, "--name", "Chiperoni Energy", "--currency", "MWK")
    operator = Operator.objects.get(slug=slug)
    assert (operator.name, operator.currency) == ("Chiperoni Energy", "MWK")
    assert AuditEntry.objects.filter(operator=operator, action="operator.create").exists()
    with pytest.raises(CommandError, match="There is an operator"):
        run("create_operator", slug, "--name", "Again")


def test_create_operator_refuses_what_is_no_slug() -> None:
    with pytest.raises(CommandError, match="slug"):
        run("create_operator", "two words", "--name", "X")
    assert not Operator.objects.filter(name="X").exists()


def test_create_user_makes_a_member(operator: Operator) -> None:
    run(
        "create_user", "chiku@example.org", "--password", "a-long-secret-7",
        "--operator", operator.slug, "--role", "technician",
    )  # fmt: skip
    user = User.objects.get(email="chiku@example.org")
    assert user.check_password("a-long-secret-7")
    membership = Membership.objects.get(user=user)
    assert (membership.operator, membership.role) == (operator, Role.TECHNICIAN)


def test_create_user_without_operator_makes_no_member() -> None:
    run("create_user", "chiku@example.org", "--password", "a-long-secret-7")
    assert not Membership.objects.filter(user__email="chiku@example.org").exists()


def test_create_user_refuses_weak_passwords_bad_addresses_and_duplicates() -> None:
    make_user(email="chiku@example.org")
    for email, password in (
        ("new@example.org", "password"),
        ("no-address", "a-long-secret-7"),
        ("CHIKU@example.org", "a-long-secret-7"),
    ):
        with pytest.raises(CommandError):
            run("create_user", email, "--password", password)
    assert User.objects.filter(email__iexact="chiku@example.org").count() == 1
    assert not User.objects.filter(email__in=["new@example.org", "no-address"]).exists()


def test_create_user_of_an_unknown_operator_makes_nobody() -> None:
    with pytest.raises(CommandError, match="no operator"):
        run("create_user", "a@example.org", "--password", "a-long-secret-7", "--operator", "x")
    assert not User.objects.filter(email="a@example.org").exists()
