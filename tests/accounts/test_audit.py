"""The audit log."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from accounts.models import AuditEntry, Operator
from accounts.services.actors import Actor
from accounts.services.audit import object_type, record_audit
from billing.models import CDR
from stations.models import EVSE, ChargingStation
from tests.factories import make_id_token, make_membership

pytestmark = pytest.mark.django_db


def test_an_entry_says_who_what_when_before_and_after(operator: Operator) -> None:
    membership = make_membership(operator)
    token = make_id_token(operator)
    record_audit(
        actor=Actor.from_membership(membership),
        action="id_token.update",
        obj=token,
        before={"expires_at": None, "limit": Decimal("1.50")},
        after={"expires_at": datetime(2026, 3, 1, 12, tzinfo=UTC), "limit": Decimal("2")},
    )
    entry = AuditEntry.objects.get(operator=operator)
    assert (entry.operator, entry.user, entry.api_key) == (operator, membership.user, None)
    assert (entry.object_type, entry.object_id) == ("id_token", str(token.pk))
    assert entry.before == {"expires_at": None, "limit": "1.50"}
    assert entry.after == {"expires_at": "2026-03-01T12:00:00Z", "limit": "2"}


def test_kinds_of_things_are_named_as_in_the_api() -> None:
    names = [object_type(model) for model in (ChargingStation, EVSE, CDR)]
    assert names == ["charging_station", "evse", "cdr"]
