"""The programs of one running installation: started, watched, their output passed on line by line."""

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from cms.run.console import say
from cms.run.processes import reason_of_end, spawn, stop

ROOT = Path(__file__).resolve().parent.parent.parent

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0
# A child that lived this long was well; the next pause is the first again.
_WELL_S = 30.0


@dataclass
class Child:
    """One program that shall always run: `watch` starts it again when it ended by itself."""

    name: str
    arguments: Sequence[str]
    env: Mapping[str, str]
    grace_s: float = 5.0
    clock: Callable[[], float] = time.monotonic
    process: subprocess.Popen[bytes] | None = None
    _started_at: float = field(default=0.0, init=False)
    _pause_s: float = field(default=_FIRST_PAUSE_S, init=False)
    _start_at: float | None = field(default=None, init=False)
    _output: threading.Thread | None = field(default=None, init=False)

    def start(self) -> None:
        """Start it, whether or not it ran before."""
        self._start_at = None
        self._started_at = self.clock()
        self.process, self._output = _run(self.name, self.arguments, self.env)

    def watch(self) -> None:
        """Say so when it has ended, and start it again after a pause that grows with each failure."""
        if self._start_at is not None:
            if self.clock() >= self._start_at:
                self.start()
            return
        if self.process is None or (code := self.process.poll()) is None:
            return
        lived_s = self.clock() - self._started_at
        self._pause_s = (
            _FIRST_PAUSE_S if lived_s >= _WELL_S else min(self._pause_s * 2, _LONGEST_PAUSE_S)
        )
        self._start_at = self.clock() + self._pause_s
        say(
            f"{self.name} ended with {reason_of_end(code)}; starting it again in {self._pause_s:.0f} s."
        )

    def stop(self) -> None:
        """Nothing of it is left, and its last words are out, when this returns."""
        if self.process is not None:
            stop(self.process, signal.SIGTERM, self.grace_s)
        if self._output is not None:
            self._output.join(timeout=5)


def run_to_end(
    name: str, arguments: Sequence[str], env: Mapping[str, str]
) -> tuple[int, list[str]]:
    """Run a program that ends by itself; its exit code and its lines, each under its name."""
    lines: list[str] = []
    process, output = _run(name, arguments, env, lines.append)
    code = process.wait()
    output.join()
    return code, lines


def _run(
    name: str,
    arguments: Sequence[str],
    env: Mapping[str, str],
    on_line: Callable[[str], None] = say,
) -> tuple[subprocess.Popen[bytes], threading.Thread]:
    process = spawn(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=env,
        # The product is made for this: whatever was acknowledged is committed. SIGKILL leaves nothing behind.
        death_signal=signal.SIGKILL,
        output=subprocess.PIPE,
    )

    def pass_on(pipe: IO[bytes]) -> None:
        with pipe:
            for raw in pipe:
                if line := _without_controls(raw.decode(errors="replace")).rstrip():
                    on_line(f"{name}: {line}")

    thread = threading.Thread(
        target=pass_on, args=[process.stdout], name=f"output of {name}", daemon=True
    )
    thread.start()
    return process, thread


def _without_controls(line: str) -> str:
    """A station chooses what it is called, and must not steer somebody's terminal with it."""
    return re.sub(r"[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]|\x1b(?!\[[\d;]*m)", "", line)
