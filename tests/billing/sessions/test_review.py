"""Ways out of a review beside a price: no bill, and a stop that finds its session; and what ends by itself."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.choices import Role
from accounts.models import AuditEntry
from accounts.services.actors import Actor
from billing.models import CDR, ChargingSession
from billing.sessions.review import join_session, sessions_a_stop_may_end, waive_session
from cms.base import outbox
from cms.base.errors import Conflict, NotAllowed
from stations.models import ConnectorStatus, StationState, Transaction, TransactionProgress
from stations.services.transactions import close_stuck_transactions
from tests.api import Api
from tests.billing.factories import assign, hours_ago, make_ended, make_tariff, tell
from tests.factories import (
    make_gateway,
    make_membership,
    make_state,
    make_station,
    make_transaction,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def station(operator):
    assign(make_tariff(operator), created_at=hours_ago(48))
    return make_station(operator)


def session_of(tx) -> ChargingSession:
    return ChargingSession.objects.get(transaction=tx)


def in_review(tx) -> ChargingSession:
    tell("transaction.ended", tx)
    session = session_of(tx)
    assert session.status == "in_review"
    return session


def make_orphan(station, *, stop_wh=15_000, hours=0.0):
    at = hours_ago(hours)
    return make_ended(
        station,
        orphan=True,
        evse_id=0,
        connector_id=0,
        id_token=None,
        authorization_status="",
        started_at=at,
        ended_at=at,
        device_started_at=None,
        meter_start_wh=None,
        meter_stop_wh=stop_wh,
        ocpp_transaction_id="-16",
        review_reasons=["unknown_transaction"],
    )


def test_nothing_is_billed_on_somebodys_word(operator, station):
    tx = make_ended(station, energy_wh=None, review_reasons=["no_stop"])
    session = waive_session(
        actor=Actor.system(operator), session=in_review(tx), reason="The car never charged."
    )
    tx.refresh_from_db()
    assert (session.status, tx.review_reasons) == ("cancelled", [])
    assert not CDR.objects.filter(session=session).exists()
    entry = AuditEntry.objects.get(operator=operator, action="session.waive")
    assert entry.after["reason"] == "The car never charged."
    # What comes later about the transaction changes nothing.
    tell("transaction.corrected", tx)
    assert session_of(tx).status == "cancelled"
    with pytest.raises(Conflict):
        waive_session(actor=Actor.system(operator), session=session, reason="again")


def test_who_may_not_release_may_not_waive_either(operator, station):
    session = in_review(make_ended(station, energy_wh=None, review_reasons=["no_stop"]))
    viewer = Actor.from_membership(make_membership(operator, Role.VIEWER))
    with pytest.raises(NotAllowed):
        waive_session(actor=viewer, session=session, reason="x")
    assert session_of(session.transaction).status == "in_review"


def test_a_stop_without_a_name_is_joined_to_the_session_it_ended(operator, station):
    lost = make_transaction(station, started_at=hours_ago(2), meter_start_wh=5_000)
    tell("transaction.started", lost)
    orphan = make_orphan(station)
    stray = in_review(orphan)
    assert list(sessions_a_stop_may_end(stray)) == [session_of(lost)]
    joined = join_session(actor=Actor.system(operator), session=stray, to=session_of(lost))
    while outbox.work():
        pass
    assert joined.pk == session_of(lost).pk
    lost.refresh_from_db()
    assert (lost.status, lost.energy_wh, lost.received_ended_at) == (
        "ended",
        10_000,
        orphan.received_ended_at,
    )
    assert session_of(lost).status == "completed"
    assert CDR.objects.get(session=session_of(lost)).energy_wh == 10_000
    assert session_of(orphan).status == "cancelled"
    assert Transaction.objects.get(pk=orphan.pk).review_reasons == []


@pytest.mark.parametrize(
    "fields",
    [
        {"started_at": timezone.now() + timedelta(hours=1)},
        {"meter_start_wh": 20_000},
        {"other_station": True},
        {"has_stop": True},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_a_stop_joins_nothing_that_it_cannot_have_ended(operator, station, fields):
    other = make_station(operator)
    place = other if fields.pop("other_station", False) else station
    if fields.pop("has_stop", False):
        tx = make_ended(place, hours=2)
    else:
        tx = make_transaction(place, **({"started_at": hours_ago(2)} | fields))
    tell("transaction.started", tx)
    stray = in_review(make_orphan(station))
    assert session_of(tx) not in sessions_a_stop_may_end(stray)
    with pytest.raises(Conflict):
        join_session(actor=Actor.system(operator), session=stray, to=session_of(tx))
    assert session_of(stray.transaction).status == "in_review"


def test_over_rest_by_those_who_may(api: Api, stranger_api: Api, api_as, station):
    session = in_review(make_ended(station, energy_wh=None, review_reasons=["no_stop"]))
    path = f"/sessions/{session.pk}/waive/"
    assert stranger_api.post(path, {"reason": "x"}).status_code == 404
    assert api_as(Role.VIEWER).post(path, {"reason": "x"}).status_code == 403
    assert api.post(path, {}).status_code == 400
    response = api.post(path, {"reason": "Test run of the installer."})
    assert (response.status_code, response.json()["status"]) == (200, "cancelled")
    assert api.post(path, {"reason": "x"}).json()["code"] == "not_in_review"


def test_a_stop_is_joined_over_rest(api: Api, stranger_api: Api, station):
    lost = make_transaction(station, started_at=hours_ago(2), meter_start_wh=5_000)
    tell("transaction.started", lost)
    stray = in_review(make_orphan(station))
    path, body = f"/sessions/{stray.pk}/join/", {"session": str(session_of(lost).pk)}
    assert stranger_api.post(path, body).status_code == 404
    assert api.post(path, {"session": "0"}).status_code == 404
    response = api.post(path, body)
    assert (response.status_code, response.json()["id"]) == (200, body["session"])


# --- what no stop ever ends --------------------------------------------------------------------


def make_stuck(station, *, free_hours=2.0, connected=True, seen_hours=0.0, status="Available"):
    """Began a day ago, last reading 20 hours ago."""
    tx = make_transaction(station, started_at=hours_ago(24), meter_start_wh=5_000)
    tell("transaction.started", tx)
    TransactionProgress.objects.create(transaction=tx, at=hours_ago(20), register_wh=12_000)
    make_state(station, gateway=make_gateway() if connected else None)
    StationState.objects.filter(station=station).update(
        connected=connected,
        connected_at=hours_ago(max(free_hours, 30)),
        last_seen_at=hours_ago(seen_hours),
    )
    ConnectorStatus.objects.create(
        station=station, evse_id=1, connector_id=1, status=status, status_at=hours_ago(free_hours)
    )
    return tx


def test_a_session_whose_connector_is_free_again_is_closed_as_estimated(station):
    tx = make_stuck(station)
    assert close_stuck_transactions() == 1
    assert close_stuck_transactions() == 0
    tx.refresh_from_db()
    assert (tx.status, tx.is_current, tx.meter_stop_wh) == ("ended", False, 12_000)
    assert tx.ended_at == hours_ago(20) or abs(tx.ended_at - hours_ago(20)) < timedelta(seconds=5)
    assert set(tx.review_reasons) == {"no_stop", "estimated"}
    assert tx.received_ended_at is None
    while outbox.work():
        pass
    assert session_of(tx).status == "in_review"


def test_a_station_that_was_away_for_a_week_is_believed_no_longer(station):
    tx = make_stuck(station, connected=False, seen_hours=24 * 8, status="Charging")
    Transaction.objects.filter(pk=tx.pk).update(received_started_at=hours_ago(24 * 9))
    assert close_stuck_transactions() == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"free_hours": 0.5},
        {"free_hours": 22},
        {"status": "Charging"},
        {"status": "SuspendedEV"},
        {"status": "Faulted"},
        {"connected": False, "seen_hours": 24 * 6},
    ],
    ids=str,
)
def test_what_may_still_go_on_is_left_alone(station, fields):
    tx = make_stuck(station, **fields)
    assert close_stuck_transactions() == 0
    tx.refresh_from_db()
    assert tx.is_current


def test_a_stop_outlives_what_was_said_of_its_absence_meanwhile(station):
    """A judgement that was under way while the stop was written said once more that there is none."""
    tx = make_ended(station, energy_wh=10_000, review_reasons=["no_stop", "implausible_duration"])
    tell("transaction.corrected", tx)
    tx.refresh_from_db()
    assert (session_of(tx).status, tx.review_reasons) == ("completed", [])


def test_an_assumed_end_stays_in_review_however_often_it_is_judged(station):
    tx = make_ended(station, received_ended_at=None, review_reasons=["no_stop"])
    in_review(tx)
    in_review(tx)
    tx.refresh_from_db()
    assert tx.review_reasons == ["no_stop"]
