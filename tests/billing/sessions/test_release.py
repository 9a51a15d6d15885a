"""A person lets a session in review go on to its price."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.choices import Role
from accounts.models import AuditEntry, Operator
from accounts.services.actors import Actor
from billing.choices import SessionStatus
from billing.exceptions import NoTariff, NotReleasable
from billing.models import CDR, ChargingSession
from billing.sessions import services
from billing.sessions.cdrs import issue_cdr
from billing.sessions.services import add_review_reasons, release_session, settle_session
from cms.base.errors import Conflict, Invalid, NotAllowed
from stations.choices import ReviewReason
from stations.models import ChargingStation, Transaction
from tests.billing.factories import assign, make_ended, make_reading, make_tariff, tell
from tests.factories import make_actor, make_station


def in_review(tx: Transaction) -> ChargingSession:
    session = settle_session(transaction_id=tx.pk, now=timezone.now())
    assert session is not None
    assert session.status == SessionStatus.IN_REVIEW
    return session


def release(
    session: ChargingSession, *, actor: Actor | None = None, energy_wh: int | None = None
) -> CDR:
    actor = actor or Actor.system(session.operator)
    release_session(
        actor=actor,
        session=session,
        energy_wh=energy_wh,
        reason="The driver confirmed it.",
        now=timezone.now(),
    )
    return CDR.objects.get(session=session)


def test_prices_by_the_registers(station: ChargingStation) -> None:
    tx = make_ended(station, review_reasons=[ReviewReason.METER_DECREASED])
    session = in_review(tx)
    assert release(session).gross_minor == 480
    session.refresh_from_db()
    tx.refresh_from_db()
    assert session.status == SessionStatus.COMPLETED
    assert tx.review_reasons == []


def test_prices_by_the_energy_that_the_person_gives(station: ChargingStation) -> None:
    tx = make_ended(station, energy_wh=939_000)
    cdr = release(in_review(tx), energy_wh=9_390)
    assert (cdr.energy_wh, cdr.net_minor) == (9_390, 376)
    tx.refresh_from_db()
    assert tx.energy_wh == 939_000


def test_an_energy_given_by_hand_is_no_correction_later(station: ChargingStation) -> None:
    tx = make_ended(station, energy_wh=939_000)
    release(in_review(tx), energy_wh=9_390)
    tell("transaction.corrected", tx)
    tell("transaction.ended", tx)
    tx.refresh_from_db()
    assert tx.review_reasons == []


def test_without_a_stop_the_last_reading_counts(station: ChargingStation) -> None:
    tx = make_ended(station, energy_wh=None, start_wh=5_000)
    make_reading(tx, tx.started_at + timedelta(minutes=20), 8_000)
    make_reading(tx, tx.started_at + timedelta(minutes=40), 11_000)
    assert release(in_review(tx)).energy_wh == 6_000


@pytest.mark.parametrize("energy_wh", [None, -500])
def test_asks_for_the_energy_where_nothing_gives_it(
    station: ChargingStation, energy_wh: int | None
) -> None:
    session = in_review(make_ended(station, energy_wh=energy_wh))
    with pytest.raises(Invalid) as refusal:
        release(session)
    assert set(refusal.value.data["fields"]) == {"energy_wh"}
    session.refresh_from_db()
    assert session.status == SessionStatus.IN_REVIEW
    assert release(session, energy_wh=700).energy_wh == 700


def test_an_end_before_the_start_counts_as_no_time(station: ChargingStation) -> None:
    cdr = release(in_review(make_ended(station, hours=-1)))
    assert (cdr.duration_s, cdr.gross_minor) == (0, 480)


def test_still_needs_a_tariff(operator: Operator) -> None:
    session = in_review(make_ended(make_station(operator)))
    with pytest.raises(NoTariff):
        release(session)
    assert not CDR.objects.filter(session=session).exists()
    assign(make_tariff(operator))
    assert release(session).gross_minor == 480


def test_a_reason_that_comes_meanwhile_is_not_swept_away(
    station: ChargingStation, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = in_review(make_ended(station, review_reasons=["estimated"]))

    def issue_while_the_station_speaks(**fields: Any) -> CDR:
        add_review_reasons(session.transaction_id, [ReviewReason.CONFLICTING_STOP])
        return issue_cdr(**fields)

    monkeypatch.setattr(services, "issue_cdr", issue_while_the_station_speaks)
    with pytest.raises(Conflict), transaction.atomic():
        release(session)
    monkeypatch.undo()
    assert not CDR.objects.filter(session=session).exists()
    assert release(session).gross_minor == 480


def test_only_what_is_in_review(station: ChargingStation) -> None:
    session = in_review(make_ended(station, review_reasons=["estimated"]))
    release(session)
    with pytest.raises(NotReleasable):
        release(session)
    assert CDR.objects.filter(session=session).count() == 1


@pytest.mark.parametrize("role", [Role.VIEWER, Role.SUPPORT, Role.TECHNICIAN])
def test_needs_a_role_that_may(station: ChargingStation, role: Role) -> None:
    session = in_review(make_ended(station, review_reasons=["estimated"]))
    with pytest.raises(NotAllowed):
        release(session, actor=make_actor(station.operator, role))
    assert release(session, actor=make_actor(station.operator, Role.FINANCE))


def test_leaves_an_audit_row(station: ChargingStation) -> None:
    session = in_review(make_ended(station, energy_wh=939_000))
    actor = make_actor(station.operator, Role.FINANCE)
    cdr = release(session, actor=actor, energy_wh=9_390)
    entry = AuditEntry.objects.get(action="session.release", object_id=str(session.pk))
    assert entry.user == actor.user
    assert entry.before["review_reasons"] == ["implausible_energy"]
    assert entry.after["reason"] == "The driver confirmed it."
    assert entry.after["energy_wh"] == 9_390
    assert entry.after["cdr"] == cdr.number
