"""Command line of the server; see `python -m cms.server --help`."""

import argparse
import asyncio
import logging
import os
import sys
from importlib import import_module, util
from pathlib import Path
from typing import Any


def main(argv: list[str] | None = None) -> int:
    """Install the event loop, import the application, serve; the exit code."""
    arguments = _arguments(argv)
    # Twisted accepts one reactor per process and Daphne installs one on import, which Django does
    # for us while it loads the application: the choice of loop has to come first.
    _install_loop(arguments.loop)
    application = _load(arguments.app)
    if not logging.getLogger().handlers:
        logging.basicConfig(
            level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
        )

    from cms.server.service import Options, Server

    defaults = Options()
    options = Options(
        host=arguments.host,
        port=arguments.port,
        reuse_port=arguments.reuse_port,
        tls=tuple(zip(arguments.tls_cert, arguments.tls_key, strict=True)),
        client_ca=arguments.client_ca,
        request_client_cert=arguments.request_client_cert,
        lifespan=arguments.lifespan == "on",
        headers_timeout_s=arguments.headers_timeout,
        connect_timeout_s=arguments.connect_timeout,
        ping_interval_s=_first(
            arguments.ping_interval, _setting("OCPP_PING_INTERVAL_S"), defaults.ping_interval_s
        ),
        max_frame_bytes=_first(
            arguments.max_frame_bytes, _setting("OCPP_MAX_FRAME_BYTES"), defaults.max_frame_bytes
        ),
        graceful_timeout_s=arguments.graceful_timeout,
        compression=arguments.compression,
    )
    action_logger = None
    if arguments.access_log:
        from daphne.access import AccessLogGenerator

        action_logger = AccessLogGenerator(sys.stdout)
    return Server(application, options, action_logger=action_logger).run()


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = _parser()
    arguments = parser.parse_args(argv)
    if len(arguments.tls_cert) != len(arguments.tls_key):
        parser.error("--tls-cert and --tls-key belong together")
    if not arguments.tls_cert and (arguments.client_ca or arguments.request_client_cert):
        parser.error("client certificates need --tls-cert and --tls-key")
    return arguments


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cms.server",
        description="Serves pages, REST and charging stations (websockets under /ocpp/).",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--app", default="cms.asgi:application", help="ASGI application as module:attribute")
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--port", type=int, default=8000, help="port to listen on; 0 for any free one")
    add("--reuse-port", action="store_true", help="let several processes share the port")
    add(
        "--tls-cert",
        type=Path,
        action="append",
        default=[],
        help="PEM file with certificate and chain; needs --tls-key. Give both twice to serve an RSA and an EC key",
    )
    add(
        "--tls-key",
        type=Path,
        action="append",
        default=[],
        help="PEM file with the private key",
    )
    add(
        "--client-ca",
        type=Path,
        help="ask for client certificates and note which do not lead to this PEM file; the application decides all the same",
    )
    add(
        "--request-client-cert",
        action="store_true",
        help="ask for client certificates; the application alone decides which it trusts",
    )
    add("--loop", choices=["auto", "asyncio", "uvloop"], default="auto", help="event loop")
    add("--lifespan", choices=["on", "off"], default="on", help="ASGI lifespan of the application")
    add("--headers-timeout", type=float, default=20.0, metavar="S", help="for request headers")
    add(
        "--connect-timeout",
        type=float,
        default=20.0,
        metavar="S",
        help="for the application to answer a websocket handshake",
    )
    add(
        "--ping-interval",
        type=float,
        metavar="S",
        help="silence before a ping (default: OCPP_PING_INTERVAL_S); after three a peer is dropped",
    )
    add(
        "--max-frame-bytes",
        type=int,
        metavar="N",
        help="largest websocket message (default: OCPP_MAX_FRAME_BYTES)",
    )
    add(
        "--graceful-timeout",
        type=float,
        default=10.0,
        metavar="S",
        help="for work in hand at SIGTERM",
    )
    add("--compression", action="store_true", help="accept permessage-deflate")
    add("--access-log", action="store_true", help="one line per HTTP request on standard output")
    return parser


def _install_loop(choice: str) -> None:
    from twisted.internet import asyncioreactor

    if choice == "auto":
        choice = "uvloop" if util.find_spec("uvloop") else "asyncio"
    if choice == "uvloop":
        import uvloop

        loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    else:
        loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    asyncioreactor.install(loop)


def _load(path: str) -> Any:
    module, _, attribute = path.partition(":")
    sys.path.insert(0, os.getcwd())
    return getattr(import_module(module), attribute or "application")


def _setting(name: str) -> Any:
    """A Django setting, if the application is a Django project; None otherwise."""
    from django.conf import settings

    return getattr(settings, name, None) if settings.configured else None


def _first(*values: Any) -> Any:
    return next(value for value in values if value is not None)


if __name__ == "__main__":
    sys.exit(main())
