from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from stations.simulator import Vehicle
from stations.simulator.outlet import DC_150, OutletSpec, ScenarioError


async def test_boots_and_reports_every_connector(central, make_station):
    station = make_station(connectors=[DC_150, DC_150])
    await station.start()

    assert central.actions == ["BootNotification", *["StatusNotification"] * 3]
    statuses = central.payloads("StatusNotification")
    assert [(s["connectorId"], s["status"]) for s in statuses] == [
        (0, "Available"),
        (1, "Available"),
        (2, "Available"),
    ]
    assert station.configuration.integer("HeartbeatInterval") == 300


@pytest.mark.parametrize("first", ["Pending", "Rejected"])
async def test_boots_again_until_accepted(central, make_station, first):
    answers = iter([first, first, "Accepted"])
    central.answers["BootNotification"] = lambda _: {
        "status": next(answers),
        "currentTime": "2026-01-01T00:00:00Z",
        "interval": 0,
    }
    await make_station().start()

    assert central.actions[:4] == [*["BootNotification"] * 3, "StatusNotification"]


async def test_sends_heartbeats_at_the_interval_of_the_boot_answer(central, make_station):
    station = make_station()
    await station.start()
    station.configuration.set("HeartbeatInterval", "1")
    station.changed()

    await central.wait_for(lambda: central.of("Heartbeat"))


async def test_whole_session(central, make_station):
    station = make_station(connectors=[OutletSpec(register_wh=12_345)])
    await station.start()
    await station.plug(vehicle=Vehicle(wants_wh=1_500))
    assert await station.tap("CARD-1") == "Accepted"
    await station.charge()
    await station.wait_until(lambda s: s.outlets[1].status == "SuspendedEV")
    await station.tap("CARD-1")
    await station.unplug()
    await station.drained()

    assert central.statuses(1) == [
        "Available",
        "Preparing",
        "Charging",
        "SuspendedEV",
        "Finishing",
        "Available",
    ]
    (start,), (stop,) = central.payloads("StartTransaction"), central.payloads("StopTransaction")
    assert (start["connectorId"], start["idTag"], start["meterStart"]) == (1, "CARD-1", 12_345)
    assert stop["meterStop"] - start["meterStart"] == 1_500
    assert (stop["transactionId"], stop["idTag"]) == (71, "CARD-1")
    assert "reason" not in stop  # Local is what a missing reason means


async def test_readings_rise_from_start_to_stop(central, make_station):
    station = make_station(connectors=[DC_150])
    await station.start()
    await station.plug(vehicle=Vehicle(soc_percent=30))
    await station.tap("CARD-1")
    await central.wait_for(lambda: len(central.of("MeterValues")) >= 4)
    await station.stop()
    await station.drained()

    readings = central.payloads("MeterValues")
    assert {reading["transactionId"] for reading in readings} == {71}
    samples = [
        {s["measurand"]: s for s in reading["meterValue"][0]["sampledValue"]}
        for reading in readings
    ]
    assert set(samples[0]) == {
        "Energy.Active.Import.Register",
        "Power.Active.Import",
        "Current.Import",
        "Voltage",
        "SoC",
    }
    registers = [int(s["Energy.Active.Import.Register"]["value"]) for s in samples]
    registers = [0, *registers, central.payloads("StopTransaction")[0]["meterStop"]]
    assert registers == sorted(registers)
    assert registers[1] > 0
    socs = [int(s["SoC"]["value"]) for s in samples]
    assert socs == sorted(socs)
    assert socs[0] >= 30


async def test_timestamps_are_the_clock_whatever_the_speed(central, make_station):
    station = make_station(clock=lambda: datetime(2026, 3, 4, 5, 6, 7, 89_000, tzinfo=UTC))
    await station.start()
    await station.plug()
    await station.tap("CARD-1")
    await station.charge(energy_wh=100)
    await station.stop()

    times = [s["timestamp"] for s in central.payloads("StatusNotification")]
    times += [p["timestamp"] for p in central.payloads("StartTransaction")]
    times += [p["timestamp"] for p in central.payloads("StopTransaction")]
    assert set(times) == {"2026-03-04T05:06:07.089Z"}


async def test_three_phase_station_gives_a_one_phase_car_one_current(central, make_station):
    station = make_station()
    await station.start()
    await station.plug(vehicle=Vehicle(ac_limit_w=7_400, ac_phases=1))
    await station.tap("CARD-1")
    await central.wait_for(lambda: central.of("MeterValues"))

    sampled = central.payloads("MeterValues")[-1]["meterValue"][0]["sampledValue"]
    assert [s["phase"] for s in sampled if s["measurand"] == "Current.Import"] == ["L1"]


async def test_pulling_the_plug_ends_the_session(central, make_station):
    station = make_station()
    await station.start()
    await station.plug()
    await station.tap("CARD-1")
    await station.unplug()
    await station.drained()

    assert central.payloads("StopTransaction")[0]["reason"] == "EVDisconnected"
    assert central.statuses(1)[-2:] == ["Charging", "Available"]


async def test_full_car_suspends_and_goes_on_holding_the_plug(central, make_station):
    station = make_station()
    await station.start()
    await station.plug(vehicle=Vehicle(battery_wh=1_000, soc_percent=50, target_soc_percent=80))
    await station.tap("CARD-1")
    await central.wait_for(lambda: "SuspendedEV" in central.statuses(1))
    tx = await station.stop()

    assert tx.drawn_wh == pytest.approx(0.3 * 1_000 / 0.90)


async def test_tap_before_plug_starts_when_the_plug_comes(central, make_station):
    station = make_station()
    await station.start()
    await station.tap("CARD-1")
    assert not central.of("StartTransaction")
    await station.plug()

    assert len(central.of("StartTransaction")) == 1


async def test_refused_card_starts_nothing(central, make_station):
    central.answers["Authorize"] = lambda _: {"idTagInfo": {"status": "Blocked"}}
    station = make_station()
    await station.start()
    await station.plug()

    assert await station.tap("CARD-1") == "Blocked"
    assert station.outlets[1].tx is None
    assert not central.of("StartTransaction")


async def test_stops_when_the_start_is_answered_with_a_refused_tag(central, make_station):
    central.answers["StartTransaction"] = lambda _: {
        "transactionId": 5,
        "idTagInfo": {"status": "Expired"},
    }
    station = make_station()
    await station.start()
    await station.plug()
    await station.tap("CARD-1")
    await central.wait_for(lambda: central.of("StopTransaction"))

    stop = central.payloads("StopTransaction")[0]
    assert (stop["transactionId"], stop["reason"]) == (5, "DeAuthorized")


async def test_transaction_data_holds_first_and_last_reading(central, make_station):
    station = make_station(configuration={"StopTxnSampledData": "Energy.Active.Import.Register"})
    await station.start()
    await station.plug(vehicle=Vehicle(wants_wh=700))
    await station.tap("CARD-1")
    await station.charge()
    await station.stop()
    await station.drained()

    data = central.payloads("StopTransaction")[0]["transactionData"]
    samples = [value["sampledValue"][0] for value in data]
    assert [s["context"] for s in samples] == ["Transaction.Begin", "Transaction.End"]
    assert int(samples[1]["value"]) - int(samples[0]["value"]) == 700


async def test_charge_returns_early_when_the_session_is_ended_from_afar(central, make_station):
    station = make_station(speed=1)
    await station.start()
    await station.plug()
    await station.tap("CARD-1")
    charging = asyncio.create_task(station.charge(energy_wh=50_000))
    await central.result("RemoteStopTransaction", {"transactionId": 71})
    await charging
    await central.wait_for(lambda: central.of("StopTransaction"))

    assert central.payloads("StopTransaction")[0]["reason"] == "Remote"


async def test_charging_goes_on_for_more_energy_or_time(make_station):
    station = make_station()
    await station.start()
    await station.plug(vehicle=Vehicle(wants_wh=200))
    await station.tap("CARD-1")
    await station.charge()
    await station.charge(energy_wh=300)
    assert station.outlets[1].tx.drawn_wh == pytest.approx(500)
    await station.charge(duration_s=30)

    assert (await station.stop()).drawn_wh == pytest.approx(500)


async def test_impossible_gestures_are_refused(make_station):
    station = make_station()
    await station.start()
    with pytest.raises(ScenarioError):
        await station.charge(energy_wh=1)
    with pytest.raises(ScenarioError):
        await station.unplug()
    await station.plug()
    with pytest.raises(ScenarioError):
        await station.plug()
