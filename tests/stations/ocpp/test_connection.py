"""Text in, events out: our calls one at a time, replies matched, repetitions answered once more."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stations.ocpp.connection import (
    MAX_EXPIRED_CALLS,
    MAX_KEPT_REPLIES,
    MAX_OPEN_CALLS,
    MAX_QUEUED_CALLS,
    CallExpired,
    CallReceived,
    CallReplayed,
    CloseConnection,
    Event,
    FrameBroken,
    FrameIgnored,
    OcppConnection,
    ReplyReceived,
    ResultRefused,
    SendFrame,
    SendReceived,
)
from stations.ocpp.errors import ErrorCode, QueueFull
from stations.ocpp.framing import Broken, Call, CallError, CallResult
from stations.ocpp.versions import Version

START = (
    '[2,"{id}","StartTransaction",{{"connectorId":{n},"idTag":"A","meterStart":0,"timestamp":"x"}}]'
)


@pytest.fixture
def connection() -> OcppConnection:
    return OcppConnection(Version.V16, call_timeout_s=30, id_prefix="c-")


def start(message_id: str = "s1", connector: int = 1) -> str:
    return START.format(id=message_id, n=connector)


def received(connection: OcppConnection, text: str) -> Call:
    [event] = connection.receive_text(text, 0)
    assert isinstance(event, CallReceived), event
    return event.call


def ask(connection: OcppConnection, tag: Any = None, now: float = 0, **options: Any) -> list[Event]:
    return connection.send_call("Reset", {"type": "Soft"}, now, tag, **options)


def sent_id(events: list[Event]) -> str:
    [event] = [event for event in events if isinstance(event, SendFrame)]
    return str(json.loads(event.text)[1])


def accept(message_id: str) -> str:
    return json.dumps([3, message_id, {"status": "Accepted"}])


# The station's calls


def test_a_call_is_handed_over_and_answered_in_schema_order(connection: OcppConnection) -> None:
    call = received(connection, start())
    assert (call.message_id, call.action) == ("s1", "StartTransaction")
    answer = {"transactionId": 7, "idTagInfo": {"status": "Accepted"}}
    assert connection.answer(call, answer) == [
        '[3,"s1",{"idTagInfo":{"status":"Accepted"},"transactionId":7}]'
    ]


def test_a_refusal_uses_the_words_of_the_version(connection: OcppConnection) -> None:
    call = received(connection, start())
    assert connection.answer_error(call, ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION, "no") == [
        '[4,"s1","OccurenceConstraintViolation","no",{}]'
    ]


def test_a_repeated_call_gets_the_same_answer_without_being_handled(
    connection: OcppConnection,
) -> None:
    [text] = connection.answer(received(connection, start()), {"transactionId": 7})
    for _ in range(3):
        replayed, answer = connection.receive_text(start(), 0)
        assert isinstance(replayed, CallReplayed)
        assert answer == SendFrame(text)


def test_repetitions_of_a_call_in_hand_are_answered_with_it(connection: OcppConnection) -> None:
    call = received(connection, start())
    for _ in range(3):
        [event] = connection.receive_text(start(), 0)
        assert isinstance(event, CallReplayed)
    assert len(connection.answer(call, {"transactionId": 7})) == 4
    assert len(connection.receive_text(start(), 0)) == 2


def test_an_id_with_another_payload_is_a_new_call(connection: OcppConnection) -> None:
    connection.answer(received(connection, start()), {"transactionId": 7})
    [event] = connection.receive_text(start(connector=2), 0)
    assert isinstance(event, CallReceived)
    assert event.id_reused
    [text] = connection.answer(event.call, {"transactionId": 8})
    assert connection.receive_text(start(connector=2), 0)[1] == SendFrame(text)


def test_an_id_reused_while_its_first_call_is_in_hand(connection: OcppConnection) -> None:
    first = received(connection, start())
    [event] = connection.receive_text(start(connector=2), 0)
    assert isinstance(event, CallReceived)
    assert event.id_reused
    assert len(connection.answer(first, {"transactionId": 7})) == 1
    assert len(connection.answer(event.call, {"transactionId": 8})) == 1


@pytest.mark.parametrize("action", ["Heartbeat", "BootNotification", "Authorize"])
def test_questions_about_now_are_asked_anew(connection: OcppConnection, action: str) -> None:
    text = json.dumps([2, "1", action, {}])
    for moment in ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"):
        call = received(connection, text)
        [answer] = connection.answer(call, {"currentTime": moment})
        assert moment in answer


def test_a_refused_or_abandoned_call_may_be_tried_again(connection: OcppConnection) -> None:
    call = received(connection, start())
    connection.answer_error(call, ErrorCode.INTERNAL_ERROR, "ref 7F3A")
    call = received(connection, start())
    connection.abandon(call)
    received(connection, start())


def test_only_the_latest_replies_are_kept(connection: OcppConnection) -> None:
    for n in range(MAX_KEPT_REPLIES + 1):
        connection.answer(received(connection, start(f"s{n}")), {"transactionId": n})
    assert isinstance(connection.receive_text(start("s1"), 0)[0], CallReplayed)
    assert isinstance(connection.receive_text(start("s0"), 0)[0], CallReceived)


def test_unanswered_calls_are_remembered_within_bounds(connection: OcppConnection) -> None:
    for n in range(MAX_OPEN_CALLS + 10):
        received(connection, start(f"s{n}"))
    assert isinstance(connection.receive_text(start("s0"), 0)[0], CallReplayed)
    assert isinstance(connection.receive_text(start(f"s{MAX_OPEN_CALLS}"), 0)[0], CallReceived)


# Frames that are no calls


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("hello", '[4,"-1","FormationViolation"'),
        ("", '[4,"-1","FormationViolation"'),
        ('[2,"a","Heartbeat",{', '[4,"a","FormationViolation"'),
        ('[2,"a","Heartbeat"]', '[4,"a","FormationViolation"'),
        ('[2,5,"Heartbeat",{}]', '[4,"-1","FormationViolation"'),
        ('[2,"a","StartTransaction",{"transactionId":,"x":1}]', '[4,"a","FormationViolation"'),
    ],
)
def test_broken_frames_are_answered_and_the_next_is_served(
    connection: OcppConnection, text: str, answer: str
) -> None:
    broken, reply = connection.receive_text(text, 0)
    assert isinstance(broken, FrameBroken)
    assert isinstance(reply, SendFrame)
    assert reply.text.startswith(answer)
    received(connection, '[2,"b","Heartbeat",{}]')


def test_foreign_message_types_and_oversized_frames(connection: OcppConnection) -> None:
    [ignored] = connection.receive_text('[9,"a"]', 0)
    assert isinstance(ignored, FrameIgnored)
    [close] = connection.receive_text("[" * (2 * 1024 * 1024), 0)
    assert isinstance(close, CloseConnection)
    assert 4000 <= close.code <= 4999


def test_messages_of_21() -> None:
    connection = OcppConnection(Version.V21, call_timeout_s=30, id_prefix="c-")
    [send] = connection.receive_text('[6,"a","NotifyPeriodicEventStream",{"id":1}]', 0)
    assert isinstance(send, SendReceived)
    [refused] = connection.receive_text('[5,"a","FormatViolation","no",{}]', 0)
    assert isinstance(refused, ResultRefused)
    [ignored] = connection.receive_text('[6,"a","Heartbeat",{}]', 0)
    assert isinstance(ignored, FrameIgnored)
    broken, answer = connection.receive_text('[2,"a","NotifyPeriodicEventStream",{"id":1}]', 0)
    assert isinstance(broken, FrameBroken)
    assert isinstance(answer, SendFrame)
    assert answer.text.startswith('[4,"a","ProtocolError"')


# Our calls


def test_a_call_is_sent_in_schema_order_and_its_reply_returned(connection: OcppConnection) -> None:
    payload = {"idTag": "A", "connectorId": 1}
    [frame] = connection.send_call("RemoteStartTransaction", payload, 0, tag=41)
    assert frame == SendFrame(
        '[2,"c-1","RemoteStartTransaction",{"connectorId":1,"idTag":"A"}]', tag=41
    )
    assert connection.receive_text(accept("c-1"), 1) == [
        ReplyReceived(
            "c-1", "RemoteStartTransaction", 41, CallResult("c-1", {"status": "Accepted"}), False
        )
    ]
    assert connection.in_flight is None


def test_an_error_and_a_broken_reply_end_the_call(connection: OcppConnection) -> None:
    ask(connection, tag=1)
    [event] = connection.receive_text('[4,"c-1","NotSupported","",{}]', 1)
    assert isinstance(event, ReplyReceived)
    assert event.outcome == CallError("c-1", "NotSupported", "", {})
    ask(connection, tag=2)
    [event] = connection.receive_text('[3,"c-2",{"status":', 1)
    assert isinstance(event, ReplyReceived)
    assert isinstance(event.outcome, Broken)
    assert event.tag == 2


def test_five_calls_leave_one_at_a_time_in_order(connection: OcppConnection) -> None:
    events = [ask(connection, tag=tag) for tag in range(5)]
    assert [len(sent) for sent in events] == [1, 0, 0, 0, 0]
    assert connection.queued == 4
    message_id = sent_id(events[0])
    for tag in range(4):
        reply, following = connection.receive_text(accept(message_id), 1)
        assert isinstance(reply, ReplyReceived)
        assert reply.tag == tag
        assert isinstance(following, SendFrame)
        assert following.tag == tag + 1
        message_id = sent_id([following])
    assert len(connection.receive_text(accept(message_id), 1)) == 1


def test_the_stations_calls_are_served_while_ours_waits(connection: OcppConnection) -> None:
    message_id = sent_id(ask(connection))
    call = received(connection, start())
    assert connection.answer(call, {"transactionId": 7})
    assert isinstance(connection.receive_text(accept(message_id), 1)[0], ReplyReceived)


def test_the_queue_is_bounded(connection: OcppConnection) -> None:
    for _ in range(MAX_QUEUED_CALLS + 1):
        ask(connection)
    with pytest.raises(QueueFull):
        ask(connection)


def test_an_expired_call_makes_room_and_its_late_reply_is_told_apart(
    connection: OcppConnection,
) -> None:
    first = sent_id(ask(connection, tag=1))
    ask(connection, tag=2, now=5)
    assert connection.next_deadline == 30
    assert connection.tick(29.9) == []
    expired, following = connection.tick(30)
    assert expired == CallExpired(first, "Reset", 1, sent=True)
    assert isinstance(following, SendFrame)
    assert following.tag == 2
    assert connection.next_deadline == 60
    [late] = connection.receive_text(accept(first), 31)
    assert isinstance(late, ReplyReceived)
    assert (late.tag, late.late) == (1, True)
    [reply] = connection.receive_text(accept(sent_id([following])), 32)
    assert isinstance(reply, ReplyReceived)
    assert (reply.tag, reply.late) == (2, False)
    assert connection.next_deadline is None


def test_timeouts_in_a_row_are_counted(connection: OcppConnection) -> None:
    for now in (0, 100, 200):
        ask(connection, now=now)
        connection.tick(now + 30)
    assert connection.timeouts_in_a_row == 3
    connection.receive_text(accept(sent_id(ask(connection, now=300))), 301)
    assert connection.timeouts_in_a_row == 0


def test_a_waiting_call_expires_by_its_own_limit(connection: OcppConnection) -> None:
    ask(connection, tag=1)
    ask(connection, tag=2, expires_at=10)
    ask(connection, tag=3)
    assert connection.next_deadline == 10
    [expired] = connection.tick(10)
    assert isinstance(expired, CallExpired)
    assert (expired.tag, expired.sent) == (2, False)
    assert connection.queued == 1


def test_an_expired_call_does_not_leave_when_its_turn_comes(connection: OcppConnection) -> None:
    first = sent_id(ask(connection, tag=1))
    ask(connection, tag=2, expires_at=10)
    ask(connection, tag=3)
    events = connection.receive_text(accept(first), 20)
    assert [type(event) for event in events] == [ReplyReceived, CallExpired, SendFrame]
    assert isinstance(events[2], SendFrame)
    assert events[2].tag == 3


def test_a_waiting_call_can_be_withdrawn(connection: OcppConnection) -> None:
    ask(connection, tag=1)
    ask(connection, tag=2)
    assert connection.withdraw(2)
    assert not connection.withdraw(2)
    assert not connection.withdraw(1)
    assert connection.queued == 0


def test_replies_nobody_waits_for_are_counted_and_dropped(connection: OcppConnection) -> None:
    message_id = sent_id(ask(connection))
    ask(connection)
    early = connection.receive_text(accept("c-2"), 0)
    assert [type(event) for event in early] == [FrameIgnored]
    connection.receive_text(accept(message_id), 1)
    twice = connection.receive_text(accept(message_id), 1)
    assert [type(event) for event in twice] == [FrameIgnored]
    for n in range(10_000):
        [event] = connection.receive_text(accept(f"x{n}"), 1)
        assert isinstance(event, FrameIgnored)
    assert connection.unmatched_replies == 10_002
    assert connection.in_flight is not None


def test_only_the_last_expired_calls_can_be_late(connection: OcppConnection) -> None:
    ids = []
    for n in range(MAX_EXPIRED_CALLS + 1):
        ids.append(sent_id(ask(connection, now=n * 100)))
        connection.tick(n * 100 + 30)
    assert isinstance(connection.receive_text(accept(ids[0]), 9_999)[0], FrameIgnored)
    assert isinstance(connection.receive_text(accept(ids[1]), 9_999)[0], ReplyReceived)


def test_a_closed_connection_hands_over_what_is_left(connection: OcppConnection) -> None:
    ask(connection, tag=1)
    ask(connection, tag=2)
    ask(connection, tag=3)
    remains = connection.close()
    assert remains.in_flight is not None
    assert remains.in_flight.tag == 1
    assert [call.tag for call in remains.unsent] == [2, 3]
    assert connection.close().unsent == ()
    assert connection.next_deadline is None


def test_unknown_actions_are_not_sent(connection: OcppConnection) -> None:
    with pytest.raises(KeyError):
        connection.send_call("SetVariables", {}, 0)
    assert connection.in_flight is None


def test_message_ids_fit_the_limit() -> None:
    with pytest.raises(ValueError, match="20"):
        OcppConnection(Version.V16, call_timeout_s=30, id_prefix="x" * 21)


@given(
    texts=st.lists(
        st.one_of(
            st.text(alphabet='[]{}",:\\234ac-1'),
            st.sampled_from([start(), start("c-1"), accept("c-1"), accept("c-2"), '[3,"c-1",{']),
            st.tuples(
                st.sampled_from([2, 3, 4, 5, 6]),
                st.sampled_from(["a", "c-1", "c-2"]),
                st.sampled_from(["Heartbeat", "StartTransaction", "x"]) | st.none(),
                st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
            ).map(json.dumps),
        ),
        max_size=20,
    ),
    version=st.sampled_from(list(Version)),
)
@settings(max_examples=200, deadline=None)
def test_any_sequence_of_frames_ends_each_call_of_ours_once(
    texts: list[str], version: Version
) -> None:
    connection = OcppConnection(version, call_timeout_s=30, id_prefix="c-")
    connection.send_call("DataTransfer", {"vendorId": "V"}, 0, tag=1)
    connection.send_call("DataTransfer", {"vendorId": "V"}, 0, tag=2)
    events: list[Event] = []
    for now, text in enumerate(texts):
        events += connection.receive_text(text, now)
    for now in (100, 200):
        events += connection.tick(now)
    ended = [
        event.tag
        for event in events
        if isinstance(event, CallExpired) or (isinstance(event, ReplyReceived) and not event.late)
    ]
    assert ended == [1, 2]
