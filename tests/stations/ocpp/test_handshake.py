"""The door: who is let in, who is refused with which status, and what the operator sees of it."""

import asyncio

import pytest

from stations.models import Connection, HandshakeFailure, StationState
from stations.newcomers import Newcomers
from stations.services.passwords import hash_password
from stations.simulator.client import HandshakeRefused, RawClient
from tests.factories import make_handshake_failure
from tests.stations.ocpp.conftest import PASSWORD, Station, eventually, in_db


async def refused(url: str, identity: str = "", **options) -> HandshakeRefused:
    """The refusal of a handshake; fails the test if it is accepted."""
    with pytest.raises(HandshakeRefused) as caught:
        client = await RawClient.open(url, identity, **options)
        await client.close()
    return caught.value


async def test_known_station_gets_its_subprotocol(ocpp_server, tenant):
    row = await in_db(tenant.make_station)
    client = await RawClient.open(
        ocpp_server.ocpp_url,
        row.identity,
        password=PASSWORD,
        subprotocols=["ocpp9.9", "ocpp1.6"],
    )
    assert client.subprotocol == "ocpp1.6"
    assert await Station(client, row).is_heard()
    await client.close()


async def test_unknown_identity_is_404_and_listed_for_adoption(ocpp_server, tenant):
    refusal = await refused(
        ocpp_server.ocpp_url, f"NOBODY-{tenant.operator.slug}", password="x" * 20
    )
    assert refusal.status == 404
    failure = await in_db(
        lambda: HandshakeFailure.objects.get(identity=f"NOBODY-{tenant.operator.slug}")
    )
    assert (failure.reason, failure.station_id, failure.times) == ("unknown_identity", None, 1)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, "no_credentials"),
        ({"password": "wrong-password-of-20"}, "wrong_credentials"),
        ({"password": PASSWORD, "username": "somebody-else"}, "wrong_user"),
        ({"headers": {"Authorization": "Bearer abc"}}, "no_credentials"),
        ({"headers": {"Authorization": "Basic !!!"}}, "no_credentials"),
    ],
)
async def test_bad_credentials_are_401_before_the_upgrade(ocpp_server, tenant, options, reason):
    row = await in_db(tenant.make_station)
    refusal = await refused(ocpp_server.ocpp_url, row.identity, **options)
    assert refusal.status == 401
    headers = {name.lower(): value for name, value in refusal.headers.items()}
    assert headers["www-authenticate"].startswith("Basic ")
    failure = await in_db(lambda: HandshakeFailure.objects.get(station=row))
    assert failure.reason == reason
    assert failure.operator_id == tenant.operator.pk


async def test_refusals_of_one_kind_are_counted_in_one_row(ocpp_server, tenant):
    row = await in_db(tenant.make_station)
    for _ in range(3):
        await refused(ocpp_server.ocpp_url, row.identity)
    failure = await in_db(lambda: HandshakeFailure.objects.get(station=row))
    assert failure.times == 3


async def test_who_is_let_in_is_off_the_list_of_those_turned_away_there(ocpp_server, tenant):
    row = await in_db(tenant.make_station)
    await refused(ocpp_server.ocpp_url, row.identity, password="wrong-password-of-20")
    # The same from somewhere else may be somebody else.
    elsewhere = await in_db(lambda: make_handshake_failure(row))
    client = await RawClient.open(ocpp_server.ocpp_url, row.identity, password=PASSWORD)
    assert await Station(client, row).is_heard()
    still_open = HandshakeFailure.objects.filter(station=row, resolved_at=None)
    assert await in_db(lambda: list(still_open)) == [elsewhere]
    await client.close()
    await refused(ocpp_server.ocpp_url, row.identity, password="wrong-password-of-20")
    assert await in_db(still_open.all().count) == 2


def test_a_newcomer_is_told_of_once_a_minute():
    newcomers = Newcomers()
    newcomers.knocked("CP-1", 0.0)
    newcomers.knocked("CP-1", 59.0)
    assert [newcomers.take(50.0), newcomers.take(59.0)] == [True, False]
    newcomers.knocked("CP-1", 59.0)
    assert not newcomers.take(59.0)
    newcomers.knocked("CP-2", 59.0)
    assert newcomers.take(59.0)
    newcomers.knocked("CP-1", 60.0)
    assert newcomers.take(61.0)


def test_made_up_newcomers_are_told_of_together():
    newcomers = Newcomers()
    told = 0
    for tenth in range(100):
        newcomers.knocked(f"MADE-UP-{tenth}", tenth / 10)
        told += newcomers.take(tenth / 10)
    assert told == 5


@pytest.mark.parametrize("subprotocols", [None, ["ocpp9.9"], ["OCPP1.6"]])
async def test_no_common_subprotocol_is_400(ocpp_server, tenant, subprotocols):
    row = await in_db(tenant.make_station)
    refusal = await refused(
        ocpp_server.ocpp_url, row.identity, password=PASSWORD, subprotocols=subprotocols
    )
    assert refusal.status == 400


async def test_a_station_known_for_it_may_name_no_subprotocol(ocpp_server, tenant):
    row = await in_db(lambda: tenant.make_station(assumes_ocpp16=True))
    client = await RawClient.open(
        ocpp_server.ocpp_url, row.identity, password=PASSWORD, subprotocols=None
    )
    assert client.subprotocol is None
    assert await Station(client, row).is_heard()
    await client.close()


async def test_binary_password_with_colon_and_nul(ocpp_server, tenant):
    secret = b"\x00:\xff\xfe" + bytes(range(16))
    row = await in_db(lambda: tenant.make_station(password_hash=hash_password(secret)))
    client = await RawClient.open(ocpp_server.ocpp_url, row.identity, password=secret)
    await client.close()


@pytest.mark.parametrize("flagged", [True, False])
async def test_literal_hex_only_where_the_station_is_flagged(ocpp_server, tenant, flagged):
    secret = bytes(range(20))
    row = await in_db(
        lambda: tenant.make_station(
            password_hash=hash_password(secret), accepts_literal_hex=flagged
        )
    )
    if flagged:
        client = await RawClient.open(ocpp_server.ocpp_url, row.identity, password=secret.hex())
        await client.close()
    else:
        refusal = await refused(ocpp_server.ocpp_url, row.identity, password=secret.hex())
        assert refusal.status == 401


async def test_short_passwords_work_too(ocpp_server, tenant):
    row = await in_db(lambda: tenant.make_station(password_hash=hash_password(b"12345678")))
    for _ in range(2):
        client = await RawClient.open(ocpp_server.ocpp_url, row.identity, password="12345678")
        await client.close()


async def test_unencrypted_connection_of_a_tls_station_is_refused(ocpp_server, tenant):
    row = await in_db(lambda: tenant.make_station(security_profile=2))
    refusal = await refused(ocpp_server.ocpp_url, row.identity, password=PASSWORD)
    assert refusal.status == 401
    forged = await refused(
        ocpp_server.ocpp_url,
        row.identity,
        password=PASSWORD,
        headers={"X-Forwarded-Proto": "https"},
    )
    assert forged.status == 401


async def test_identities_are_decoded_once_and_compared_exactly(ocpp_server, tenant):
    identity = f"RDAM 12|3 {tenant.operator.pk}"
    row = await in_db(lambda: tenant.make_station(identity=identity))
    client = await RawClient.open(ocpp_server.ocpp_url, identity, password=PASSWORD)
    assert await Station(client, row).is_heard()
    await client.close()
    assert (await refused(ocpp_server.ocpp_url, identity.lower(), password=PASSWORD)).status == 404


@pytest.mark.parametrize(
    "segment",
    [
        "a%2Fb",
        "%2e%2e",
        "%00",
        "%ff",
        "a:b",
        "x" * 49,
        "",
        "a/b",
        "KNOWN/",
        "/KNOWN",
        "%zz",
        "%C3%A9",
    ],
)
async def test_odd_paths_are_refused_without_harm(ocpp_server, segment):
    refusal = await refused(
        ocpp_server.ocpp_url, target=f"{ocpp_server.ocpp_url}/{segment}", password=PASSWORD
    )
    assert refusal.status in (400, 404)


async def test_newest_socket_wins_and_the_old_one_is_closed(ocpp_server, tenant, connect):
    row = await in_db(tenant.make_station)
    async with connect(row, boot=True) as old:
        old.client.freeze()
        async with connect(row) as new:
            assert await new.is_heard()
            generations = await in_db(
                lambda: list(
                    Connection.objects.filter(station=row).values_list("generation", flat=True)
                )
            )
            assert sorted(generations) == [1, 2]
            old.client.abort()
            closed = lambda: Connection.objects.filter(  # noqa: E731
                station=row, generation=1, closed_at__isnull=False
            ).exists()
            await eventually(closed)
            state = await in_db(lambda: StationState.objects.get(station=row))
            assert state.connected
            assert state.generation == 2
    await eventually(lambda: not StationState.objects.get(station=row).connected)


async def test_facts_of_an_older_socket_are_stored_all_the_same(ocpp_server, tenant, connect):
    row = await in_db(tenant.make_station)
    start = {
        "connectorId": 1,
        "idTag": tenant.id_token.uid,
        "meterStart": 5,
        "timestamp": "2026-11-24T10:00:00Z",
    }
    async with connect(row, boot=True) as first:
        answer = await first.result("StartTransaction", start)
    async with connect(row) as second:
        assert await second.result("StartTransaction", start) == answer


async def test_slow_password_storm_does_not_block_others(ocpp_server, tenant):
    rows = await in_db(
        lambda: [tenant.make_station(password_hash=hash_password(b"12345678")) for _ in range(8)]
    )
    clients = await asyncio.gather(
        *(RawClient.open(ocpp_server.ocpp_url, row.identity, password="12345678") for row in rows)
    )
    assert len(clients) == 8
    await asyncio.gather(*(client.close() for client in clients))
