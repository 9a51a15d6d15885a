"""What a person has to look at before it is priced."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.sessions.plausibility import DEFAULT_MAX_POWER_W, Reported, doubts
from stations.choices import ReviewReason

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


def reported(**changes: Any) -> Reported:
    """An hour at 11 kW, ten of them taken, everything by the station's clock."""
    defaults = {
        "started_at": START,
        "ended_at": START + HOUR,
        "meter_start_wh": 1_000,
        "meter_stop_wh": 11_000,
        "max_power_w": 11_000,
        "start_by_device": True,
        "end_by_device": True,
        "received_started_at": START,
    }
    return Reported(**{**defaults, **changes})


def test_what_is_plausible_raises_no_doubt() -> None:
    assert doubts(reported()) == []


@pytest.mark.parametrize(
    ("power_w", "duration", "energy_wh", "plausible"),
    [
        (11_000, HOUR, 12_100 + 1_000, True),
        (11_000, HOUR, 12_100 + 1_001, False),
        (11_000, HOUR, 939_000, False),
        (None, HOUR, DEFAULT_MAX_POWER_W, True),
        (None, HOUR, 939_000, False),
        (11_000, timedelta(0), 0, True),
        (11_000, timedelta(0), 1_000, True),
        (11_000, timedelta(0), 2_000, False),
        (11_000, timedelta(days=7), 1_000_000, True),
    ],
)
def test_energy_is_bounded_by_power_and_time(
    power_w: int | None, duration: timedelta, energy_wh: int, plausible: bool
) -> None:
    found = doubts(
        reported(max_power_w=power_w, ended_at=START + duration, meter_stop_wh=1_000 + energy_wh)
    )
    assert found == ([] if plausible else [ReviewReason.IMPLAUSIBLE_ENERGY])


@pytest.mark.parametrize(
    ("duration", "plausible"),
    [
        (timedelta(seconds=-1), False),
        (timedelta(days=7), True),
        (timedelta(days=7, seconds=1), False),
    ],
)
def test_duration_is_bounded(duration: timedelta, plausible: bool) -> None:
    found = doubts(reported(ended_at=START + duration, meter_stop_wh=1_000))
    assert found == ([] if plausible else [ReviewReason.IMPLAUSIBLE_DURATION])


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"meter_stop_wh": 999}, [ReviewReason.METER_STOP_BELOW_START]),
        ({"meter_stop_wh": None}, [ReviewReason.NO_STOP]),
        ({"meter_start_wh": None}, [ReviewReason.UNKNOWN_TRANSACTION]),
        ({"end_by_device": False}, []),
        (
            {"end_by_device": False, "received_started_at": START + HOUR},
            [ReviewReason.CLOCK_IMPLAUSIBLE],
        ),
        ({"received_started_at": START + HOUR}, []),
        (
            {
                "end_by_device": False,
                "start_by_device": False,
                "received_started_at": START + HOUR,
            },
            [],
        ),
    ],
)
def test_registers_and_clocks(changes: dict[str, Any], found: list[ReviewReason]) -> None:
    assert doubts(reported(**changes)) == found
