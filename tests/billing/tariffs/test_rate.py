"""What a session costs, rule by rule (REST "Tariffs and prices")."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing.tariffs.facts import SessionFacts, quote_facts
from billing.tariffs.rate import rate
from billing.tariffs.tariff import Tariff
from billing.tariffs.timeline import charging_s, idle_s
from tests.billing.tariffs.builders import (
    START,
    charging,
    element,
    energy,
    flat,
    lines,
    nets,
    parking,
    quantities,
    session,
    tariff,
)

BERLIN = "Europe/Berlin"


# Energy, fees, currencies and VAT


@pytest.mark.parametrize(
    ("currency", "price", "wh", "net"),
    [
        ("EUR", "0.25", 10_000, 250),
        ("EUR", "0.25", 10_010, 250),  # 250.25
        ("EUR", "0.25", 10_020, 251),  # 250.50, half up
        ("JPY", "33.5", 1_000, 34),
        ("JPY", "33.4", 1_000, 33),
        ("KWD", "0.0255", 10_000, 255),
        ("KWD", "0.02555", 10_000, 256),  # 255.5 fils
        ("CLF", "0.00125", 10_000, 125),
    ],
)
def test_energy_is_billed_in_minor_units_of_the_currency(
    currency: str, price: str, wh: int, net: int
) -> None:
    price_of_it = rate(tariff(element(energy(price)), currency=currency), session(60, wh))
    assert (price_of_it.currency, price_of_it.net_minor) == (currency, net)


def test_energy_is_the_difference_of_the_registers() -> None:
    price = rate(tariff(element(energy("1"))), session(60, 1500, register=987_654))
    assert quantities(price, "ENERGY") == ["1.5"]


def test_tax_comes_from_the_exact_net_not_from_the_rounded_one() -> None:
    # 24.49 cents: 10.3 % of them are 2.52 cents, of the rounded 24 they would be 2.47.
    price = rate(tariff(element(energy("0.2449", vat="10.3"))), session(60, 1000))
    assert (price.net_minor, price.tax_minor, price.gross_minor) == (24, 3, 27)


def test_no_vat_is_no_tax() -> None:
    (line,) = rate(tariff(element(energy("1"))), session(60, 1000)).lines
    assert (line.vat_percent, line.tax_minor) == (Decimal(0), 0)


def test_a_line_carries_its_unit_price_quantity_and_times() -> None:
    (line,) = rate(tariff(element(energy("0.250", vat="19"))), session(60, 1234)).lines
    assert (str(line.unit_price), str(line.quantity), line.unit.value) == ("0.250", "1.234", "kWh")
    assert (line.starts_at, line.ends_at) == (START, START + timedelta(hours=1))


def test_flat_is_charged_once_however_often_its_element_returns() -> None:
    daily = element(flat("1.50"), start_time="10:00", end_time="11:00")
    price = rate(tariff(daily), session(3 * 24 * 60, 1000))
    assert quantities(price, "FLAT") == ["1"]
    assert price.net_minor == 150


def test_of_two_flat_fees_the_first_that_is_active_is_charged() -> None:
    fees = tariff(element(flat("9"), min_kwh=Decimal(5)), element(flat("1")))
    assert rate(fees, session(60, 10_000)).net_minor == 100


def test_a_flat_fee_is_charged_when_its_element_becomes_active_later() -> None:
    fee = tariff(element(flat("5"), min_duration=3600))
    assert rate(fee, session(59, 100)).lines == ()
    (line,) = rate(fee, session(61, 100)).lines
    assert line.starts_at == START + timedelta(hours=1)


def test_a_free_tariff_shows_its_line() -> None:
    price = rate(tariff(element(flat("0.00"))), session(60, 1000))
    assert (len(price.lines), price.gross_minor) == (1, 0)


def test_one_line_for_each_element_and_dimension() -> None:
    price = rate(
        tariff(
            element(energy("0.20"), max_kwh=Decimal(2)),
            element(energy("0.20"), charging("1.20")),
        ),
        session(60, 5000),
    )
    assert quantities(price, "ENERGY") == ["2", "3"]
    assert [line.net_minor for line in lines(price, "ENERGY")] == [40, 60]
    assert quantities(price, "TIME") == ["1"]


def test_a_dimension_without_an_active_element_costs_nothing() -> None:
    price = rate(tariff(element(energy("1"), min_kwh=Decimal(2))), session(60, 5000))
    assert quantities(price, "ENERGY") == ["3"]


def test_a_price_for_a_running_session_says_so() -> None:
    running = rate(tariff(element(energy("1"))), session(5, 100), final=False)
    assert not running.final
    assert rate(tariff(element(energy("1"))), session(5, 100)).final


def test_energy_without_any_duration_is_still_billed() -> None:
    tiers = tariff(element(energy("1"), max_kwh=Decimal(1)), element(energy("2")))
    price = rate(tiers, session(0, 3000))
    assert quantities(price, "ENERGY") == ["1", "2"]


def test_nothing_used_costs_nothing() -> None:
    assert rate(tariff(element(energy("1"), charging("1"))), session(0, 0)).lines == ()


# Restrictions


def test_energy_is_split_where_a_threshold_is_crossed_even_between_readings() -> None:
    tiers = tariff(element(energy("0.10"), max_kwh=Decimal("0.001")), element(energy("0.30")))
    price = rate(tiers, session(60, 3))
    assert quantities(price, "ENERGY") == ["0.001", "0.002"]


@pytest.mark.parametrize(
    ("limits", "kwh"),
    [
        ({"start_time": "10:30"}, ["6"]),
        ({"end_time": "10:30"}, ["6"]),
        ({"start_time": "10:15", "end_time": "10:30"}, ["3"]),
        ({"start_time": "10:45", "end_time": "10:15"}, ["6"]),
        ({"start_time": "11:00", "end_time": "10:00"}, []),
        ({"start_time": "10:30", "end_time": "00:00"}, ["6"]),
        ({"end_time": "00:00"}, ["12"]),
        ({"start_time": "10:20", "end_time": "10:20"}, ["12"]),
        ({"start_date": "2026-03-02"}, ["12"]),
        ({"start_date": "2026-03-03"}, []),
        ({"end_date": "2026-03-02"}, []),
        ({"end_date": "2026-03-03"}, ["12"]),
        ({"day_of_week": ["MONDAY"]}, ["12"]),
        ({"day_of_week": ["SUNDAY", "TUESDAY"]}, []),
        ({"min_duration": 1800}, ["6"]),
        ({"max_duration": 1800}, ["6"]),
        ({"min_duration": 900, "max_duration": 1800}, ["3"]),
        ({"min_kwh": Decimal(4), "max_kwh": Decimal(9)}, ["5"]),
        ({"min_power": Decimal(12)}, ["12"]),
        ({"min_power": Decimal("12.001")}, []),
        ({"max_power": Decimal(12)}, []),
        ({"max_power": Decimal("12.001")}, ["12"]),
        ({"min_current": Decimal(1)}, []),
        ({"max_current": Decimal(100)}, []),
        ({"start_time": "10:30", "max_kwh": Decimal(7)}, ["1"]),
    ],
)
def test_restrictions_say_when_an_element_is_active(limits: dict[str, Any], kwh: list[str]) -> None:
    """Twelve kWh in the hour from 10:00 to 11:00 local time, evenly. Lower bounds inclusive, upper exclusive."""
    facts = session(60, 12_000, zone=BERLIN)
    price = rate(tariff(element(energy("1", step=0), **limits)), facts)
    assert quantities(price, "ENERGY") == kwh


def test_power_is_the_average_between_two_readings() -> None:
    fast = tariff(element(energy("0.50"), min_power=Decimal(20)), element(energy("0.30")))
    facts = session(60, 16_000, readings=[(30, 11_000)])
    assert quantities(rate(fast, facts), "ENERGY") == ["11", "5"]


def test_current_holds_from_one_report_to_the_next() -> None:
    strong = tariff(element(energy("1"), min_current=Decimal(16), max_current=Decimal(32)))
    facts = session(60, 6000, currents=[(10, "16"), (30, "32"), (40, "31.9"), (50, "15.9")])
    assert quantities(rate(strong, facts), "ENERGY") == ["3"]


def test_a_night_of_one_weekday_ends_at_its_midnight() -> None:
    """Friday 22:00 to 06:00 is Friday's first six and last two hours, as each moment is judged by itself."""
    friday = tariff(
        element(charging("1"), start_time="22:00", end_time="06:00", day_of_week=["FRIDAY"])
    )
    thursday_evening = datetime(2026, 3, 5, 20, 0, tzinfo=UTC)
    facts = session(48 * 60, 48_000, start=thursday_evening)
    assert quantities(rate(friday, facts), "TIME") == ["8"]


@pytest.mark.parametrize(
    ("start", "hours"),
    [
        (datetime(2026, 3, 28, 23, 0, tzinfo=UTC), "2"),  # 00:00 CET; there is no 02:00 to 03:00
        (datetime(2026, 10, 24, 22, 0, tzinfo=UTC), "4"),  # 00:00 CEST; 02:00 to 03:00 comes twice
        (datetime(2026, 6, 1, 22, 0, tzinfo=UTC), "3"),
    ],
)
def test_wall_clock_windows_follow_the_clock_through_its_changes(
    start: datetime, hours: str
) -> None:
    night = tariff(element(charging("1"), start_time="01:00", end_time="04:00"))
    facts = session(6 * 60, 60_000, start=start, zone=BERLIN)
    assert quantities(rate(night, facts), "TIME") == [hours]


def test_a_window_that_begins_in_the_repeated_hour_is_active_in_both() -> None:
    window = tariff(element(charging("1"), start_time="02:30", end_time="03:00"))
    facts = session(6 * 60, 60_000, start=datetime(2026, 10, 24, 22, 0, tzinfo=UTC), zone=BERLIN)
    assert quantities(rate(window, facts), "TIME") == ["1"]


def test_a_day_with_moved_clocks_has_its_own_length() -> None:
    sunday = tariff(element(charging("1"), day_of_week=["SUNDAY"]))
    facts = session(48 * 60, 480_000, start=datetime(2026, 3, 28, 12, tzinfo=UTC), zone=BERLIN)
    assert quantities(rate(sunday, facts), "TIME") == ["23"]


# Who uses the time


TIMES = tariff(element(charging("1", step=0), parking("1", step=0)))


def hours_of(facts: SessionFacts) -> tuple[str, str]:
    price = rate(TIMES, facts)
    return "".join(quantities(price, "TIME")), "".join(quantities(price, "PARKING_TIME"))


@pytest.mark.parametrize(
    ("facts", "charged", "parked"),
    [
        (session(60, 5000), "1", ""),
        (session(60, 0), "", "1"),
        (session(0.3, 0), "", "0.005"),
        (session(60, 99), "", "1"),
        (session(60, 100), "1", ""),
        # The register stands still in the middle.
        (session(120, 8000, readings=[(30, 4000), (90, 4000)]), "1", "1"),
        # It creeps: 90 Wh an hour.
        (session(120, 8090, readings=[(60, 8000)]), "1", "1"),
        # Statuses, with registers that would say otherwise.
        (session(120, 8000, statuses=[(0, "Charging"), (60, "SuspendedEV")]), "1", "1"),
        (session(120, 8000, statuses=[(0, "Charging"), (60, "Finishing")]), "1", "1"),
        (session(120, 8000, statuses=[(-5, "SuspendedEV"), (60, "Charging")]), "1", "1"),
        # The station's doing is neither, whatever the meter says.
        (session(120, 8000, statuses=[(60, "SuspendedEVSE")]), "1", ""),
        (
            session(
                120, 8000, readings=[(60, 8000)], statuses=[(60, "SuspendedEVSE"), (90, "Charging")]
            ),
            "1",
            "0.5",
        ),
        # A car that takes nothing is parked though the station calls it charging.
        (session(120, 8000, readings=[(60, 8000)], statuses=[(0, "Charging")]), "1", "1"),
        (session(60, 0, statuses=[(0, "Preparing")]), "", "1"),
        # A broken station holds the car up, unless energy flows all the same.
        (session(120, 8000, readings=[(60, 8000)], statuses=[(60, "Faulted")]), "1", ""),
        (session(60, 8000, statuses=[(0, "Unavailable")]), "1", ""),
        # Events in any order, the last of one moment counts.
        (
            session(
                120, 8000, statuses=[(60, "SuspendedEVSE"), (60, "SuspendedEV"), (0, "Charging")]
            ),
            "1",
            "1",
        ),
    ],
)
def test_time_is_charging_or_parking_or_the_stations(
    facts: SessionFacts, charged: str, parked: str
) -> None:
    assert hours_of(facts) == (charged, parked)


def test_a_register_of_whole_wh_read_every_second_shows_no_pauses() -> None:
    """1.1 kW moves it once in three seconds; the seconds in between are not parking."""
    facts = session(2, 36, readings=[(second / 60, second * 3 // 10) for second in range(1, 120)])
    assert hours_of(facts) == ("0.033333333", "")


def test_a_pause_counts_from_the_time_in_which_one_wh_would_show() -> None:
    def pausing(seconds: int) -> SessionFacts:
        return session(10, 2000, readings=[(4, 1000), (4 + seconds / 60, 1000)])

    assert hours_of(pausing(35))[1] == ""
    assert hours_of(pausing(36))[1] == "0.01"


def test_readings_outside_the_session_or_below_an_earlier_one_do_not_count() -> None:
    odd = [(-5, 4000), (30, 9000), (40, 2000), (45, 4000), (50, 3000), (60, 500), (90, 8000)]
    with_them = session(60, 6000, readings=odd, register=100)
    without = session(60, 6000, readings=[(40, 2000), (45, 4000)], register=100)
    tiers = tariff(
        element(energy("1"), charging("1"), parking("1"), end_time="09:43"), element(energy("2"))
    )
    assert rate(tiers, with_them) == rate(tiers, without)


@pytest.mark.parametrize(
    ("metered_min", "wh", "readings", "statuses", "expected"),
    [
        (60, 6000, [], [], ("1.25", "")),  # it charged, and nothing has shown a stop
        (
            60,
            6000,
            [(30, 6000)],
            [],
            ("0.5", "0.75"),
        ),  # it was parked, and nothing has shown a start
        (60, 6000, [], [(70, "SuspendedEV")], ("1.166666667", "0.083333333")),
        (60, 6000, [], [(70, "SuspendedEVSE")], ("1.166666667", "")),
        (60, 0, [], [], ("", "1.25")),
        (0, 0, [], [], ("1.25", "")),  # no reading yet at all
        (0, 0, [], [(0, "SuspendedEV")], ("", "1.25")),
        (-9, 0, [], [], ("1.25", "")),
        (99, 6000, [], [], ("1.25", "")),
    ],
)
def test_after_the_last_register_the_car_goes_on_as_before(
    metered_min: int,
    wh: int,
    readings: list[tuple[float, int]],
    statuses: list[tuple[float, str]],
    expected: tuple[str, str],
) -> None:
    """A session that runs since 75 minutes."""
    facts = session(75, wh, readings=readings, statuses=statuses)
    at = START + timedelta(minutes=metered_min)
    assert hours_of(replace(facts, metered_until=at)) == expected


def test_energy_and_power_until_the_last_register_hold() -> None:
    fast = tariff(element(energy("1"), charging("1"), min_power=Decimal(6)))
    facts = replace(session(90, 6000), metered_until=START + timedelta(hours=1))
    price = rate(fast, facts)
    assert (quantities(price, "ENERGY"), quantities(price, "TIME")) == (["6"], ["1.5"])


def test_the_first_parked_time_is_free_once_a_session() -> None:
    facts = session(
        180,
        9000,
        readings=[(60, 4000), (80, 4000), (120, 9000)],
    )
    with_grace = tariff(element(charging("1"), parking("6")), x_magetsi={"idle_grace_s": 30 * 60})
    price = rate(with_grace, facts)
    assert quantities(price, "PARKING_TIME") == ["0.833333333"]  # 20 + 60 - 30 minutes
    assert nets(price) == {"TIME": 167, "PARKING_TIME": 500}
    assert lines(price, "PARKING_TIME")[0].starts_at == START + timedelta(minutes=130)


def test_grace_longer_than_the_parking_leaves_no_line() -> None:
    graced = tariff(element(parking("6", step=300)), x_magetsi={"idle_grace_s": 3600})
    assert rate(graced, session(60, 0)).lines == ()


def test_idle_before_grace_and_charging_are_told_in_seconds() -> None:
    facts = session(120, 8000, readings=[(60, 8000)], statuses=[(110, "SuspendedEVSE")])
    assert (idle_s(facts), charging_s(facts), facts.duration_s) == (50 * 60, 60 * 60, 7200)


def test_the_idle_cap_ends_the_billing_of_parked_time() -> None:
    capped = tariff(element(parking("6", vat="20")), x_magetsi={"idle_cap": Decimal("9.50")})
    (line,) = rate(capped, session(600, 0)).lines
    assert (line.net_minor, line.tax_minor, str(line.quantity)) == (950, 190, "1.583333333")
    assert line.ends_at == START + timedelta(minutes=95)


def test_the_idle_cap_spans_the_elements_in_order_of_time() -> None:
    capped = tariff(
        element(parking("6"), end_time="10:00"),
        element(parking("3")),
        x_magetsi={"idle_cap": Decimal(8)},
    )
    price = rate(capped, session(600, 0))
    assert [line.net_minor for line in price.lines] == [600, 200]


# Blocks (OCPI 2.2.1 §10.3.1, with its examples)


def test_step_size_rounds_the_total_of_the_energy_once() -> None:
    """4.3 kWh before 17:00 and 1.1 kWh after, in blocks of 500 Wh: 5.5 kWh, not 4.5 + 1.5."""
    blocks = tariff(
        element(energy("0.20", step=500), end_time="17:00"), element(energy("0.27", step=500))
    )
    facts = session(60, 5400, start=datetime(2026, 3, 2, 16, 30, tzinfo=UTC), readings=[(30, 4300)])
    assert quantities(rate(blocks, facts), "ENERGY") == ["4.3", "1.2"]


def test_step_size_rounds_the_total_of_the_charging_time_once() -> None:
    """6 minutes before 17:00 and 22 after, in blocks of 10 minutes: 30 minutes, 24 of them after."""
    blocks = tariff(
        element(charging("5", step=600), end_time="17:00"), element(charging("7", step=600))
    )
    facts = session(28, 5000, start=datetime(2026, 3, 2, 16, 54, tzinfo=UTC))
    assert quantities(rate(blocks, facts), "TIME") == ["0.1", "0.4"]


def test_the_step_of_the_last_component_counts() -> None:
    """25 minutes in blocks of 30, then 10 in blocks of 15: 45 minutes."""
    blocks = tariff(
        element(charging("1.20", step=1800), end_time="17:00"), element(charging("2.40", step=900))
    )
    facts = session(35, 5000, start=datetime(2026, 3, 2, 16, 35, tzinfo=UTC))
    assert nets(rate(blocks, facts)) == {"TIME": 50 + 80}


@pytest.mark.parametrize(
    ("charged_min", "parked_min", "time", "parked"),
    [
        (21, 7, "0.35", "0.166666667"),  # blocks of 5 minutes: 21 and 10
        (21, 0, "0.416666667", ""),  # 25
        (20, 5, "0.333333333", "0.083333333"),
    ],
)
def test_charging_time_is_not_rounded_where_parking_is_billed(
    charged_min: int, parked_min: int, time: str, parked: str
) -> None:
    blocks = tariff(element(charging("1", step=300), parking("2", step=300)))
    facts = session(
        charged_min + parked_min, 5000, readings=[(charged_min, 5000)] if parked_min else []
    )
    price = rate(blocks, facts)
    assert "".join(quantities(price, "TIME")) == time
    assert "".join(quantities(price, "PARKING_TIME")) == parked


def test_parked_time_within_the_grace_leaves_the_charging_time_rounded() -> None:
    blocks = tariff(
        element(charging("1", step=600), parking("2", step=600)),
        x_magetsi={"idle_grace_s": 600},
    )
    price = rate(blocks, session(20, 5000, readings=[(12, 5000)]))
    assert quantities(price, "TIME") == ["0.333333333"]
    assert quantities(price, "PARKING_TIME") == []


def test_parking_that_turns_free_is_rounded_by_its_own_last_step() -> None:
    """8 minutes before 20:00 in blocks of 15, then free."""
    blocks = tariff(
        element(charging("2.40", step=900)), element(parking("1", step=900), end_time="20:00")
    )
    facts = session(32, 5000, start=datetime(2026, 3, 2, 19, 40, tzinfo=UTC), readings=[(12, 5000)])
    price = rate(blocks, facts)
    assert nets(price) == {"TIME": 48, "PARKING_TIME": 25}


@pytest.mark.parametrize(("step", "quantity"), [(0, "0.1152"), (1, "0.116"), (25, "0.125")])
def test_energy_between_whole_steps_is_rounded_up(step: int, quantity: str) -> None:
    half = tariff(element(energy("0.25", step=step), end_time="09:36"))
    assert quantities(rate(half, session(60, 192)), "ENERGY") == [quantity]


# Minimum and maximum


def bounded(vat: str | None = None, **bounds: dict[str, Any]) -> Tariff:
    return tariff(element(energy("1", vat=vat)), **bounds)


@pytest.mark.parametrize(
    ("bound", "wh", "total", "extra"),
    [
        ({"min_price": {"excl_vat": Decimal(5)}}, 2000, (500, 95, 595), (300, 57, 357)),
        ({"min_price": {"incl_vat": Decimal("5.95")}}, 2000, (500, 95, 595), (300, 57, 357)),
        ({"min_price": {"incl_vat": Decimal(5)}}, 2000, (420, 80, 500), (220, 42, 262)),
        ({"min_price": {"excl_vat": Decimal(2)}}, 2000, (200, 38, 238), None),
        ({"max_price": {"excl_vat": Decimal(1)}}, 2000, (100, 19, 119), (-100, -19, -119)),
        ({"max_price": {"incl_vat": Decimal(1)}}, 2000, (84, 16, 100), (-116, -22, -138)),
        ({"max_price": {"incl_vat": Decimal("2.38")}}, 2000, (200, 38, 238), None),
        # Both are given: the stricter decides.
        (
            {"min_price": {"excl_vat": Decimal(5), "incl_vat": Decimal(7)}},
            2000,
            (588, 112, 700),
            (388, 74, 462),
        ),
        (
            {"min_price": {"excl_vat": Decimal(6), "incl_vat": Decimal(7)}},
            2000,
            (600, 114, 714),
            (400, 76, 476),
        ),
        (
            {"max_price": {"excl_vat": Decimal(1), "incl_vat": Decimal(1)}},
            2000,
            (84, 16, 100),
            (-116, -22, -138),
        ),
        # Nothing used: the tariff's own VAT.
        ({"min_price": {"excl_vat": Decimal(5)}}, 0, (500, 95, 595), (500, 95, 595)),
    ],
)
def test_a_bound_is_a_line_of_its_own(
    bound: dict[str, Any],
    wh: int,
    total: tuple[int, int, int],
    extra: tuple[int, int, int] | None,
) -> None:
    price = rate(bounded("19", **bound), session(60, wh))
    assert (price.net_minor, price.tax_minor, price.gross_minor) == total
    added = [(line.net_minor, line.tax_minor, line.gross_minor) for line in lines(price, "FLAT")]
    assert added == ([extra] if extra else [])


def test_the_line_of_a_bound_is_its_net_difference_once_a_session() -> None:
    price = rate(bounded("19", max_price={"excl_vat": Decimal("0.50")}), session(60, 2000))
    (line,) = lines(price, "FLAT")
    assert (str(line.unit_price), str(line.quantity), line.unit.value) == ("-1.50", "1", "session")
    assert (line.starts_at, line.ends_at) == (START, START + timedelta(hours=1))
    assert line.vat_percent == 19


def test_the_line_of_a_bound_has_the_average_vat_of_the_others() -> None:
    mixed = tariff(
        element(flat("1", vat="0"), energy("1", vat="20")), min_price={"excl_vat": Decimal(14)}
    )
    price = rate(mixed, session(60, 3000))
    (line,) = [line for line in lines(price, "FLAT") if line.net_minor == 1000]
    assert (line.vat_percent, line.tax_minor) == (15, 150)


@pytest.mark.parametrize(
    ("currency", "bound", "gross"), [("JPY", "500", 500), ("KWD", "1.234", 1234)]
)
def test_bounds_are_in_major_units_of_the_currency(currency: str, bound: str, gross: int) -> None:
    least = tariff(
        element(energy("0.1", vat="10")), currency=currency, min_price={"incl_vat": Decimal(bound)}
    )
    assert rate(least, session(60, 1000)).gross_minor == gross


def test_a_bound_on_gross_is_met_to_the_minor_unit_for_every_energy() -> None:
    least = bounded("7.7", min_price={"incl_vat": Decimal("9.99")})
    most = bounded("7.7", max_price={"incl_vat": Decimal("0.99")})
    for wh in range(1000, 9000, 37):
        assert rate(least, session(60, wh)).gross_minor == 999
        assert rate(most, session(60, wh)).gross_minor == 99


# Reservations


RESERVABLE = tariff(
    element(flat("2"), charging("5", step=600, vat="10"), reservation="RESERVATION"),
    element(flat("4"), charging("9"), reservation="RESERVATION_EXPIRES"),
    element(flat("0.50"), charging("1")),
)


def test_a_used_reservation_is_priced_beside_its_session() -> None:
    price = rate(RESERVABLE, session(60, 5000, reserved_minutes=25))
    reserved = lines(price, "RESERVATION")
    assert [(line.unit.value, str(line.quantity), line.net_minor) for line in reserved] == [
        ("session", "1", 200),
        ("h", "0.5", 250),
    ]
    assert nets(price) == {"RESERVATION": 450, "FLAT": 50, "TIME": 100}
    assert reserved[1].starts_at == START - timedelta(minutes=25)
    assert reserved[1].ends_at == START


def test_elements_for_reservations_do_not_price_a_session() -> None:
    assert nets(rate(RESERVABLE, session(60, 5000))) == {"FLAT": 50, "TIME": 100}


# Quotes


def test_a_quote_takes_charging_and_idle_time_at_their_word() -> None:
    facts = quote_facts(
        starts_at=START, energy_wh=20_000, charging_s=3600, idle_s=1800, time_zone=BERLIN
    )
    prices = tariff(
        element(energy("0.40", vat="19"), charging("1.20", vat="19"), parking("6", vat="19")),
        x_magetsi={"idle_grace_s": 600},
    )
    assert nets(rate(prices, facts)) == {"ENERGY": 800, "TIME": 120, "PARKING_TIME": 200}


@pytest.mark.parametrize(
    ("wh", "charging_for", "idle_for", "expected"),
    [
        (0, 3600, 0, {"TIME": 100}),
        (0, 0, 3600, {"PARKING_TIME": 100}),
        (1000, 0, 0, {"ENERGY": 100}),
        (1000, 0, 3600, {"ENERGY": 100, "PARKING_TIME": 100}),
        (0, 0, 0, {}),
    ],
)
def test_a_quote_of_any_shape_has_a_price(
    wh: int, charging_for: int, idle_for: int, expected: dict[str, int]
) -> None:
    prices = tariff(element(energy("1"), charging("1"), parking("1")))
    facts = quote_facts(
        starts_at=START, energy_wh=wh, charging_s=charging_for, idle_s=idle_for, time_zone="UTC"
    )
    assert nets(rate(prices, facts)) == expected
