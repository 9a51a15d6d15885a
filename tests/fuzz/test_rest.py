"""Every address of the API with requests that no program should send (RELIABILITY 78, 79; REST.md, General).

Never a 500, refusals in the one shape, the database as it was before; what the published schema forbids is
never accepted, and none of it is an answer to somebody else's question.
"""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from stations.simulator.client import HandshakeRefused, RawClient
from tests.conformance.messages import ago, start_of, stop_of
from tests.conformance.site import TARIFF, Site, unique, until
from tests.fuzz.fingerprint import Fingerprint
from tests.fuzz.rest import Attempt, Operation, crooked, mutants, operations

LONG = pytest.param(2_000, marks=pytest.mark.fuzz)
INSIDES = ("Traceback", "psycopg", "django", "SELECT ", "INSERT ", "stations_", "accounts_", ".py")


@pytest.fixture
async def fingerprint(site: Site) -> AsyncIterator[Fingerprint]:
    operator = await site.rest.get("/operators/me/")
    found = await asyncio.to_thread(Fingerprint, int(operator["id"]))
    yield found
    await asyncio.to_thread(found.close)


@pytest.mark.parametrize("number", [300, LONG])
async def test_no_request_gets_behind_the_api(
    site: Site, fingerprint: Fingerprint, number: int, say: Callable[[str], None]
) -> None:
    began = time.monotonic()
    known = await known_operations(site)
    attempts = [make for operation in known for make in attempts_of(operation)]
    rng = random.Random("rest")
    rng.shuffle(attempts)
    statuses: Counter[int] = Counter()
    wrong: list[str] = []
    before = await asyncio.to_thread(fingerprint.take)
    for make in attempts[:number]:
        attempt = make()
        response = await send(site, attempt)
        statuses[response.status_code] += 1
        after = await asyncio.to_thread(fingerprint.take)
        faults = list(faults_of(attempt, response))
        if response.status_code >= 400 and after != before:
            changed = [name for name in after if after[name] != before[name]]
            faults.append(f"changed {changed}")
        before = after
        wrong += [
            f"{attempt.operation} {attempt.fault}: {fault}; {(attempt.content or b'')[:200]!r}"
            f" → {response.status_code} {response.text[:300]}"
            for fault in faults
        ]
    sent = statuses.total()
    say(
        f"{sent} of {len(attempts)} requests to {len(known)} operations, {1 - len(wrong) / sent:.2%} as expected,"
        f" {dict(sorted(statuses.items()))}, {time.monotonic() - began:.0f} s"
    )
    assert wrong == [], "\n".join(wrong[:40])
    assert await site.rest.get("/operators/me/")


def attempts_of(operation: Operation) -> Iterator[Callable[[], Attempt]]:
    for attempt in crooked(operation):
        yield partial(lambda same: same, attempt)
    if operation.body is not None:
        yield from mutants(operation)


async def send(site: Site, attempt: Attempt) -> httpx.Response:
    """The bytes as they are; header texts as Latin-1, which is how they travel."""
    headers = [(name.encode(), value.encode("latin-1")) for name, value in attempt.headers.items()]
    return await site.rest.http.request(
        attempt.operation.method, attempt.path, content=attempt.content, headers=headers
    )


def faults_of(attempt: Attempt, response: httpx.Response) -> Iterator[str]:
    if response.status_code >= 500:
        yield "an error of ours"
        return
    if attempt.must_fail and response.status_code < 400:
        yield "accepted against the published schema"
    if response.status_code < 400:
        return
    form = attempt.headers.get("Content-Type", "").startswith("multipart/")
    if form and response.status_code == 400 and not response.content:
        return  # Twisted reads forms itself and hangs up on broken ones, before there is a request
    try:
        body = response.json()
    except ValueError:
        yield "a refusal that is no JSON"
        return
    yield from faults_of_refusal(body)


def faults_of_refusal(body: Any) -> Iterator[str]:
    """`{"code", "message", "data"}`, and nothing of our insides."""
    if not isinstance(body, dict) or set(body) != {"code", "message", "data"}:
        yield "a refusal of another shape"
        return
    if not (isinstance(body["code"], str) and body["code"].replace("_", "").isalnum()):
        yield f"code {body['code']!r}"
    if not (isinstance(body["message"], str) and body["message"].endswith(".")):
        yield f"message {body['message']!r}"
    if not isinstance(body["data"], dict):
        yield f"data {body['data']!r}"
        return
    if body["code"] == "invalid":
        fields = body["data"].get("fields")
        if not isinstance(fields, dict) or not all(
            isinstance(sentences, list) and sentences for sentences in fields.values()
        ):
            yield f"fields {fields!r}"
    said = json.dumps([body["message"], list(body["data"].get("fields", {}).values())])
    if any(word in said for word in INSIDES):
        yield f"our insides: {said[:200]}"


async def known_operations(site: Site) -> list[Operation]:
    """All that the description lists, each with an address of this operator's own and a body it takes."""
    station = await site.make_station(evses=[{"evse_id": 1}])
    tag = await site.make_id_token(group="G")
    token = (await site.rest.rows("/id-tokens/"))[0]
    group = (await site.rest.rows("/id-token-groups/"))[0]
    location = await site.rest.post("/locations/", {"name": "Site"})
    stranger = unique("NEW")
    with pytest.raises(HandshakeRefused):
        await RawClient.open(site.server.ocpp_url, stranger, password="x" * 20)
    [failure] = await site.rest.rows("/handshake-failures/", identity=stranger)
    async with site.connect(station) as wire:
        await wire.status(1, "Available")
        await wire.authorize("NOBODY-KNOWS")
        ended = (await wire.call("StartTransaction", start_of(tag)))["transactionId"]
        await wire.call("StopTransaction", stop_of(ended))
        await wire.call("StartTransaction", start_of(tag, timestamp=ago(minutes=1)))
    running, over = await site.transactions(station)
    session = await site.session(over, "in_review")
    [unknown] = await site.rest.rows("/unknown-id-tokens/")
    command = await site.ask(station, "ClearCache")
    await site.charge_money()
    [assignment] = await site.rest.rows("/tariff-assignments/")
    tariff_id = assignment["tariff"]

    async def billed() -> list[dict[str, Any]]:
        return await site.rest.rows("/cdrs/")

    await site.rest.post(f"/sessions/{session['id']}/release/", {"reason": "set-up"}, status=200)
    [cdr] = await until(billed)
    [posted] = await site.rest.rows("/ledger/")
    at_station = {
        f"/stations/{{identity}}/{end}": f"{station.path}{end}"
        for end in (
            "",
            "availability/",
            "certificates/",
            "charging-profiles/",
            "commands/",
            "firmware-updates/",
            "handshake-failures/",
            "local-list/",
            "messages/",
            "repairs/",
            "reset/",
            "start/",
            "stop/",
            "unlock/",
            "variables/",
        )
    }
    at_station |= {
        f"/stations/{{identity}}/{noun}/{{id}}/{end}": f"{station.path}{noun}/1/{end}"
        for noun, end in (
            ("certificates", "revoke/"),
            ("charging-profiles", ""),
            ("firmware-updates", ""),
        )
    }
    # Nobody's, so that every answer is a refusal.
    at_station |= {
        f"/{noun}/{{id}}/{end}": f"/{noun}/1/{end}"
        for noun, end in (
            ("firmware", ""),
            ("log-uploads", ""),
            ("reservations", ""),
            ("security-events", "acknowledge/"),
            ("trusted-cas", ""),
        )
    }
    profile_21 = {
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": [
            {
                "id": 1,
                "chargingRateUnit": "W",
                "startSchedule": "2026-11-24T00:00:00Z",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 11000.5}],
            }
        ],
    }
    library = await site.rest.post("/charging-profiles/", {"name": "11 kW", "profile": profile_21})
    ca_pem = (await site.rest.http.get("/ca/")).text
    paths = {
        "/audit/": "/audit/",
        "/cdrs/{id}/": f"/cdrs/{cdr['id']}/",
        "/charging-profiles/{id}/": f"/charging-profiles/{library['id']}/",
        "/commands/{id}/": f"/commands/{command['id']}/",
        "/commands/{id}/cancel/": f"/commands/{command['id']}/cancel/",
        "/handshake-failures/{id}/adopt/": f"/handshake-failures/{failure['id']}/adopt/",
        "/id-token-groups/{id}/": f"/id-token-groups/{group['id']}/",
        "/id-tokens/{id}/": f"/id-tokens/{token['id']}/",
        "/ledger/{id}/": f"/ledger/{posted['id']}/",
        "/locations/{id}/": f"/locations/{location['id']}/",
        "/sessions/{id}/": f"/sessions/{session['id']}/",
        "/sessions/{id}/join/": f"/sessions/{session['id']}/join/",
        "/sessions/{id}/waive/": f"/sessions/{session['id']}/waive/",
        "/sessions/{id}/release/": f"/sessions/{session['id']}/release/",
        "/tariff-assignments/{id}/": f"/tariff-assignments/{assignment['id']}/",
        "/tariffs/{id}/": f"/tariffs/{quote(tariff_id)}/",
        "/transactions/{id}/": f"/transactions/{over['id']}/",
        "/transactions/{id}/meter-values/": f"/transactions/{over['id']}/meter-values/",
        "/unknown-id-tokens/{id}/adopt/": f"/unknown-id-tokens/{unknown['id']}/adopt/",
        **at_station,
    }
    fields = {
        "name": "Mall",
        "location": location["id"],
        "registration_status": "accepted",
        "security_profile": 1,
        "password": "password-of-20-chars",
        "accepts_literal_hex": False,
        "assumes_ocpp16": False,
        "evses": [
            {
                "evse_id": 1,
                "connectors": [
                    {
                        "connector_id": 1,
                        "standard": "IEC_62196_T2",
                        "power_type": "AC_3_PHASE",
                        "max_power_w": 22000,
                    }
                ],
            }
        ],
    }
    token_fields = {
        "type": "ISO14443",
        "status": "accepted",
        "expires_at": "2030-01-01T00:00:00Z",
        "group": "G",
        "driver": None,
        "max_concurrent": 2,
    }
    site_fields = {
        "name": "Mall",
        "address": "Street 1",
        "city": "Lilongwe",
        "postal_code": "1",
        "country": "MWI",
        "coordinates": {"latitude": "-13.9626", "longitude": "33.7741"},
        "time_zone": "Africa/Blantyre",
    }
    tariff = {
        **TARIFF,
        "type": "REGULAR",
        "tariff_alt_text": [{"language": "en", "text": "Cheap"}],
        "min_price": {"excl_vat": 0.5, "incl_vat": 0.6},
        "max_price": {"excl_vat": 50, "incl_vat": 60},
        "start_date_time": "2026-01-01T00:00:00Z",
        "end_date_time": "2036-01-01T00:00:00Z",
        "elements": [
            {
                "price_components": [{"type": "ENERGY", "price": 0.4, "vat": 20, "step_size": 1}],
                "restrictions": {
                    "start_time": "08:00",
                    "end_time": "20:00",
                    "start_date": "2026-01-01",
                    "end_date": "2030-01-01",
                    "min_kwh": 1,
                    "max_kwh": 100,
                    "min_power": 1,
                    "max_power": 50,
                    "min_duration": 60,
                    "max_duration": 3600,
                    "day_of_week": ["MONDAY"],
                },
            },
            {"price_components": [{"type": "FLAT", "price": 1, "vat": 20, "step_size": 1}]},
        ],
        "x_magetsi": {"name": "Cheap", "idle_grace_s": 300, "country": "MW"},
    }
    charging = {
        "id_token": tag,
        "evse_id": 1,
        "connector_id": 1,
    }
    profile = {
        "connectorId": 1,
        "csChargingProfiles": {
            "chargingProfileId": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxDefaultProfile",
            "chargingProfileKind": "Absolute",
            "chargingSchedule": {
                "chargingRateUnit": "W",
                "startSchedule": "2026-11-24T00:00:00Z",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 11000.5, "numberPhases": 3}],
            },
        },
    }
    bodies = {
        "POST /charging-profiles/": {"name": "22 kW", "profile": profile_21},
        "PATCH /charging-profiles/{id}/": {"name": "11 kW", "profile": profile_21},
        "POST /handshake-failures/{id}/adopt/": fields,
        "POST /id-token-groups/": {"name": "H", "master": False},
        "PATCH /id-token-groups/{id}/": {"name": "G", "master": True},
        "POST /id-tokens/": {"uid": "NEW-TAG", **token_fields},
        "PATCH /id-tokens/{id}/": {"uid": tag, **token_fields},
        "POST /locations/": site_fields,
        "PATCH /locations/{id}/": site_fields,
        "POST /log-uploads/": {
            "station": station.identity,
            "kind": "diagnostics",
            "from": "2026-11-24T00:00:00Z",
            "to": "2026-11-25T00:00:00Z",
        },
        "POST /reservations/": {
            "station": station.identity,
            "evse_id": 1,
            "id_token": tag,
            "expires_at": "2036-01-01T00:00:00Z",
        },
        "POST /trusted-cas/": {"name": "Other CA", "pem": ca_pem},
        "POST /quotes/": {
            "station": station.identity,
            "evse_id": 1,
            "id_token": tag,
            "starts_at": "2026-11-24T10:00:00Z",
            "energy_wh": 10000,
            "charging_s": 3600,
            "idle_s": 600,
        },
        "POST /sessions/{id}/join/": {"session": str(session["id"])},
        "POST /sessions/{id}/waive/": {"reason": "Looked at it."},
        "POST /sessions/{id}/release/": {"energy_wh": 5000, "reason": "Looked at it."},
        "POST /stations/": {"identity": stranger + "-2", **fields},
        "PATCH /stations/{identity}/": fields,
        "POST /stations/{identity}/availability/": {
            "operative": True,
            "evse_id": 1,
            "connector_id": 1,
        },
        "POST /stations/{identity}/charging-profiles/": {
            "profile": library["id"],
            "evse_id": 1,
            "transaction": None,
        },
        "POST /stations/{identity}/firmware-updates/": {
            "location": "https://example.org/firmware.bin",
            "retrieve_at": "2036-01-01T00:00:00Z",
            "signed": False,
        },
        "POST /stations/{identity}/local-list/": {"type": "full", "group": None},
        "POST /stations/{identity}/commands/": {
            "action": "SetChargingProfile",
            "payload": profile,
            "expires_at": "2036-01-01T00:00:00Z",
        },
        "POST /stations/{identity}/reset/": {"type": "soft"},
        "POST /stations/{identity}/start/": charging,
        "POST /stations/{identity}/stop/": {"transaction": running["id"]},
        "POST /stations/{identity}/unlock/": {"evse_id": 1, "connector_id": 1},
        "POST /tariff-assignments/": {
            "tariff": tariff_id,
            "station": station.identity,
            "evse_id": 1,
            "location": None,
            "group": None,
            "operator": False,
        },
        "POST /tariffs/": tariff,
        "PATCH /tariffs/{id}/": tariff,
        "POST /unknown-id-tokens/{id}/adopt/": token_fields,
    }
    response = await site.rest.http.get(
        "/schema/?format=json", headers={"Accept": "application/json"}
    )
    assert response.status_code == 200, response.text[:500]
    return operations(response.json(), paths, bodies)
