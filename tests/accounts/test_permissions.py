"""The capability table."""

import pytest

from accounts.choices import Role
from accounts.services.permissions import CAPABILITIES, allows, require
from cms.base.errors import NotAllowed
from tests.factories import make_actor


def test_every_role_reads_and_an_owner_may_everything() -> None:
    assert set(CAPABILITIES) == set(Role)
    assert all(allows(role, "read") for role in Role)
    assert all(CAPABILITIES[role] <= CAPABILITIES[Role.OWNER] for role in Role)


def test_a_manager_lacks_what_only_an_owner_answers_for() -> None:
    assert CAPABILITIES[Role.OWNER] - CAPABILITIES[Role.MANAGER] == {
        "stations.lower_security",
        "tariffs.force",
        "team.ownership",
    }


@pytest.mark.parametrize(
    ("role", "capabilities"),
    [
        (Role.VIEWER, {"read"}),
        (Role.SUPPORT, {"read", "tokens.change", "transactions.start_stop"}),
        (
            Role.TECHNICIAN,
            {"read", "stations.change", "stations.command", "transactions.start_stop"},
        ),
        (Role.FINANCE, {"read", "money.change", "sessions.release", "tariffs.change"}),
    ],
)
def test_the_other_roles_have_their_own_work(role: Role, capabilities: set[str]) -> None:
    assert CAPABILITIES[role] == capabilities


def test_a_role_that_nobody_knows_may_nothing() -> None:
    assert not allows("superuser", "read")


@pytest.mark.django_db
def test_a_refusal_says_what_is_lacking() -> None:
    with pytest.raises(NotAllowed) as refused:
        require(make_actor(role=Role.VIEWER), "tokens.change")
    assert refused.value.data == {"role": "viewer", "needs": "tokens.change"}
