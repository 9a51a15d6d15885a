"""What an application is told of a body whose sender left."""

import asyncio
from io import BytesIO

from cms.server.http import Request


async def test_a_peer_that_leaves_while_its_body_is_asked_for_is_a_disconnect():
    request = Request.__new__(Request)
    request._body, request.application_queue = BytesIO(b"half a form"), asyncio.Queue()
    asked = asyncio.create_task(request.receive())
    await asyncio.sleep(0)
    # As `connectionLost` does.
    request._body.close()
    request.application_queue.put_nowait({"type": "http.disconnect"})
    assert await asked == {"type": "http.disconnect"}


async def test_a_body_comes_whole_and_then_the_end_of_the_connection():
    request = Request.__new__(Request)
    request._body, request.application_queue = BytesIO(b"a form"), asyncio.Queue()
    request.application_queue.put_nowait({"type": "http.disconnect"})
    assert await request.receive() == {
        "type": "http.request",
        "body": b"a form",
        "more_body": False,
    }
    assert await request.receive() == {"type": "http.disconnect"}
