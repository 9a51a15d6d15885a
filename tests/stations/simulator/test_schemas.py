"""An honest station's messages and answers fit the published 1.6 schemas."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

import jsonschema_rs
import pytest

from stations.simulator import Vehicle
from stations.simulator.commands import COMMANDS
from stations.simulator.outlet import AC_22, DC_50

SAMPLES = {
    "CancelReservation": {"reservationId": 1},
    "ChangeAvailability": {"connectorId": 0, "type": "Operative"},
    "ChangeConfiguration": {"key": "HeartbeatInterval", "value": "60"},
    "CertificateSigned": {"certificateChain": "none"},
    "ClearCache": {},
    "ClearChargingProfile": {},
    "DataTransfer": {"vendorId": "org.magetsi", "messageId": "Echo", "data": "hi"},
    "DeleteCertificate": {
        "certificateHashData": {
            "hashAlgorithm": "SHA256",
            "issuerNameHash": "0a",
            "issuerKeyHash": "0b",
            "serialNumber": "1",
        }
    },
    "ExtendedTriggerMessage": {"requestedMessage": "Heartbeat"},
    "GetCompositeSchedule": {"connectorId": 1, "duration": 60},
    "GetConfiguration": {"key": ["HeartbeatInterval", "AuthorizationKey", "Nonsense"]},
    "GetDiagnostics": {"location": "ftp://example.com/"},
    "GetInstalledCertificateIds": {"certificateType": "CentralSystemRootCertificate"},
    "GetLocalListVersion": {},
    "GetLog": {
        "logType": "SecurityLog",
        "requestId": 1,
        "log": {"remoteLocation": "http://127.0.0.1:9/"},
    },
    "InstallCertificate": {
        "certificateType": "CentralSystemRootCertificate",
        "certificate": "none",
    },
    "RemoteStartTransaction": {"idTag": "APP-1"},
    "RemoteStopTransaction": {"transactionId": 1},
    "ReserveNow": {
        "connectorId": 1,
        "expiryDate": "2026-01-01T00:00:00Z",
        "idTag": "APP-1",
        "reservationId": 1,
    },
    "Reset": {"type": "Soft"},
    "SendLocalList": {"listVersion": 1, "updateType": "Full"},
    "SetChargingProfile": {
        "connectorId": 1,
        "csChargingProfiles": {
            "chargingProfileId": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxDefaultProfile",
            "chargingProfileKind": "Relative",
            "chargingSchedule": {
                "chargingRateUnit": "W",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 11000}],
            },
        },
    },
    "SignedUpdateFirmware": {
        "requestId": 1,
        "firmware": {
            "location": "http://127.0.0.1:9/",
            "retrieveDateTime": "2026-01-01T00:00:00Z",
            "signingCertificate": "none",
            "signature": "none",
        },
    },
    "TriggerMessage": {"requestedMessage": "MeterValues"},
    "UnlockConnector": {"connectorId": 1},
    "UpdateFirmware": {"location": "ftp://example.com/", "retrieveDate": "2026-01-01T00:00:00Z"},
}


@cache
def schema(name: str) -> jsonschema_rs.Validator:
    text = (files("ocpp") / "v16" / "schemas" / f"{name}.json").read_text("utf-8-sig")
    return jsonschema_rs.validator_for(json.loads(text))


def faults(name, payload):
    return [str(error) for error in schema(name).iter_errors(payload)]


@pytest.mark.parametrize("spec", [AC_22, DC_50])
async def test_messages_fit(central, make_station, spec):
    data = "Energy.Active.Import.Register,Power.Active.Import"
    station = make_station(connectors=[spec], configuration={"StopTxnSampledData": data})
    await station.start()
    await station.call(*station.dialect.heartbeat())
    await station.plug(vehicle=Vehicle(wants_wh=2_000))
    await station.tap("CARD-1")
    await station.charge()
    await central.wait_for(lambda: central.of("MeterValues"))
    await station.tap("CARD-1")
    await station.outlets[1].fault("GroundFailure")
    await station.restart("HardReset")
    await central.wait_for(lambda: len(central.of("BootNotification")) == 2)

    assert set(central.actions) == {
        "Authorize",
        "BootNotification",
        "Heartbeat",
        "MeterValues",
        "StartTransaction",
        "StatusNotification",
        "StopTransaction",
    }
    assert [fault for s in central.seen for fault in faults(s.action, s.payload)] == []


@pytest.mark.parametrize("action", sorted(COMMANDS))
async def test_answers_fit(central, make_station, action):
    station = make_station()
    await station.start()
    await station.plug()

    assert faults(f"{action}Response", await central.result(action, SAMPLES[action])) == []
