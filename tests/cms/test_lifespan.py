"""Start-up and shutdown of an application, without a server around it."""

import asyncio

import pytest

from cms.server.lifespan import Lifespan, StartupFailed


async def test_state_of_the_application_is_there_after_start_up() -> None:
    seen = []

    async def application(scope, receive, send):
        seen.append((await receive())["type"])
        scope["state"]["answer"] = 42
        await send({"type": "lifespan.startup.complete"})
        seen.append((await receive())["type"])
        await send({"type": "lifespan.shutdown.complete"})

    lifespan = Lifespan(application)
    await lifespan.startup()
    assert lifespan.state == {"answer": 42}
    await lifespan.shutdown(timeout_s=5)
    assert seen == ["lifespan.startup", "lifespan.shutdown"]


async def test_refusal_exception_and_early_return_are_failed_start_ups() -> None:
    async def refuses(scope, receive, send):
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    async def raises(scope, receive, send):
        raise LookupError("no database")

    async def returns(scope, receive, send):
        await receive()

    with pytest.raises(StartupFailed, match="no database"):
        await Lifespan(refuses).startup()
    with pytest.raises(StartupFailed) as failed:
        await Lifespan(raises).startup()
    assert isinstance(failed.value.__cause__, LookupError)
    with pytest.raises(StartupFailed):
        await Lifespan(returns).startup()


async def test_shutdown_is_bounded_and_reports_what_went_wrong(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def hangs(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await asyncio.Event().wait()

    async def fails(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        raise LookupError("unwritten facts")

    for application, words in ((hangs, "did not stop"), (fails, "unwritten facts")):
        lifespan = Lifespan(application)
        await lifespan.startup()
        await lifespan.shutdown(timeout_s=0.01)
        assert words in caplog.text


async def test_an_application_without_lifespan_is_left_alone() -> None:
    async def application(scope, receive, send):
        raise AssertionError("asked although switched off")

    lifespan = Lifespan(application, enabled=False)
    await lifespan.startup()
    await lifespan.shutdown(timeout_s=1)
