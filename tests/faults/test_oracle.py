"""The judge is not blind: each kind of damage done to a right database is found and named."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

import pytest
from django.db.models import QuerySet

from billing.models import ChargingSession
from cms.base import outbox
from stations.models import MeterValue, OcppMessage, Transaction
from stations.simulator import Journal
from tests.factories import make_command, make_message, make_meter_value, make_transaction
from tests.faults.errands import ACTION
from tests.faults.oracle import Verdict, judge, judge_errands, judge_sessions
from tests.faults.site import Site, make_site

pytestmark = pytest.mark.django_db

# Two hours ago: the partitions of this month exist.
AT = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
_ids = count(1)


class World:
    """One session that was told, answered and stored, and room to damage it."""

    def __init__(self) -> None:
        self.site: Site = make_site(stations=2, id_tokens=1)
        self.journal = Journal()
        self.station = self.site.stations[0]
        token = self.site.id_tokens[0]
        self.tx = make_transaction(
            self.station,
            id_token=token,
            started_at=AT,
            ended_at=AT + timedelta(hours=1),
            device_ended_at=AT + timedelta(hours=1),
            received_ended_at=AT + timedelta(hours=1),
            meter_start_wh=100,
            meter_stop_wh=900,
            stop_reason="Local",
        )
        Transaction.objects.filter(pk=self.tx.pk).update(ocpp_transaction_id=str(self.tx.pk))
        self.start = {
            "connectorId": 1,
            "idTag": token.uid,
            "meterStart": 100,
            "timestamp": text(AT),
        }
        self.stop = {
            "transactionId": self.tx.pk,
            "meterStop": 900,
            "timestamp": text(AT + timedelta(hours=1)),
        }
        reading_at = AT + timedelta(minutes=30)
        self.reading = make_meter_value(
            self.tx, at=reading_at, value=Decimal(500), raw_value="500", raw_unit="Wh"
        )
        self.meter = {
            "connectorId": 1,
            "transactionId": self.tx.pk,
            "meterValue": [{"timestamp": text(reading_at), "sampledValue": [sample("500")]}],
        }
        self.tell("StartTransaction", self.start, {"transactionId": self.tx.pk, "idTagInfo": {}})
        self.tell("MeterValues", self.meter, {})
        self.tell("StopTransaction", self.stop, {})

    def tell(self, action: str, payload: dict, result: dict | None, *, store: bool = True) -> None:
        """A call that left the station; `result` None is no answer."""
        number = next(_ids)
        identity = self.station.identity
        request = self.journal.record_request(
            identity, f"key-{number}", f"m-{number}", action, payload
        )
        if result is not None:
            self.journal.record_answer(request, result=result)
        if store:
            make_message(
                self.station, action=action, message_id=f"m-{number}", payload=json.dumps(payload)
            )

    def message(self, action: str) -> QuerySet[OcppMessage]:
        return OcppMessage.objects.filter(station_id=self.station.pk, action=action)

    def verdict(self) -> Verdict:
        return judge(self.journal, self.site.operator)


def text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def sample(value: str) -> dict[str, str]:
    return {
        "value": value,
        "context": "Sample.Periodic",
        "measurand": "Energy.Active.Import.Register",
        "location": "Outlet",
        "unit": "Wh",
    }


@pytest.fixture
def world() -> World:
    return World()


def update(**fields) -> Callable[[World], object]:
    return lambda world: Transaction.objects.filter(pk=world.tx.pk).update(**fields)


def another_start(world: World) -> None:
    make_transaction(
        world.station,
        id_token=world.site.id_tokens[0],
        started_at=AT,
        ended_at=AT,
        meter_start_wh=100,
        review_reasons=["superseded"],
    )


def lose_the_transaction(world: World) -> None:
    MeterValue.objects.filter(transaction_id=world.tx.pk).delete()
    world.tx.delete()


def two_ids(world: World) -> None:
    request = world.journal.sent("StartTransaction")[0]
    world.journal.record_answer(request, result={"transactionId": 10**9, "idTagInfo": {}})


def refuse(world: World) -> None:
    request = world.journal.sent("StopTransaction")[0]
    world.journal.record_answer(request, error_code="InternalError")


def same_id_elsewhere(world: World) -> None:
    request = world.journal.record_request(
        world.site.stations[1].identity,
        "other",
        "other",
        "StartTransaction",
        {**world.start, "meterStart": 7},
    )
    world.journal.record_answer(request, result={"transactionId": world.tx.pk, "idTagInfo": {}})


def test_a_right_database_is_clean(world):
    verdict = world.verdict()
    assert verdict.clean, verdict
    assert (verdict.numbers["starts"], verdict.numbers["stops"], verdict.numbers["readings"]) == (
        1,
        1,
        1,
    )


@pytest.mark.parametrize(
    ("kind", "damage"),
    [
        ("lost", lose_the_transaction),
        ("doubled", another_start),
        ("doubled", two_ids),
        ("doubled", same_id_elsewhere),
        ("lost", update(meter_start_wh=101)),
        ("lost", update(device_started_at=AT + timedelta(milliseconds=1))),
        ("wrong", update(meter_stop_wh=901)),
        ("wrong", update(stop_reason="Remote")),
        ("wrong", update(device_ended_at=AT)),
        ("lost", update(status="active", ended_at=None, received_ended_at=None)),
        ("invented", update(orphan=True)),
        ("lost", lambda w: MeterValue.objects.filter(pk=w.reading.pk).delete()),
        ("wrong", lambda w: MeterValue.objects.filter(pk=w.reading.pk).update(value=501)),
        ("wrong", lambda w: MeterValue.objects.filter(pk=w.reading.pk).update(evse_id=2)),
        ("wrong", lambda w: MeterValue.objects.filter(pk=w.reading.pk).update(transaction_id=1)),
        ("invented", lambda w: make_meter_value(w.tx, at=AT)),
        (
            "doubled",
            lambda w: make_meter_value(
                w.tx, at=w.reading.at, value=500, raw_value="500", raw_unit="Wh", evse_id=2
            ),
        ),
        ("lost", lambda w: w.message("MeterValues").delete()),
        ("lost", lambda w: w.tell("MeterValues", w.meter, {}, store=False)),
        (
            "doubled",
            lambda w: OcppMessage.objects.create(
                **{**w.message("MeterValues").values().get(), "id": None}
            ),
        ),
        ("invented", lambda w: make_message(w.station, action="StopTransaction")),
        ("wrong", refuse),
    ],
)
def test_damage_is_found_and_named(world, kind, damage):
    damage(world)
    verdict = world.verdict()
    assert kind in {found for found, _ in verdict.violations}, verdict


def test_what_was_never_answered_may_be_stored_or_not(world):
    world.tell("StopTransaction", world.stop, None)
    world.tell("StopTransaction", world.stop, None, store=False)
    verdict = world.verdict()
    assert verdict.clean, verdict
    assert verdict.numbers["stored unanswered"] == 1


def test_missing_sessions_and_undone_work_are_found(world):
    outbox.enqueue("transaction.ended", str(world.tx.pk), {"transaction_id": world.tx.pk})
    verdict = Verdict()
    judge_sessions(verdict, world.site.operator)
    assert [kind for kind, _ in verdict.violations] == ["lost", "lost", "lost"], verdict
    while outbox.work():
        pass
    verdict = Verdict()
    judge_sessions(verdict, world.site.operator)
    assert verdict.clean, verdict
    assert verdict.numbers == {"sessions": 1, "CDRs": 1}
    ChargingSession.objects.create(
        operator=world.site.operator, station=world.station, status="active"
    )
    judge_sessions(verdict, world.site.operator)
    assert [kind for kind, _ in verdict.violations] == ["invented"]


def errand(world: World, *, words: str = "w", status: str = "accepted", reached: int = 1) -> None:
    """A command with words of its own, and how often its station got it."""
    make_command(
        world.station,
        action=ACTION,
        payload={"data": words},
        status=status,
        finished_at=None if status == "queued" else AT,
        response={"status": "Accepted", "data": words} if status == "accepted" else None,
    )
    call = json.dumps([2, f"c-{words}", ACTION, {"data": words}])
    for _ in range(reached):
        world.journal.record_frame(world.station.identity, "received", call)


@pytest.mark.parametrize(
    ("errands", "kinds"),
    [
        ([{}], set()),
        ([{"status": "timed_out"}], set()),
        ([{"status": "timed_out", "reached": 0}], set()),
        ([{"reached": 2}], {"doubled"}),
        ([{"status": "timed_out", "reached": 2}], {"doubled"}),
        ([{"reached": 0}], {"invented"}),
        ([{"status": "queued", "reached": 0}], {"lost"}),
        ([{"status": "cancelled"}], {"wrong"}),
        ([], {"lost"}),
        ([{}, {"words": "other"}], set()),
    ],
)
def test_commands_done_twice_or_never_are_found(world, errands, kinds):
    for fields in errands:
        errand(world, **fields)
    verdict = Verdict()
    judge_errands(verdict, world.journal, world.site.operator, {"w"})
    assert {kind for kind, _ in verdict.violations} == kinds, verdict
