"""The first SIGINT, SIGTERM or SIGHUP ends a launcher in order; the ones after it change nothing."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequested(BaseException):
    """Somebody wants this process to end; raised in the main thread, wherever it is."""


@contextlib.contextmanager
def stop_on_signals() -> Iterator[None]:
    """Turn the signals that end a process into StopRequested, which ends the block quietly.

    From then on the signals are ignored: cleaning up is not interrupted (a terminal and `make` both
    pass Ctrl-C on, so that it arrives twice).
    """

    def request(signum: int, frame: FrameType | None) -> None:
        for each in _ENDING:
            signal.signal(each, signal.SIG_IGN)
        raise StopRequested(signal.Signals(signum).name)

    for signum in _ENDING:
        signal.signal(signum, request)
    with contextlib.suppress(StopRequested):
        yield
