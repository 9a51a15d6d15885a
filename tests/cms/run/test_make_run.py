"""The whole of `make run` once: ready, healed after a crash, gone when told to go."""

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import psutil
import pytest

from cms.run.children import ROOT
from cms.run.place import place_of
from cms.run.services import remove

# A guard against hanging, not a promise of speed: shared machines can be slow.
PATIENCE_S = 240


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def var(tmp_path):
    yield tmp_path / "var"
    remove(tmp_path / "var")


@contextlib.contextmanager
def running(var, port):
    """The supervisor, its lines as they come."""
    own = {"DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE"}
    environment = {name: value for name, value in os.environ.items() if name not in own}
    environment |= {"VAR": str(var), "PORT": str(port), "FLEET": "0", "HOST": "127.0.0.1"}
    with subprocess.Popen(  # noqa: S603 - this Python
        [sys.executable, "-m", "cms.run.supervisor"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as supervisor:
        guard = threading.Timer(PATIENCE_S, supervisor.kill)
        guard.start()
        try:
            yield supervisor
        finally:
            guard.cancel()
            supervisor.kill()


def read_until(supervisor, pattern):
    """All lines up to the first that matches."""
    lines = []
    for line in supervisor.stdout:
        lines.append(line)
        if re.search(pattern, line):
            return "".join(lines)
    pytest.fail(f"no line like {pattern!r} in:\n{''.join(lines)}")


def is_healthy(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def left_behind(var, port):
    """Processes of this installation: below its data folder, or told about its port or folder."""
    home = str(place_of(var).home)
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.status() == psutil.STATUS_ZOMBIE or process.pid == os.getpid():
                continue
            words = " ".join(process.cmdline())
            environment = process.environ() if process.uids().real == os.getuid() else {}
            ours = environment.get("VAR") == str(var) or f"--port {port}" in words
            if ours or home in words or process.cwd().startswith(home):
                found.append(process)
    return found


def test_everything_runs_heals_and_ends(var, port):
    with running(var, port) as supervisor:
        said = read_until(supervisor, r"^Magetsi is ready at ")
        for login in ("operator", "driver", "admin"):
            assert re.search(rf"^{login} login: \S+@\S+ \S+$", said, re.MULTILINE)
        assert said.endswith(f"Magetsi is ready at http://127.0.0.1:{port}\n")
        assert is_healthy(port)

        (web,) = [
            process
            for process in psutil.Process(supervisor.pid).children()
            if "cms.server" in process.cmdline()
        ]
        web.kill()
        read_until(supervisor, r"^web ended with signal SIGKILL; starting it again")
        wait_until(lambda: is_healthy(port))

        supervisor.send_signal(signal.SIGTERM)
        assert "Magetsi has stopped." in supervisor.stdout.read()
        assert supervisor.wait() == 0
        assert left_behind(var, port) == []


@pytest.mark.faults
@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_nothing_outlives_a_killed_supervisor(var, port):
    with running(var, port) as supervisor:
        read_until(supervisor, r"^Magetsi is ready at ")
        assert len(left_behind(var, port)) > 4, "the search must find what runs"
        supervisor.kill()
        wait_until(lambda: left_behind(var, port) == [])
