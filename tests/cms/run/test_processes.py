"""Children end with their parent, whichever way it ends, and not before."""

import signal
import subprocess
import sys
import threading

import psutil
import pytest

from cms.run.children import ROOT
from cms.run.processes import processes_at_work_in, reason_of_end, spawn, stop

IGNORES_SIGTERM = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True);"
    "time.sleep(600)"
)
PARENT = """
import signal, subprocess, sys, threading, time
from pathlib import Path
from cms.run.processes import spawn

def start():
    child = spawn([sys.executable, "-c", sys.argv[1]], cwd=Path.cwd(), env={},
                  death_signal=signal.SIGKILL, output=subprocess.PIPE)
    child.stdout.readline()
    print(child.pid, flush=True)

thread = threading.Thread(target=start)
thread.start()
thread.join()
time.sleep(600)
"""


def spawn_python(code, **options):
    return spawn(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={},
        death_signal=signal.SIGKILL,
        output=subprocess.PIPE,
        **options,
    )


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_child_ends_when_its_parent_is_killed():
    parent = subprocess.Popen(  # noqa: S603 - this Python
        [sys.executable, "-c", PARENT, IGNORES_SIGTERM], cwd=ROOT, stdout=subprocess.PIPE
    )
    with parent:
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    psutil.wait_procs([child], timeout=10)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_child_outlives_the_thread_that_started_it():
    started = []
    echo = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"
    thread = threading.Thread(
        target=lambda: started.append(spawn_python(echo, stdin=subprocess.PIPE))
    )
    thread.start()
    thread.join()
    with started[0] as child:
        child.stdin.write(b"still here\n")
        child.stdin.flush()
        assert child.stdout.readline() == b"still here\n"
        child.stdin.close()


def test_child_does_not_get_the_ctrl_c_of_the_terminal():
    with spawn_python("import os; print(os.getsid(0) == os.getpid())") as child:
        assert child.stdout.readline() == b"True\n"


def test_stubborn_child_is_killed_after_its_grace():
    with spawn_python(IGNORES_SIGTERM) as child:
        assert child.stdout.readline() == b"up\n"
        stop(child, signal.SIGTERM, grace_s=0.1)
        assert child.returncode == -signal.SIGKILL


def test_failure_to_start_is_raised_where_it_was_asked_for(tmp_path):
    with pytest.raises(FileNotFoundError):
        spawn(
            [str(tmp_path / "missing")],
            cwd=tmp_path,
            env={},
            death_signal=signal.SIGKILL,
            output=subprocess.DEVNULL,
        )


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_processes_are_found_by_the_folder_they_work_in(tmp_path):
    assert processes_at_work_in(tmp_path) == []
    with subprocess.Popen(["/bin/cat"], cwd=tmp_path, stdin=subprocess.PIPE) as child:
        assert processes_at_work_in(tmp_path) == [child.pid]
        child.stdin.close()
    assert processes_at_work_in(tmp_path) == []


@pytest.mark.parametrize(
    ("returncode", "words"),
    [(0, "exit code 0"), (3, "exit code 3"), (-9, "signal SIGKILL"), (-250, "signal 250")],
)
def test_end_is_put_in_words(returncode, words):
    assert reason_of_end(returncode) == words
