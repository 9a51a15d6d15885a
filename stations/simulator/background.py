"""Background work, and waiting for conditions instead of sleeping."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Self

from .client import SimulatorError

logger = logging.getLogger(__name__)


class Background:
    """Owns the tasks of a station and wakes whoever waits for its state to change."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: set[asyncio.Task[Any]] = set()
        self._waiters: list[asyncio.Future[None]] = []
        self.failures: list[BaseException] = []

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run beside the rest. Trouble with the central system is no failure: the journal has it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        failure = None if task.cancelled() else task.exception()
        if failure is not None and not isinstance(failure, SimulatorError):
            logger.error("station %s failed", self._name, exc_info=failure)
            self.failures.append(failure)

    async def cancel_all(self) -> None:
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def changed(self) -> None:
        """Something a condition may look at has changed."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait_until(
        self, condition: Callable[[Self], object], timeout_s: float | None = 10
    ) -> None:
        """Wait until the condition is true; it is looked at whenever something changes.

        Raises:
            TimeoutError: it never was.
        """
        async with asyncio.timeout(timeout_s):
            while not condition(self):
                waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._waiters.append(waiter)
                await waiter
