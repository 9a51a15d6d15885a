"""Transaction messages are kept and sent in order until acknowledged, whatever happens between."""

from __future__ import annotations

import asyncio

import pytest

from stations.simulator import Vehicle

from .central import SILENT


async def whole_session(station, energy_wh=500, connector_id=1):
    await station.plug(connector_id, Vehicle(wants_wh=energy_wh))
    await station.tap("CARD-1", connector_id)
    await station.charge(connector_id=connector_id)
    await station.stop(connector_id)
    await station.unplug(connector_id)


async def test_offline_session_is_replayed_in_order(central, make_station):
    station = make_station()
    await station.start()
    await station.go_offline()
    await whole_session(station, energy_wh=3_000)
    assert not central.of("StartTransaction")
    await station.go_online()
    await station.drained()

    sent = [action for action in central.actions if action.endswith(("Transaction", "Values"))]
    assert sent[0] == "StartTransaction"
    assert sent[-1] == "StopTransaction"
    assert set(sent[1:-1]) <= {"MeterValues"}
    # The id came with the answer to Start; everything after it carries it.
    assert {p["transactionId"] for p in central.payloads("MeterValues")} <= {71}
    assert central.payloads("StopTransaction")[0]["transactionId"] == 71
    assert central.actions.count("BootNotification") == 1


async def test_status_that_changed_offline_is_reported_after_reconnecting(central, make_station):
    station = make_station()
    await station.start()
    await station.go_offline()
    await station.plug()
    await station.go_online()

    assert central.statuses(1) == ["Available", "Preparing"]
    assert central.statuses(0) == ["Available"]


async def test_start_whose_answer_was_lost_is_sent_again_with_a_new_id(central, make_station):
    """The cut comes after the server has seen the Start and before it answered."""
    station = make_station()
    await station.start()
    lost = []

    def answer(payload):
        if lost:
            return {"transactionId": 8, "idTagInfo": {"status": "Accepted"}}
        lost.append(payload)
        station.uplink.drop()
        return SILENT

    central.answers["StartTransaction"] = answer
    await whole_session(station)
    await station.drained()

    first, second = central.of("StartTransaction")
    assert first.payload == second.payload
    assert first.message_id != second.message_id
    (start,) = station.journal.acknowledged_starts()
    assert start.transaction_ids == (8,)
    assert central.payloads("StopTransaction")[0]["transactionId"] == 8


async def test_unanswered_message_is_sent_again_on_the_same_socket(central, make_station):
    station = make_station(call_timeout_s=0.05)
    await station.start()
    silent = iter([SILENT, SILENT])
    answered = {"transactionId": 8, "idTagInfo": {"status": "Accepted"}}
    central.answers["StartTransaction"] = lambda _: next(silent, answered)
    await whole_session(station)
    await station.drained()

    assert len(central.of("StartTransaction")) == 3
    assert len(central.connections) == 1


async def test_message_refused_too_often_is_dropped_and_the_queue_goes_on(central, make_station):
    settings = {"TransactionMessageAttempts": "2", "TransactionMessageRetryInterval": "0"}
    station = make_station(configuration=settings)
    await station.start()
    central.answers["StartTransaction"] = lambda _: ("InternalError", "broken")
    await whole_session(station)
    await station.drained()

    assert len(central.of("StartTransaction")) == 2
    assert central.payloads("StopTransaction")[0]["transactionId"] == -1
    assert station.journal.counts["given_up"] == 1
    assert not station.journal.acknowledged_starts()


async def test_power_loss_ends_the_session_after_the_next_boot(central, make_station):
    station = make_station()
    await station.start()
    await station.plug(vehicle=Vehicle(wants_wh=400))
    await station.tap("CARD-1")
    await station.charge()
    await station.power_cycle()
    await central.wait_for(lambda: central.of("StopTransaction"))

    assert central.actions.count("BootNotification") == 2
    stop = central.payloads("StopTransaction")[0]
    assert (stop["transactionId"], stop["meterStop"], stop["reason"]) == (71, 400, "PowerLoss")


async def test_queue_survives_the_process(central, make_station, tmp_path):
    path = tmp_path / "SIM-1.json"
    first = make_station(state_path=path)
    await first.start()
    await first.go_offline()
    await whole_session(first, energy_wh=250)
    await first.close()
    assert not central.of("StartTransaction")

    second = make_station(state_path=path)
    await second.start()
    await second.drained()

    assert len(central.of("StartTransaction")) == 1
    stop = central.payloads("StopTransaction")[0]
    assert (stop["transactionId"], stop["meterStop"]) == (71, 250)
    assert second.outlets[1].register_wh == pytest.approx(250)


async def test_session_running_at_the_end_of_the_process_ends_with_power_loss(
    central, make_station, tmp_path
):
    path = tmp_path / "SIM-1.json"
    first = make_station(state_path=path)
    await first.start()
    await first.plug(vehicle=Vehicle(wants_wh=100))
    await first.tap("CARD-1")
    await first.charge()
    await first.close()

    second = make_station(state_path=path)
    await second.start()
    await second.drained()

    stop = central.payloads("StopTransaction")[0]
    assert (stop["transactionId"], stop["meterStop"], stop["reason"]) == (71, 100, "PowerLoss")


async def test_offline_station_remembers_which_cards_are_good(central, make_station):
    central.answers["Authorize"] = lambda p: {
        "idTagInfo": {"status": "Accepted" if p["idTag"] == "GOOD" else "Blocked"}
    }
    station = make_station(configuration={"AllowOfflineTxForUnknownId": "false"})
    await station.start()
    assert await station.authorize("GOOD") == "Accepted"
    assert await station.authorize("BAD") == "Blocked"
    await station.go_offline()

    assert await station.authorize("good") == "Accepted"
    assert await station.authorize("BAD") == "Blocked"
    assert await station.authorize("NEVER-SEEN") == "Invalid"


async def test_journal_knows_what_was_acknowledged(central, make_station):
    station = make_station()
    await station.start()
    await whole_session(station, energy_wh=4_000)
    await station.drained()
    central.answers["StopTransaction"] = lambda _: SILENT
    await station.plug()
    await station.tap("CARD-2")
    stopping = asyncio.create_task(station.stop())
    await central.wait_for(lambda: len(central.of("StopTransaction")) == 2)

    journal = station.journal
    starts, stops = journal.acknowledged_starts(), journal.acknowledged_stops()
    assert [(s.transaction_id, s.id_tag) for s in starts] == [(71, "CARD-1"), (72, "CARD-2")]
    assert [(s.transaction_id, s.meter_stop_wh) for s in stops] == [(71, 4_000)]
    readings = journal.acknowledged_readings()
    assert len(readings) == len(central.of("MeterValues")) > 0
    assert {reading.connector_id for reading in readings} == {1}
    assert [request.action for request in journal.unacknowledged()] == ["StopTransaction"]
    sent = [frame.text for frame in journal.frames if frame.direction == "sent"]
    assert [seen.text for seen in central.seen] == sent
    stopping.cancel()


async def test_late_answer_counts_as_acknowledged(central, make_station):
    station = make_station(call_timeout_s=0.05)
    await station.start()
    gate = asyncio.Event()

    async def answer(payload):
        await gate.wait()
        return {"transactionId": 9, "idTagInfo": {"status": "Accepted"}}

    central.answers["StartTransaction"] = answer
    await station.plug()
    tapping = asyncio.create_task(station.tap("CARD-1"))
    await station.wait_until(lambda s: len(s.journal.sent("StartTransaction")) >= 2)
    gate.set()
    await tapping
    await station.drained()

    (start,) = station.journal.acknowledged_starts()
    assert start.transaction_ids == (9,)
    assert all(request.is_acknowledged for request in station.journal.sent("StartTransaction")[:2])
