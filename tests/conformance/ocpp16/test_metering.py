"""Clocks, tags and registers: RELIABILITY checks 25 to 43.

Whatever a station sends is acknowledged; what cannot be right is shown to a person and never billed by itself.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conformance.messages import ago, at, meter_values, sample, start_of, stop_of
from tests.conformance.site import Registered, Site
from tests.conformance.wire import WireStation

ENERGY = "Energy.Active.Import.Register"


async def start(wire: WireStation, tag: str, **fields: Any) -> int:
    """A started transaction's id."""
    answer = await wire.call("StartTransaction", start_of(tag, **fields))
    tx_id: int = answer["transactionId"]
    return tx_id


async def running_energy(site: Site, tx_id: int, station: Registered) -> int | None:
    """What the operator sees of a running session's energy."""
    session = await site.session(await site.transaction(tx_id, station), "active")
    energy: int | None = session["energy_wh"]
    return energy


# --- boots in mid-session (25) --------------------------------------------------------------


async def test_readings_after_a_boot_continue_the_session(site: Site) -> None:
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        tx_id = await start(wire, tag)
    async with site.connect(station) as wire:
        await wire.call("MeterValues", meter_values(tx_id, sample(2000)))
        tx = await site.transaction(tx_id, station)
        assert tx["status"] == "active"
        [reading] = await site.meter_values(tx)
        assert reading["value"] == 2000
        assert await running_energy(site, tx_id, station) == 1000


@pytest.mark.parametrize("late", [4, 30])
async def test_a_start_after_a_boot_sends_the_forgotten_session_to_review(
    site: Site, late: int
) -> None:
    """`late` is for how many minutes the first start was kept before it was told."""
    await site.charge_money()
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        old = await start(wire, tag, timestamp=ago(minutes=late))
        await wire.call("MeterValues", meter_values(old, sample(2500), timestamp=ago(minutes=2)))
    async with site.connect(station) as wire:
        await wire.status(1, "Preparing")
        new = await start(wire, tag, timestamp=ago(minutes=1), meterStart=2600)
        forgotten = await site.transaction(old, station)
        assert (forgotten["status"], forgotten["energy_wh"]) == ("ended", 1500)
        assert {"superseded", "no_stop"} <= set(forgotten["review_reasons"])
        session = await site.session(forgotten, "in_review")
        assert session["cdr"] is None
        # Its stop turns up after all: the review closes itself and the session gets its price.
        await wire.call("StopTransaction", stop_of(old, meterStop=2550, timestamp=ago(minutes=1.5)))
        assert (await site.cdr(forgotten))["energy_wh"] == 1550
        assert (await site.transaction(new, station))["status"] == "active"


# --- clocks (28, 29) ------------------------------------------------------------------------


async def test_a_clock_that_runs_ahead_is_not_believed(site: Site) -> None:
    station, tag = await site.make_station(), await site.make_id_token()
    ahead = ago(hours=-3)
    before = datetime.now(UTC)
    async with site.connect(station) as wire:
        tx_id = await start(wire, tag, timestamp=ahead)
        await wire.call("StopTransaction", stop_of(tx_id, timestamp=ago(hours=-4)))
    tx = await site.transaction(tx_id, station)
    assert (tx["device_started_at"], tx["review_reasons"]) == (ahead, ["clock_implausible"])
    started, ended = (datetime.fromisoformat(tx[f"{end}_at"]) for end in ("started", "ended"))
    assert before <= started <= ended <= datetime.now(UTC)


async def test_a_clock_that_jumps_back_makes_no_negative_duration(site: Site) -> None:
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        tx_id = await start(wire, tag, timestamp=ago(minutes=30))
        await wire.call("StopTransaction", stop_of(tx_id, timestamp=ago(hours=2)))
    tx = await site.transaction(tx_id, station)
    assert tx["started_at"] <= tx["ended_at"]
    assert tx["device_ended_at"] < tx["device_started_at"]


async def test_a_clock_that_is_slow_by_a_day_is_kept_as_told(site: Site) -> None:
    """It cannot be told from a session made offline."""
    station, tag = await site.make_station(), await site.make_id_token()
    began, ended = ago(days=1, minutes=30), ago(days=1)
    async with site.connect(station) as wire:
        tx_id = await start(wire, tag, timestamp=began)
        await wire.call("StopTransaction", stop_of(tx_id, timestamp=ended))
    tx = await site.transaction(tx_id, station)
    assert (tx["started_at"], tx["ended_at"], tx["review_reasons"]) == (began, ended, [])


@pytest.mark.parametrize("digits", range(1, 10))
async def test_fractions_of_a_second_are_read(site: Site, digits: int) -> None:
    station, tag = await site.make_station(), await site.make_id_token()
    whole = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    fraction = "987654321"[:digits]
    async with site.connect(station) as wire:
        tx_id = await start(wire, tag, timestamp=f"{whole:%Y-%m-%dT%H:%M:%S}.{fraction}Z")
    tx = await site.transaction(tx_id, station)
    shown = datetime.fromisoformat(tx["started_at"])
    milliseconds = int(fraction.ljust(3, "0")[:3])
    assert shown == whole + timedelta(milliseconds=milliseconds)
    assert tx["review_reasons"] == []


# --- tags (30 to 33) ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "uid", ["  blank  ", "Ärger-ß", "日本語", "a" * 20, "\u202eRTL", "🔌" * 10]
)
async def test_a_tag_of_any_characters_is_known_again(site: Site, uid: str) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        assert await wire.authorize(uid) == "Invalid"
        await site.make_id_token(uid=uid)
        assert await wire.authorize(uid) == "Accepted"
        assert await wire.authorize(uid.swapcase()) == "Accepted"


async def test_a_tag_that_expires_in_mid_session_loses_no_stop(site: Site) -> None:
    station = await site.make_station()
    token = await site.rest.post("/id-tokens/", {"uid": "EXPIRES-SOON"})
    async with site.connect(station) as wire:
        tx_id = await start(wire, "EXPIRES-SOON")
        await site.rest.patch(f"/id-tokens/{token['id']}/", {"expires_at": "2026-01-01T00:00:00Z"})
        while await wire.authorize("EXPIRES-SOON") != "Expired":
            pass
        answer = await wire.call("StopTransaction", stop_of(tx_id, idTag="EXPIRES-SOON"))
        assert answer["idTagInfo"]["status"] == "Expired"
    assert (await site.transaction(tx_id, station))["energy_wh"] == 5000


async def test_another_tag_of_the_group_may_end_the_session(site: Site) -> None:
    station = await site.make_station()
    one = await site.make_id_token(group="FAMILY")
    two = await site.make_id_token(group="FAMILY")
    async with site.connect(station) as wire:
        tx_id = await start(wire, one)
        info = (await wire.call("Authorize", {"idTag": two}))["idTagInfo"]
        assert (info["status"], info["parentIdTag"]) == ("Accepted", "FAMILY")
        answer = await wire.call("StopTransaction", stop_of(tx_id, idTag=two))
        assert answer["idTagInfo"]["status"] == "Accepted"
    tx = await site.transaction(tx_id, station)
    assert (tx["status"], tx["id_token"]) == ("ended", one)


# --- readings (34 to 42) ---------------------------------------------------------------------


async def test_a_bare_value_is_the_energy_register_in_wh(site: Site) -> None:
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        tx_id = await start(wire, tag)
        await wire.call("MeterValues", meter_values(tx_id, sample("1234")))
    [reading] = await site.meter_values(await site.transaction(tx_id, station))
    expected = {
        "measurand": ENERGY,
        "unit": "Wh",
        "location": "Outlet",
        "context": "Sample.Periodic",
        "phase": None,
        "value": 1234,
        "raw_value": "1234",
        "raw_unit": None,
    }
    assert {name: reading[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("value", "unit", "wh"),
    [
        ("5", "kWh", 5000),
        ("5.0004", "kWh", 5000.4),
        ("0.001", "kWh", 1),
        ("1e3", "Wh", 1000),
        ("1E+1", "kWh", 10_000),
        ("-7", "Wh", -7),
        (" 12 ", "Wh", 12),
        ("007", None, 7),
        ("12,5", "Wh", None),
        ("", "Wh", None),
        ("NaN", "Wh", None),
        ("Infinity", "kWh", None),
        ("1_000", "Wh", None),
        ("١٢", "Wh", None),
        ("0x10", "Wh", None),
        ("9" * 40, "Wh", None),
        ("9e999999", "kWh", None),
        ("9e999999", "Wh", None),
        ("1e-99", "Wh", 0),
        ("1e-999999", "Wh", None),
        ("1e99999999999999999999", "kWh", None),
        ("1e-99999999999999999999", "kWh", None),
        ("1" * 5000, "kWh", None),
        ("0." + "1" * 5000, "kWh", 111.111111),
        ("5", "W", None),
    ],
)
async def test_a_register_is_read_exactly_or_dropped(
    site: Site, value: str, unit: str | None, wh: float | None
) -> None:
    station, tag = await site.make_station(), await site.make_id_token()
    named = {} if unit is None else {"unit": unit}
    async with site.connect(station) as wire:
        tx_id = await start(wire, tag)
        await wire.call("MeterValues", meter_values(tx_id, sample(value, ENERGY, **named)))
        assert await wire.is_heard()
    readings = await site.meter_values(await site.transaction(tx_id, station))
    assert [reading["value"] for reading in readings] == ([] if wh is None else [wh])


async def test_phases_beside_a_total_are_not_counted_twice(site: Site) -> None:
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        tx_id = await start(wire, tag)
        phases = [sample(700, ENERGY, phase=phase) for phase in ("L1", "L2", "L3")]
        await wire.call("MeterValues", meter_values(tx_id, *phases, sample(3100, ENERGY)))
        assert await running_energy(site, tx_id, station) == 2100
        assert len(await site.meter_values(await site.transaction(tx_id, station))) == 4


@pytest.mark.parametrize(
    "other",
    [
        sample(99999, "Energy.Active.Import.Interval", unit="Wh"),
        sample(99999, "Energy.Active.Export.Register", unit="Wh"),
        sample(99999, "Energy.Reactive.Import.Register", unit="varh"),
        sample(80, "SoC", unit="Percent"),
        sample(99999, "Power.Active.Import", unit="W"),
        sample(99999, "Current.Import", unit="A"),
    ],
    ids=lambda told: told["measurand"],
)
async def test_other_measurands_never_enter_the_energy(site: Site, other: dict[str, Any]) -> None:
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        tx_id = await start(wire, tag)
        await wire.call("MeterValues", meter_values(tx_id, sample(3000, ENERGY)))
        await wire.call("MeterValues", meter_values(tx_id, other, timestamp=ago(minutes=4)))
        assert await running_energy(site, tx_id, station) == 2000


@pytest.mark.parametrize("order", [1, -1])
async def test_of_several_places_the_outlet_counts(site: Site, order: int) -> None:
    station, tag = await site.make_station(), await site.make_id_token()
    samples = [sample(3000, ENERGY), sample(99999, ENERGY, location="Inlet")][::order]
    async with site.connect(station) as wire:
        tx_id = await start(wire, tag)
        await wire.call("MeterValues", meter_values(tx_id, *samples))
        assert await running_energy(site, tx_id, station) == 2000


async def test_the_main_meter_never_enters_a_session(site: Site) -> None:
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        tx_id = await start(wire, tag)
        await wire.call(
            "MeterValues", meter_values(tx_id, sample(8_000_000, ENERGY), connector_id=0)
        )
        assert await running_energy(site, tx_id, station) == 0


@pytest.mark.parametrize(
    ("meter_start", "meter_stop", "reason"),
    [
        (5000, 4999, "meter_stop_below_start"),
        (999_900, 100, "meter_stop_below_start"),
        (0, 939_000, "implausible_energy"),
    ],
)
async def test_registers_that_cannot_be_right_are_not_billed(
    site: Site, meter_start: int, meter_stop: int, reason: str
) -> None:
    """A register that fell, rolled over, or shows a lifetime (checks 38, rule 18)."""
    await site.charge_money()
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        tx_id = await start(wire, tag, meterStart=meter_start)
        await wire.call("StopTransaction", stop_of(tx_id, meterStop=meter_stop))
    session = await site.session(await site.transaction(tx_id, station), "in_review")
    # A price may be shown for the person who looks at it; nothing is billed.
    assert (session["cdr"], (session["price"] or {}).get("final", False)) == (None, False)
    assert await site.rest.rows("/cdrs/", station=station.identity) == []
    assert reason in session["review_reasons"]
    assert (await site.transaction(tx_id, station))["needs_review"]


async def test_readings_that_count_from_zero_never_mix_with_a_lifetime_register(
    site: Site,
) -> None:
    await site.charge_money()
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        tx_id = await start(wire, tag, meterStart=1_234_000)
        for number, minutes in enumerate((25, 15, 5)):
            await wire.call(
                "MeterValues",
                meter_values(tx_id, sample(1500 * number, ENERGY), timestamp=ago(minutes=minutes)),
            )
            energy = await running_energy(site, tx_id, station)
            assert energy is not None
            assert 0 <= energy <= 5000
        await wire.call("StopTransaction", stop_of(tx_id, meterStop=1_239_000))
    tx = await site.transaction(tx_id, station)
    assert (tx["energy_wh"], tx["review_reasons"]) == (5000, [])
    assert (await site.cdr(tx))["energy_wh"] == 5000


async def test_signed_readings_are_kept_byte_for_byte(site: Site) -> None:
    signed = "AP;0;3;ALCV3ABBBISHMA2RYEGAZE3HV5YQBQRAEHAR2MN;" + "x+/=\t\\N\n é€🔌" * 1500
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        tx_id = await start(wire, tag)
        await wire.call(
            "StopTransaction",
            stop_of(
                tx_id,
                transactionData=[
                    {
                        "timestamp": ago(minutes=1),
                        "sampledValue": [
                            sample(signed, ENERGY, format="SignedData", context="Transaction.End")
                        ],
                    }
                ],
            ),
        )
    [reading] = await site.meter_values(await site.transaction(tx_id, station))
    assert reading["raw_value"] == signed
    assert reading["signed"] == {"signedMeterData": signed}


async def test_signed_readings_stay_out_of_every_calculation(site: Site) -> None:
    """Their figure is inside the signature; taken for a number they would be a register of nothing."""
    await site.charge_money()
    station, tag = await site.make_station(), await site.make_id_token()
    signed = sample("AP;0;3;ALCV3ABBBISHMA2RYEGAZE3HV5YQBQRAEHAR2MN", ENERGY, format="SignedData")
    async with site.connect(station) as wire:
        tx_id = await start(wire, tag)
        for register, minutes in ((2000, 20), (4000, 10)):
            await wire.call(
                "MeterValues",
                meter_values(
                    tx_id, sample(register, ENERGY), signed, timestamp=ago(minutes=minutes)
                ),
            )
            assert await running_energy(site, tx_id, station) == register - 1000
        await wire.call("StopTransaction", stop_of(tx_id))
    tx = await site.transaction(tx_id, station)
    assert tx["review_reasons"] == []
    assert (await site.cdr(tx))["price"]["net_minor"] == 200
    assert len(await site.meter_values(tx)) == 4


async def test_statuses_count_in_the_order_they_arrive(site: Site) -> None:
    """Without a time, with the same time, with an older one (check 43)."""
    station = await site.make_station()
    now = at(datetime.now(UTC))
    async with site.connect(station) as wire:
        for status, fields in (
            ("Preparing", {"timestamp": now}),
            ("Charging", {"timestamp": now}),
            ("Finishing", {"timestamp": ago(hours=1)}),
            ("SuspendedEV", {}),
            ("Available", {"timestamp": "1970-01-01T00:00:00Z"}),
        ):
            await wire.status(1, status, **fields)
            assert (await site.connector(station))["status"] == status


async def test_an_unknown_connector_is_shown_not_fatal(site: Site) -> None:
    station = await site.make_station(evses=[{"evse_id": 1}])
    async with site.connect(station) as wire:
        await wire.status(99, "Available")
        await wire.status(-1, "Available")
        assert await wire.is_heard()
    assert [evse["evse_id"] for evse in (await site.station(station))["evses"]] == [1, 99]


# --- stops (83) -------------------------------------------------------------------------------


@pytest.mark.parametrize("fields", [{}, {"transactionData": []}, {"idTag": ""}])
async def test_a_stop_without_reason_is_local(site: Site, fields: dict[str, Any]) -> None:
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        tx_id = await start(wire, tag)
        await wire.call("StopTransaction", stop_of(tx_id, **fields))
    tx = await site.transaction(tx_id, station)
    assert (tx["status"], tx["stop_reason"]) == ("ended", "Local")
