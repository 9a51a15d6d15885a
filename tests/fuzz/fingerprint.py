"""Whether an operator's rows are as they were."""

import psycopg
from psycopg import sql

from tests.server import test_database_url

# What gateways and workers write beside any request.
_RESTLESS = frozenset(
    {
        "accounts_apikey",
        "base_outboxitem",
        "stations_connection",
        "stations_connectorstatus",
        "stations_gateway",
        "stations_stationstate",
        "stations_transactionprogress",
    }
)
_TABLES = """
SELECT c.relname, EXISTS (
    SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'operator_id'
)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind = 'r' AND NOT c.relispartition ORDER BY 1
"""


class Fingerprint:
    """Each table's number of rows and the last transaction that wrote one; cheap enough for every request."""

    def __init__(self, operator_id: int) -> None:
        self._connection = psycopg.connect(test_database_url(), autocommit=True)
        parts = []
        for name, has_operator in self._connection.execute(_TABLES):
            if name not in _RESTLESS:
                part = sql.SQL("SELECT {}, count(*), max(xmin::text::bigint) FROM {}").format(
                    sql.Literal(name), sql.Identifier(name)
                )
                own = sql.SQL(" WHERE operator_id = {}").format(operator_id)
                parts.append(part + own if has_operator else part)
        self._query = sql.SQL(" UNION ALL ").join(parts)

    def take(self) -> dict[str, tuple[int, int | None]]:
        return {name: (rows, last) for name, rows, last in self._connection.execute(self._query)}

    def close(self) -> None:
        self._connection.close()
