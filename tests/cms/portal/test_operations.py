"""Every request that OCPP 1.6 has for stations: sent over REST and by a button, and each of its ends told in words."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from django.utils.html import strip_tags

from accounts.choices import Role
from accounts.models import IdToken, Operator
from accounts.services.actors import Actor
from cms.base.json import dumps
from cms.base.time import rfc3339
from stations.choices import CommandStatus
from stations.commands.following import follow_ended
from stations.commands.outcome import judge_reply
from stations.commands.sender import FINISH, LATE
from stations.maintenance.files import store_chunks
from stations.models import ChargingStation, Command, InstalledProfile, Reservation, Transaction
from stations.ocpp.framing import CallError, CallResult
from stations.ocpp.schemas import SENDERS, Sender
from stations.ocpp.versions import Version
from stations.services.commands import cancel_command, sweep_commands
from tests.api import Api
from tests.conformance.pki import make_ca
from tests.conformance.wire import ERROR_CODES, schema_of
from tests.factories import (
    make_charging_profile,
    make_connector,
    make_firmware_file,
    make_gateway,
    make_id_token,
    make_installed_profile,
    make_reservation,
    make_state,
    make_station,
    make_station_certificate,
    make_transaction,
)

HASH = {
    "hashAlgorithm": "SHA256",
    "issuerNameHash": "aa",
    "issuerKeyHash": "bb",
    "serialNumber": "0a1b",
}
PEM = make_ca("A root").pem


class Place:
    """A station that is offline, and what requests are about; each thing is made when it is first named."""

    def __init__(self, operator: Operator) -> None:
        self.operator = operator
        self.station: ChargingStation = make_station(operator)
        make_state(self.station)
        make_connector(self.station)

    @cached_property
    def card(self) -> IdToken:
        return make_id_token(self.operator)

    @cached_property
    def running(self) -> Transaction:
        return make_transaction(self.station)

    @cached_property
    def reservation(self) -> Reservation:
        return make_reservation(self.station)

    @cached_property
    def installed(self) -> InstalledProfile:
        return make_installed_profile(self.station)

    @cached_property
    def profile(self) -> str:
        return str(make_charging_profile(self.operator).pk)

    @cached_property
    def signed_file(self) -> str:
        stored = store_chunks([b"firmware"], max_bytes=100)
        file = make_firmware_file(
            self.operator, sha256=stored.sha256, signature="c2ln", signing_certificate=PEM
        )
        return str(file.pk)

    @cached_property
    def root(self) -> str:
        use = "central_system_root"
        return str(make_station_certificate(self.station, use=use, hash_data=HASH).pk)


Data = dict[str, Any]
Asked = tuple[str, Callable[[Place], Data]]


@dataclass(frozen=True)
class Operation:
    """How one action is asked for: in OCPP's words, by a button, and over an address of its own if it has one.

    `ends` are answers without a status, each with words of its own. Without a `button` any request does it.
    """

    payload: Callable[[Place], Data]
    button: Asked | None
    resource: Callable[[Place], tuple[str, str, Data | None]] | None = None
    ends: tuple[Data, ...] = ()


def below(place: Place, path: str) -> str:
    return f"/stations/{place.station.identity}/{path}/"


def soon() -> str:
    return rfc3339(timezone.now() + timedelta(hours=1))


def signed_firmware(place: Place) -> Data:
    return {
        "firmware": {
            "location": "https://maker.example/fw.bin",
            "retrieveDateTime": soon(),
            "signingCertificate": PEM,
            "signature": "c2ln",
        }
    }


LIMIT = {
    "stackLevel": 0,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Relative",
    "chargingSchedule": {
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16}],
    },
}

OPERATIONS: dict[str, Operation] = {
    "CancelReservation": Operation(
        lambda place: {"reservationId": place.reservation.reservation_id},
        ("cancel-reservation", lambda place: {"reservation": place.reservation.pk}),
        lambda place: ("DELETE", f"/reservations/{make_reservation(place.station).pk}/", None),
    ),
    "CertificateSigned": Operation(lambda place: {"certificateChain": PEM}, None),
    "ChangeAvailability": Operation(
        lambda place: {"connectorId": 1, "type": "Inoperative"},
        ("out-of-service", lambda place: {"evse_id": 1}),
        lambda place: ("POST", below(place, "availability"), {"operative": False, "evse_id": 1}),
    ),
    "ChangeConfiguration": Operation(
        lambda place: {"key": "HeartbeatInterval", "value": "60"},
        ("change-configuration", lambda place: {"key": "HeartbeatInterval", "value": "60"}),
    ),
    "ClearCache": Operation(lambda place: {}, ("clear-cache", lambda place: {})),
    "ClearChargingProfile": Operation(
        lambda place: {"id": place.installed.profile_id},
        ("clear-profile", lambda place: {"profile": place.installed.pk}),
        lambda place: (
            "DELETE",
            below(
                place, f"charging-profiles/{make_installed_profile(place.station, evse_id=2).pk}"
            ),
            None,
        ),
    ),
    "DataTransfer": Operation(
        lambda place: {"vendorId": "Acme", "data": "x"},
        ("data-transfer", lambda place: {"vendor_id": "Acme", "content": "x"}),
    ),
    "DeleteCertificate": Operation(
        lambda place: {"certificateHashData": HASH},
        ("delete-root", lambda place: {"certificate": place.root}),
    ),
    "ExtendedTriggerMessage": Operation(
        lambda place: {"requestedMessage": "Heartbeat"},
        ("extended-trigger", lambda place: {"message": "Heartbeat"}),
    ),
    "GetCompositeSchedule": Operation(
        lambda place: {"connectorId": 1, "duration": 3600},
        ("composite-schedule", lambda place: {"evse_id": 1, "hours": 1}),
    ),
    "GetConfiguration": Operation(
        lambda place: {"key": ["HeartbeatInterval", "Levitation"]},
        ("get-configuration", lambda place: {"keys": "HeartbeatInterval, Levitation"}),
        ends=({"configurationKey": []}, {"unknownKey": ["Levitation"]}),
    ),
    "GetDiagnostics": Operation(
        lambda place: {"location": "https://cms.example/here/"},
        ("diagnostics", lambda place: {}),
        lambda place: (
            "POST",
            "/log-uploads/",
            {"station": place.station.identity, "kind": "diagnostics"},
        ),
        ends=({"fileName": "diagnostics.zip"}, {}),
    ),
    "GetInstalledCertificateIds": Operation(
        lambda place: {"certificateType": "ManufacturerRootCertificate"},
        ("read-roots", lambda place: {"use": "ManufacturerRootCertificate"}),
    ),
    "GetLocalListVersion": Operation(
        lambda place: {},
        ("local-list-version", lambda place: {}),
        ends=({"listVersion": -1}, {"listVersion": 0}, {"listVersion": 7}),
    ),
    "GetLog": Operation(
        lambda place: {
            "logType": "SecurityLog",
            "log": {"remoteLocation": "https://cms.example/here/"},
        },
        ("security-log", lambda place: {}),
        lambda place: (
            "POST",
            "/log-uploads/",
            {"station": place.station.identity, "kind": "security"},
        ),
    ),
    "InstallCertificate": Operation(
        lambda place: {"certificateType": "CentralSystemRootCertificate", "certificate": PEM},
        (
            "install-root",
            lambda place: {"use": "CentralSystemRootCertificate", "certificate": PEM},
        ),
    ),
    "RemoteStartTransaction": Operation(
        lambda place: {"idTag": place.card.uid, "connectorId": 1},
        ("start", lambda place: {"evse_id": 1, "id_token": place.card.uid}),
        lambda place: (
            "POST",
            below(place, "start"),
            {"evse_id": 1, "id_token": place.card.uid},
        ),
    ),
    "RemoteStopTransaction": Operation(
        lambda place: {"transactionId": int(place.running.ocpp_transaction_id)},
        ("stop", lambda place: {"transaction": place.running.pk}),
        lambda place: ("POST", below(place, "stop"), {"transaction": str(place.running.pk)}),
    ),
    "ReserveNow": Operation(
        lambda place: {"connectorId": 1, "expiryDate": soon(), "idTag": place.card.uid},
        ("reserve", lambda place: {"id_token": place.card.uid, "evse_id": 1, "minutes": 30}),
        lambda place: (
            "POST",
            "/reservations/",
            {
                "station": place.station.identity,
                "evse_id": 1,
                "id_token": place.card.uid,
                "expires_at": soon(),
            },
        ),
    ),
    "Reset": Operation(
        lambda place: {"type": "Soft"},
        ("reset-soft", lambda place: {}),
        lambda place: ("POST", below(place, "reset"), {"type": "soft"}),
    ),
    "SendLocalList": Operation(
        lambda place: {"updateType": "Full", "localAuthorizationList": []},
        ("send-local-list", lambda place: {"update": "full"}),
        lambda place: ("POST", below(place, "local-list"), {"type": "full"}),
    ),
    "SetChargingProfile": Operation(
        lambda place: {"connectorId": 1, "csChargingProfiles": LIMIT},
        ("install-profile", lambda place: {"profile": place.profile, "evse_id": 1}),
        lambda place: (
            "POST",
            below(place, "charging-profiles"),
            {"profile": place.profile, "evse_id": 1},
        ),
    ),
    "SignedUpdateFirmware": Operation(
        signed_firmware,
        ("update-firmware", lambda place: {"firmware": place.signed_file, "signed": "on"}),
        lambda place: (
            "POST",
            below(place, "firmware-updates"),
            {"firmware": place.signed_file, "signed": True},
        ),
    ),
    "TriggerMessage": Operation(
        lambda place: {"requestedMessage": "StatusNotification", "connectorId": 1},
        ("trigger", lambda place: {"message": "StatusNotification", "evse_id": 1}),
    ),
    "UnlockConnector": Operation(
        lambda place: {"connectorId": 1},
        ("unlock", lambda place: {"evse_id": 1}),
        lambda place: ("POST", below(place, "unlock"), {"evse_id": 1}),
    ),
    "UpdateFirmware": Operation(
        lambda place: {"location": "https://maker.example/fw.bin", "retrieveDate": soon()},
        ("update-firmware", lambda place: {"location": "https://maker.example/fw.bin"}),
        lambda place: (
            "POST",
            below(place, "firmware-updates"),
            {"location": "https://maker.example/fw.bin"},
        ),
        ends=({},),
    ),
}


def ours() -> set[str]:
    """What a 1.6 station is asked, as its schemas have it."""
    return {name for name, sender in SENDERS[Version.V16].items() if sender is not Sender.STATION}


@pytest.fixture
def place(operator: Operator) -> Place:
    return Place(operator)


@pytest.fixture
def person(operator: Operator, client_as: Callable[..., Client]) -> Client:
    return client_as(operator, Role.OWNER)


def ask(person: Client, place: Place, kind: str, data: Data) -> Command:
    """Press a button of the portal's; returns what it queued."""
    known = set(Command.objects.filter(station=place.station).values_list("pk", flat=True))
    response = person.post(f"/operator/stations/{place.station.identity}/ask/{kind}/", data)
    assert response.status_code == 302, text_of(response.content.decode())
    return taken_out(Command.objects.exclude(pk__in=known).get(station=place.station))


def taken_out(command: Command) -> Command:
    """What waits would keep some requests from being asked again."""
    assert command.status == CommandStatus.QUEUED
    cancel_command(command=command, acting=Actor.system(command.operator))
    follow_ended(str(command.pk), {})
    return command


def order(api: Api, place: Place, action: str) -> Command:
    """Ask over REST in OCPP's own words."""
    body = {"action": action, "payload": OPERATIONS[action].payload(place)}
    response = api.post(below(place, "commands"), body)
    assert response.status_code == 202, response.content
    return Command.objects.get(pk=response.json()["id"])


def test_no_request_is_missing_here_or_in_the_choice_of_any(person: Client, place: Place) -> None:
    assert set(OPERATIONS) == ours()
    page = person.get(f"/operator/stations/{place.station.identity}/ask/send-request/")
    offered = re.findall(r'<option value="(\w+)"', page.content.decode())
    assert set(offered) == ours()


@pytest.mark.parametrize("action", OPERATIONS)
def test_each_request_goes_out_over_rest_and_by_a_button(
    api: Api, person: Client, place: Place, action: str
) -> None:
    operation = OPERATIONS[action]
    assert taken_out(order(api, place, action)).action == action
    any_request = {"action": action, "payload": dumps(operation.payload(place))}
    assert ask(person, place, "send-request", any_request).action == action
    if operation.button is not None:
        kind, data = operation.button
        assert ask(person, place, kind, data(place)).action == action
    if operation.resource is not None:
        method, path, body = operation.resource(place)
        known = set(Command.objects.values_list("pk", flat=True))
        response = api.send(method, path, body)
        assert response.status_code in (201, 202), response.content
        assert Command.objects.exclude(pk__in=known).get(station=place.station).action == action


# --- ends --------------------------------------------------------------------------------------


def answers_of(action: str) -> list[Data]:
    """Everything that a station may answer: each status of the published schema."""
    schema = schema_of(f"{action}Response")
    status = schema.get("properties", {}).get("status")
    if status is None:
        return list(OPERATIONS[action].ends)
    if "$ref" in status:
        status = schema["definitions"][status["$ref"].rpartition("/")[2]]
    return [{"status": word} for word in status["enum"]]


def send(command: Command, *, gateway_alive: bool = True) -> None:
    gateway = make_gateway(lease=timedelta(minutes=5 if gateway_alive else -1))
    Command.objects.filter(pk=command.pk).update(
        status=CommandStatus.SENT, sent_at=timezone.now(), gateway_id=gateway.pk, generation=1
    )


def write(command: Command, reply: CallResult | CallError, statement: str = FINISH) -> None:
    """What the gateway writes when an answer has come."""
    outcome = judge_reply(Version.V16, command.action, reply)
    with connection.cursor() as cursor:
        cursor.execute(
            statement,
            {
                "id": command.pk,
                "status": outcome.status,
                "response": None if outcome.response is None else dumps(outcome.response),
                "error": None if outcome.error is None else dumps(outcome.error),
                "message_id": "m",
                "masked": None,
            },
        )
        assert cursor.rowcount == 1


def time_out(command: Command) -> None:
    """Its gateway died with the answer outstanding."""
    send(command, gateway_alive=False)
    sweep_commands()


def refuse(command: Command, code: str) -> None:
    send(command)
    write(command, CallError("m", code, "", {}))


def expire(command: Command) -> None:
    """The station was offline for as long as it was worth waiting."""
    Command.objects.filter(pk=command.pk).update(expires_at=command.created_at - timedelta(hours=1))
    sweep_commands()


def text_of(markup: str) -> str:
    return " ".join(unescape(strip_tags(markup)).split())


def outcomes_shown(person: Client, place: Place) -> list[tuple[str, str]]:
    """What was asked and how it ended, in the order of asking, as people read it."""
    page = person.get(f"/operator/stations/{place.station.identity}/commands/").content.decode()
    rows = re.findall(
        r'<th scope="row"[^>]*>(.*?)</th>.*?data-label="Outcome">\s*<span>(.*?)</span>\s*'
        r"(?:<button|</td>)",
        page,
        re.DOTALL,
    )
    return [(text_of(asked), text_of(ended)) for asked, ended in reversed(rows)]


@pytest.mark.parametrize("action", OPERATIONS)
def test_each_end_of_each_request_is_told_in_words_of_its_own(
    api: Api, person: Client, place: Place, action: str
) -> None:
    expected: list[tuple[str, str, str]] = []  # what happened, its status, words it must have

    def happens(what: str, status: str, words: str, end: Callable[[Command], None]) -> None:
        command = order(api, place, action)
        end(command)
        follow_ended(str(command.pk), {})
        # What one command did to a thing must not keep the next from being asked.
        Reservation.objects.filter(station=place.station).update(status="reserved", ended_at=None)
        expected.append((what, status, words))
        shown = api.get(f"/commands/{command.pk}/").json()
        assert shown["status"] == status, what

    def answer(body: Data) -> Callable[[Command], None]:
        def end(command: Command) -> None:
            send(command)
            write(command, CallResult("m", dict(body)))

        return end

    def answer_late(command: Command) -> None:
        time_out(command)
        write(command, CallResult("m", dict(answers_of(action)[0])), LATE)

    taken = {"Accepted", "Scheduled", "RebootRequired", "Unlocked", "AcceptedCanceled", None}
    for body in answers_of(action):
        is_taken = body.get("status") in taken
        status, words = ("accepted", "Accepted") if is_taken else ("rejected", "Rejected")
        happens(str(body), status, words, answer(body))
    for code, words in (
        ("NotSupported", "The station cannot do this."),
        ("NotImplemented", "The station does not know this request."),
    ):
        happens(code, "error", f"Error {words}", lambda command, code=code: refuse(command, code))
    happens("time-out", "timed_out", "whether it did what was asked is not known", time_out)
    happens("late answer", "timed_out", "Its answer came too late", answer_late)
    happens("expired", "cancelled", "could not be sent in time", expire)
    happens("offline", "queued", "The station is offline. It waits until", lambda command: None)

    shown = outcomes_shown(person, place)
    assert len(shown) == len(expected)
    told = [ended for _, ended in shown]
    assert len(set(told)) == len(told), told
    raw = ERROR_CODES | ours() | statuses_of_all()
    for (what, _, words), (asked, ended) in zip(expected, shown, strict=True):
        assert words in ended, what
        # A station's own word may stand in brackets behind ours, never alone.
        said = re.sub(r"\([^()]*\)", "", ended).strip()
        assert not raw & set(re.findall(r"\w+", said)), (what, said)
        assert not raw & set(re.findall(r"\w+", asked)), asked
        assert said not in ("Rejected", "Error", "No answer", "Cancelled", "Waiting"), what


def statuses_of_all() -> set[str]:
    """Words that only a protocol has: those of several words written as one, and bare failures."""
    words = {
        body["status"] for action in OPERATIONS for body in answers_of(action) if "status" in body
    }
    return {word for word in words if re.search(r"[a-z][A-Z]", word)} | {"Failed", "Faulted"}
