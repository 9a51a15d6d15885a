"""The ASGI `lifespan` protocol, which Daphne lacks: start before listening, stop after the last answer."""

import asyncio
import logging
from typing import Any

logger = logging.getLogger(__name__)


class StartupFailed(Exception):
    """The application could not start; the reason is logged and the server must not listen."""


class Lifespan:
    """Runs the application's lifespan scope in a task of its own.

    `state` is what the application put there during start-up; every connection gets a shallow copy as
    `scope["state"]`. With `enabled` false, both calls do nothing (an application without lifespan).
    """

    def __init__(self, application: Any, *, enabled: bool = True) -> None:
        self.state: dict[str, Any] = {}
        self._application = application
        self._enabled = enabled
        self._events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def startup(self) -> None:
        """Raises StartupFailed if the application says so, raises, or returns without an answer."""
        if not self._enabled:
            return
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        self._task = asyncio.ensure_future(
            self._application(scope, self._events.get, self._answers.put)
        )
        answer = await self._ask("lifespan.startup")
        if answer is None:
            raise StartupFailed("The application ended during start-up.") from self._failure()
        if answer["type"] != "lifespan.startup.complete":
            raise StartupFailed(answer.get("message") or "The application refused to start.")

    async def shutdown(self, *, timeout_s: float) -> None:
        """Waits at most `timeout_s` for the application to stop; never raises, logs instead."""
        if self._task is None:
            return
        try:
            answer = await asyncio.wait_for(self._ask("lifespan.shutdown"), timeout_s)
        except TimeoutError:
            logger.error("The application did not stop within %s s.", timeout_s)
        else:
            if answer is None and self._failure():
                logger.error("The application failed at shutdown.", exc_info=self._failure())
            elif answer is not None and answer["type"] == "lifespan.shutdown.failed":
                logger.error("The application failed at shutdown: %s", answer.get("message", ""))
        self._task.cancel()

    async def _ask(self, event: str) -> dict[str, Any] | None:
        """The application's answer to the event, or None if it ended without one."""
        assert self._task is not None  # noqa: S101 (for the type checker)
        self._events.put_nowait({"type": event})
        answer = asyncio.ensure_future(self._answers.get())
        try:
            await asyncio.wait({answer, self._task}, return_when=asyncio.FIRST_COMPLETED)
            return answer.result() if answer.done() else None
        finally:
            answer.cancel()

    def _failure(self) -> BaseException | None:
        if self._task is None or not self._task.done() or self._task.cancelled():
            return None
        return self._task.exception()
