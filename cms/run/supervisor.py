"""`make run`: everything that Magetsi needs, on this machine, from nothing.

Starts the embedded services unless DATABASE_URL and REDIS_URL are set, migrates, loads the demo, starts
the web and OCPP server, a Celery worker, beat and a fleet of virtual chargers, and says when all is
ready. Ctrl-C or SIGTERM ends it all in order; nothing outlives this process, not even after kill -9.
"""

import argparse
import contextlib
import http.client
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cms.run.children import ROOT, Child, run_to_end
from cms.run.console import say
from cms.run.processes import end_with_parent, reason_of_end
from cms.run.services import ServiceError, Services
from cms.run.signals import stop_on_signals

_READY_S = 120
_POLL_S = 0.2
_SERVICE_PAUSE_S = 5
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - recognised, not bound


class CannotRun(Exception):
    """The installation cannot start; the text is a sentence for the person at the terminal."""


@dataclass(frozen=True)
class Options:
    """Where to listen, how many virtual chargers, which data folder (absolute)."""

    host: str
    port: int
    fleet: int
    var: Path

    @property
    def address(self) -> str:
        """Host and port as a browser on this machine writes them."""
        host = _EVERYWHERE.get(self.host, self.host)
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    @property
    def is_public(self) -> bool:
        """Whether other machines can reach it."""
        return self.host not in {"127.0.0.1", "localhost", "::1"}


def main(argv: list[str] | None = None) -> int:
    """Run until told to stop; the exit code."""
    arguments = _parser().parse_args(argv)
    if arguments.end_with_parent:
        end_with_parent(signal.SIGTERM)
    options = Options(arguments.host, arguments.port, arguments.fleet, arguments.var.absolute())
    try:
        with stop_on_signals():
            run(options)
    except (CannotRun, ServiceError) as error:
        say(str(error))
        return 1
    say("Magetsi has stopped.")
    return 0


def run(options: Options) -> None:
    """Never returns by itself: StopRequested ends it, and everything that it started.

    Raises:
        CannotRun, ServiceError: something that is needed does not start.
    """
    _refuse_taken_port(options)
    with contextlib.ExitStack() as stack:
        environment = _environment(options, os.environ)
        services = None
        if not (environment.get("DATABASE_URL") and environment.get("REDIS_URL")):
            services = stack.enter_context(Services(options.var))
            environment["DATABASE_URL"], environment["REDIS_URL"] = services.urls
        # The static files come from their sources here; without the folder there is a warning.
        (options.var / "static").mkdir(parents=True, exist_ok=True)
        logins = _prepare(environment)
        children = _children(options, environment)
        for child in children:  # the stack stops them the other way round: the fleet first
            stack.callback(child.stop)
            child.start()
            if child.name == "web":
                _wait_until_ready(options, child)
        _announce(options, logins)
        while True:
            time.sleep(_POLL_S)
            if services is not None:
                _watch_services(services)
            for child in children:
                child.watch()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cms.run.supervisor",
        description="Runs Magetsi with everything it needs on this machine.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    env = os.environ
    add = parser.add_argument
    add("--host", default=env.get("HOST") or "127.0.0.1", help="address to listen on")
    add("--port", type=int, default=env.get("PORT") or 8000, help="port to listen on")
    add("--fleet", type=int, default=env.get("FLEET") or 6, help="virtual chargers; 0 for none")
    add("--var", type=Path, default=env.get("VAR") or ROOT / "var", help="data folder")
    add("--end-with-parent", action="store_true", help="stop when the starting process ends")
    return parser


def _environment(options: Options, inherited: Mapping[str, str]) -> dict[str, str]:
    """For all programs; whatever the person has set wins over the demo's defaults."""
    demo = {
        "DJANGO_SETTINGS_MODULE": "cms.settings.dev",
        "BASE_URL": f"http://{options.address}",
        "OCPP_ALLOW_PROFILE_0": "1",
        # Stations report a lot; the terminal is for what needs attention.
        "LOG_LEVEL": "WARNING",
    }
    if options.is_public:
        demo["ALLOWED_HOSTS"] = "*" if options.host in _EVERYWHERE else options.host
    given = {name: value for name, value in inherited.items() if value or name not in demo}
    ours = {"VAR": str(options.var), "FLEET": str(options.fleet), "PYTHONUNBUFFERED": "1"}
    return demo | given | ours


def _children(options: Options, environment: dict[str, str]) -> list[Child]:
    celery = ["-m", "celery", "--app", "cms", "--quiet"]
    level = ["--loglevel", environment["LOG_LEVEL"]]
    # One process: there are no grandchildren that could be left behind.
    worker = [
        *[*celery, "worker", "--queues", "urgent,default,slow", "--pool", "threads"],
        *["--concurrency", "4", "--without-gossip", "--without-mingle", *level],
    ]
    beat = [*celery, "beat", "--schedule", str(options.var / "beat-schedule"), "--pidfile=", *level]
    web = ["-m", "cms.server", "--host", options.host, "--port", str(options.port)]
    fleet = [
        *["manage.py", "simulate", "--url", f"ws://{options.address}/ocpp"],
        *["--stations", str(options.fleet), "--version", "1.6", "--demo"],
    ]
    # Celery warns of root because of a message format that is not in use here.
    celery_environment = environment | {"PYTHONWARNINGS": "ignore:You're running the worker"}
    children = [
        Child("web", web, environment, grace_s=15),
        Child("worker", worker, celery_environment, grace_s=10),
        Child("beat", beat, celery_environment),
    ]
    if options.fleet:
        children.append(Child("fleet", fleet, environment))
    return children


def _refuse_taken_port(options: Options) -> None:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((options.host, options.port))
        except OSError as error:
            raise CannotRun(
                f"Cannot listen on {options.host} port {options.port} ({error.strerror}); "
                "choose another with HOST=… and PORT=…"
            ) from None


def _prepare(environment: dict[str, str]) -> list[str]:
    """Bring the database up to date; the demo's logins, one line each. What else is said goes through."""
    code, lines = run_to_end("prepare", ["-m", "cms.run.prepare"], environment)
    logins = [line.removeprefix("prepare: ") for line in lines if " login: " in line]
    for line in lines:
        if code or " login: " not in line:
            say(line)
    if code:
        raise CannotRun(f"The database could not be prepared ({reason_of_end(code)}).")
    return logins


def _wait_until_ready(options: Options, web: Child) -> None:
    """Until it answers, database and migrations included; pages and stations have one port."""
    deadline = time.monotonic() + _READY_S
    while _status(options, "/readyz") != 200:
        if web.process is not None and (code := web.process.poll()) is not None:
            raise CannotRun(f"The web server ended with {reason_of_end(code)}.")
        if time.monotonic() > deadline:
            raise CannotRun(
                f"The web server is not ready after {_READY_S} s: "
                f"/readyz answers {_status(options, '/readyz') or 'nothing'}."
            )
        time.sleep(_POLL_S)


def _status(options: Options, path: str) -> int:
    """The status that a GET is answered with; 0 for none."""
    host = _EVERYWHERE.get(options.host, options.host)
    connection = http.client.HTTPConnection(host, options.port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def _announce(options: Options, logins: list[str]) -> None:
    base = f"http://{options.address}"
    say("")
    if options.is_public:
        say("Other machines can reach this demo, and its logins are no secret.")
    say(f"drivers    {base}/")
    say(f"operators  {base}/operator/")
    say(f"admin      {base}/admin/")
    say(f"REST       {base}/api/v1/docs/")
    say(f"stations   ws://{options.address}/ocpp/<identity>")
    for line in logins:
        say(line)
    say(f"Magetsi is ready at {base}")


def _watch_services(services: Services) -> None:
    try:
        for sentence in services.restart_the_dead():
            say(sentence)
    except ServiceError as error:
        say(f"{error}\nTrying again in {_SERVICE_PAUSE_S} s.")
        time.sleep(_SERVICE_PAUSE_S)


if __name__ == "__main__":
    sys.exit(main())
