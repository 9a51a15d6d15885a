"""The judge of every fault run: what stations were told, against what the database holds.

The witness is the stations' journal, which knows nothing of the server; the database is read through
ordinary models, never through the writer's own SQL. What must hold:

    O1  every acknowledged start is exactly one transaction, with the id that was given
    O2  every acknowledged stop closed exactly that transaction, with that register and time
    O3  every acknowledged reading is there exactly once
    O4  nothing is there that no station sent, and nothing twice
    O5  no EVSE has two current transactions, no two stations were given the same id
    O11  (presence.py) exactly those stations are shown online whose socket is open
    and  every command reached its station at most once, and what it is said to have answered, it did answer;
         every acknowledged call is in the inbox, no oftener than it was sent;
         no call was refused: trouble on our side is silence to a station, never an error
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from accounts.models import Operator
from billing.models import CDR, ChargingSession
from cms.base.models import OutboxItem
from stations.models import Command, MeterValue, OcppMessage, Transaction
from stations.simulator import Journal
from stations.simulator.journal import Request
from tests.faults.errands import ACTION

# The actions that state a fact and whose reply is a promise.
FACTS = ("StartTransaction", "StopTransaction", "MeterValues")


@dataclass
class Verdict:
    """`numbers` are for people; `violations` are (kind, sentence), of the kinds lost, doubled, invented, wrong."""

    numbers: Counter[str] = field(default_factory=Counter)
    violations: list[tuple[str, str]] = field(default_factory=list)

    def blame(self, kind: str, sentence: str) -> None:
        self.violations.append((kind, sentence))

    def must(self, holds: bool, kind: str, sentence: str) -> None:
        if not holds:
            self.blame(kind, sentence)

    @property
    def clean(self) -> bool:
        return not self.violations

    def __str__(self) -> str:
        kinds = {"lost": 0, "doubled": 0, **Counter(kind for kind, _ in self.violations)}
        words = [f"{name} {number}" for name, number in (*self.numbers.items(), *kinds.items())]
        details = "".join(f"\n    {kind}: {sentence}" for kind, sentence in self.violations[:40])
        return ", ".join(words) + details


@dataclass(frozen=True)
class Told:
    """One sample as a station told it. `transaction_id` is None where the station named no transaction."""

    station: str
    evse_id: int | None
    transaction_id: int | None
    device_at: datetime
    measurand: str
    phase: str | None
    location: str
    context: str
    raw_value: str
    raw_unit: str | None

    @property
    def key(self) -> tuple[Any, ...]:
        """What makes two samples the same one, whatever transaction they were put to."""
        return (
            self.station,
            self.device_at,
            self.measurand,
            self.phase,
            self.location,
            self.context,
            self.raw_value,
            self.raw_unit,
        )


def judge(journal: Journal, operator: Operator) -> Verdict:
    """Compare everything of one operator. Call it when every queue has drained."""
    verdict = Verdict()
    identity_of = dict(operator.stations.values_list("pk", "identity"))
    transactions = list(Transaction.objects.filter(station__in=identity_of))
    _count_messages(verdict, journal)
    _judge_refusals(verdict, journal)
    _judge_starts(verdict, journal, transactions, identity_of)
    _judge_stops(verdict, journal, transactions, identity_of)
    _judge_readings(verdict, journal, identity_of)
    _judge_current(verdict, journal, transactions)
    _judge_inbox(verdict, journal, identity_of)
    return verdict


def judge_sessions(verdict: Verdict, operator: Operator) -> None:
    """Add what must hold once the outbox is worked off: one session a transaction, at most one CDR a session."""
    transactions = Transaction.objects.filter(operator=operator)
    sessions = Counter(
        ChargingSession.objects.filter(operator=operator).values_list("transaction_id", flat=True)
    )
    cdrs: dict[int, list[CDR]] = {}
    for cdr in CDR.objects.filter(operator=operator).select_related("session"):
        assert cdr.session.transaction_id is not None
        cdrs.setdefault(cdr.session.transaction_id, []).append(cdr)
    for tx in transactions:
        number = sessions.pop(tx.pk, 0)
        kind = "lost" if number == 0 else "doubled"
        verdict.must(number == 1, kind, f"transaction {tx.pk} has {number} sessions")
        issued = cdrs.pop(tx.pk, [])
        verdict.must(len(issued) <= 1, "doubled", f"transaction {tx.pk} has {len(issued)} CDRs")
        for cdr in issued:
            verdict.must(
                (cdr.energy_wh, tx.status) == (tx.energy_wh, "ended"),
                "wrong",
                f"CDR {cdr.number} says {cdr.energy_wh} Wh, {tx} {tx.energy_wh} Wh",
            )
        plain = tx.status == "ended" and tx.authorization_status == "Accepted" and tx.energy_wh
        if plain and not tx.review_reasons:
            verdict.must(len(issued) == 1, "lost", f"transaction {tx.pk} was never priced")
        verdict.numbers["sessions"] += number
        verdict.numbers["CDRs"] += len(issued)
    for transaction_id in {*sessions, *cdrs}:
        verdict.blame("invented", f"a session or CDR of transaction {transaction_id}")
    keys = [str(pk) for pk in transactions.values_list("pk", flat=True)]
    for item in OutboxItem.objects.filter(topic__startswith="transaction.", key__in=keys):
        verdict.must(item.done_at is not None, "lost", f"outbox {item} was never worked off")
        verdict.must(not item.error, "wrong", f"outbox {item}: {item.error}")


def judge_errands(
    verdict: Verdict, journal: Journal, operator: Operator, queued: Collection[str]
) -> None:
    """Add what must hold of commands that carry words of their own (errands.py), once all are over.

    `queued` are the words of those whose asker was told that they are queued.
    """
    got: Counter[str] = Counter()
    for frame in journal.frames:
        if frame.direction == "received":
            message = json.loads(frame.text)
            if message[0] == 2 and message[2] == ACTION:
                got[message[3]["data"]] += 1
    rows = {
        row.payload["data"]: row for row in Command.objects.filter(operator=operator, action=ACTION)
    }
    for words in queued:
        verdict.must(words in rows, "lost", f"command {words} was taken on and is not there")
    for words, number in got.items():
        verdict.must(words in rows, "invented", f"command {words} that nobody asked for")
        verdict.must(number == 1, "doubled", f"command {words} reached its station {number} times")
    for words, row in rows.items():
        told = (
            f"command {row.pk} {words} is {row.status} and reached its station {got[words]} times"
        )
        verdict.numbers[f"commands {row.status}"] += 1
        if row.status == "accepted":
            verdict.must(got[words] > 0, "invented", told)
            verdict.must(row.response["data"] == words, "wrong", f"{told}: {row.response}")
        elif row.status == "timed_out":
            # It was out when a socket or a process ended: nobody can know, so nobody sends it again.
            verdict.numbers["of those carried out"] += got[words]
        else:
            verdict.blame("wrong" if got[words] else "lost", told)


# --- starts and stops -----------------------------------------------------------------------


def _start_key(request: Request) -> tuple[Any, ...]:
    payload = request.payload
    return (
        request.identity,
        payload["connectorId"],
        _time(payload["timestamp"]),
        payload["meterStart"],
        payload["idTag"].lower(),
    )


def _judge_starts(
    verdict: Verdict,
    journal: Journal,
    transactions: list[Transaction],
    identity_of: dict[int, str],
) -> None:
    rows: dict[tuple[Any, ...], list[Transaction]] = {}
    for tx in transactions:
        if tx.orphan:
            verdict.blame("invented", f"{tx} is an orphan stop of {tx.ocpp_transaction_id}")
            continue
        key = (
            identity_of[tx.station_id],
            tx.evse_id,
            tx.device_started_at,
            tx.meter_start_wh,
            tx.id_token_uid.lower(),
        )
        rows.setdefault(key, []).append(tx)
    sent = {_start_key(request) for request in journal.sent("StartTransaction")}
    for key, found in rows.items():
        verdict.must(key in sent, "invented", f"nobody sent the start of {found}")
        verdict.must(len(found) == 1, "doubled", f"one start became {found}")
    for start in journal.acknowledged_starts():
        verdict.numbers["starts"] += 1
        key = (
            start.identity,
            start.connector_id,
            _time(start.timestamp),
            start.meter_start_wh,
            start.id_tag.lower(),
        )
        found = rows.get(key, [])
        ids = sorted(start.transaction_ids)
        verdict.must(bool(found), "lost", f"start {key}, acknowledged as {ids}")
        verdict.must(len(ids) == 1, "doubled", f"start {key} was given the ids {ids}")
        for tx in found:
            verdict.must(
                [tx.pk] == ids and tx.ocpp_transaction_id == str(ids[0]),
                "wrong",
                f"start {key} was given {ids} and is {tx.pk}/{tx.ocpp_transaction_id}",
            )
    verdict.numbers["transactions"] = len(transactions)


def _judge_stops(
    verdict: Verdict,
    journal: Journal,
    transactions: list[Transaction],
    identity_of: dict[int, str],
) -> None:
    by_id = {tx.pk: tx for tx in transactions}
    stops = journal.acknowledged_stops()
    stopped = Counter(stop.transaction_id for stop in stops)
    for stop in stops:
        verdict.numbers["stops"] += 1
        tx = by_id.get(stop.transaction_id)
        if tx is None or identity_of[tx.station_id] != stop.identity:
            verdict.blame("lost", f"stop {stop}: {tx} is not this station's")
            continue
        verdict.must(stopped[tx.pk] == 1, "doubled", f"{tx} was stopped by several different stops")
        stored = (tx.status, tx.is_current, tx.meter_stop_wh, tx.device_ended_at, tx.stop_reason)
        told = (
            "ended",
            False,
            stop.meter_stop_wh,
            _time(stop.timestamp),
            stop.reason or "Local",
        )
        kind = "lost" if tx.received_ended_at is None else "wrong"
        verdict.must(stored == told, kind, f"stop of {tx}: told {told}, stored {stored}")
    sent = {request.payload["transactionId"] for request in journal.sent("StopTransaction")}
    for tx in transactions:
        if tx.received_ended_at is not None:
            verdict.must(tx.pk in sent, "invented", f"nobody sent the stop of {tx}")
        elif tx.status == "ended":
            verdict.numbers["superseded"] += 1
            verdict.must("superseded" in tx.review_reasons, "invented", f"{tx} ended by itself")


def _judge_current(verdict: Verdict, journal: Journal, transactions: list[Transaction]) -> None:
    places = Counter((tx.station_id, tx.evse_id) for tx in transactions if tx.is_current)
    for place, number in places.items():
        verdict.must(number == 1, "doubled", f"{place} has {number} current transactions")
    owners: dict[int, set[str]] = {}
    for start in journal.acknowledged_starts():
        for transaction_id in start.transaction_ids:
            owners.setdefault(transaction_id, set()).add(start.identity)
    for transaction_id, identities in owners.items():
        verdict.must(
            len(identities) == 1, "doubled", f"{identities} were given the id {transaction_id}"
        )


# --- readings -------------------------------------------------------------------------------


def _samples(requests: Iterable[Request]) -> Iterator[Told]:
    for request in requests:
        payload = request.payload
        named = payload.get("transactionId")
        for value in payload.get("meterValue", payload.get("transactionData", ())):
            for sample in value["sampledValue"]:
                yield Told(
                    station=request.identity,
                    evse_id=payload.get("connectorId"),
                    transaction_id=named if named is not None and named > 0 else None,
                    device_at=_time(value["timestamp"]),
                    measurand=sample["measurand"],
                    phase=sample.get("phase"),
                    location=sample["location"],
                    context=sample["context"],
                    raw_value=sample["value"],
                    raw_unit=sample["unit"],
                )


def _judge_readings(verdict: Verdict, journal: Journal, identity_of: dict[int, str]) -> None:
    rows: dict[tuple[Any, ...], list[MeterValue]] = {}
    for row in MeterValue.objects.filter(station_id__in=identity_of).order_by():
        told = Told(
            station=identity_of[row.station_id],
            evse_id=row.evse_id,
            transaction_id=row.transaction_id,
            device_at=row.device_at,
            measurand=row.measurand,
            phase=row.phase,
            location=row.location,
            context=row.context,
            raw_value=row.raw_value,
            raw_unit=row.raw_unit,
        )
        rows.setdefault(told.key, []).append(row)
        verdict.must(
            row.value == Decimal(row.raw_value), "wrong", f"{row.raw_value} became {row.value}"
        )
    requests = [*journal.sent("MeterValues"), *journal.sent("StopTransaction")]
    sent = {told.key for told in _samples(requests)}
    for key, found in rows.items():
        verdict.must(key in sent, "invented", f"nobody sent the reading {key}")
        verdict.must(len(found) == 1, "doubled", f"{len(found)} readings {key}")
    acknowledged = {told.key: told for told in _samples(r for r in requests if r.is_acknowledged)}
    verdict.numbers["readings"] = len(acknowledged)
    for key, told in acknowledged.items():
        found = rows.get(key, [])
        verdict.must(bool(found), "lost", f"reading {told}")
        for row in found:
            if told.transaction_id is not None:
                verdict.must(
                    row.transaction_id == told.transaction_id,
                    "wrong",
                    f"reading {told} was put to transaction {row.transaction_id}",
                )
            if told.evse_id is not None:
                verdict.must(row.evse_id == told.evse_id, "wrong", f"{told}: EVSE {row.evse_id}")


# --- messages -------------------------------------------------------------------------------


def _count_messages(verdict: Verdict, journal: Journal) -> None:
    requests = [request for request in journal.requests if request.action in FACTS]
    verdict.numbers["messages acknowledged"] = len(
        {request.key for request in requests if request.is_acknowledged}
    )
    verdict.numbers["sent again"] = len(requests) - len({request.key for request in requests})


def _judge_refusals(verdict: Verdict, journal: Journal) -> None:
    for request in journal.requests:
        for answer in request.answers:
            verdict.must(
                answer.error_code is None,
                "wrong",
                f"{request.identity}: {request.action} was answered with {answer.error_code}",
            )
    given_up = journal.counts["given_up"]
    verdict.must(not given_up, "lost", f"stations gave up {given_up} messages")


def _judge_inbox(verdict: Verdict, journal: Journal, identity_of: dict[int, str]) -> None:
    """Rule 3. A station may use a message id again after a boot, so the payload belongs to the key."""
    stored: Counter[tuple[str, str, str, str]] = Counter()
    rows = OcppMessage.objects.filter(
        station_id__in=identity_of, direction="in", type="call", action__in=FACTS
    )
    for row in rows.order_by():
        payload = _canonical(json.loads(row.payload))
        stored[identity_of[row.station_id], row.action, row.message_id, payload] += 1
    sent: Counter[tuple[str, str, str, str]] = Counter()
    acknowledged: Counter[tuple[str, str, str, str]] = Counter()
    for request in journal.requests:
        if request.action in FACTS:
            payload = _canonical(request.payload)
            key = (request.identity, request.action, request.message_id, payload)
            sent[key] += 1
            acknowledged[key] += request.is_acknowledged
    for key, number in stored.items():
        kind = "doubled" if sent[key] else "invented"
        verdict.must(number <= sent[key], kind, f"{number} messages {key}, sent {sent[key]}")
    for key, number in acknowledged.items():
        verdict.must(stored[key] >= number, "lost", f"{stored[key]} of {number} messages {key}")
    # Committed, and the station never learned of it: what a kill between commit and reply leaves.
    verdict.numbers["stored unanswered"] = (stored - acknowledged).total()


def _canonical(payload: Any) -> str:
    return json.dumps(payload, sort_keys=True)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
