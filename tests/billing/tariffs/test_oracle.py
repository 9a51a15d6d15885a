"""The rating agrees with an independent slow oracle, line by line, to the minor unit."""

import pytest
from hypothesis import HealthCheck, given, settings

from billing.tariffs.ocpi import parse_tariff
from billing.tariffs.rate import rate
from tests.billing.tariffs.generated import Case, cases
from tests.billing.tariffs.oracle import oracle_lines

UNHURRIED = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def _agree(case: Case) -> None:
    expected = oracle_lines(case.tariff, case.facts, case.tick_s)
    price = rate(parse_tariff(case.tariff), case.facts)
    found = [(line.dimension.value, line.net_minor, line.tax_minor) for line in price.lines]
    assert sorted(found) == sorted(expected)
    assert price.gross_minor == sum(net + tax for _, net, tax in expected)


@settings(UNHURRIED, max_examples=1000)
@given(cases())
def test_agrees_with_the_oracle(case: Case) -> None:
    _agree(case)


@pytest.mark.conformance
@settings(UNHURRIED, max_examples=10_000)
@given(cases())
def test_agrees_with_the_oracle_on_ten_thousand_sessions(case: Case) -> None:
    _agree(case)
