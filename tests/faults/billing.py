"""The worker of these runs: the outbox worked off by two at once, as Celery may do."""

import asyncio

from cms.base import outbox
from tests.stations.ocpp.conftest import in_db


async def work_outbox() -> None:
    """Until nothing is due."""
    while sum(await asyncio.gather(in_db(outbox.work), in_db(outbox.work))):
        pass
