"""Charging profiles over REST: the library, and what a station is asked to take and to drop."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.choices import Role
from accounts.models import Operator
from stations.commands.following import follow_ended
from stations.models import ChargingStation, Command, InstalledProfile, Transaction
from stations.services.charging_profiles import on_start_awaited, on_transaction_started
from tests.api import Api, fields_of
from tests.billing.factories import tell
from tests.factories import (
    make_api_key,
    make_charging_profile,
    make_id_token,
    make_installed_profile,
    make_operator,
    make_state,
    make_station,
    make_transaction,
)

Profile = dict[str, Any]


@pytest.fixture
def station(operator: Operator) -> ChargingStation:
    station = make_station(operator)
    make_state(station)
    return station


def profile(purpose: str = "TxDefaultProfile", **fields: Any) -> Profile:
    """11 kW, and 4.2 kW from the second hour."""
    schedule = {
        "id": 1,
        "chargingRateUnit": "W",
        "chargingSchedulePeriod": [
            {"startPeriod": 0, "limit": 11000, "numberPhases": 3},
            {"startPeriod": 3600, "limit": 4200.5},
        ],
        **fields.pop("schedule", {}),
    }
    return {
        "stackLevel": 2,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Relative",
        "chargingSchedule": [schedule],
        **fields,
    }


def constant(purpose: str = "ChargingStationMaxProfile", **fields: Any) -> Profile:
    period = {"startPeriod": 0, "limit": 30000}
    return profile(
        purpose,
        chargingProfileKind="Absolute",
        schedule={"chargingSchedulePeriod": [period]},
        **fields,
    )


def at(station: ChargingStation, rest: str = "") -> str:
    return f"/stations/{station.identity}/charging-profiles/{rest}"


def end(
    command_id: object, status: str = "accepted", said: str | None = "Accepted", **fields: Any
) -> None:
    """The command's outcome, worked off as the outbox does, twice."""
    response = None if said is None else {"status": said}
    Command.objects.filter(pk=command_id).update(  # type: ignore[misc]
        status=status, response=response, finished_at=timezone.now(), **fields
    )
    for _ in range(2):
        follow_ended(str(command_id), {})


def shown(api: Api, station: ChargingStation, row: dict[str, Any]) -> tuple[str, str | None]:
    now = api.get(at(station, f"{row['id']}/")).json()
    return now["status"], now["reason"]


# --- the library ---------------------------------------------------------------------------------


def test_the_library_is_kept_changed_and_thrown_away(api: Api) -> None:
    made = api.post("/charging-profiles/", {"name": "Evening", "profile": {"id": 9, **profile()}})
    assert made.status_code == 201, made.content
    assert b'"limit":4200.5}' in made.content
    path = f"/charging-profiles/{made.json()['id']}/"
    assert made.json()["profile"] == profile()
    assert api.get(path).json() == made.json()
    changed = api.patch(path, {"profile": constant()}).json()
    assert (changed["name"], changed["profile"]) == ("Evening", constant())
    assert api.get("/charging-profiles/").json()["results"] == [changed]
    assert api.send("DELETE", path).status_code == 204
    assert api.get(path).status_code == 404


def test_a_name_stands_once_in_an_operators_library(api: Api, operator: Operator) -> None:
    other = make_charging_profile(make_operator())
    mine = make_charging_profile(operator)
    body = {"name": mine.name, "profile": profile()}
    assert api.post("/charging-profiles/", body).status_code == 409
    assert api.post("/charging-profiles/", body | {"name": other.name}).status_code == 201


PERIODS = "profile.chargingSchedule[0].chargingSchedulePeriod"


@pytest.mark.parametrize(
    ("broken", "field"),
    [
        (profile(chargingProfileKind="Sometimes"), "profile.chargingProfileKind"),
        ({**profile(), "chargingSchedule": []}, "profile.chargingSchedule"),
        ({**profile(), "chargingSchedule": 5}, "profile.chargingSchedule"),
        ({**profile(), "chargingSchedule": [5]}, "profile.chargingSchedule[0]"),
        (profile(surprise=1), "profile.surprise"),
        (profile(stackLevel=-1), "profile.stackLevel"),
        (profile("ChargingStationExternalConstraints"), "profile.chargingProfilePurpose"),
        (profile("ChargingStationMaxProfile"), "profile.chargingProfileKind"),
        (profile(transactionId="7"), "profile.transactionId"),
        (profile("TxProfile", transactionId="7"), "profile.transactionId"),
        (profile(recurrencyKind="Daily"), "profile.recurrencyKind"),
        (profile(chargingProfileKind="Recurring"), "profile.recurrencyKind"),
        (
            profile(chargingProfileKind="Recurring", recurrencyKind="Daily"),
            "profile.chargingSchedule[0].startSchedule",
        ),
        (profile(chargingProfileKind="Absolute"), "profile.chargingSchedule[0].startSchedule"),
        (
            profile(schedule={"startSchedule": "2026-01-01T00:00:00Z"}),
            "profile.chargingSchedule[0].startSchedule",
        ),
        (
            profile(validFrom="2026-01-02T00:00:00Z", validTo="2026-01-01T00:00:00Z"),
            "profile.validTo",
        ),
        (profile(validFrom="yesterday"), "profile.validFrom"),
        (profile(validFrom="2016-12-31T23:59:60Z"), "profile.validFrom"),
        (profile(schedule={"duration": 0}), "profile.chargingSchedule[0].duration"),
        (
            profile(schedule={"minChargingRate": 1.25}),
            "profile.chargingSchedule[0].minChargingRate",
        ),
        (
            profile(schedule={"chargingSchedulePeriod": [{"startPeriod": 60, "limit": 1}]}),
            f"{PERIODS}[0].startPeriod",
        ),
        (
            profile(schedule={"chargingSchedulePeriod": [{"startPeriod": 0, "limit": 1}] * 2}),
            f"{PERIODS}[1].startPeriod",
        ),
        (
            profile(schedule={"chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6.25}]}),
            f"{PERIODS}[0].limit",
        ),
        (
            profile(schedule={"chargingSchedulePeriod": [{"startPeriod": 0, "limit": -1}]}),
            f"{PERIODS}[0].limit",
        ),
        (
            profile(
                schedule={
                    "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 1, "numberPhases": 4}]
                }
            ),
            f"{PERIODS}[0].numberPhases",
        ),
    ],
)
def test_what_no_profile_can_be_is_refused_with_its_field(
    api: Api, station: ChargingStation, broken: Profile, field: str
) -> None:
    library = api.post("/charging-profiles/", {"name": "x", "profile": broken})
    assert field in fields_of(library), fields_of(library)
    assert api.post(at(station), {"profile": broken, "evse_id": 1}).status_code == 400
    assert not Command.objects.filter(station=station).exists()


# --- installing ----------------------------------------------------------------------------------


def test_a_profile_of_the_library_is_sent_in_the_words_of_1_6(
    api: Api, station: ChargingStation, operator: Operator
) -> None:
    kept = make_charging_profile(operator, profile=profile())
    answer = api.post(at(station), {"profile": str(kept.pk), "evse_id": 1})
    assert answer.status_code == 201, answer.content
    row = answer.json()
    command = Command.objects.get(pk=row["command"])
    sent = command.payload["csChargingProfiles"]
    assert (command.action, command.payload["connectorId"]) == ("SetChargingProfile", 1)
    assert sent == {
        "chargingProfileId": row["profile_id"],
        "stackLevel": 2,
        "chargingProfileKind": "Relative",
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingSchedule": {
            "chargingRateUnit": "W",
            "chargingSchedulePeriod": profile()["chargingSchedule"][0]["chargingSchedulePeriod"],
        },
    }
    assert (row["status"], row["library_profile"]) == ("requested", str(kept.pk))
    assert row["profile"] == profile()
    end(command.pk)
    [listed] = api.get(at(station)).json()["results"]
    assert (listed["id"], listed["status"]) == (row["id"], "installed")
    assert listed["installed_at"] is not None


def test_a_maximum_is_the_stations_and_keeps_its_id(api: Api, station: ChargingStation) -> None:
    row = api.post(at(station), {"profile": {"id": 77, **constant()}}).json()
    payload = Command.objects.get(pk=row["command"]).payload
    assert (row["profile_id"], row["evse_id"], payload["connectorId"]) == (77, 0, 0)
    assert payload["csChargingProfiles"]["chargingProfilePurpose"] == "ChargePointMaxProfile"
    refused = api.post(at(station), {"profile": constant(), "evse_id": 1})
    assert "evse_id" in fields_of(refused)


def test_a_tx_profile_goes_where_its_transaction_runs_and_ends_with_it(
    api: Api, station: ChargingStation
) -> None:
    tx = make_transaction(station, evse_id=2, ocpp_transaction_id="4711")
    assert "transaction" in fields_of(api.post(at(station), {"profile": profile("TxProfile")}))
    body = {"profile": profile("TxProfile"), "transaction": str(tx.pk)}
    row = api.post(at(station), body).json()
    payload = Command.objects.get(pk=row["command"]).payload
    assert (payload["connectorId"], payload["csChargingProfiles"]["transactionId"]) == (2, 4711)
    assert (row["evse_id"], row["transaction"]) == (2, str(tx.pk))
    end(row["command"])
    Transaction.objects.filter(pk=tx.pk).update(
        status="ended", is_current=False, ended_at=timezone.now()
    )
    tell("transaction.ended", tx, times=2)
    assert shown(api, station, row) == ("cleared", "TransactionEnded")
    assert api.post(at(station), body).json()["code"] == "transaction_ended"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "profile"),
        ({"profile": 5}, "profile"),
        ({"profile": "5"}, "profile"),
        ({"profile": None}, "profile"),
        ({"profile": profile(), "evse_id": -1}, "evse_id"),
        ({"profile": profile(), "evse_id": 1, "transaction": "999999"}, "transaction"),
        ({"profile": profile(), "evse_id": 1, "transaction": "x"}, "transaction"),
        ({"profile": {"id": 2**31, **profile()}}, "profile.id"),
        ({"profile": {"id": "1", **profile()}}, "profile.id"),
        ({"profile": profile("TxProfile", transactionId="999")}, "profile.transactionId"),
    ],
)
def test_what_cannot_be_installed_names_its_field(
    api: Api, station: ChargingStation, body: dict[str, Any], field: str
) -> None:
    assert field in fields_of(api.post(at(station), body))
    assert not Command.objects.filter(station=station).exists()


@pytest.mark.parametrize(
    ("more", "field"),
    [
        (
            {"chargingSchedule": [profile()["chargingSchedule"][0]] * 2},
            "profile.chargingSchedule",
        ),
        ({"customData": {"vendorId": "x"}}, "profile.customData"),
        (
            {
                "chargingSchedule": [
                    {
                        "id": 1,
                        "chargingRateUnit": "A",
                        "chargingSchedulePeriod": [
                            {"startPeriod": 0, "limit": 6, "numberPhases": 1, "phaseToUse": 2}
                        ],
                    }
                ]
            },
            f"{PERIODS}[0].phaseToUse",
        ),
    ],
)
def test_what_1_6_has_no_words_for_is_refused_not_dropped(
    api: Api, station: ChargingStation, more: Profile, field: str
) -> None:
    asked = {**profile(), **more}
    assert api.post("/charging-profiles/", {"name": "x", "profile": asked}).status_code == 201
    refused = fields_of(api.post(at(station), {"profile": asked, "evse_id": 1}))
    assert "1.6" in refused[field][0]


@pytest.mark.parametrize(
    ("status", "said", "error", "reason"),
    [
        ("rejected", "Rejected", None, "Rejected"),
        ("rejected", "NotSupported", None, "NotSupported"),
        ("error", None, {"code": "NotImplemented", "description": ""}, "NotImplemented"),
        ("timed_out", None, {"code": "no_answer"}, "NoAnswer"),
        ("cancelled", None, {"code": "expired"}, "NotSent"),
    ],
)
def test_what_a_station_did_not_take_is_not_there(
    api: Api,
    station: ChargingStation,
    status: str,
    said: str | None,
    error: Any,
    reason: str,
) -> None:
    row = api.post(at(station), {"profile": profile(), "evse_id": 1}).json()
    end(row["command"], status, said, error=error)
    assert shown(api, station, row) == ("rejected", reason)
    assert api.get(at(station)).json()["results"] == []
    assert len(api.get(f"{at(station)}?status=rejected").json()["results"]) == 1


def test_a_late_yes_is_a_yes(api: Api, station: ChargingStation) -> None:
    row = api.post(at(station), {"profile": profile(), "evse_id": 1}).json()
    end(row["command"], "timed_out", None, error={"code": "no_answer"})
    end(row["command"], "timed_out", "Accepted", error={"code": "no_answer", "late": True})
    assert shown(api, station, row) == ("installed", None)


@pytest.mark.parametrize("same", ["id", "place"])
def test_a_newer_profile_takes_the_place_of_the_old(
    api: Api, station: ChargingStation, same: str
) -> None:
    first = api.post(at(station), {"profile": {"id": 5, **profile()}, "evse_id": 1}).json()
    end(first["command"])
    second_id, evse_id = (5, 2) if same == "id" else (6, 1)
    body = {"profile": {"id": second_id, **profile()}, "evse_id": evse_id}
    second = api.post(at(station), body).json()
    assert shown(api, station, first) == ("installed", None)
    end(second["command"])
    assert shown(api, station, first) == ("cleared", "Replaced")
    assert shown(api, station, second) == ("installed", None)
    end(first["command"])
    assert shown(api, station, second) == ("installed", None)


# --- clearing ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "said", "expected"),
    [
        ("accepted", "Accepted", ("cleared", "Cleared")),
        ("rejected", "Unknown", ("cleared", "NotFound")),
        ("timed_out", None, ("installed", None)),
        ("error", None, ("installed", None)),
    ],
)
def test_delete_asks_the_station_and_believes_it(
    api: Api,
    station: ChargingStation,
    status: str,
    said: str | None,
    expected: tuple[str, str | None],
) -> None:
    row = make_installed_profile(station)
    answer = api.send("DELETE", at(station, f"{row.pk}/"))
    assert answer.status_code == 202
    command = answer.json()
    assert (command["action"], command["payload"]) == (
        "ClearChargingProfile",
        {"id": row.profile_id},
    )
    end(command["id"], status, said)
    assert shown(api, station, {"id": row.pk}) == expected
    if expected[0] == "cleared":
        assert api.send("DELETE", at(station, f"{row.pk}/")).json()["code"] == "not_installed"


@pytest.mark.parametrize(
    ("payload", "left"),
    [
        ({"id": 1}, {2, 3}),
        ({"connectorId": 1}, {3}),
        ({"connectorId": 0}, {1, 2}),
        ({"chargingProfilePurpose": "ChargePointMaxProfile"}, {1, 2}),
        ({"stackLevel": 1}, {1, 3}),
        ({"stackLevel": 1, "connectorId": 0}, {1, 2, 3}),
        ({"id": 1, "chargingProfilePurpose": "TxProfile"}, {1, 2, 3}),
        ({}, set()),
    ],
)
def test_a_raw_clear_takes_what_matches_everything_given(
    api: Api, station: ChargingStation, payload: dict[str, Any], left: set[int]
) -> None:
    make_installed_profile(station, profile_id=1)
    make_installed_profile(station, profile_id=2, stack_level=1)
    make_installed_profile(station, profile_id=3, evse_id=0, purpose="ChargingStationMaxProfile")
    other = make_installed_profile(make_station(station.operator), profile_id=1)
    command = api.post(
        f"/stations/{station.identity}/commands/",
        {"action": "ClearChargingProfile", "payload": payload},
    ).json()
    end(command["id"])
    assert {row["profile_id"] for row in api.get(at(station)).json()["results"]} == left
    assert InstalledProfile.objects.get(pk=other.pk).status == "installed"


def test_a_clear_that_is_worked_off_first_still_wins(api: Api, station: ChargingStation) -> None:
    row = api.post(at(station), {"profile": profile(), "evse_id": 1}).json()
    clear = api.post(
        f"/stations/{station.identity}/commands/",
        {"action": "ClearChargingProfile", "payload": {"id": row["profile_id"]}},
    ).json()
    end(clear["id"])
    end(row["command"])
    assert shown(api, station, row) == ("cleared", "Cleared")


# --- raw commands, and starts that carry a profile ----------------------------------------------------


def raw(api: Api, station: ChargingStation, action: str, payload: dict[str, Any]) -> Any:
    return api.post(
        f"/stations/{station.identity}/commands/", {"action": action, "payload": payload}
    )


RAW = {
    "stackLevel": 0,
    "chargingProfilePurpose": "ChargePointMaxProfile",
    "chargingProfileKind": "Absolute",
    "chargingSchedule": {
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 32.5}],
    },
}


def test_a_raw_command_is_followed_like_any_other(api: Api, station: ChargingStation) -> None:
    payload = {"connectorId": 0, "csChargingProfiles": RAW}
    command = raw(api, station, "SetChargingProfile", payload).json()
    end(command["id"])
    [row] = api.get(at(station)).json()["results"]
    assert row["profile_id"] == command["payload"]["csChargingProfiles"]["chargingProfileId"]
    assert (row["purpose"], row["evse_id"]) == ("ChargingStationMaxProfile", 0)
    assert row["profile"]["chargingSchedule"][0]["chargingSchedulePeriod"][0]["limit"] == 32.5


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({"connectorId": -1, "csChargingProfiles": RAW}, "payload.connectorId"),
        (
            {"connectorId": 1, "csChargingProfiles": {**RAW, "chargingProfileId": 2**40}},
            "payload.chargingProfileId",
        ),
        (
            {"connectorId": 1, "csChargingProfiles": {**RAW, "stackLevel": -2}},
            "payload.stackLevel",
        ),
    ],
)
def test_numbers_that_nobody_can_keep_are_refused(
    api: Api, station: ChargingStation, payload: dict[str, Any], field: str
) -> None:
    assert field in fields_of(raw(api, station, "SetChargingProfile", payload))
    assert not Command.objects.filter(station=station).exists()


@pytest.mark.parametrize(
    ("limit", "schedule"),
    [
        ({"power_w": 7400}, ("W", 7400)),
        ({"current_a": 16.5}, ("A", 16.5)),
        ({"current_a": 10}, ("A", 10)),
    ],
)
def test_a_start_with_a_limit_carries_a_profile_for_its_transaction(
    api: Api, station: ChargingStation, limit: dict[str, Any], schedule: tuple[str, float]
) -> None:
    token = make_id_token(station.operator)
    body = {"id_token": token.uid, "evse_id": 1, "limit": limit}
    answer = api.post(f"/stations/{station.identity}/start/", body)
    assert answer.status_code == 202, answer.content
    command = answer.json()
    sent = command["payload"]["chargingProfile"]
    assert (sent["chargingProfilePurpose"], sent["chargingProfileKind"]) == (
        "TxProfile",
        "Relative",
    )
    assert "transactionId" not in sent
    told = sent["chargingSchedule"]
    assert (told["chargingRateUnit"], told["chargingSchedulePeriod"]) == (
        schedule[0],
        [{"startPeriod": 0, "limit": schedule[1]}],
    )
    end(command["id"], sent_at=timezone.now() - timedelta(seconds=1))
    [row] = api.get(at(station)).json()["results"]
    assert (row["status"], row["transaction"]) == ("requested", None)
    tx = make_transaction(station, id_token_uid=token.uid.lower())
    on_transaction_started("", {"transaction_id": tx.pk})
    [row] = api.get(at(station)).json()["results"]
    assert (row["status"], row["transaction"], row["evse_id"]) == ("installed", str(tx.pk), 1)
    on_start_awaited(command["id"], {})
    assert shown(api, station, row) == ("installed", None)


def test_a_start_of_which_nothing_came_leaves_no_profile(
    api: Api, station: ChargingStation
) -> None:
    token = make_id_token(station.operator)
    body = {"id_token": token.uid, "limit": {"power_w": 7400}}
    command = api.post(f"/stations/{station.identity}/start/", body).json()
    end(command["id"])
    [row] = api.get(at(station)).json()["results"]
    on_start_awaited(command["id"], {})
    assert shown(api, station, row) == ("rejected", "NotStarted")


def test_a_refused_start_takes_its_profile_along(api: Api, station: ChargingStation) -> None:
    token = make_id_token(station.operator)
    body = {"id_token": token.uid, "limit": {"power_w": 7400}}
    command = api.post(f"/stations/{station.identity}/start/", body).json()
    end(command["id"], "rejected", "Rejected")
    assert api.get(at(station)).json()["results"] == []


@pytest.mark.parametrize(
    "limit", [{}, {"power_w": 1, "current_a": 1}, {"power_w": -1}, {"current_a": 1.25}, 5, {"x": 1}]
)
def test_a_limit_that_says_nothing_or_too_much_is_refused(
    api: Api, station: ChargingStation, limit: Any
) -> None:
    token = make_id_token(station.operator)
    body = {"id_token": token.uid, "limit": limit}
    names = fields_of(api.post(f"/stations/{station.identity}/start/", body))
    assert any(name.startswith("limit") for name in names), names


def test_only_a_profile_for_the_transaction_may_come_with_a_start(
    api: Api, station: ChargingStation
) -> None:
    payload = {"idTag": "CARD", "chargingProfile": {**RAW, "chargingProfileId": 1}}
    assert "payload.chargingProfile" in fields_of(
        raw(api, station, "RemoteStartTransaction", payload)
    )


# --- who may ---------------------------------------------------------------------------------------


def test_another_operators_profiles_cannot_be_installed(api: Api, station: ChargingStation) -> None:
    foreign = make_charging_profile(make_operator())
    assert "profile" in fields_of(api.post(at(station), {"profile": str(foreign.pk)}))


@pytest.mark.parametrize(("role", "may"), [(Role.TECHNICIAN, True), (Role.SUPPORT, False)])
def test_a_technician_sets_limits_and_support_does_not(
    station: ChargingStation, role: Role, may: bool
) -> None:
    api = Api(make_api_key(station.operator, role))
    library = api.post("/charging-profiles/", {"name": "x", "profile": profile()})
    installed = api.post(at(station), {"profile": profile(), "evse_id": 1})
    assert (library.status_code, installed.status_code) == ((201, 201) if may else (403, 403))


def test_a_list_of_many_profiles_costs_no_more_queries(
    api: Api, station: ChargingStation, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    for level in range(20):
        make_installed_profile(station, stack_level=level)
    with django_assert_max_num_queries(6):
        assert len(api.get(at(station)).json()["results"]) == 20
