"""Minor units and the one rounding function."""

from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cms.base.money import (
    UnknownCurrency,
    format_minor,
    minor_digits,
    round_half_up,
    to_major,
    to_minor,
)


@pytest.mark.parametrize(
    ("currency", "digits"),
    [
        ("EUR", 2),
        ("USD", 2),
        ("MWK", 2),
        ("MGA", 2),
        ("JPY", 0),
        ("KRW", 0),
        ("UGX", 0),
        ("ISK", 0),
        ("KWD", 3),
        ("BHD", 3),
        ("OMR", 3),
        ("TND", 3),
        ("JOD", 3),
        ("CLF", 4),
        ("UYW", 4),
    ],
)
def test_knows_the_minor_unit_of_each_currency(currency: str, digits: int) -> None:
    assert minor_digits(currency) == digits


@pytest.mark.parametrize(
    "code", ["", "EU", "eur", "EURO", "XXX", "XAU", "HRK", " EUR", "EUR\x00", None, 978, []]
)
def test_refuses_what_is_not_a_currency(code: object) -> None:
    with pytest.raises(UnknownCurrency):
        minor_digits(code)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", 0),
        ("0.4999999999999999999999999999999999", 0),
        ("0.5", 1),
        ("1.5", 2),
        ("2.5", 3),
        ("-0.5", -1),
        ("-2.4", -2),
        ("-2.5", -3),
        ("99999999999999999999999999999999.5", 100000000000000000000000000000000),
    ],
)
def test_a_half_goes_away_from_zero(value: str, expected: int) -> None:
    assert round_half_up(Decimal(value)) == expected
    assert round_half_up(Fraction(value)) == expected


def test_rounding_ignores_the_decimal_context() -> None:
    with localcontext() as context:
        context.prec = 3
        assert round_half_up(Decimal("123456.5")) == 123457


@pytest.mark.parametrize("value", ["NaN", "Infinity"])
def test_rounding_refuses_what_is_no_number(value: str) -> None:
    with pytest.raises((ValueError, OverflowError)):
        round_half_up(Decimal(value))


@given(st.fractions(min_value=-(10**12), max_value=10**12))
def test_rounding_moves_no_value_by_more_than_a_half_and_mirrors(value: Fraction) -> None:
    assert abs(round_half_up(value) - value) <= Fraction(1, 2)
    assert round_half_up(-value) == -round_half_up(value)


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("12.34", "EUR", 1234),
        ("0.005", "EUR", 1),
        ("1234", "JPY", 1234),
        ("0.5", "JPY", 1),
        ("1.2345", "KWD", 1235),
        ("-1.005", "EUR", -101),
    ],
)
def test_major_becomes_minor(amount: str, currency: str, minor: int) -> None:
    assert to_minor(Decimal(amount), currency) == minor


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (1234, "EUR", "12.34 EUR"),
        (5, "EUR", "0.05 EUR"),
        (0, "EUR", "0.00 EUR"),
        (-5, "EUR", "-0.05 EUR"),
        (1234, "JPY", "1234 JPY"),
        (1234, "KWD", "1.234 KWD"),
        (10**30, "EUR", f"1{'0' * 28}.00 EUR"),
    ],
)
def test_plain_text_shows_every_digit_of_the_currency(minor: int, currency: str, text: str) -> None:
    assert format_minor(minor, currency) == text


@given(st.integers(), st.sampled_from(["EUR", "JPY", "KWD", "CLF"]))
def test_major_and_back_is_the_same(minor: int, currency: str) -> None:
    assert to_minor(to_major(minor, currency), currency) == minor
