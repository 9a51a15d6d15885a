"""What tests of billing share."""

from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker

from accounts.models import Operator
from stations.models import ChargingStation
from tests.billing.factories import assign, make_tariff
from tests.factories import make_connector, make_operator, make_station


@pytest.fixture
def station(operator: Operator) -> ChargingStation:
    """A 22 kW station of an operator whose energy costs 0.40 EUR and 20 % VAT."""
    return _priced_station(operator)


@pytest.fixture
def committed_station(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[ChargingStation]:
    """As `station`, of an operator of its own, committed for other connections to see and left behind."""
    with django_db_blocker.unblock():
        yield _priced_station(make_operator())


def _priced_station(operator: Operator) -> ChargingStation:
    station = make_station(operator)
    make_connector(station, max_power_w=22_000)
    assign(make_tariff(operator))
    return station
