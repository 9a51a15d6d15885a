"""Charging profiles in the portal: the library with its editor, a station's tab, and requests in OCPP's own words."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone, translation

from accounts.choices import Role
from cms.base.errors import Invalid
from cms.portal.outcomes import outcome_words
from cms.portal.refusals import told
from stations.models import ChargingProfile, Command, InstalledProfile
from stations.services.charging_profile_rules import MAX_PROFILE, check_profile, constant_limit
from tests.cms.portal.conftest import NIGHT_AND_DAY, World
from tests.factories import make_charging_profile, make_operator

LIST, NEW = "/operator/charging-profiles/", "/operator/new-charging-profile/"


def own(world: World, rest: str = "") -> str:
    return f"{LIST}{world.charging_profile.pk}/{rest}"


def station(world: World, rest: str) -> str:
    return f"/operator/stations/{world.station.identity}/{rest}"


def filled(*periods: tuple[str, str, str], **fields: str) -> dict[str, str]:
    """The editor as a person fills it in: (after, limit, phases)."""
    data = {
        "name": "Evening",
        "purpose": "TxDefaultProfile",
        "stack_level": "2",
        "rhythm": "Relative",
        "starts_at": "",
        "duration": "",
        "unit": "W",
        "valid_from": "",
        "valid_to": "",
        "periods-TOTAL_FORMS": str(len(periods)),
        "periods-INITIAL_FORMS": "0",
        **fields,
    }
    for number, row in enumerate(periods):
        for name, value in zip(("begins", "limit", "phases"), row, strict=True):
            data[f"periods-{number}-{name}"] = value
    return data


# --- who may ---------------------------------------------------------------------------------------


def test_changing_the_library_is_for_those_who_change_stations(
    world: World, client_as: Callable[..., Client]
) -> None:
    for role, may in ((Role.TECHNICIAN, True), (Role.SUPPORT, False), (Role.VIEWER, False)):
        client = client_as(world.operator, role)
        assert client.get(LIST).status_code == 200
        for path in (NEW, own(world), own(world, "delete/")):
            assert client.get(path).status_code == (200 if may else 403), (role, path)
            if not may:
                assert client.post(path).status_code == 403
    assert ChargingProfile.objects.filter(pk=world.charging_profile.pk).exists()


def test_another_operators_library_does_not_exist(
    world: World, client_as: Callable[..., Client]
) -> None:
    foreign = client_as(make_operator(), Role.OWNER)
    for path in (own(world), own(world, "delete/"), station(world, "smart-charging/")):
        assert foreign.get(path).status_code == 404
        assert foreign.post(path).status_code in (404, 405)
    assert b"Night and day" not in foreign.get(LIST).content


def test_strangers_are_sent_to_the_door(world: World) -> None:
    for path in (LIST, NEW, own(world), own(world, "delete/")):
        assert Client().get(path).headers["Location"].startswith("/login/?next=")


# --- the library -------------------------------------------------------------------------------------


def test_the_library_says_what_each_profile_allows(world: World, owner: Client) -> None:
    page = owner.get(LIST).content.decode()
    for words in ("Night and day", "22:00", "3\u00a0kW on 1 of 3 phases", "06:00", "11\u00a0kW"):
        assert words in page, words
    assert 'points="' in page


def test_a_profile_is_made_in_the_editor(world: World, owner: Client) -> None:
    answer = owner.post(
        NEW,
        filled(
            ("0:00", "3.7", "1"),
            ("", "", ""),
            ("8:30", "11", ""),
            rhythm="Daily",
            starts_at="2026-01-01T22:00",
            duration="24:00",
            valid_to="2026-06-30T23:59",
        ),
    )
    assert answer.headers["Location"] == LIST, answer.content
    made = ChargingProfile.objects.get(operator=world.operator, name="Evening")
    assert made.profile == {
        "stackLevel": 2,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Recurring",
        "recurrencyKind": "Daily",
        "validTo": "2026-06-30T21:59:00Z",
        "chargingSchedule": [
            {
                "id": 1,
                "chargingRateUnit": "W",
                "startSchedule": "2026-01-01T21:00:00Z",
                "duration": 86400,
                "chargingSchedulePeriod": [
                    {"startPeriod": 0, "limit": 3700, "numberPhases": 1},
                    {"startPeriod": 30600, "limit": 11000},
                ],
            }
        ],
    }


def test_saving_what_the_editor_shows_changes_nothing(world: World, owner: Client) -> None:
    form = owner.get(own(world)).context["form"]
    rows = owner.get(own(world)).context["rows"]
    data = {
        "periods-TOTAL_FORMS": str(len(rows.forms)),
        "periods-INITIAL_FORMS": str(len(rows.forms)),
    }
    with timezone.override("Europe/Berlin"):
        for field in (field for each in (form, *rows.forms) for field in each):
            shown = field.field.widget.format_value(field.value())
            shown = shown[0] if isinstance(shown, list) else shown
            data[field.html_name] = "" if shown is None else str(shown)
    assert owner.post(own(world), data).status_code == 302
    world.charging_profile.refresh_from_db()
    assert world.charging_profile.profile == NIGHT_AND_DAY


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (filled(), "A profile needs at least one limit."),
        (filled(("1:00", "11", "")), "The first period begins at 0."),
        (filled(("0:00", "11", ""), ("0:00", "7", "")), "begins later than the one before"),
        (filled(("now", "11", "")), "Write hours and minutes"),
        (filled(("0:00", "", "")), "How much may be drawn"),
        (filled(("0:00", "6.25", ""), unit="A"), "at most one decimal"),
        (
            filled(("0:00", "11", ""), purpose="ChargingStationMaxProfile"),
            "cannot be relative",
        ),
        (filled(("0:00", "11", ""), rhythm="Daily"), "says when it first begins"),
        (filled(("0:00", "11", ""), name="Night and day"), "of this name already"),
    ],
)
def test_what_cannot_be_saved_says_why_beside_the_field(
    world: World, owner: Client, data: dict[str, str], sentence: str
) -> None:
    page = owner.post(NEW, data)
    assert page.status_code == 400
    assert sentence in page.content.decode()
    assert ChargingProfile.objects.filter(operator=world.operator).count() == 1


def test_drawing_and_one_more_row_save_nothing(world: World, owner: Client) -> None:
    drawn = owner.post(NEW, filled(("0:00", "11", "")) | {"calculate": "1"})
    assert drawn.status_code == 200
    assert "11\u00a0kW" in drawn.content.decode()
    more = owner.post(NEW, filled(("0:00", "11", "")) | {"add-row": "1"})
    assert len(more.context["rows"].forms) == 2
    assert ChargingProfile.objects.filter(operator=world.operator).count() == 1


def test_what_the_form_cannot_show_is_shown_as_text_and_not_lost(
    world: World, owner: Client
) -> None:
    schedule = {**NIGHT_AND_DAY["chargingSchedule"][0], "minChargingRate": 6}  # type: ignore[index]
    rich = {**NIGHT_AND_DAY, "chargingSchedule": [schedule]}
    row = make_charging_profile(world.operator, profile=rich)
    page = owner.get(f"{LIST}{row.pk}/")
    assert "minChargingRate" in page.content.decode()
    assert owner.post(f"{LIST}{row.pk}/", filled(("0:00", "1", ""))).status_code == 400
    row.refresh_from_db()
    assert row.profile == rich


def test_a_profile_is_deleted_after_one_question(world: World, owner: Client) -> None:
    assert owner.post(own(world, "delete/")).headers["Location"] == LIST
    assert not ChargingProfile.objects.filter(pk=world.charging_profile.pk).exists()
    assert InstalledProfile.objects.filter(station=world.station, status="installed").exists()


# --- at a station --------------------------------------------------------------------------------------


def test_the_tab_shows_what_is_there_what_was_and_what_holds(world: World, owner: Client) -> None:
    page = owner.get(station(world, "smart-charging/")).content.decode()
    for words in (
        "Night and day",
        "4711",
        "The station cannot do smart charging.",
        "16.5\u00a0A",
        "1 Mar 2026, 14:00",
    ):
        assert words in page, words


def test_a_profile_is_installed_from_the_library(world: World, owner: Client) -> None:
    data = {"profile": str(world.charging_profile.pk), "evse_id": "2", "transaction": ""}
    answer = owner.post(station(world, "ask/install-profile/"), data)
    assert answer.headers["Location"] == station(world, "smart-charging/")
    command = Command.objects.filter(station=world.station, action="SetChargingProfile").get()
    assert command.payload["connectorId"] == 2
    row = InstalledProfile.objects.get(command=command)
    assert (row.status, row.library_profile) == ("requested", world.charging_profile)


def test_a_profile_for_one_session_goes_where_that_is(world: World, owner: Client) -> None:
    body = {
        **NIGHT_AND_DAY,
        "chargingProfilePurpose": "TxProfile",
    }
    row = make_charging_profile(world.operator, profile=body)
    data = {"profile": str(row.pk), "evse_id": "0", "transaction": ""}
    refused = owner.post(station(world, "ask/install-profile/"), data)
    assert "belongs to a transaction" in refused.content.decode()
    data["transaction"] = str(world.running.pk)
    assert owner.post(station(world, "ask/install-profile/"), data).status_code == 302
    command = Command.objects.filter(station=world.station, action="SetChargingProfile").get()
    assert command.payload["connectorId"] == world.running.evse_id


def test_another_operators_profile_is_no_choice(world: World, owner: Client) -> None:
    foreign = make_charging_profile(make_operator())
    data = {"profile": str(foreign.pk), "evse_id": "0"}
    assert owner.post(station(world, "ask/install-profile/"), data).status_code == 400


@pytest.mark.parametrize(
    ("kind", "data", "action", "payload"),
    [
        ("clear-profile", {}, "ClearChargingProfile", {"id": 4711}),
        ("clear-profiles", {}, "ClearChargingProfile", {}),
        (
            "clear-profiles",
            {"where": "0", "purpose": "ChargingStationMaxProfile", "stack_level": "3"},
            "ClearChargingProfile",
            {"connectorId": 0, "chargingProfilePurpose": "ChargePointMaxProfile", "stackLevel": 3},
        ),
        (
            "composite-schedule",
            {"evse_id": "1", "hours": "2", "unit": "A"},
            "GetCompositeSchedule",
            {"connectorId": 1, "duration": 7200, "chargingRateUnit": "A"},
        ),
        (
            "data-transfer",
            {"vendor_id": "acme", "message_id": "", "content": " x "},
            "DataTransfer",
            {"vendorId": "acme", "data": " x "},
        ),
        (
            "send-request",
            {"action": "TriggerMessage", "payload": '{"requestedMessage": "Heartbeat"}'},
            "TriggerMessage",
            {"requestedMessage": "Heartbeat"},
        ),
    ],
)
def test_questions_ask_what_they_say(
    world: World,
    owner: Client,
    kind: str,
    data: dict[str, str],
    action: str,
    payload: dict[str, Any],
) -> None:
    if kind == "clear-profile":
        installed = InstalledProfile.objects.get(station=world.station, profile_id=4711)
        data = {"profile": str(installed.pk)}
    before = Command.objects.filter(station=world.station).count()
    answer = owner.post(station(world, f"ask/{kind}/"), data)
    assert answer.status_code == 302, answer.content
    assert Command.objects.filter(station=world.station).count() == before + 1
    command = Command.objects.filter(station=world.station).latest("pk")
    assert (command.action, command.payload) == (action, payload)


def test_a_start_with_a_limit_carries_a_profile(world: World, owner: Client) -> None:
    uid = world.running.id_token.uid  # type: ignore[union-attr]
    data = {"id_token": uid, "evse_id": "2", "limit_kw": "7.4"}
    assert owner.post(station(world, "ask/start/"), data).status_code == 302
    command = Command.objects.get(station=world.station, action="RemoteStartTransaction")
    schedule = command.payload["chargingProfile"]["chargingSchedule"]
    assert schedule["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 7400}]


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        ("{", "This is not JSON."),
        ("[" * 5000, "This is not JSON."),
        ("[]", "A payload is an object"),
        ('{"type": "Lukewarm"}', "type is not one of the allowed values"),
        ("{}", "type is missing"),
    ],
)
def test_a_request_that_no_station_would_understand_names_the_fault(
    world: World, owner: Client, payload: str, sentence: str
) -> None:
    page = owner.post(station(world, "ask/send-request/"), {"action": "Reset", "payload": payload})
    assert page.status_code == 400
    assert sentence in page.content.decode()


def test_only_what_a_csms_sends_can_be_chosen(world: World, owner: Client) -> None:
    page = owner.get(station(world, "ask/send-request/")).content.decode()
    assert ">GetCompositeSchedule<" in page
    assert ">StartTransaction<" not in page


# --- outcomes in words ------------------------------------------------------------------------------------


def command(status: str, **fields: Any) -> Command:
    return Command(
        action="Reset",
        status=status,
        expires_at=timezone.now() + timedelta(hours=1),
        **fields,
    )


@pytest.mark.parametrize(
    ("asked", "online", "sentence"),
    [
        (command("queued"), False, "The station is offline. It waits until"),
        (command("queued"), True, "It is next to be sent"),
        (command("sent"), True, "its answer is awaited"),
        (command("accepted", response={"status": "Accepted"}), True, ""),
        (command("accepted", response={}), True, ""),
        (command("accepted", response={"status": "Scheduled"}), True, "running session has ended"),
        (command("accepted", response={"status": "RebootRequired"}), True, "next restart"),
        (command("rejected", response={"status": "Rejected"}), True, "The station refused."),
        (command("rejected", response={"status": "NotSupported"}), True, "cannot do this"),
        (command("rejected", response={"status": "Odd"}), True, "Odd"),
        (
            command("error", error={"code": "NotImplemented", "description": "no such thing"}),
            True,
            "does not know this request. (NotImplemented: no such thing)",
        ),
        (command("error", error={"code": "Odd", "description": ""}), True, "an error. (Odd)"),
        (
            command("error", error={"code": "invalid_response", "description": "status is odd"}),
            True,
            "could not be understood. (status is odd)",
        ),
        (
            command("timed_out", error={"code": "no_answer", "description": "x"}),
            True,
            "whether it did what was asked is not known.",
        ),
        (
            command(
                "timed_out",
                error={"code": "no_answer", "late": True},
                response={"status": "Accepted"},
            ),
            True,
            "too late: it did what was asked.",
        ),
        (command("cancelled", error={"code": "expired"}), None, "never asked"),
        (command("cancelled"), None, "taken back before it was sent"),
    ],
)
def test_every_outcome_has_its_sentence(asked: Command, online: bool | None, sentence: str) -> None:
    words = outcome_words(asked, is_online=online, zone="Europe/Berlin")
    assert sentence in words if sentence else words == ""


# --- refusals in the reader's language -------------------------------------------------------------

PERIOD = {"startPeriod": 0, "limit": 16}


def broken(**fields: Any) -> dict[str, Any]:
    """A profile with one thing wrong; `schedule` are fields of its schedule."""
    schedule = {
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [PERIOD],
        **fields.pop("schedule", {}),
    }
    return {
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": [schedule],
        **fields,
    }


@pytest.mark.parametrize(
    "profile",
    [
        broken(chargingProfilePurpose="ChargingStationMaxProfile"),
        broken(chargingProfileKind="Recurring"),
        broken(recurrencyKind="Daily"),
        broken(stackLevel=-1),
        broken(validFrom="2026-01-02T00:00:00Z", validTo="2026-01-01T00:00:00Z"),
        broken(transactionId="7"),
        broken(
            chargingProfileKind="Absolute",
            schedule={"chargingSchedulePeriod": [PERIOD, {**PERIOD, "startPeriod": 60}]},
        ),
        broken(schedule={"startSchedule": "2026-01-01T00:00:00Z"}),
        broken(schedule={"duration": 0}),
        broken(schedule={"chargingSchedulePeriod": [{**PERIOD, "startPeriod": 5}]}),
        broken(schedule={"chargingSchedulePeriod": [PERIOD, PERIOD]}),
        broken(schedule={"chargingSchedulePeriod": [PERIOD, {**PERIOD, "startPeriod": 2**31}]}),
        broken(schedule={"chargingSchedulePeriod": [{**PERIOD, "numberPhases": 4}]}),
        broken(schedule={"chargingSchedulePeriod": [{**PERIOD, "phaseToUse": 1}]}),
        broken(schedule={"chargingSchedulePeriod": [{**PERIOD, "limit": -1}]}),
        broken(schedule={"chargingSchedulePeriod": [{**PERIOD, "limit": 16.25}]}),
    ],
)
def test_what_breaks_a_rule_is_said_in_french_too(profile: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as caught:
        check_profile(profile)
    sentences = [said for group in caught.value.data["fields"].values() for said in group]
    with translation.override("fr"):
        assert all(told(sentence) != sentence for sentence in sentences), sentences


def test_a_button_refuses_in_the_readers_language(world: World, owner: Client) -> None:
    profile = make_charging_profile(
        world.operator, profile=constant_limit("A", 16, purpose=MAX_PROFILE)
    )
    path = station(world, "ask/install-profile/")
    answer = owner.post(
        path, {"profile": profile.pk, "evse_id": 1}, headers={"accept-language": "fr"}
    )
    assert answer.status_code == 400
    assert "vaut pour toute la borne" in answer.content.decode()


def test_the_library_and_the_firmware_are_a_click_from_the_stations(
    world: World, viewer: Client
) -> None:
    page = viewer.get("/operator/stations/").content.decode()
    for path in (LIST, "/operator/firmware/"):
        assert f'href="{path}"' in page
        assert viewer.get(path).status_code == 200
