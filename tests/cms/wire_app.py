"""A small ASGI application that shows what a server does, one behaviour a path; see test_server.py.

Runs in a process of its own, without Django. What happens is written, a line each, to `WIRE_LOG`.
"""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from cms.proxy import TrustedProxyMiddleware


def note(line: str) -> None:
    path = os.environ.get("WIRE_LOG")
    if path:
        with Path(path).open("a", encoding="utf-8") as log:
            log.write(line + "\n")


async def lifespan(scope, receive, send) -> None:
    while True:
        event = await receive()
        if event["type"] == "lifespan.startup":
            note("starting")
            if os.environ.get("WIRE_STARTUP") == "fail":
                await send({"type": "lifespan.startup.failed", "message": "no luck"})
                return
            gate = os.environ.get("WIRE_GATE")
            while gate and not Path(gate).exists():
                await asyncio.sleep(0.02)
            scope["state"]["started"] = True
            note("started")
            await send({"type": "lifespan.startup.complete"})
        else:
            note("shutdown")
            await send({"type": "lifespan.shutdown.complete"})
            return


def describe(scope: dict[str, Any]) -> str:
    return json.dumps(
        {
            "path": scope["path"],
            "raw_path": scope["raw_path"].decode("latin-1"),
            "root_path": scope["root_path"],
            "query_string": scope["query_string"].decode("latin-1"),
            "scheme": scope["scheme"],
            "client": scope["client"],
            "headers": [[k.decode("latin-1"), v.decode("latin-1")] for k, v in scope["headers"]],
            "subprotocols": scope.get("subprotocols"),
            "extensions": scope.get("extensions"),
            "state": scope.get("state"),
        }
    )


async def http(scope, receive, send) -> None:
    size, more = 0, True
    while more:
        event = await receive()
        size, more = size + len(event["body"]), event["more_body"]
    path = scope["path"]
    start = {"type": "http.response.start", "status": 200, "headers": []}
    if path == "/raise":
        raise RuntimeError("as asked")
    if path == "/silent":
        return
    await send(start)
    if path == "/slow":
        note("slow")
        for number in range(10):
            await send({"type": "http.response.body", "body": b"%d\n" % number, "more_body": True})
            await asyncio.sleep(0.1)
    bodies = {"/scope": describe(scope).encode(), "/size": b"%d" % size}
    body = bodies.get(path, b"end\n")
    await send({"type": "http.response.body", "body": body})


async def websocket(scope, receive, send) -> None:
    assert (await receive())["type"] == "websocket.connect"
    _, name, *rest = scope["path"].split("/")
    if name == "deny":
        await deny(int(rest[0]), send)
    elif name == "refuse":
        await send({"type": "websocket.close"})
    elif name == "raise":
        raise RuntimeError("as asked")
    elif name == "undecided":
        note("deciding")
        note(f"undecided {(await receive())['code']}")
    else:
        await send(
            {
                "type": "websocket.accept",
                "subprotocol": next(iter(scope["subprotocols"]), None),
                "headers": [(b"x-wire", b"yes")],
            }
        )
        await BEHAVIOURS.get(name, show)(scope, rest, receive, send)


async def deny(status: int, send) -> None:
    headers = [(b"content-type", b"text/plain")]
    if status == 401:
        headers.append((b"www-authenticate", b'Basic realm="stations"'))
    if status in {429, 503}:
        headers.append((b"retry-after", b"7"))
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": b"no ", "more_body": True})
    await send({"type": "websocket.http.response.body", "body": b"way"})


async def show(scope, rest, receive, send) -> None:
    await send({"type": "websocket.send", "text": describe(scope)})
    await echo(scope, rest, receive, send)


async def echo(scope, rest, receive, send) -> None:
    while (event := await receive())["type"] == "websocket.receive":
        reply = {key: event[key] for key in ("text", "bytes") if event.get(key) is not None}
        await send({"type": "websocket.send", **reply})
    note(f"disconnect {event['code']}")


async def close(scope, rest, receive, send) -> None:
    await send({"type": "websocket.close", "code": int(rest[0]), "reason": "as asked"})
    note(f"disconnect {(await receive())['code']}")


async def leave(scope, rest, receive, send) -> None:
    """Return after the first message, without a word."""
    await receive()


async def crash(scope, rest, receive, send) -> None:
    await receive()
    raise RuntimeError("as asked")


async def work(scope, rest, receive, send) -> None:
    """Answer each message only once the server has announced its end."""
    messages = []
    await send({"type": "websocket.send", "text": "ready"})
    while (event := await receive())["type"] == "websocket.receive":
        messages.append(event["text"])
        note(f"working on {event['text']}")
    note(f"told {event['code']}")
    for message in messages:
        await send({"type": "websocket.send", "text": f"{message} done after {event['code']}"})
    note("worked")


async def hang(scope, rest, receive, send) -> None:
    """Never finish, whatever the server says."""
    note("hanging")
    while True:
        await receive()


async def count(scope, rest, receive, send) -> None:
    """Take nothing until the file `WIRE_COUNT` exists, then tell how many messages came."""
    note("counting")
    while not Path(os.environ["WIRE_COUNT"]).exists():
        await asyncio.sleep(0.02)
    number = 0
    while (await receive()).get("text") != "end":
        number += 1
    await send({"type": "websocket.send", "text": str(number)})
    await receive()


BEHAVIOURS = {
    "echo": echo,
    "close": close,
    "leave": leave,
    "crash": crash,
    "work": work,
    "hang": hang,
    "count": count,
}
KINDS = {"lifespan": lifespan, "http": http, "websocket": websocket}


async def bare(scope, receive, send) -> None:
    await KINDS[scope["type"]](scope, receive, send)


application = TrustedProxyMiddleware(
    bare, [item for item in os.environ.get("WIRE_TRUSTED", "").split(",") if item]
)
