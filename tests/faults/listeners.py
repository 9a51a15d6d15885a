"""The connections over which gateways hear notifications, and how to cut them."""

import psycopg

from stations.gateway import LISTENER_NAME
from tests.server import test_database_url
from tests.stations.ocpp.conftest import eventually

_OURS = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s"


async def listening(number: int = 1) -> None:
    """Wait until so many gateways hear."""
    await eventually(lambda: _ask(f"SELECT count(*) {_OURS}") >= number)


def deafen(then: str = "SELECT 1", *parameters: object) -> None:
    """Cut all of them and run a statement before they can be back, a second later."""
    with psycopg.connect(test_database_url(), autocommit=True) as connection:
        cut = connection.execute(
            f"SELECT count(pg_terminate_backend(pid)) {_OURS}", [LISTENER_NAME]
        )
        assert cut.fetchone() > (0,)
        connection.execute(then, parameters)


def _ask(query: str) -> int:
    with psycopg.connect(test_database_url(), autocommit=True) as connection:
        [value] = connection.execute(query, [LISTENER_NAME]).fetchone() or [0]
        return int(value)
