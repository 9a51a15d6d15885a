"""What is over at a station, the same for all that can be: reservations, charging profiles."""

from dataclasses import dataclass
from datetime import datetime

from cms.portal.looks import Look


@dataclass(frozen=True, slots=True)
class Past:
    """One row of `portal/past_table.html`; `number` is what the station knew it by, `words` say how it ended."""

    title: str
    number: int
    evse_id: int
    ended_at: datetime | None
    look: Look
    words: str
