"""What is refused with which code, what is repaired, and how a command's faults are named."""

import json
from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest

from stations.ocpp.errors import ErrorCode
from stations.ocpp.framing import Call, parse
from stations.ocpp.schemas import REQUESTS, RESPONSES, SENDERS, UNANSWERED, preload
from stations.ocpp.validation import (
    Checked,
    Sender,
    Violation,
    action_known,
    check_inbound,
    check_reply,
    direction,
    order_request,
    order_response,
    validate_command,
    validate_request,
    validate_response,
)
from stations.ocpp.versions import Version

V16, V201, V21 = Version.V16, Version.V201, Version.V21
OCCURRENCE = ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION
PROPERTY = ErrorCode.PROPERTY_CONSTRAINT_VIOLATION
TYPE = ErrorCode.TYPE_CONSTRAINT_VIOLATION

AT = "2026-03-01T12:00:00Z"
START = {"connectorId": 1, "idTag": "04A1B2C3", "meterStart": 100, "timestamp": AT}
STOP = {"transactionId": 7, "meterStop": 2100, "timestamp": AT}
STATUS = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
BOOT = {"chargePointVendor": "V", "chargePointModel": "M"}


def checked(action: str, payload: dict[str, Any], version: Version = V16) -> Checked:
    outcome = check_inbound(version, action, deepcopy(payload))
    assert isinstance(outcome, Checked), outcome
    return outcome


def refused(action: str, payload: dict[str, Any], version: Version = V16) -> Violation:
    outcome = check_inbound(version, action, deepcopy(payload))
    assert isinstance(outcome, Violation), outcome
    return outcome


def samples(*values: Any, version: Version = V16) -> Checked:
    """Send `values` as the samples of one MeterValues."""
    payload = {"meterValue": [{"timestamp": AT, "sampledValue": list(values)}]}
    place = {"connectorId": 1} if version is V16 else {"evseId": 1}
    return checked("MeterValues", place | payload, version)


def kept(outcome: Checked) -> Any:
    return outcome.payload["meterValue"][0]["sampledValue"]


# Actions


@pytest.mark.parametrize("version", list(Version))
def test_every_action_has_its_schemas(version: Version) -> None:
    preload(version)
    assert set(REQUESTS[version]) == set(SENDERS[version])
    assert set(RESPONSES[version]) == set(SENDERS[version]) - UNANSWERED


def test_unknown_actions_and_wrong_directions_are_told_apart() -> None:
    assert refused("Bogus", {}).error is ErrorCode.NOT_IMPLEMENTED
    assert refused("heartbeat", {}).error is ErrorCode.NOT_IMPLEMENTED
    assert refused("TransactionEvent", {}, V16).error is ErrorCode.NOT_IMPLEMENTED
    assert refused("Reset", {"type": "Soft"}).error is ErrorCode.NOT_SUPPORTED
    assert refused("SetVariables", {}, V201).error is ErrorCode.NOT_SUPPORTED
    assert "Bogus" not in REQUESTS[V16]


def test_directions() -> None:
    assert direction(V16, "StartTransaction") is Sender.STATION
    assert direction(V16, "RemoteStartTransaction") is Sender.CSMS
    assert direction(V21, "DataTransfer") is Sender.BOTH
    assert action_known(V201, "TransactionEvent")
    assert not action_known(V16, "TransactionEvent")
    with pytest.raises(KeyError):
        direction(V16, "TransactionEvent")


# Refusals


@pytest.mark.parametrize(
    ("action", "payload", "error", "path"),
    [
        ("StartTransaction", START | {"idTag": "X" * 21}, PROPERTY, "idTag"),
        ("StartTransaction", START | {"connectorId": "1"}, TYPE, "connectorId"),
        ("StartTransaction", START | {"connectorId": True}, TYPE, "connectorId"),
        ("StartTransaction", START | {"meterStart": Decimal("1.5")}, TYPE, "meterStart"),
        ("StartTransaction", START | {"meterStart": None}, TYPE, "meterStart"),
        ("StartTransaction", START | {"meterStart": 2**63}, PROPERTY, "meterStart"),
        ("StartTransaction", START | {"meterStart": -(2**63) - 1}, PROPERTY, "meterStart"),
        ("StartTransaction", START | {"meterStart": 10**400}, PROPERTY, "meterStart"),
        ("StartTransaction", START | {"timestamp": 0}, TYPE, "timestamp"),
        ("StartTransaction", {}, OCCURRENCE, "connectorId"),
        ("StopTransaction", STOP | {"reason": "Boredom"}, PROPERTY, "reason"),
        ("StopTransaction", STOP | {"reason": "local"}, PROPERTY, "reason"),
        ("StatusNotification", STATUS | {"errorCode": "Nope"}, PROPERTY, "errorCode"),
        ("StatusNotification", STATUS | {"status": "available"}, PROPERTY, "status"),
        ("StatusNotification", STATUS | {"info": "x" * 51}, PROPERTY, "info"),
        ("BootNotification", BOOT | {"chargePointVendor": "x" * 21}, PROPERTY, "chargePointVendor"),
        ("BootNotification", BOOT | {"firmwareVersion": ["1"]}, TYPE, "firmwareVersion"),
        ("DataTransfer", {"vendorId": "V", "data": {"k": 1}}, TYPE, "data"),
        ("MeterValues", {"connectorId": 1, "meterValue": []}, OCCURRENCE, "meterValue"),
        ("MeterValues", {"connectorId": 1, "meterValue": "1"}, TYPE, "meterValue"),
        ("MeterValues", {"connectorId": 1, "meterValue": ["1"]}, TYPE, "meterValue[0]"),
        ("MeterValues", {"connectorId": 1}, OCCURRENCE, "meterValue"),
        (
            "MeterValues",
            {"connectorId": 1, "meterValue": [{"sampledValue": []}]},
            OCCURRENCE,
            "meterValue[0].timestamp",
        ),
    ],
)
def test_faults_of_meaning_are_refused(
    action: str, payload: dict[str, Any], error: ErrorCode, path: str
) -> None:
    violation = refused(action, payload)
    assert (violation.error, violation.path) == (error, path)
    assert violation.message.startswith(path)
    assert len(violation.message) <= 255


def test_a_missing_field_outranks_a_wrong_one() -> None:
    payload = {"connectorId": "1", "idTag": "X" * 21, "timestamp": AT}
    assert refused("StartTransaction", payload).error is OCCURRENCE


@pytest.mark.parametrize("field", list(START))
def test_each_required_field_is_required(field: str) -> None:
    payload = {name: value for name, value in START.items() if name != field}
    violation = refused("StartTransaction", payload)
    assert (violation.error, violation.path) == (OCCURRENCE, field)


def test_refusals_do_not_repeat_values() -> None:
    refusal = refused("StartTransaction", START | {"idTag": "SECRETTAG" * 5}).as_refusal()
    assert "SECRET" not in refusal.description
    assert refusal.details == {"field": "idTag"}
    assert refusal.error is PROPERTY


# What fits


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("Heartbeat", {}),
        ("StartTransaction", START | {"idTag": "X" * 20}),
        ("StartTransaction", START | {"connectorId": 0, "meterStart": -1}),
        ("StartTransaction", START | {"meterStart": 2**63 - 1}),
        ("StartTransaction", START | {"timestamp": "0"}),
        ("StartTransaction", START | {"timestamp": ""}),
        ("StartTransaction", START | {"timestamp": "2026-03-01T12:00:00"}),
        ("StopTransaction", STOP),
        ("StopTransaction", STOP | {"transactionId": -1, "transactionData": []}),
        ("StatusNotification", STATUS | {"vendorErrorCode": "anything at all"}),
        ("StatusNotification", STATUS | {"timestamp": "1970-01-01T00:00:00Z"}),
    ],
)
def test_odd_but_readable_payloads_fit_as_they_are(action: str, payload: dict[str, Any]) -> None:
    assert checked(action, payload) == Checked(payload, 0)


def test_one_point_zero_is_an_integer() -> None:
    text = json.dumps([2, "a", "StartTransaction", START]).replace("100", "100.0")
    frame = parse(text, V16)
    assert isinstance(frame, Call)
    outcome = checked(frame.action, frame.payload)
    assert outcome == Checked(START, 0)
    assert type(outcome.payload["meterStart"]) is int


# Repairs


def test_surplus_fields_and_optional_nulls_are_removed_and_counted() -> None:
    payload = START | {"vendorExtra": {"deep": [1]}, "reservationId": None, "zz": None}
    assert checked("StartTransaction", payload) == Checked(START, 3)


def test_surplus_fields_inside_objects_are_removed() -> None:
    payload = {
        "connectorId": 1,
        "meterValue": [{"timestamp": AT, "x": 1, "sampledValue": [{"value": "5", "y": 2}]}],
    }
    outcome = checked("MeterValues", payload)
    assert outcome.repairs == 2
    assert outcome.payload["meterValue"] == [{"timestamp": AT, "sampledValue": [{"value": "5"}]}]


def test_surplus_fields_do_not_hide_a_fault() -> None:
    violation = refused("StartTransaction", {"zz": 1} | START | {"idTag": 5})
    assert (violation.error, violation.path) == (TYPE, "idTag")


def test_custom_data_of_2x_stays() -> None:
    payload = {"customData": {"vendorId": "V", "anything": {"a": None}}}
    assert checked("Heartbeat", payload, V201) == Checked(payload, 0)
    surplus = checked("Heartbeat", payload | {"zz": 1}, V201)
    assert surplus == Checked(payload, 1)


def test_2x_data_may_be_null() -> None:
    payload = {"vendorId": "V", "data": None, "messageId": None}
    outcome = checked("DataTransfer", payload, V201)
    assert outcome == Checked({"vendorId": "V", "data": None}, 1)


@pytest.mark.parametrize(
    ("sample", "repaired"),
    [
        ({"value": 5}, {"value": "5"}),
        ({"value": Decimal("5.50")}, {"value": "5.50"}),
        ({"value": Decimal("1E-7")}, {"value": "0.0000001"}),
        ({"value": "5", "unit": ""}, {"value": "5"}),
        ({"value": "5", "phase": None}, {"value": "5"}),
        ({"value": "5", "vendorField": 1}, {"value": "5"}),
    ],
)
def test_samples_wrong_in_form_only_are_repaired(
    sample: dict[str, Any], repaired: dict[str, Any]
) -> None:
    outcome = samples(sample, {"value": "6"})
    assert kept(outcome) == [repaired, {"value": "6"}]
    assert outcome.repairs == 1


@pytest.mark.parametrize(
    "sample",
    [
        {"value": "5", "context": "Sample.Sometimes"},
        {"value": "5", "unit": "wh"},
        {"value": "5", "measurand": "Energy"},
        {"value": "5", "phase": "L4"},
        {"value": None},
        {"value": True},
        {"value": {"v": 1}},
        {"unit": "Wh"},
        {},
        "5",
        None,
        [],
    ],
)
def test_unreadable_samples_are_dropped_and_their_neighbours_kept(sample: Any) -> None:
    outcome = samples({"value": "1"}, deepcopy(sample), {"value": "2"})
    assert kept(outcome) == [{"value": "1"}, {"value": "2"}]
    assert outcome.repairs >= 1


@pytest.mark.parametrize("sampled", [None, "x", {"value": "5"}, 7])
def test_a_missing_list_of_samples_is_an_empty_one(sampled: Any) -> None:
    reading = {"timestamp": AT} | ({} if sampled is None else {"sampledValue": sampled})
    outcome = checked("MeterValues", {"connectorId": 1, "meterValue": [reading]})
    assert kept(outcome) == []
    assert outcome.repairs == 1


def test_an_empty_list_of_samples_fits() -> None:
    assert kept(samples()) == []
    assert samples().repairs == 0


def test_stop_transaction_data_is_repaired_like_meter_values() -> None:
    data = [
        {"timestamp": AT, "sampledValue": [{"value": 5, "unit": "Wh"}, {"value": "x", "unit": "?"}]}
    ]
    outcome = checked("StopTransaction", STOP | {"transactionData": data})
    readings = outcome.payload["transactionData"]
    assert readings == [{"timestamp": AT, "sampledValue": [{"value": "5", "unit": "Wh"}]}]
    assert outcome.repairs == 2
    hertz = [{"timestamp": AT, "sampledValue": [{"value": "50", "unit": "Hertz"}]}]
    assert checked("StopTransaction", STOP | {"transactionData": hertz}).repairs == 0


@pytest.mark.parametrize("version", [V201, V21])
def test_samples_of_2x_are_numbers(version: Version) -> None:
    assert samples({"value": Decimal("5.5")}, version=version).repairs == 0
    outcome = samples(
        {"value": "5.5"},
        {"value": "NaN"},
        {"value": "x"},
        {"value": 1, "measurand": "Mood"},
        version=version,
    )
    assert kept(outcome) == [{"value": Decimal("5.5")}]
    assert outcome.repairs == 4


def test_signed_data_is_left_alone() -> None:
    signed = {"value": "ab" * 10_000, "format": "SignedData"}
    assert samples(signed) == Checked(
        {"connectorId": 1, "meterValue": [{"timestamp": AT, "sampledValue": [signed]}]}, 0
    )


# Replies


def test_replies_are_judged_by_the_action_they_answer() -> None:
    assert check_reply(V16, "Reset", {"status": "Accepted"}) == Checked({"status": "Accepted"}, 0)
    assert check_reply(V16, "ClearCache", {"status": "Accepted", "x": 1}) == Checked(
        {"status": "Accepted"}, 1
    )
    assert check_reply(V16, "GetLocalListVersion", {"listVersion": -1}) == Checked(
        {"listVersion": -1}, 0
    )
    outcome = check_reply(V16, "Reset", {"status": "Perhaps"})
    assert isinstance(outcome, Violation)
    assert outcome.error is PROPERTY
    assert isinstance(check_reply(V16, "Reset", {}), Violation)
    assert check_reply(V16, "GetConfiguration", {}) == Checked({}, 0)


def test_a_configuration_value_may_be_null() -> None:
    keys = [{"key": "K", "readonly": True, "value": None}]
    outcome = check_reply(V16, "GetConfiguration", {"configurationKey": keys})
    assert outcome == Checked({"configurationKey": [{"key": "K", "readonly": True}]}, 1)


def test_our_own_payloads_are_judged_without_repairs() -> None:
    assert validate_request(V16, "Reset", {"type": "Soft"}) is None
    surplus = validate_request(V16, "Reset", {"type": "Soft", "zz": 1})
    assert surplus is not None
    assert surplus.path == "zz"
    assert validate_response(V16, "Authorize", {"idTagInfo": {"status": "Blocked"}}) is None
    assert validate_response(V16, "Authorize", {}) is not None


# Commands


def profile(limit: Any) -> dict[str, Any]:
    return {
        "connectorId": 1,
        "csChargingProfiles": {
            "chargingProfileId": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxDefaultProfile",
            "chargingProfileKind": "Absolute",
            "validFrom": AT,
            "chargingSchedule": {
                "chargingRateUnit": "A",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
            },
        },
    }


@pytest.mark.parametrize(
    "limit", [Decimal("21.4"), 21.4, 16, Decimal("16.0"), 0.1, 3.3, Decimal("3.30")]
)
def test_limits_of_one_decimal_are_allowed(limit: Any) -> None:
    assert validate_command(V16, "SetChargingProfile", profile(limit)) == []


@pytest.mark.parametrize("limit", [Decimal("4.11"), 4.11, Decimal("0.05")])
def test_finer_limits_are_named(limit: Any) -> None:
    faults = validate_command(V16, "SetChargingProfile", profile(limit))
    path = "csChargingProfiles.chargingSchedule.chargingSchedulePeriod[0].limit"
    assert faults == [(path, f"{path} must be a multiple of 0.1.")]


def test_every_fault_of_a_command_is_named() -> None:
    payload = {"connectorId": "1", "idTag": "X" * 21, "zz": 1}
    faults = dict(validate_command(V16, "RemoteStartTransaction", payload))
    assert faults == {
        "connectorId": "connectorId must be of type integer.",
        "idTag": "idTag is longer than 20 characters.",
        "zz": "zz is not a field of this message.",
    }
    assert dict(validate_command(V16, "RemoteStartTransaction", {})) == {
        "idTag": "idTag is missing."
    }


def test_times_in_commands_must_be_times() -> None:
    payload = {"location": "ftp://host/dir", "retrieveDate": "tomorrow"}
    faults = validate_command(V16, "UpdateFirmware", payload)
    assert faults == [("retrieveDate", "retrieveDate is not a valid date-time.")]
    assert validate_command(V16, "UpdateFirmware", payload | {"retrieveDate": AT}) == []


def test_half_a_surrogate_pair_in_a_command_is_a_fault() -> None:
    [(path, _)] = validate_command(V16, "RemoteStartTransaction", {"idTag": "\ud800"})
    assert path == ""


def test_commands_need_a_known_action() -> None:
    with pytest.raises(KeyError):
        validate_command(V16, "SetVariables", {})


# Order


def test_keys_are_ordered_at_every_level() -> None:
    shuffled = {
        "idTagInfo": {"status": "Accepted", "parentIdTag": "P", "expiryDate": AT},
        "transactionId": 7,
    }
    ordered = order_response(V16, "StartTransaction", shuffled)
    assert json.dumps(ordered) == json.dumps(
        {
            "idTagInfo": {"expiryDate": AT, "parentIdTag": "P", "status": "Accepted"},
            "transactionId": 7,
        }
    )
    payload = profile(16)
    backwards = dict(reversed(payload.items()))
    assert list(order_request(V16, "SetChargingProfile", backwards)) == list(payload)


def test_ordering_loses_nothing_and_touches_nothing() -> None:
    payload = {"zz": 1, "type": "Soft"}
    assert order_request(V16, "Reset", payload) == payload
    assert list(order_request(V16, "Reset", payload)) == ["type", "zz"]
    assert list(payload) == ["zz", "type"]
    custom = {"data": {"b": 1, "a": [{"d": 1, "c": 2}]}, "vendorId": "V"}
    ordered = order_request(V201, "DataTransfer", custom)
    assert json.dumps(ordered["data"]) == json.dumps(custom["data"])
