"""What `parse` makes of frames, good and bad, and what `encode_*` puts on the wire."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stations.ocpp import framing
from stations.ocpp.errors import ErrorCode
from stations.ocpp.framing import (
    MAX_DEPTH,
    MAX_FRAME_BYTES,
    Broken,
    Call,
    CallError,
    CallResult,
    CallResultError,
    Frame,
    Ignored,
    Oversized,
    Send,
    parse,
)
from stations.ocpp.versions import Version

V16, V201, V21 = Version.V16, Version.V201, Version.V21
FORMAT = ErrorCode.FORMAT_VIOLATION
RPC = ErrorCode.RPC_FRAMEWORK_ERROR
PROPERTY = ErrorCode.PROPERTY_CONSTRAINT_VIOLATION


def payload_of(text: str) -> Any:
    frame = parse(f'[2,"a","DataTransfer",{text}]', V16)
    assert isinstance(frame, Call), frame
    return frame.payload


def broken(frame: Frame) -> tuple[str | None, ErrorCode]:
    assert isinstance(frame, Broken), frame
    return frame.message_id, frame.error


# Frames that are fine


def test_a_call_keeps_its_text() -> None:
    text = '[2, "a1", "Heartbeat", {}]'
    assert parse(text, V16) == Call("a1", "Heartbeat", {}, text)


def test_bytes_are_read_as_utf8() -> None:
    frame = parse('[2,"a","DataTransfer",{"vendorId":"Zürich ⚡"}]'.encode(), V16)
    assert isinstance(frame, Call)
    assert frame.payload == {"vendorId": "Zürich ⚡"}


@pytest.mark.parametrize(
    "text",
    [
        '\ufeff[2,"a","Heartbeat",{}]',
        '[2,"a","Heartbeat",{}]\x00',
        ' \n[ 2 ,"a","Heartbeat",{}]\r\n',
    ],
)
def test_stray_bytes_around_a_frame_do_no_harm(text: str) -> None:
    assert isinstance(parse(text, V16), Call)


def test_a_null_payload_is_an_empty_one() -> None:
    assert payload_of("null") == {}
    assert parse('[3,"a",null]', V16) == CallResult("a", {})


@pytest.mark.parametrize("length", [1, 36])
def test_message_ids_up_to_36_characters_work(length: int) -> None:
    frame = parse(json.dumps([2, "x" * length, "Heartbeat", {}]), V16)
    assert isinstance(frame, Call)
    assert frame.message_id == "x" * length


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        ('[3,"a",{"status":"Accepted"}]', CallResult("a", {"status": "Accepted"})),
        ('[4,"a","GenericError","no",{"k":1}]', CallError("a", "GenericError", "no", {"k": 1})),
        ('[4,"a","GenericError"]', CallError("a", "GenericError", "", {})),
        ('[4,"a","NotSupported","no","a string"]', CallError("a", "NotSupported", "no", {})),
        ('[4,"a",null,null,null]', CallError("a", "", "", {})),
    ],
)
def test_replies_are_read_leniently(text: str, frame: Frame) -> None:
    assert parse(text, V16) == frame


def test_21_knows_two_more_message_types() -> None:
    send = '[6,"a","NotifyPeriodicEventStream",{"id":1}]'
    assert parse(send, V21) == Send("a", "NotifyPeriodicEventStream", {"id": 1}, send)
    error = CallResultError("a", "FormatViolation", "bad", {})
    assert parse('[5,"a","FormatViolation","bad",{}]', V21) == error


def test_a_send_is_never_answered_even_if_broken() -> None:
    assert isinstance(parse('[6,"a",7,{}]', V21), Ignored)
    assert isinstance(parse('[6,"a","NotifyPeriodicEventStream",{', V21), Ignored)


# Message types


@pytest.mark.parametrize("kind", ["0", "1", "9", "-2", '"2"', "2.0", "2e0", "true", "null", "{}"])
@pytest.mark.parametrize("version", [V16, V21])
def test_unknown_message_types_are_ignored(version: Version, kind: str) -> None:
    assert isinstance(parse(f'[{kind},"a","Heartbeat",{{}}]', version), Ignored)


@pytest.mark.parametrize("kind", ["5", "6"])
def test_message_types_of_21_are_ignored_on_16(kind: str) -> None:
    assert isinstance(parse(f'[{kind},"a","Heartbeat",{{}}]', V16), Ignored)


@pytest.mark.parametrize("kind", ["0", "1", "5", "6", "9", '"2"', "2.0", "true"])
def test_201_answers_unknown_message_types(kind: str) -> None:
    frame = parse(f'[{kind},"a","Heartbeat",{{}}]', V201)
    assert broken(frame) == ("a", ErrorCode.MESSAGE_TYPE_NOT_SUPPORTED)


# Frames that are broken


@pytest.mark.parametrize(
    "text",
    ["", "hello", "{", "[]", "{}", "null", "2", '"x"', "[2]", "[2,", "[,{", "\x00", "]", "[2 2]"],
)
@pytest.mark.parametrize("version", list(Version))
def test_frames_without_a_readable_id(version: Version, text: str) -> None:
    assert broken(parse(text, version)) == (None, RPC)


@pytest.mark.parametrize(
    "text",
    [
        '[2,"a"]',
        '[2,"a"',
        '[2,"a","Heartbeat"]',
        '[2,"a","Heartbeat",{},1]',
        '[2,"a","Heartbeat",{}',
        '[2,"a","Heartbeat",{}]]',
        '[2,"a","Heartbeat",{}] [2,"b","Heartbeat",{}]',
        '[2,"a","Heartbeat",[]]',
        '[2,"a","Heartbeat","text"]',
        '[2,"a","StartTransaction",{"transactionId":,"meterStart":1}]',
        '[2,"a","MeterValues",{"meterValue":[,{"timestamp":"x"}]}]',
        '[2,"a","MeterValues",{"connectorId":1,"meterV',
        '[2,"a",{"x":1},{}]',
        '[2,"a",["Heartbeat"],{}]',
        '[2,"a",1,{}]',
        '[2,"a",null,{}]',
        '[2,"a","DataTransfer",{"data":NaN}]',
        '[2,"a","DataTransfer",{"data":-Infinity}]',
        '[2,"a","DataTransfer",{"data":"\\ud800"}]',
        '[2,"a","DataTransfer",{"data":"\\uDC00x"}]',
        '[2,"a","DataTransfer",{"da\\ud800ta":1}]',
        '[2,"a","DataTransfer",{"data":"\ud800"}]',
        '[2,"a","DataTransfer",{"data":"raw\x00byte"}]',
        '[ 2 , "a" , "DataTransfer" , {',
    ],
)
def test_an_id_is_read_wherever_it_can_be(text: str) -> None:
    assert broken(parse(text, V16)) == ("a", FORMAT)


@pytest.mark.parametrize("message_id", ["x" * 37, "x" * 1_000_000, "", None, 5, {"a": 1}, "a\x00b"])
@pytest.mark.parametrize("tail", ['"Heartbeat",{}]', '"Heartbeat",{'])
def test_bad_message_ids_are_refused_without_an_echo(message_id: Any, tail: str) -> None:
    frame = parse(f"[2,{json.dumps(message_id)},{tail}", V16)
    assert broken(frame) == (None, RPC)
    assert isinstance(frame, Broken)
    assert "xxxx" not in frame.description


@pytest.mark.parametrize("action", ["X" * 10_240, "Heart\x00beat", "Heart\nbeat"])
def test_impossible_actions_are_not_implemented(action: str) -> None:
    frame = parse(json.dumps([2, "a", action, {}]), V16)
    assert broken(frame) == ("a", ErrorCode.NOT_IMPLEMENTED)


def test_a_broken_reply_is_told_from_a_broken_call() -> None:
    for text in ('[3,"a",{', '[3,"a",[]]', '[3,"a"]', '[4,"a","Gen'):
        frame = parse(text, V16)
        assert isinstance(frame, Broken)
        assert frame.is_reply
        assert frame.message_id == "a"
    assert isinstance(parse('[3,5,{"status":"Accepted"}]', V16), Ignored)


def test_bytes_that_are_not_utf8_are_broken() -> None:
    assert broken(parse(b'[2,"a","Heartbeat",{"x":"\xff"}]', V16)) == (None, RPC)


# Size and depth


def test_the_size_limit_counts_bytes() -> None:
    def frame(filler: str, count: int) -> str:
        return f'[2,"a","DataTransfer",{{"data":"{filler * count}"}}]'

    room = MAX_FRAME_BYTES - len(frame("", 0))
    assert isinstance(parse(frame("x", room), V16), Call)
    assert isinstance(parse(frame("é", room // 2), V16), Call)
    assert isinstance(parse(frame("x", room + 1), V16), Oversized)
    assert isinstance(parse(frame("é", room // 2 + 1), V16), Oversized)
    assert isinstance(parse(frame("x", room + 1).encode(), V16), Oversized)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"k":', "}"), ('[{"k":', "}]")])
def test_the_depth_limit_is_exact(opening: str, closing: str) -> None:
    levels = opening.count("[") + opening.count("{")
    times = (MAX_DEPTH - 2) // levels  # the frame and its payload are two levels

    def frame(times: int) -> Frame:
        text = f'[2,"a","DataTransfer",{{"data":{opening * times}1{closing * times}}}]'
        return parse(text, V16)

    assert isinstance(frame(times), Call)
    assert broken(frame(times + 1)) == ("a", FORMAT)


@pytest.mark.parametrize(("levels", "too_deep"), [(MAX_DEPTH, False), (MAX_DEPTH + 1, True)])
def test_depth_is_seen_past_neighbours_that_are_almost_as_deep(levels: int, too_deep: bool) -> None:
    neighbour = "[" * 20 + "]" * 20 + ","
    text = f"[{neighbour}" * (levels - 21) + "[" * 21 + "]" * levels
    assert framing._is_too_deep(text) is too_deep


def test_brackets_in_strings_are_no_depth() -> None:
    text = "[{" * 500 + '\\"[[\\\\'
    frame = parse(f'[2,"a","DataTransfer",{{"data":"{text}","more":[1,[2]]}}]', V16)
    assert isinstance(frame, Call)
    assert len(frame.payload["data"]) == 1000 + 4


def test_many_shallow_brackets_are_no_depth() -> None:
    samples = [{"value": str(n), "list": [[], {}]} for n in range(1000)]
    assert payload_of(json.dumps({"data": samples})) == {"data": samples}


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"a":' * 100_000, "[" * 200_000 + "]" * 200_000, '[2,"a",[' + "[[]," * 99],
)
def test_deep_nesting_is_refused(text: str) -> None:
    assert isinstance(parse(text, V16), Broken)


# Numbers


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-16", -16),
        ("9223372036854775807", 2**63 - 1),
        ("1.0", 1),
        ("1e3", 1000),
        ("-0.0", 0),
        ("0.1", Decimal("0.1")),
        ("21.40", Decimal("21.40")),
        ("1.00000000000000000001", Decimal("1.00000000000000000001")),
        ("true", True),
    ],
)
def test_numbers_are_exact(text: str, value: object) -> None:
    number = payload_of(f'{{"n":{text}}}')["n"]
    assert number == value
    assert type(number) is type(value)


@pytest.mark.parametrize(
    "text", ["1e400", "1e-999999999", "1E999999999", "0." + "3" * 100, "9" * 5000]
)
def test_numbers_out_of_range_are_refused(text: str) -> None:
    assert broken(parse(f'[2,"a","DataTransfer",{{"n":{text}}}]', V16)) == ("a", PROPERTY)


def test_the_last_of_repeated_keys_counts() -> None:
    assert payload_of('{"a":1,"b":{"c":1,"c":2},"a":3}') == {"a": 3, "b": {"c": 2}}


def test_nul_characters_and_emoji_pass() -> None:
    assert payload_of('{"s":"a\\u0000b","e":"\\ud83d\\udd0b"}') == {"s": "a\x00b", "e": "🔋"}


# Fuzz

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
frames = st.one_of(
    st.text(),
    st.text(alphabet='[]{}",:\\2"a\x00\ud800.e-'),
    st.lists(json_values, max_size=6).map(json.dumps),
    st.tuples(st.integers(0, 7), st.text(max_size=40), json_values, json_values).map(json.dumps),
    st.binary(),
)


@given(text=frames, version=st.sampled_from(list(Version)), cut=st.integers(0, 200))
@settings(max_examples=300, deadline=None)
def test_no_text_raises(text: str | bytes, version: Version, cut: int) -> None:
    for variant in (text, text[:cut]):
        frame = parse(variant, version)
        if isinstance(frame, Broken) and not frame.is_reply:
            answer = framing.encode_error(version, frame.message_id, frame.error, frame.description)
            kind, message_id, _, description, details = json.loads(answer)
            assert kind == 4
            assert 1 <= len(message_id) <= 36
            assert len(description) <= 255
            assert details == {}


@given(value=json_values, depth=st.integers(0, 70))
@settings(max_examples=200, deadline=None)
def test_the_depth_scan_agrees_with_counting(value: Any, depth: int) -> None:
    for _ in range(depth):
        value = [value] if depth % 2 else {"[": value, '"\\': "]"}

    def depth_of(item: Any) -> int:
        if isinstance(item, dict):
            return 1 + max(map(depth_of, item.values()), default=0)
        return 1 + max(map(depth_of, item), default=0) if isinstance(item, list) else 0

    assert framing._is_too_deep(json.dumps(value)) == (depth_of(value) > MAX_DEPTH)


# What we send


def test_frames_are_compact_and_keep_the_order_of_keys() -> None:
    assert framing.encode_call("a", "Reset", {"type": "Soft"}) == '[2,"a","Reset",{"type":"Soft"}]'
    assert framing.encode_result("a", {"z": 1, "b": 2}) == '[3,"a",{"z":1,"b":2}]'


def test_decimals_are_sent_exactly_and_without_an_exponent() -> None:
    payload = {"limit": Decimal("16.10"), "rate": Decimal("1E+2"), "tiny": Decimal("1E-7")}
    assert (
        framing.encode_result("a", payload) == '[3,"a",{"limit":16.10,"rate":100,"tiny":0.0000001}]'
    )


def test_times_are_sent_with_a_zone_and_milliseconds() -> None:
    at = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
    away = datetime(2026, 3, 1, 14, tzinfo=timezone(timedelta(hours=2)))
    text = framing.encode_result("a", {"currentTime": at, "away": away})
    assert text == (
        '[3,"a",{"currentTime":"2026-03-01T12:00:00.123Z","away":"2026-03-01T14:00:00.000+02:00"}]'
    )


@pytest.mark.parametrize("value", [datetime(2026, 3, 1), Decimal("NaN"), object()])  # noqa: DTZ001
def test_values_without_a_form_on_the_wire_are_refused(value: object) -> None:
    with pytest.raises(TypeError):
        framing.encode_result("a", {"value": value})


@pytest.mark.parametrize(
    ("version", "code"),
    [(V16, "FormationViolation"), (V201, "RpcFrameworkError"), (V21, "RpcFrameworkError")],
)
def test_an_unreadable_id_is_answered_as_minus_one(version: Version, code: str) -> None:
    assert framing.encode_error(version, None, RPC, "no") == f'[4,"-1","{code}","no",{{}}]'


def test_errors_have_five_elements_and_a_short_description() -> None:
    text = framing.encode_error(V16, "a", PROPERTY, "x" * 300, {"field": "idTag"})
    assert json.loads(text) == [
        4,
        "a",
        "PropertyConstraintViolation",
        "x" * 255,
        {"field": "idTag"},
    ]
    result_error = framing.encode_result_error(V21, "a", FORMAT, "no")
    assert result_error == '[5,"a","FormatViolation","no",{}]'
