"""Child processes that never outlive their parent, not even one that was killed with SIGKILL.

Linux sends a child the signal it asked for (PR_SET_PDEATHSIG) when the *thread* that forked it ends, and
forgets the wish when the child changes its user. So all children are forked by one thread that lives as
long as this process, and the wish is made after the change of user. Elsewhere than on Linux children
outlive a killed parent; the next start finds and stops them.
"""

import ctypes
import os
import pwd
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import cache
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

_Process = subprocess.Popen[bytes]
_Job = tuple["Future[_Process]", Callable[[], _Process]]


def spawn(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    death_signal: signal.Signals,
    owner: pwd.struct_passwd | None = None,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    output: int | IO[bytes],
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, so that Ctrl-C reaches only this process.

    `death_signal` is what the child gets when this process ends without stopping it; `owner` is the
    account to run as (only root may name one). Standard error goes where standard output goes.
    """

    def fork() -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - programs of this package and its wheels
            argv,
            cwd=cwd,
            env=dict(env),
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_follow_parent(os.getpid(), death_signal),
            user=owner.pw_uid if owner else None,
            group=owner.pw_gid if owner else None,
            extra_groups=[] if owner else None,
            umask=0o077 if owner else -1,
        )

    future: Future[subprocess.Popen[bytes]] = Future()
    _forking_thread().put((future, fork))
    return future.result()


def stop(process: subprocess.Popen[bytes], signum: signal.Signals, grace_s: float) -> None:
    """Ask a child to end, wait, and kill it when it has not ended after `grace_s` seconds."""
    if process.poll() is not None:
        return
    process.send_signal(signum)
    try:
        process.wait(grace_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def reason_of_end(returncode: int) -> str:
    """In words: "exit code 3", "signal SIGKILL"."""
    if returncode >= 0:
        return f"exit code {returncode}"
    try:
        return f"signal {signal.Signals(-returncode).name}"
    except ValueError:
        return f"signal {-returncode}"


def end_with_parent(signum: signal.Signals) -> None:
    """Let this process get `signum` when the process that started it ends."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(signum), 0, 0, 0)


def processes_at_work_in(folder: Path) -> list[int]:
    """Ids of the processes whose current directory is `folder` (Linux; elsewhere none are found).

    PostgreSQL's processes stay in their data directory, which tells them from strangers that were given
    a process id found in a stale pid file.
    """
    found = []
    wanted = str(folder)
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(entry / "cwd") == wanted:
                found.append(int(entry.name))
        except OSError:
            continue  # it has ended meanwhile, or belongs to somebody else
    return found


def _follow_parent(parent: int, death_signal: signal.Signals) -> Callable[[], None] | None:
    libc, number = _LIBC, int(death_signal)
    if libc is None:
        return None

    def prepare() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:  # it ended before the wish was made
            os._exit(1)

    return prepare


@cache
def _forking_thread() -> "queue.SimpleQueue[_Job]":
    """The queue of a daemon thread: it ends with the process, never before."""
    jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()

    def work() -> None:
        while True:
            future, fork = jobs.get()
            try:
                future.set_result(fork())
            except (OSError, ValueError, subprocess.SubprocessError) as error:
                future.set_exception(error)

    threading.Thread(target=work, name="forking", daemon=True).start()
    return jobs
