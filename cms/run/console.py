"""What the launcher says to the person at the terminal."""

import sys
import threading

_lock = threading.Lock()


def say(line: str) -> None:
    """One whole line on standard output, at once; lines of several threads never mix."""
    with _lock:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
