from __future__ import annotations

import random

import pytest

from stations.simulator.curve import Charge, Current, Vehicle, random_vehicle


def charge(current, max_power_w, *, phases=3, warm_up_s=10.0, **vehicle):
    charge = Charge(Vehicle(**vehicle), current, max_power_w, phases)
    charge.elapsed_s = warm_up_s
    return charge


@pytest.mark.parametrize(
    ("station_w", "phases", "car_w", "car_phases", "power_w"),
    [
        (22_000, 3, 11_000, 3, 11_000),  # the car is the limit
        (11_000, 3, 22_000, 3, 11_000),  # the station is the limit
        (22_000, 3, 7_400, 1, 22_000 / 3),  # one of three phases
        (3_700, 1, 11_000, 3, 11_000 / 3),  # three-phase car on one phase
        (7_400, 1, 7_400, 1, 7_400),
    ],
)
def test_ac_power_is_the_smaller_limit_per_phase(station_w, phases, car_w, car_phases, power_w):
    process = charge(
        Current.AC, station_w, phases=phases, ac_limit_w=car_w, ac_phases=car_phases, soc_percent=50
    )
    assert process.power_w() == pytest.approx(power_w)


def test_dc_power_tapers_with_the_battery_filling():
    powers = [
        charge(Current.DC, 400_000, dc_limit_w=200_000, soc_percent=soc).power_w()
        for soc in (20, 60, 70, 80, 90, 99)
    ]
    assert powers[0] == powers[1] == 200_000
    assert powers[1:] == sorted(powers[1:], reverse=True)
    assert len(set(powers)) == 5


def test_dc_power_is_capped_by_the_station():
    assert charge(Current.DC, 50_000, dc_limit_w=200_000).power_w() == 50_000


def test_cold_battery_charges_slowly_and_warms_up():
    cold = charge(Current.DC, 400_000, dc_limit_w=200_000, battery_c=-10, soc_percent=10)
    slow_w = cold.power_w()
    assert slow_w < 0.3 * 200_000
    cold.advance(600)
    assert cold.vehicle.battery_c > -10
    assert cold.power_w() > slow_w


def test_quick_demo_session_is_about_one_kilowatt_hour():
    process = charge(Current.DC, 150_000, warm_up_s=0, dc_limit_w=170_000)
    assert process.advance(25) == pytest.approx(1_000, rel=0.1)


def test_full_battery_takes_nothing_more():
    process = charge(Current.AC, 11_000, battery_wh=1_000, soc_percent=50)
    assert process.advance(10 * 3600) == pytest.approx(500 / 0.90)
    assert process.power_w() == 0
    assert process.advance(3600) == 0


def test_limit_is_met_exactly():
    process = charge(Current.AC, 11_000)
    assert process.advance(3600, limit_wh=1_234) == 1_234


def test_steps_do_not_change_the_energy():
    whole = charge(Current.DC, 150_000, soc_percent=50)
    parts = charge(Current.DC, 150_000, soc_percent=50)
    energy_wh = whole.advance(900)
    assert sum(parts.advance(5) for _ in range(180)) == pytest.approx(energy_wh)


def test_readings_obey_ohm_and_kirchhoff():
    ac = charge(Current.AC, 11_000, soc_percent=50).reading(1_000)
    assert sum(amps * ac.voltage_v for amps in ac.currents_a) == pytest.approx(ac.power_w)
    assert len(ac.currents_a) == 3
    assert ac.soc_percent is None
    dc = charge(Current.DC, 50_000, soc_percent=50).reading(1_000)
    assert dc.currents_a[0] * dc.voltage_v == pytest.approx(dc.power_w)
    assert dc.soc_percent == 50


def test_random_cars_are_plausible():
    rng = random.Random(1)
    for _ in range(200):
        car = random_vehicle(rng)
        assert 0 < car.soc_percent < car.target_soc_percent <= 100
        assert car.ac_limit_w < car.dc_limit_w
