"""Stations over REST."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from accounts.choices import Role
from accounts.models import AuditEntry, Operator
from cms.base.time import rfc3339
from stations.models import EVSE, ChargingStation, Command, Connector
from stations.services.passwords import verify_password
from tests.api import Api, fields_of
from tests.factories import (
    STATION_PASSWORD,
    make_connector,
    make_connector_status,
    make_gateway,
    make_handshake_failure,
    make_location,
    make_message,
    make_state,
    make_station,
    unique,
)

EVSES = [
    {
        "evse_id": 2,
        "connectors": [
            {
                "connector_id": 1,
                "standard": "IEC_62196_T2",
                "power_type": "AC_3_PHASE",
                "max_power_w": 22000,
            }
        ],
    },
    {"evse_id": 1},
]


def test_a_station_needs_no_more_than_its_identity(api: Api) -> None:
    response = api.post("/stations/", {"identity": "CP-001"})
    assert response.status_code == 201
    station = ChargingStation.objects.get(identity="CP-001")
    assert response.json() == {
        "identity": "CP-001",
        "name": "",
        "location": None,
        "registration_status": "accepted",
        "security_profile": 0,
        "accepts_literal_hex": False,
        "assumes_ocpp16": False,
        "online": False,
        "protocol": None,
        "last_seen_at": None,
        "vendor": None,
        "model": None,
        "serial_number": None,
        "firmware_version": None,
        "status": None,
        "error_code": None,
        "status_at": None,
        "limits": {},
        "evses": [],
        "created_at": rfc3339(station.created_at),
    }
    assert station.password_hash == ""


def test_a_station_with_a_password_has_profile_1_and_never_shows_it(api: Api) -> None:
    response = api.post("/stations/", {"identity": "CP", "password": "correct horse"})
    assert response.json()["security_profile"] == 1
    assert "password" not in response.json()
    assert b"correct horse" not in response.content + api.get("/stations/CP/").content
    station = ChargingStation.objects.get(identity="CP")
    assert verify_password(b"correct horse", station.password_hash)


def test_a_missing_password_is_made_and_shown_once(api: Api) -> None:
    made = api.post("/stations/", {"identity": "CP", "security_profile": 2}).json()
    station = ChargingStation.objects.get(identity="CP")
    assert verify_password(made["password"].encode(), station.password_hash)
    assert "password" not in api.get("/stations/CP/").json()
    assert "password" not in api.results("/stations/")[0]
    assert made["password"] not in str(list(AuditEntry.objects.values_list("after", flat=True)))


def test_raw_bytes_can_be_the_password(api: Api) -> None:
    raw = bytes(range(200, 216))
    api.post("/stations/", {"identity": "CP", "password_hex": raw.hex()})
    assert verify_password(raw, ChargingStation.objects.get(identity="CP").password_hash)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"password": "seven77"}, "password"),
        ({"password": "x" * 41}, "password"),
        ({"password": ""}, "password"),
        ({"password": None}, "password"),
        ({"password": "nul\0nul\0"}, "password"),
        ({"password_hex": "00" * 7}, "password_hex"),
        ({"password_hex": "00" * 41}, "password_hex"),
        ({"password_hex": "0" * 17}, "password_hex"),
        ({"password_hex": "xy" * 10}, "password_hex"),
        ({"password": "long enough", "password_hex": "00" * 10}, "password_hex"),
        ({"security_profile": 4}, "security_profile"),
        ({"security_profile": -1}, "security_profile"),
        ({"security_profile": "1"}, "security_profile"),
        ({"registration_status": "Accepted"}, "registration_status"),
        ({"location": "999999"}, "location"),
        ({"location": 1}, "location"),
        ({"name": "x" * 121}, "name"),
        ({"evses": {}}, "evses"),
        ({"evses": [{"evse_id": 1}, {"evse_id": 1}]}, "evses"),
        ({"evses": [{"evse_id": n} for n in range(1, 300)]}, "evses"),
        ({"evses": [{"evse_id": 2**31}]}, "evses.0.evse_id"),
        (
            {"evses": [{"evse_id": 1, "connectors": [{"connector_id": 1}, {"connector_id": 1}]}]},
            "evses.0.connectors",
        ),
        (
            {"evses": [{"evse_id": 1, "connectors": [{"connector_id": 1, "max_power_w": -1}]}]},
            "evses.0.connectors.0.max_power_w",
        ),
        ({"vendr": "Acme"}, "vendr"),
    ],
)
def test_what_cannot_be_is_refused_by_name(
    api: Api, operator: Operator, body: dict[str, Any], field: str
) -> None:
    assert set(fields_of(api.post("/stations/", {"identity": "CP", **body}))) == {field}
    assert not ChargingStation.objects.filter(operator=operator).exists()
    station = make_station(operator)
    assert set(fields_of(api.patch(f"/stations/{station.identity}/", body))) == {field}


@pytest.mark.parametrize(
    "identity",
    [
        "a",
        "x" * 48,
        "DE*ABC*E1",
        "a b",
        "a+b",
        "a|b",
        "a=b@c.d_e",
        "-",
        " lead",
        "trail ",
        "%",
        "é",
    ],
)
def test_an_identity_is_reached_percent_encoded(api: Api, identity: str) -> None:
    response = api.post("/stations/", {"identity": identity})
    if identity in ("%", "é"):
        assert "identity" in fields_of(response)
        return
    assert response.json()["identity"] == identity
    for encoded in (quote(identity, safe=""), "".join(f"%{ord(c):02X}" for c in identity)):
        assert api.get(f"/stations/{encoded}/").json()["identity"] == identity
        assert api.results(f"/stations/{encoded}/messages/") == []


@pytest.mark.parametrize(
    "identity", ["", "x" * 49, "a/b", "a%20b", "a\n", "a\0", "ä", "a,b", "a?b", 1, None, ["a"]]
)
def test_an_identity_that_the_wire_cannot_carry_is_refused(api: Api, identity: object) -> None:
    assert "identity" in fields_of(api.post("/stations/", {"identity": identity}))


def test_an_identity_is_taken_whoever_owns_it_and_case_matters(api: Api, stranger_api: Api) -> None:
    assert api.post("/stations/", {"identity": "CP"}).status_code == 201
    for program in (api, stranger_api):
        response = program.post("/stations/", {"identity": "CP"})
        assert (response.status_code, response.json()["code"]) == (409, "conflict")
    assert stranger_api.post("/stations/", {"identity": "cp"}).status_code == 201
    assert api.get("/stations/cp/").status_code == 404


def test_an_identity_stays(api: Api) -> None:
    api.post("/stations/", {"identity": "CP"})
    assert fields_of(api.patch("/stations/CP/", {"identity": "CP-2"})) == {
        "identity": ["This cannot be changed."]
    }
    response = api.patch("/stations/CP/", {"identity": "CP", "name": "North"})
    assert response.json()["name"] == "North"


def test_what_was_read_can_be_sent_back(api: Api, operator: Operator) -> None:
    api.post("/stations/", {"identity": "CP", "name": "N", "evses": EVSES})
    shown = api.get("/stations/CP/").json()
    assert api.patch("/stations/CP/", shown).json() == shown
    assert not AuditEntry.objects.filter(operator=operator, action="station.update").exists()


def test_evses_are_described_replaced_and_listed_in_order(api: Api, operator: Operator) -> None:
    made = api.post("/stations/", {"identity": "CP", "evses": EVSES}).json()["evses"]
    nothing_reported = {"status": None, "error_code": None, "status_at": None}
    assert made == [
        {
            "evse_id": 1,
            "connectors": [
                {"connector_id": 1, "standard": None, "power_type": None, "max_power_w": None}
                | nothing_reported
            ],
        },
        {"evse_id": 2, "connectors": [EVSES[0]["connectors"][0] | nothing_reported]},
    ]
    plan = [
        {"evse_id": 2, "connectors": [{"connector_id": 2, "standard": "CHADEMO"}]},
        {"evse_id": 3, "connectors": [{"connector_id": 1}]},
    ]
    changed = api.patch("/stations/CP/", {"evses": plan}).json()["evses"]
    assert [(e["evse_id"], [c["connector_id"] for c in e["connectors"]]) for e in changed] == [
        (2, [2]),
        (3, [1]),
    ]
    assert changed[0]["connectors"][0]["standard"] == "CHADEMO"
    entry = AuditEntry.objects.get(operator=operator, action="station.update")
    assert [e["evse_id"] for e in entry.before["evses"]] == [1, 2]
    assert [e["evse_id"] for e in entry.after["evses"]] == [2, 3]


def test_what_a_station_reports_of_its_connectors_is_shown_with_what_was_described(
    api: Api, operator: Operator
) -> None:
    station = make_station(operator)
    make_connector(station, 1, standard="IEC_62196_T2", max_power_w=11000)
    make_connector_status(station, 1, status="Faulted", error_code="GroundFailure")
    make_connector_status(station, 2, status="Available", error_code="")
    evses = api.get(f"/stations/{station.identity}/").json()["evses"]
    first, second = (evse["connectors"][0] for evse in evses)
    assert (first["status"], first["error_code"]) == ("Faulted", "GroundFailure")
    assert (first["standard"], first["max_power_w"]) == ("IEC_62196_T2", 11000)
    assert (second["status"], second["error_code"], second["standard"]) == (
        "Available", None, None,
    )  # fmt: skip
    assert first["status_at"].endswith("Z")


def test_what_a_station_says_of_itself_is_shown(api: Api, operator: Operator) -> None:
    station = make_station(operator)
    state = make_state(station, status="Unavailable", error_code="OtherError")
    shown = api.get(f"/stations/{station.identity}/").json()
    assert (shown["vendor"], shown["model"]) == ("Acme", "Wallbox")
    assert (shown["serial_number"], shown["firmware_version"]) == ("A-1", "1.0")
    assert (shown["status"], shown["error_code"]) == ("Unavailable", "OtherError")
    assert shown["last_seen_at"] == rfc3339(state.last_seen_at)
    assert (shown["protocol"], shown["online"]) == ("ocpp1.6", False)


def test_online_means_a_socket_and_a_gateway_that_lives(api: Api, operator: Operator) -> None:
    alive, dead = make_gateway(), make_gateway(lease=timedelta(seconds=-1))
    online, lost, closed = (make_station(operator) for _ in range(3))
    make_state(online, gateway=alive)
    make_state(lost, gateway=dead)
    make_state(closed, gateway=alive, connected=False)
    never = make_station(operator)
    shown = {row["identity"]: row["online"] for row in api.results("/stations/")}
    assert shown == {
        online.identity: True,
        lost.identity: False,
        closed.identity: False,
        never.identity: False,
    }
    assert [r["identity"] for r in api.results("/stations/", online="true")] == [online.identity]
    assert len(api.results("/stations/", online="false")) == 3


def test_a_list_costs_the_same_for_many_stations(
    api: Api, operator: Operator, django_assert_num_queries: Callable[..., Any]
) -> None:
    for _ in range(5):
        station = make_station(operator, location=make_location(operator))
        make_state(station)
        for evse_id in (1, 2):
            make_connector(station, evse_id)
            make_connector_status(station, evse_id)
    api.get("/operators/me/")
    with django_assert_num_queries(5):  # key, stations, EVSEs, connectors, statuses
        assert len(api.results("/stations/")) == 5


def test_stations_are_found_by_location_and_registration(api: Api, operator: Operator) -> None:
    location = make_location(operator)
    here = make_station(operator, location=location)
    make_station(operator, registration_status="pending")
    found = api.results("/stations/", location=str(location.pk))
    assert [row["identity"] for row in found] == [here.identity]
    assert found[0]["location"] == str(location.pk)
    assert len(api.results("/stations/", registration_status="pending")) == 1
    assert api.results("/stations/", location="nowhere") == []


def test_another_operators_location_is_unknown(
    api: Api, operator: Operator, stranger: Operator
) -> None:
    foreign = make_location(stranger)
    response = api.post("/stations/", {"identity": "CP", "location": str(foreign.pk)})
    assert fields_of(response) == {"location": ["There is no such location."]}


# --- security --------------------------------------------------------------------------------


def test_lowering_the_profile_is_for_owners_and_leaves_an_audit_row(
    api: Api, owner_api: Api, operator: Operator
) -> None:
    station = make_station(operator, security_profile=2)
    address = f"/stations/{station.identity}/"
    assert api.patch(address, {"security_profile": 1}).status_code == 403
    assert api.patch(address, {"security_profile": 3}).status_code == 200
    response = owner_api.patch(address, {"security_profile": 0})
    assert response.json()["security_profile"] == 0
    entry = AuditEntry.objects.filter(operator=operator, action="station.update").first()
    assert (entry.before, entry.after) == ({"security_profile": 3}, {"security_profile": 0})


def test_a_refused_change_changes_nothing(api: Api, operator: Operator) -> None:
    station = make_station(operator, security_profile=2, name="before")
    api.patch(f"/stations/{station.identity}/", {"security_profile": 1, "name": "after"})
    station.refresh_from_db()
    assert (station.security_profile, station.name) == (2, "before")


def test_a_new_password_replaces_the_old_and_no_audit_row_holds_it(
    api: Api, operator: Operator
) -> None:
    station = make_station(operator)
    response = api.patch(f"/stations/{station.identity}/", {"password": "another secret"})
    assert "password" not in response.json()
    station.refresh_from_db()
    assert verify_password(b"another secret", station.password_hash)
    assert not verify_password(STATION_PASSWORD.encode(), station.password_hash)
    assert AuditEntry.objects.get(operator=operator, action="station.update").after == {
        "password": "changed"
    }


def test_a_new_password_ends_the_window_of_the_previous_one(api: Api, operator: Operator) -> None:
    station = make_station(operator, previous_password_hash="hmac$00$00")
    api.patch(f"/stations/{station.identity}/", {"password": "another secret"})
    station.refresh_from_db()
    assert (station.previous_password_hash, station.previous_password_until) == ("", None)


def test_raising_a_profile_without_a_password_makes_one(api: Api) -> None:
    api.post("/stations/", {"identity": "CP"})
    shown = api.patch("/stations/CP/", {"security_profile": 1}).json()
    station = ChargingStation.objects.get(identity="CP")
    assert verify_password(shown["password"].encode(), station.password_hash)
    assert "password" not in api.patch("/stations/CP/", {"security_profile": 2}).json()


@pytest.mark.parametrize("role", [Role.VIEWER, Role.SUPPORT, Role.FINANCE])
def test_who_may_not_change_stations_reads_them(
    api_as: Callable[[Role], Api], operator: Operator, role: Role
) -> None:
    station = make_station(operator)
    api = api_as(role)
    assert len(api.results("/stations/")) == 1
    for response in (
        api.post("/stations/", {"identity": "CP"}),
        api.patch(f"/stations/{station.identity}/", {"name": "x"}),
    ):
        assert (response.status_code, response.json()["code"]) == (403, "not_allowed")


# --- registration ------------------------------------------------------------------------------


def test_accepting_a_connected_station_asks_for_a_new_boot(api: Api, operator: Operator) -> None:
    station = make_station(operator, registration_status="pending")
    make_state(station, gateway=make_gateway())
    api.patch(f"/stations/{station.identity}/", {"registration_status": "accepted"})
    command = Command.objects.get(station=station)
    assert (command.action, command.payload) == (
        "TriggerMessage",
        {"requestedMessage": "BootNotification"},
    )


@pytest.mark.parametrize(
    ("before", "after", "connected"),
    [
        ("pending", "accepted", False),
        ("rejected", "accepted", True),
        ("accepted", "accepted", True),
        ("accepted", "pending", True),
        ("pending", "rejected", True),
    ],
)
def test_no_other_change_of_registration_asks_for_anything(
    api: Api, operator: Operator, before: str, after: str, connected: bool
) -> None:
    station = make_station(operator, registration_status=before)
    make_state(station, gateway=make_gateway() if connected else None)
    response = api.patch(f"/stations/{station.identity}/", {"registration_status": after})
    assert response.json()["registration_status"] == after
    assert not Command.objects.filter(station=station).exists()


# --- messages, handshakes ----------------------------------------------------------------------


def test_messages_come_oldest_first_and_are_filtered(api: Api, operator: Operator) -> None:
    station = make_station(operator)
    first = make_message(station, payload='{"energy":1.50}', action="MeterValues")
    reply = make_message(
        station, at=first.at + timedelta(seconds=1), direction="out", type="result",
        action="MeterValues",
    )  # fmt: skip
    beat = make_message(station, at=first.at + timedelta(seconds=2))
    make_message(make_station(operator))
    address = f"/stations/{station.identity}/messages/"
    rows = api.results(address)
    assert [row["message_id"] for row in rows] == [m.message_id for m in (first, reply, beat)]
    assert rows[0] == {
        "at": rfc3339(first.at),
        "direction": "in",
        "type": "call",
        "action": "MeterValues",
        "message_id": first.message_id,
        "payload": {"energy": 1.5},
    }
    assert b'"energy":1.50' in api.get(address).content
    assert len(api.results(address, action="MeterValues")) == 2
    assert len(api.results(address, direction="out")) == 1
    since = rfc3339(reply.at)
    assert len(api.results(address, since=since)) == 2
    assert len(api.results(address, since=since.replace("Z", "+00:00"))) == 2
    assert len(api.get(f"{address}?since={since.replace('Z', '+00:00')}").json()["results"]) == 2
    assert "direction" in fields_of(api.get(address, direction="sideways"))


def test_refused_handshakes_are_shown_with_their_reason(api: Api, operator: Operator) -> None:
    station = make_station(operator)
    failure = make_handshake_failure(station, detail="", times=3)
    make_handshake_failure(make_station(operator))
    rows = api.results(f"/stations/{station.identity}/handshake-failures/")
    assert [(r["id"], r["reason"], r["times"], r["station"]) for r in rows] == [
        (str(failure.pk), "wrong_credentials", 3, station.identity)
    ]
    assert rows[0]["message"] == "The password is wrong."
    own = [row for row in api.results("/handshake-failures/") if row["station"]]
    assert len(own) == 2
    assert len(api.results("/handshake-failures/", identity=station.identity)) == 1
    assert api.results("/handshake-failures/", resolved="true") == []
    assert api.results("/handshake-failures/", reason="wrong_user") == []


def test_identities_that_nobody_knows_are_shown_to_who_may_adopt_them(
    api_as: Callable[[Role], Api], stranger: Operator
) -> None:
    make_handshake_failure(make_station(stranger))
    unknown = make_handshake_failure()
    lost = make_handshake_failure(identity=f"/ocpp/{unique('CP')}/CP", reason="bad_identity")
    for role in Role:
        rows = api_as(role).results("/handshake-failures/")
        shown = {row["identity"] for row in rows} & {unknown.identity, lost.identity}
        may_adopt = role in (Role.OWNER, Role.MANAGER)
        assert shown == ({unknown.identity, lost.identity} if may_adopt else set())
        # Nobody's only: nothing of another operator's stations.
        assert {row["station"] for row in rows} <= {None}


def test_an_unknown_station_is_adopted_once(api: Api, stranger_api: Api) -> None:
    identity = unique("NEW")
    failures = [
        make_handshake_failure(identity=identity, remote_address=address)
        for address in ("192.0.2.1", "192.0.2.2")
    ]
    address = f"/handshake-failures/{failures[0].pk}/adopt/"
    response = api.post(address, {"name": "Found", "security_profile": 1})
    assert response.status_code == 201
    shown = response.json()
    assert (shown["identity"], shown["name"]) == (identity, "Found")
    assert verify_password(
        shown["password"].encode(), ChargingStation.objects.get(identity=identity).password_hash
    )
    rows = api.results(f"/stations/{identity}/handshake-failures/")
    assert len(rows) == 2
    assert all(row["resolved_at"] for row in rows)
    assert api.post(address, {}).status_code == 409
    assert stranger_api.post(address, {}).status_code == 404


def test_only_an_unknown_identity_can_be_adopted(api: Api, operator: Operator) -> None:
    failure = make_handshake_failure(make_station(operator))
    assert api.post(f"/handshake-failures/{failure.pk}/adopt/", {}).status_code == 409


def test_an_unknown_identity_that_no_station_may_have_is_refused(api: Api) -> None:
    failure = make_handshake_failure(identity="not/an identity")
    assert "identity" in fields_of(api.post(f"/handshake-failures/{failure.pk}/adopt/", {}))


def test_described_rows_are_gone_with_their_evse(api: Api) -> None:
    api.post("/stations/", {"identity": "CP", "evses": EVSES})
    api.patch("/stations/CP/", {"evses": []})
    assert not EVSE.objects.filter(station__identity="CP").exists()
    assert not Connector.objects.filter(evse__station__identity="CP").exists()
