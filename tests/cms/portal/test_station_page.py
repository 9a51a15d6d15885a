"""A station's page: what a fault means, a restart step by step, and the tabs."""

import json
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.choices import Role
from accounts.models import AuditEntry
from cms.portal.commands import configuration_of
from cms.portal.faults import NO_ERROR, fault_of, meaning_of
from stations.choices import CommandStatus
from stations.commands.following import follow_ended
from stations.models import ChargingStation, Command, StationState
from stations.ocpp.validation import validate_request
from stations.ocpp.versions import Version
from tests.cms.portal.conftest import World
from tests.cms.portal.test_pages import text
from tests.factories import (
    make_command,
    make_connector,
    make_connector_status,
    make_gateway,
    make_message,
    make_state,
    make_station,
    make_transaction,
    unique,
)

# OCPP 1.6 §7.6.
ERROR_CODES = [
    "ConnectorLockFailure",
    "EVCommunicationError",
    "GroundFailure",
    "HighTemperature",
    "InternalError",
    "LocalListConflict",
    "OtherError",
    "OverCurrentFailure",
    "OverVoltage",
    "PowerMeterFailure",
    "PowerSwitchFailure",
    "ReaderFailure",
    "ResetFailure",
    "UnderVoltage",
    "WeakSignal",
]


@pytest.fixture
def station(world: World) -> ChargingStation:
    """Connected, and nothing is wrong with it."""
    station = make_station(world.operator)
    make_state(station, gateway=make_gateway())
    make_connector(station)
    make_connector_status(station)
    return station


def address(station: ChargingStation, tab: str = "") -> str:
    return f"/operator/stations/{station.identity}/{tab}"


# --- faults ----------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ERROR_CODES)
def test_every_error_code_of_the_specification_has_words_of_its_own(code: str) -> None:
    payload = {"connectorId": 1, "errorCode": code, "status": "Faulted"}
    assert validate_request(Version.V16, "StatusNotification", payload) is None
    meaning = meaning_of(code)
    others = [meaning_of(other) for other in ["", "Unheard", *ERROR_CODES] if other != code]
    assert meaning.happened not in [other.happened for other in others]
    assert str(meaning.happened).endswith(".")
    assert str(meaning.remedy).endswith(".")


@pytest.mark.parametrize("code", [*NO_ERROR, "Unheard"])
def test_a_fault_without_a_known_code_still_says_what_to_do(
    station: ChargingStation, code: str
) -> None:
    status = make_connector_status(station, 2, status="Faulted", error_code=code)
    fault = fault_of(status)
    assert fault is not None
    assert fault.is_out_of_order
    assert fault.meaning.restart_helps


def test_a_connector_that_is_well_has_no_fault(station: ChargingStation) -> None:
    assert fault_of(station.connector_statuses.get()) is None
    assert fault_of(None) is None


def test_the_station_says_what_happened_and_shows_the_makers_words(
    world: World, owner: Client, station: ChargingStation
) -> None:
    station.connector_statuses.update(
        status="Faulted", error_code="OtherError", vendor_error_code="E-<17>", info="Fan & relay"
    )
    page = owner.get(address(station)).content.decode()
    assert "Something failed that has no name in OCPP." in page
    assert "E-&lt;17&gt;" in page
    assert "Fan &amp; relay" in page
    assert "/ask/reset-soft/" in page[page.index('class="fault"') : page.index("</article>")]


def test_a_warning_of_a_connector_that_works_is_mild_and_offers_no_restart(
    owner: Client, station: ChargingStation
) -> None:
    station.connector_statuses.update(error_code="WeakSignal")
    page = owner.get(address(station)).content.decode()
    assert "mobile network is weak" in page
    fault = page[page.index("fault--mild") : page.index("</article>")]
    assert "/ask/reset-soft/" not in fault


def test_what_an_offline_station_said_last_is_not_told_as_a_fault(
    world: World, owner: Client
) -> None:
    lost = make_station(world.operator)
    make_state(lost)
    make_connector_status(lost, status="Faulted", error_code="GroundFailure")
    page = text(owner, address(lost))
    assert "Current leaked" not in page
    assert "Before the connection was lost: Faulted" in page


# --- a restart -------------------------------------------------------------------------------


def reached(client: Client, station: ChargingStation) -> list[bool]:
    """Of asked, agreed, started up, connected, works again."""
    recovery = client.get(address(station)).context["recovery"]
    assert recovery is not None
    return [step.is_done for step in recovery.steps]


def test_a_restart_is_followed_step_by_step_until_the_station_works_again(
    owner: Client, station: ChargingStation
) -> None:
    station.connector_statuses.update(status="Faulted", error_code="InternalError")
    now = timezone.now()
    state = StationState.objects.filter(station=station)
    state.update(booted_at=now - timedelta(hours=1), connected_at=now - timedelta(hours=1))

    command = make_command(station)
    assert reached(owner, station) == [True, False, False, False, False]
    assert "data-live-soon" in owner.get(address(station)).content.decode()

    Command.objects.filter(pk=command.pk).update(
        status=CommandStatus.ACCEPTED, sent_at=now, finished_at=now, response={"status": "Accepted"}
    )
    assert reached(owner, station) == [True, True, False, False, False]

    state.update(connected=False)
    assert reached(owner, station) == [True, True, False, False, False]

    state.update(connected=True, booted_at=now + timedelta(seconds=5))
    assert reached(owner, station) == [True, True, True, True, False]

    station.connector_statuses.update(status="Available", error_code="NoError")
    assert reached(owner, station) == [True] * 5
    page = owner.get(address(station)).content.decode()
    assert "The station is back" in page
    assert "data-live-soon" not in page


@pytest.mark.parametrize("status", [CommandStatus.REJECTED, CommandStatus.TIMED_OUT])
def test_a_restart_that_failed_says_so_and_what_is_next(
    owner: Client, station: ChargingStation, status: CommandStatus
) -> None:
    now = timezone.now()
    make_command(station, status=status, sent_at=now, finished_at=now)
    page = owner.get(address(station))
    assert "The restart failed" in page.content.decode()
    assert page.context["recovery"].is_over


def test_a_restart_of_long_ago_is_history(owner: Client, station: ChargingStation) -> None:
    command = make_command(station)
    Command.objects.filter(pk=command.pk).update(created_at=timezone.now() - timedelta(hours=1))
    assert owner.get(address(station)).context["recovery"] is None


# --- tabs ------------------------------------------------------------------------------------


def test_a_station_that_never_called_shows_what_to_type_into_it(
    world: World, owner: Client
) -> None:
    station = make_station(world.operator)
    page = text(owner, address(station))
    assert "Waiting for its first call" in page
    assert f"/ocpp/{station.identity}" in page


def test_the_trace_is_filtered_by_message_and_direction(
    owner: Client, station: ChargingStation
) -> None:
    make_message(station, action="Heartbeat", payload='{"n":"in-beat"}')
    make_message(station, action="StatusNotification", payload='{"n":"in-status"}')
    make_message(station, action="StatusNotification", direction="out", type="result")
    make_message(make_station(station.operator), action="Heartbeat", payload='{"n":"foreign"}')

    def gists(query: str) -> list[str]:
        frames = owner.get(address(station, f"trace/?{query}")).context["frames"]
        return [f"{frame.message.direction} {frame.message.action}" for frame in frames]

    assert gists("action=Heartbeat") == ["in Heartbeat"]
    assert gists("direction=out") == ["out StatusNotification"]
    assert gists("action=StatusNotification&direction=in") == ["in StatusNotification"]
    assert len(gists("")) == 3
    assert gists("action=Reset") == []


def test_the_trace_offers_every_message_of_the_stations_version(
    owner: Client, station: ChargingStation
) -> None:
    page = owner.get(address(station, "trace/")).content.decode()
    offered = set(re.findall(r'<option value="(\w+)"', page))
    assert {"BootNotification", "UnlockConnector", "DataTransfer", "in", "out"} <= offered
    assert "TransactionEvent" not in offered


def test_frames_of_the_same_moment_are_on_one_page_each(
    owner: Client, station: ChargingStation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cms.portal.trace.FRAMES_SHOWN", 2)
    at = timezone.now()
    ids = {make_message(station, at=at).pk for _ in range(5)}
    seen: list[int] = []
    before = ""
    while True:
        response = owner.get(address(station, f"trace/?direction=in&before={before}"))
        seen += [frame.message.pk for frame in response.context["frames"]]
        before = response.context["next_before"]
        if before is None:
            break
    assert seen == sorted(ids, reverse=True)


@pytest.mark.parametrize(
    ("kind", "payload", "wire"),
    [
        ("call", '{"a":1}', [2, "m-1", "Heartbeat", {"a": 1}]),
        ("result", '{"currentTime":"x"}', [3, "m-1", {"currentTime": "x"}]),
    ],
)
def test_a_frame_is_copied_as_it_travelled(
    owner: Client, station: ChargingStation, kind: str, payload: str, wire: list[object]
) -> None:
    make_message(station, type=kind, payload=payload, message_id="m-1")
    (frame,) = owner.get(address(station, "trace/")).context["frames"]
    assert json.loads(frame.wire) == wire
    assert 'data-copy="[' in owner.get(address(station, "trace/")).content.decode()


def _told(station: ChargingStation, *, payload: dict[str, object], **settings: str) -> Command:
    items = [{"key": key, "readonly": False, "value": value} for key, value in settings.items()]
    return _worked_off(
        make_command(
            station,
            action="GetConfiguration",
            payload=payload,
            status=CommandStatus.ACCEPTED,
            finished_at=timezone.now(),
            response={"configurationKey": items},
        )
    )


def _worked_off(command: Command) -> Command:
    """As the outbox does."""
    follow_ended(str(command.pk), {})
    return command


def _changed(station: ChargingStation, key: str, value: str, status: str) -> Command:
    accepted = status in ("Accepted", "RebootRequired")
    return _worked_off(
        make_command(
            station,
            action="ChangeConfiguration",
            payload={"key": key, "value": value},
            status=CommandStatus.ACCEPTED if accepted else CommandStatus.REJECTED,
            finished_at=timezone.now(),
            response={"status": status},
        )
    )


def test_the_configuration_is_what_was_told_and_what_was_agreed_since(
    owner: Client, station: ChargingStation
) -> None:
    assert configuration_of(station) is None
    _changed(station, "A", "before it was read", "Accepted")
    _told(station, payload={}, A="1", B="1", C="1", D="1")
    _changed(station, "B", "2", "Accepted")
    _changed(station, "C", "2", "RebootRequired")
    _changed(station, "D", "2", "Rejected")
    _changed(station, "A", "2", "Accepted")
    _told(station, payload={"key": ["A"]}, A="3")
    configuration = configuration_of(station)
    assert configuration is not None
    known = {setting.key: setting for setting in configuration.settings}
    assert {key: setting.value for key, setting in known.items()} == {
        "A": "3",
        "B": "2",
        "C": "2",
        "D": "1",
    }
    assert known["A"].changed_at is None
    assert known["B"].changed_at is not None
    assert known["C"].needs_restart
    assert "holds after a restart" in text(owner, address(station, "configuration/"))


def test_a_password_is_never_among_the_settings(owner: Client, station: ChargingStation) -> None:
    secret = unique("secret")
    _told(station, payload={}, AuthorizationKey=secret)
    _changed(station, "AuthorizationKey", secret, "Accepted")
    assert secret not in owner.get(address(station, "configuration/")).content.decode()
    assert secret not in owner.get(address(station, "commands/")).content.decode()


def test_commands_turn_their_pages_by_key(
    owner: Client, station: ChargingStation, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [make_command(station).pk for _ in range(55)]
    first = owner.get(address(station, "commands/"))
    second = owner.get(address(station, f"commands/?before={first.context['next_before']}"))
    shown = [view.command.pk for page in (first, second) for view in page.context["commands"]]
    assert shown == sorted(ids, reverse=True)
    assert second.context["next_before"] is None


def test_a_waiting_command_is_taken_back_once(
    world: World, owner: Client, client_as: Callable[..., Client]
) -> None:
    path = f"/operator/commands/{world.command.pk}/cancel/"
    assert client_as(world.operator, Role.SUPPORT).post(path).status_code == 403
    assert owner.post(path).status_code == 302
    world.command.refresh_from_db()
    assert world.command.status == CommandStatus.CANCELLED
    assert AuditEntry.objects.filter(
        action="command.cancel", object_id=str(world.command.pk)
    ).exists()
    again = owner.post(path, follow=True)
    assert "cancelled already" in again.content.decode()


def test_the_sessions_tab_shows_this_stations_only(world: World, owner: Client) -> None:
    other = make_station(world.operator)
    make_transaction(other)
    sessions = owner.get(address(world.station, "sessions/")).context["sessions"]
    assert {view.session.station_id for view in sessions} == {world.station.pk}
    assert owner.get(address(other, "sessions/")).context["sessions"] == []


def test_no_tab_makes_more_queries_for_more_rows(
    world: World, owner: Client, django_assert_max_num_queries: Callable[..., object]
) -> None:
    for _ in range(10):
        make_command(world.station)
        make_message(world.station)
    for tab in ("", "sessions/", "trace/", "commands/", "configuration/", "settings/"):
        with django_assert_max_num_queries(24):
            owner.get(address(world.station, tab))
