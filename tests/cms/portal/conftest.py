"""A team to look through the eyes of, and an operator where everything happens at once."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import Client
from django.utils import timezone

from accounts.choices import Role
from accounts.models import Driver, Operator, UnknownIdToken
from billing.models import ChargingSession
from cms.base.time import utc_now
from stations.models import (
    ChargingProfile,
    ChargingStation,
    Command,
    HandshakeFailure,
    LogUpload,
    SecurityEvent,
    StationCertificate,
    Transaction,
    TransactionProgress,
)
from tests.billing.factories import assign, hours_ago, make_ended, make_reading, make_tariff, tell
from tests.cms.portal.upkeep_world import add_upkeep
from tests.factories import (
    make_charging_profile,
    make_command,
    make_connector,
    make_connector_status,
    make_gateway,
    make_handshake_failure,
    make_id_token,
    make_installed_profile,
    make_local_list,
    make_location,
    make_membership,
    make_message,
    make_operator,
    make_reservation,
    make_security_event,
    make_state,
    make_station,
    make_station_certificate,
    make_transaction,
    make_unknown_id_token,
    make_user,
    unique,
)


@dataclass(frozen=True)
class World:
    """An operator with a bit of everything."""

    operator: Operator
    station: ChargingStation
    running: Transaction
    completed: ChargingSession
    in_review: ChargingSession
    command: Command
    failure: HandshakeFailure
    unknown_id_token: UnknownIdToken
    charging_profile: ChargingProfile
    certificate: StationCertificate
    alarm: SecurityEvent
    log_upload: LogUpload

    @property
    def paths(self) -> list[str]:
        """Every page of this operator's own things."""
        station = f"/operator/stations/{self.station.identity}/"
        questions = [
            "start", "stop", "unlock", "out-of-service", "in-service", "reset-soft", "reset-hard",
            "trigger", "get-configuration", "change-configuration", "clear-cache",
            "install-profile", "clear-profile", "clear-profiles", "composite-schedule", "data-transfer",
            "send-request", "raise-profile", "new-key", "renew-certificate", "install-root", "delete-root",
            "read-roots", "extended-trigger", "diagnostics", "security-log", "update-firmware",
            "reserve", "cancel-reservation", "send-local-list", "local-list-version",
        ]  # fmt: skip
        tabs = [
            "sessions",
            "trace",
            "commands",
            "configuration",
            "settings",
            "labels",
            "smart-charging",
            "reservations",
            "security",
            "upkeep",
        ]
        return [
            station,
            *(f"{station}{tab}/" for tab in tabs),
            f"{station}new-password/",
            f"{station}certificates/{self.certificate.pk}/revoke/",
            f"/operator/locations/{self.station.location_id}/",
            *(f"{station}ask/{kind}/?evse_id=1" for kind in questions),
            f"/operator/sessions/{self.completed.pk}/",
            f"/operator/sessions/{self.in_review.pk}/",
            f"/operator/handshakes/{self.failure.pk}/",
            f"/operator/log-uploads/{self.log_upload.pk}/",
            f"/operator/unknown-id-tokens/{self.unknown_id_token.pk}/",
        ]


# Three kilowatts by night, eleven by day.
NIGHT_AND_DAY = {
    "stackLevel": 1,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Recurring",
    "recurrencyKind": "Daily",
    "chargingSchedule": [
        {
            "id": 1,
            "startSchedule": "2026-01-01T21:00:00Z",
            "chargingRateUnit": "W",
            "chargingSchedulePeriod": [
                {"startPeriod": 0, "limit": 3000, "numberPhases": 1},
                {"startPeriod": 8 * 3600, "limit": 11000},
            ],
        }
    ],
}
COMPOSITE = {
    "status": "Accepted",
    "connectorId": 1,
    "scheduleStart": "2026-03-01T12:00:00Z",
    "chargingSchedule": {
        "duration": 7200,
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [
            {"startPeriod": 0, "limit": 16.5},
            {"startPeriod": 3600, "limit": 0},
        ],
    },
}


def make_world(operator: Operator | None = None) -> World:
    operator = operator or make_operator(time_zone="Europe/Berlin")
    assign(make_tariff(operator), created_at=hours_ago(5))
    station = make_station(operator, location=make_location(operator, time_zone="Europe/Berlin"))
    make_state(station, gateway=make_gateway())
    for evse_id, status in ((1, "Charging"), (2, "Faulted")):
        make_connector(
            station, evse_id, standard="IEC_62196_T2", power_type="AC_3_PHASE", max_power_w=22_000
        )
        error_code = "GroundFailure" if status == "Faulted" else "NoError"
        make_connector_status(station, evse_id, status=status, error_code=error_code)
    driver = Driver.objects.create(name="Ada Example")
    id_token = make_id_token(operator, driver=driver)

    running = make_transaction(
        station, id_token=id_token, started_at=timezone.now() - timedelta(minutes=30)
    )
    TransactionProgress.objects.create(
        transaction=running, at=utc_now(), register_wh=5_500, power_w=11_000, soc_percent=48
    )
    tell("transaction.started", running)

    ended = make_ended(station, energy_wh=10_000, id_token=id_token)
    for minutes in range(0, 60, 10):
        make_reading(ended, ended.started_at + timedelta(minutes=minutes), 5_000 + 150 * minutes)
    tell("transaction.ended", ended)

    reviewed = make_ended(
        station, energy_wh=None, id_token=id_token, review_reasons=["no_stop"], hours=2
    )
    tell("transaction.ended", reviewed)

    make_message(
        station,
        at=ended.started_at,
        action="StartTransaction",
        payload='{"connectorId":1,"idTag":"' + id_token.uid + '","meterStart":5000}',
    )
    profile = ChargingProfile.objects.filter(
        operator=operator, name="Night and day"
    ).first() or make_charging_profile(operator, name="Night and day", profile=NIGHT_AND_DAY)
    make_installed_profile(station, library_profile=profile, profile=NIGHT_AND_DAY, profile_id=4711)
    make_installed_profile(
        station, evse_id=2, status="rejected", reason="NotSupported", ended_at=timezone.now()
    )
    make_command(
        station,
        action="GetCompositeSchedule",
        payload={"connectorId": 1, "duration": 7200},
        status="accepted",
        response=COMPOSITE,
        finished_at=timezone.now(),
    )
    make_reservation(station, id_token_uid=id_token.uid)
    make_reservation(station, evse_id=0, status="requested", reason="NoAnswer")
    for status, reason in (("used", ""), ("rejected", "Occupied"), ("removed", "Rejected")):
        make_reservation(station, status=status, reason=reason, ended_at=timezone.now())
    make_local_list(station, id_token.uid, unique("TAG"), refusal="Failed")
    for use, hash_data in (
        ("central_system_root", {"hashAlgorithm": "SHA256", "serialNumber": "0a1b"}),
        ("manufacturer_root", None),
    ):
        make_station_certificate(station, use=use, subject="Root", hash_data=hash_data)
    make_security_event(station, type="InvalidChargePointCertificate", critical=False)
    return World(
        operator=operator,
        station=station,
        running=running,
        completed=ChargingSession.objects.get(transaction=ended),
        in_review=ChargingSession.objects.get(transaction=reviewed),
        command=make_command(station),
        failure=make_handshake_failure(station),
        unknown_id_token=make_unknown_id_token(operator),
        charging_profile=profile,
        certificate=make_station_certificate(station),
        alarm=make_security_event(station),
        log_upload=add_upkeep(station),
    )


@pytest.fixture
async def closed_connections() -> AsyncIterator[None]:
    """Close what code under test opened in asgiref's thread, where no end of a request closes it."""
    yield
    await sync_to_async(connections.close_all)()


@pytest.fixture
def world(db: None) -> World:
    return make_world()


@pytest.fixture
def client_as(db: None) -> Callable[[Operator, Role], Client]:
    """A browser in which a new member of the team is signed in."""

    def sign_in(operator: Operator, role: Role = Role.OWNER) -> Client:
        client = Client()
        client.force_login(make_membership(operator, role).user)
        return client

    return sign_in


@pytest.fixture
def owner(world: World, client_as: Callable[..., Client]) -> Client:
    return client_as(world.operator, Role.OWNER)


@pytest.fixture
def viewer(world: World, client_as: Callable[..., Client]) -> Client:
    return client_as(world.operator, Role.VIEWER)


@pytest.fixture
def driver_client(db: None) -> Client:
    """A person who can sign in and belongs to no team."""
    client = Client()
    user = make_user(name="Ada Example")
    Driver.objects.create(user=user, name=user.name)
    client.force_login(user)
    return client
