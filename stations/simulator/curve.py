"""How fast a car charges: pure functions of battery, plug and temperature.

Power at the outlet is what the meter counts; `EFFICIENCY` of it reaches the battery.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from enum import Enum

EFFICIENCY = {"AC": 0.90, "DC": 0.95}
MAINS_VOLTAGE_V = 230.0

# (state of charge %, share of the car's DC limit it accepts), ascending; linear in between.
DC_TAPER = (
    (0.0, 0.70),
    (5.0, 1.00),
    (60.0, 1.00),
    (80.0, 0.50),
    (90.0, 0.25),
    (100.0, 0.06),
)
# (battery °C, share of power a battery that cold accepts)
COLD_DERATING = ((-20.0, 0.10), (-10.0, 0.25), (0.0, 0.45), (10.0, 0.75), (20.0, 1.00))
# AC chargers on board hold full power until the very end.
AC_TAPER = ((0.0, 1.00), (96.0, 1.00), (100.0, 0.15))
RAMP_UP_S = 4.0
# A pack warms by about this much while one per cent of its capacity goes through it.
WARMING_C_PER_PERCENT = 0.6


class Current(Enum):
    AC = "AC"
    DC = "DC"


@dataclass
class Vehicle:
    """A car at a plug. `soc_percent` and `battery_c` move while it charges.

    `wants_wh` makes it pause after exactly so much energy from the outlet in one session.
    """

    battery_wh: float = 60_000
    soc_percent: float = 20.0
    target_soc_percent: float = 100.0
    ac_limit_w: float = 11_000
    ac_phases: int = 3
    dc_limit_w: float = 150_000
    battery_c: float = 25.0
    nominal_voltage_v: float = 400.0
    wants_wh: float | None = None

    @property
    def is_full(self) -> bool:
        return self.soc_percent >= self.target_soc_percent - 1e-9


@dataclass(frozen=True)
class Reading:
    """What the outlet's meter shows at one moment. Currents are per phase in use (one for DC)."""

    energy_wh: float
    power_w: float
    currents_a: tuple[float, ...]
    voltage_v: float
    soc_percent: float | None


# Common cars: (share of the fleet, battery Wh, AC limit W, AC phases, DC limit W, pack voltage)
CARS = (
    (3, 58_000, 11_000, 3, 135_000, 400.0),
    (3, 77_000, 11_000, 3, 170_000, 400.0),
    (2, 75_000, 11_000, 3, 250_000, 360.0),
    (2, 50_000, 7_400, 1, 100_000, 400.0),
    (1, 40_000, 6_600, 1, 46_000, 360.0),
    (1, 52_000, 22_000, 3, 46_000, 400.0),
    (1, 77_400, 11_000, 3, 233_000, 700.0),
)


def random_vehicle(rng: random.Random) -> Vehicle:
    _, battery, ac_limit, phases, dc_limit, volts = rng.choices(
        CARS, weights=[car[0] for car in CARS]
    )[0]
    return Vehicle(
        battery_wh=battery,
        soc_percent=rng.uniform(8, 60),
        target_soc_percent=rng.choice((80.0, 90.0, 100.0)),
        ac_limit_w=ac_limit,
        ac_phases=phases,
        dc_limit_w=dc_limit,
        battery_c=rng.uniform(-5, 30),
        nominal_voltage_v=volts,
    )


def interpolate(points: tuple[tuple[float, float], ...], x: float) -> float:
    """Linear interpolation; flat beyond both ends."""
    if x <= points[0][0]:
        return points[0][1]
    for (x0, y0), (x1, y1) in zip(points, points[1:], strict=False):
        if x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return points[-1][1]


@dataclass
class Charge:
    """One car drawing power from one outlet; advanced by whoever owns the clock."""

    vehicle: Vehicle
    current: Current
    max_power_w: float
    phases: int = 3
    elapsed_s: float = field(default=0.0)

    @property
    def phases_in_use(self) -> int:
        return min(self.phases, self.vehicle.ac_phases) if self.current is Current.AC else 1

    def power_w(self) -> float:
        """Power drawn right now; 0 once the car has what it wanted."""
        car = self.vehicle
        if car.is_full:
            return 0.0
        ramp = min(1.0, 0.1 + self.elapsed_s / RAMP_UP_S)
        if self.current is Current.DC:
            wish = car.dc_limit_w * interpolate(DC_TAPER, car.soc_percent)
            wish *= interpolate(COLD_DERATING, car.battery_c)
            return min(self.max_power_w, wish) * ramp
        # The on-board charger is limited per phase: a three-phase car on one phase gets a third.
        per_phase_w = min(self.max_power_w / self.phases, car.ac_limit_w / car.ac_phases)
        return per_phase_w * self.phases_in_use * interpolate(AC_TAPER, car.soc_percent) * ramp

    def advance(self, duration_s: float, limit_wh: float | None = None) -> float:
        """Charge for `duration_s` and return the energy drawn in Wh, never above `limit_wh`.

        Long spans are cut in steps (one second while power ramps up, then five), because power
        changes as the battery fills.
        """
        drawn_wh = 0.0
        remaining_s = duration_s
        while remaining_s > 0 and not self.vehicle.is_full:
            step_s = min(1.0 if self.elapsed_s < RAMP_UP_S else 5.0, remaining_s)
            energy_wh = self.power_w() * step_s / 3600
            if limit_wh is not None and drawn_wh + energy_wh >= limit_wh:
                self._store(limit_wh - drawn_wh)
                self.elapsed_s += remaining_s
                return limit_wh
            drawn_wh += self._store(energy_wh)
            self.elapsed_s += step_s
            remaining_s -= step_s
        self.elapsed_s += max(0.0, remaining_s)
        return drawn_wh

    def _store(self, energy_wh: float) -> float:
        """Put outlet energy into the battery; returns what was really taken (a full car stops)."""
        car = self.vehicle
        efficiency = EFFICIENCY[self.current.value]
        room_wh = (car.target_soc_percent - car.soc_percent) / 100 * car.battery_wh / efficiency
        taken_wh = min(energy_wh, room_wh)
        gained_percent = taken_wh * efficiency / car.battery_wh * 100
        car.soc_percent = min(car.target_soc_percent, car.soc_percent + gained_percent)
        if car.battery_c < 35:
            car.battery_c += gained_percent * WARMING_C_PER_PERCENT
        return taken_wh

    def reading(self, register_wh: float, power_w: float | None = None) -> Reading:
        power = self.power_w() if power_w is None else power_w
        if self.current is Current.DC:
            volts = self.vehicle.nominal_voltage_v * (0.9 + 0.2 * self.vehicle.soc_percent / 100)
            soc: float | None = self.vehicle.soc_percent
        else:
            volts, soc = MAINS_VOLTAGE_V, None
        per_phase_a = power / volts / self.phases_in_use
        return Reading(register_wh, power, (per_phase_a,) * self.phases_in_use, volts, soc)
