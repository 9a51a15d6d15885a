"""One thing that happened in a session, as the flight recorder tells it."""

from dataclasses import dataclass
from datetime import datetime

from cms.portal.looks import Look


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened. `frame` is the primary key of the frame that says so, where there is one."""

    at: datetime
    look: Look
    words: str
    detail: str = ""
    frame: int | None = None


def make_step(
    at: datetime, colour: str, shape: str, words: str, detail: str = "", frame: int | None = None
) -> Step:
    """A step with the colour of a status and the shape of an icon."""
    return Step(at, Look("", colour, shape), words, detail, frame)
