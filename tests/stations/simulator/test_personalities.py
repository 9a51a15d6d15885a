"""Each personality sends what it claims to send."""

from __future__ import annotations

import asyncio
import json
import random
from datetime import UTC, datetime, timedelta

import pytest

from stations.simulator import Personality, Vehicle, all_personalities, personality
from stations.simulator.quirks import QUIRKS, DropsIdle, Flapping

from .central import SILENT

KEY = "00112233445566778899aabbccddeeff01020304"


@pytest.fixture
def live(central, make_station):
    """A started station of one personality."""

    async def live(name, **options):
        station = make_station(personality=name, **options)
        await station.start()
        return station

    return live


async def whole_session(station, wants_wh=500, id_tag="CARD-1"):
    await station.plug(vehicle=Vehicle(wants_wh=wants_wh))
    await station.tap(id_tag)
    await station.charge()
    tx = await station.stop()
    await station.unplug()
    return tx


async def session_with_readings(central, station, count=2):
    await station.plug()
    await station.tap("CARD-1")
    await central.wait_for(lambda: len(central.of("MeterValues")) >= count)


def registers(central):
    return [
        float(sample["value"])
        for payload in central.payloads("MeterValues")
        for value in payload["meterValue"]
        for sample in value["sampledValue"]
        if sample["measurand"] == "Energy.Active.Import.Register"
    ]


def test_every_quirk_has_a_name_a_sentence_and_a_source():
    names = [kind.name for kind in QUIRKS]
    assert len(set(names)) == len(names) == 37
    for kind in QUIRKS:
        assert kind.does().endswith(".")
        assert kind.does() != Personality.does()
        assert kind.source != Personality.source


def test_personalities_are_found_by_name():
    assert isinstance(personality("never_stops"), all_personalities()["never_stops"])
    with pytest.raises(ValueError, match="never_stops"):
        personality("grumpy")


def test_mixed_draws_honest_ones_and_common_quirks_only():
    rng = random.Random(7)
    drawn = {type(personality("mixed", rng)) for _ in range(2_000)}
    assert drawn == {kind for kind in all_personalities().values() if kind.is_common}


# Delivery


async def test_repeats_start_same_id(central, live):
    station = await live("repeats_start_same_id")
    await whole_session(station)
    await central.wait_for(lambda: len(central.of("StartTransaction")) == 3)

    assert len({seen.text for seen in central.of("StartTransaction")}) == 1
    await station.wait_until(lambda s: len(s.journal.sent("StartTransaction")[0].answers) == 3)
    # This server knew no better, and the journal shows it.
    assert station.journal.acknowledged_starts()[0].transaction_ids == (71, 72, 73)


async def test_repeats_start_new_id(central, live):
    station = await live("repeats_start_new_id")
    await whole_session(station)
    await station.drained()

    first, second = central.of("StartTransaction")
    assert first.payload == second.payload
    assert first.message_id != second.message_id


async def test_double_start(central, live):
    central.answers["StartTransaction"] = lambda _: SILENT
    station = await live("double_start", call_timeout_s=0.2)
    await station.plug()
    tapping = asyncio.create_task(station.tap("CARD-1"))
    await central.wait_for(lambda: len(central.of("StartTransaction")) >= 2)
    first, second = central.of("StartTransaction")[:2]

    assert first.payload == second.payload
    assert first.message_id != second.message_id
    tapping.cancel()


async def test_counter_restarts(central, live):
    station = await live("counter_restarts")
    await station.power_cycle()
    await central.wait_for(lambda: len(central.of("BootNotification")) == 2)

    boots = central.of("BootNotification")
    assert [boot.message_id for boot in boots] == ["1000000", "1000000"]
    assert central.of("StatusNotification")[0].message_id == "1000001"


async def test_stop_unknown_transaction(central, live):
    await live("stop_unknown_transaction")
    await central.wait_for(lambda: len(central.of("StopTransaction")) == 4)

    ids = [payload["transactionId"] for payload in central.payloads("StopTransaction")]
    assert ids == [-1, 0, -16, 2**63 - 1]


async def test_duplicate_stop_shifted_timestamp(central, live):
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    station = await live("duplicate_stop_shifted_timestamp", clock=lambda: now)
    await whole_session(station)
    await station.drained()

    first, second = central.payloads("StopTransaction")
    assert {**first, "timestamp": ""} == {**second, "timestamp": ""}
    assert first["timestamp"] == "2026-01-01T12:00:00.000Z"
    assert second["timestamp"] == "2026-01-01T12:00:02.000Z"


async def test_replay_flood(central, live):
    station = await live("replay_flood")
    gate = asyncio.Event()

    async def slow(payload):
        await gate.wait()
        return {}

    central.answers["MeterValues"] = slow
    await station.plug(vehicle=Vehicle(wants_wh=1_000))
    await station.tap("CARD-1")
    await station.charge()
    assert not central.of("StartTransaction")  # kept back although online
    stopping = asyncio.create_task(station.stop())
    await station.wait_until(lambda s: len(s.journal.sent("StopTransaction")) == 1)
    # Everything is out, and not one reading has been answered.
    assert len(station.journal.sent("MeterValues")) > 1
    assert not station.journal.acknowledged_readings()
    gate.set()
    await stopping
    await station.drained()
    assert central.payloads("StopTransaction")[0]["transactionId"] == 71


# Sessions


async def test_never_stops(central, live):
    station = await live("never_stops")
    await whole_session(station)
    await station.drained()

    assert central.statuses(1)[-1] == "Available"
    assert not central.of("StopTransaction")
    await station.power_cycle()
    await central.wait_for(lambda: len(central.of("BootNotification")) == 2)
    assert not station.memory.transactions


async def test_available_before_stop(central, live):
    station = await live("available_before_stop")
    await whole_session(station)
    await station.drained()

    tail = [(s.action, s.payload.get("status")) for s in central.seen][-3:]
    assert tail == [
        ("StatusNotification", "Available"),
        ("MeterValues", None),
        ("StopTransaction", None),
    ]


async def test_closing_reading_after_stop(central, live):
    station = await live("closing_reading_after_stop")
    await whole_session(station)
    await station.drained()

    actions = [action for action in central.actions if action != "StatusNotification"]
    assert actions[-2:] == ["StopTransaction", "MeterValues"]
    closing = central.payloads("MeterValues")[-1]
    assert closing["transactionId"] == 71
    assert closing["meterValue"][0]["sampledValue"][0]["context"] == "Transaction.End"


async def test_reboots_mid_session(central, live):
    station = await live("reboots_mid_session")
    await station.plug()
    await station.tap("CARD-1")
    await central.wait_for(lambda: central.statuses(1)[-1:] == ["Preparing"])
    await central.wait_for(lambda: len(central.of("BootNotification")) == 2)
    await station.wait_until(lambda s: s.is_online)

    assert not central.of("StopTransaction")
    assert central.statuses(1)[-1] == "Preparing"
    assert len(central.of("MeterValues")) == 2


# Meters


async def test_register_resets_each_session(central, live):
    station = await live("register_resets_each_session")
    for _ in range(2):
        await whole_session(station)
    await station.drained()

    assert [p["meterStart"] for p in central.payloads("StartTransaction")] == [0, 0]


async def test_register_resets_each_boot(central, live):
    station = await live("register_resets_each_boot")
    await whole_session(station)
    assert station.outlets[1].register_wh == pytest.approx(500)
    await station.power_cycle()
    await station.wait_until(lambda s: s.is_online and s.outlets[1].register_wh == 0)


async def test_relative_meter_values(central, live):
    station = await live("relative_meter_values")
    station.outlets[1].register_wh = 1_000_000
    await session_with_readings(central, station)
    await station.stop()
    await station.drained()

    assert central.payloads("StartTransaction")[0]["meterStart"] == 1_000_000
    assert central.payloads("StopTransaction")[0]["meterStop"] > 1_000_000
    assert max(registers(central)) < 1_000_000


async def test_lifetime_register(central, live):
    station = await live("lifetime_register")
    await whole_session(station)
    await station.drained()

    assert central.payloads("StartTransaction")[0]["meterStart"] == 0
    assert central.payloads("StopTransaction")[0]["meterStop"] == 939_500


async def test_kwh_labelled_wh(central, live):
    station = await live("kwh_labelled_wh")
    station.outlets[1].register_wh = 1_000_000
    await session_with_readings(central, station, count=1)

    assert 1_000 < registers(central)[0] < 1_001
    first = central.payloads("MeterValues")[0]["meterValue"][0]["sampledValue"][0]
    assert first["unit"] == "Wh"


async def test_unitless_and_empty_samples(central, live):
    station = await live("unitless_and_empty_samples")
    await session_with_readings(central, station, count=1)

    values = central.payloads("MeterValues")[0]["meterValue"]
    power = [s for s in values[0]["sampledValue"] if s["measurand"] == "Power.Active.Import"]
    assert [sample.get("unit") for sample in power] == [None, "Wh"]
    assert "" in [sample["value"] for sample in values[0]["sampledValue"]]
    assert "Sample.Unknown" in [sample["context"] for sample in values[0]["sampledValue"]]
    assert values[1]["sampledValue"] == []


# Frames


async def test_broken_json_frames(central, live):
    station = await live("broken_json_frames")
    await session_with_readings(central, station, count=4)

    value, element, brace, nul = central.broken[:4]
    assert '"transactionId":,' in value or '"transactionId":}' in value
    assert '"sampledValue":[,{' in element
    assert brace.count("{") == brace.count("}") + 1
    assert "\x00" in nul
    # The sound copies got through.
    await station.wait_until(lambda s: len(s.journal.acknowledged_readings()) >= 4)


async def test_null_payloads(central, live):
    station = await live("null_payloads")
    await station.call(*station.dialect.heartbeat())

    assert json.loads(central.of("Heartbeat")[0].text)[3] is None


async def test_lowercase_id_tag(central, live):
    station = await live("lowercase_id_tag")
    await whole_session(station, id_tag="CaRd-1")
    await station.drained()

    assert central.payloads("Authorize")[0]["idTag"] == "CaRd-1"
    assert central.payloads("StartTransaction")[0]["idTag"] == "card-1"


# Clocks

NOON = datetime(2026, 6, 1, 12, 0, 0, 250_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "status", "start"),
    [
        ("zone_less_timestamps", "2026-06-01T12:00:00", "2026-06-01T12:00:00"),
        ("zero_timestamps", "0", "2026-06-01T12:00:00.250Z"),
        ("local_time_marked_z", "2026-06-01T14:00:00.250Z", "2026-06-01T14:00:00.250Z"),
        ("epoch_1970_clock", "1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.000Z"),
        ("fast_clock_3h", "2026-06-01T15:00:00.250Z", "2026-06-01T15:00:00.250Z"),
    ],
)
async def test_clocks(central, live, name, status, start):
    station = await live(name, clock=lambda: NOON)
    await whole_session(station)
    await station.drained()

    assert {p["timestamp"] for p in central.payloads("StatusNotification")} == {status}
    assert central.payloads("StartTransaction")[0]["timestamp"] == start


async def test_same_timestamp_statuses(central, live):
    ticks = iter(NOON + timedelta(seconds=n) for n in range(1_000))
    station = await live("same_timestamp_statuses", clock=lambda: next(ticks))
    await whole_session(station)

    assert len(central.of("StatusNotification")) > 5
    assert len({p["timestamp"] for p in central.payloads("StatusNotification")}) == 1
    assert (
        central.payloads("StartTransaction")[0]["timestamp"]
        != central.payloads("StopTransaction")[0]["timestamp"]
    )


async def test_epoch_clock_starts_again_with_each_boot(central, live):
    ticks = iter(NOON + timedelta(hours=n) for n in range(1_000))
    station = await live("epoch_1970_clock", clock=lambda: next(ticks))
    await station.power_cycle()
    await central.wait_for(lambda: len(central.of("BootNotification")) == 2)
    await station.wait_until(lambda s: s.is_online)

    times = [p["timestamp"] for p in central.payloads("StatusNotification")]
    assert times.count("1970-01-01T00:00:00.000Z") == 2


# Sockets


async def test_no_subprotocol(central, live):
    await live("no_subprotocol")

    assert central.offers == [None]


async def test_offers_201_speaks_16(central, live):
    central.subprotocols = ["ocpp2.0.1"]
    await live("offers_201_speaks_16")

    assert central.offers == ["ocpp2.0.1"]
    assert "chargePointVendor" in central.payloads("BootNotification")[0]


async def test_half_open_then_new_socket(central, live):
    station = await live("half_open_then_new_socket")
    await session_with_readings(central, station, count=3)

    old, new = central.connections
    assert old.state.name == "OPEN"
    assert central.of("MeterValues")[-1].connection is new
    assert len(central.of("BootNotification")) == 1


async def test_flapping(central, live, monkeypatch):
    monkeypatch.setattr(Flapping, "after_s", 0.01)
    await live("flapping")
    await central.wait_for(lambda: len(central.of("BootNotification")) >= 3)


async def test_never_redials_after_close(central, live):
    station = await live("never_redials_after_close")
    await central.connections[0].close(1001)
    await station.wait_until(lambda s: not s.is_connected and not s.uplink.wanted.is_set())

    assert len(central.connections) == 1


async def test_honest_station_redials_after_close(central, live):
    station = await live("honest")
    await central.connections[0].close(1001)
    await central.wait_for(lambda: len(central.connections) == 2)
    await station.wait_until(lambda s: s.is_online)

    assert len(central.of("BootNotification")) == 1


@pytest.mark.parametrize(("name", "answered"), [("ignores_pings", False), ("honest", True)])
async def test_ignores_pings(central, live, name, answered):
    await live(name)
    pong = await central.connections[0].ping()
    # The answer to a command leaves after the pong would have.
    await central.result("ClearCache", {})

    assert pong.done() is answered
    pong.cancel()


async def test_drops_idle(central, live, monkeypatch):
    monkeypatch.setattr(DropsIdle, "idle_s", 0.05)
    await live("drops_idle")
    await central.wait_for(lambda: len(central.connections) >= 2)


# Commands


async def test_never_answers_commands_until_it_reconnects(central, live):
    station = await live("never_answers_commands")
    await central.send_command("GetConfiguration", {})
    await station.call(*station.dialect.heartbeat())
    assert central.replies == []
    await central.connections[0].close(1001)
    await central.wait_for(lambda: len(central.connections) == 2)
    await station.wait_until(lambda s: s.is_online)

    assert await central.result("ClearCache", {}) == {"status": "Accepted"}


async def test_error_details_string(central, live):
    await live("error_details_string")
    frame = await central.command("ClearCache", {})

    assert frame[0] == 4
    assert frame[4].startswith("select ")


async def test_calls_before_answering(central, live):
    await live("calls_before_answering")
    await central.command("ClearCache", {})

    assert central.actions[-1] == "Heartbeat"


@pytest.mark.parametrize(
    ("name", "secret"), [("literal_hex_key", KEY.encode()), ("honest", bytes.fromhex(KEY))]
)
def test_literal_hex_key(name, secret):
    assert personality(name).password(KEY) == secret
