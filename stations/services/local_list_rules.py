"""Local authorisation lists, calculated: what a station has after all that it was sent and said.

An entry is `{"idTag", "idTagInfo"}` as OCPP 1.6 has it (§7.2, AuthorizationData). Nothing here knows the database.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from accounts.models.id_token import fold_uid

Entry = Mapping[str, Any]
Entries = list[Entry]

NO_LIST = -1
EMPTY = 0


class Outcome(Enum):
    """What came of sending a list."""

    TAKEN = "taken"
    NOT_TAKEN = "not taken"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Sent:
    """A list that a station was sent, whole or only what changed."""

    version: int
    is_full: bool
    entries: Sequence[Entry]
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Told:
    """The version that a station says it has (OCPP 1.6 §5.10)."""

    version: int


@dataclass(frozen=True, slots=True)
class ListState:
    """`version` None: nobody knows. `entries` None: the station has a version that we did not send."""

    version: int | None = None
    entries: Entries | None = None


def state_after(events: Iterable[Sent | Told]) -> ListState:
    """What a station has, by what happened, oldest first.

    Whether a list was taken whose answer got lost shows when the station tells its version.

    Source: OCPP 1.6 §5.10, §5.15.
    """
    state = ListState()
    unclear: dict[int, ListState] = {}
    for event in events:
        if isinstance(event, Told):
            state = _after_told(state, event.version, unclear)
            unclear = {}
        elif event.outcome is not Outcome.NOT_TAKEN:
            after = ListState(event.version, _after_sent(state.entries, event))
            if event.outcome is Outcome.TAKEN:
                state, unclear = after, {}
            else:
                unclear[event.version] = after
    return state


def _after_told(state: ListState, version: int, unclear: Mapping[int, ListState]) -> ListState:
    if version in (NO_LIST, EMPTY):
        return ListState(version, [])
    if version == state.version:
        return state
    return unclear.get(version, ListState(version, None))


def _after_sent(before: Entries | None, sent: Sent) -> Entries | None:
    if sent.is_full:
        return list(_by_uid(sent.entries).values())
    if before is None:
        return None
    known = _by_uid(before)
    for uid, entry in _by_uid(sent.entries).items():
        if "idTagInfo" in entry:
            known[uid] = entry
        else:
            known.pop(uid, None)
    return list(known.values())


def _by_uid(entries: Iterable[Entry]) -> dict[str, Entry]:
    return {fold_uid(entry["idTag"]): entry for entry in entries}


def difference(before: Iterable[Entry], after: Iterable[Entry]) -> Entries:
    """What a differential update must hold: new and changed entries as they are to be, then bare ones to remove."""
    old, new = _by_uid(before), _by_uid(after)
    changed = [
        entry
        for uid, entry in new.items()
        if uid not in old or old[uid]["idTagInfo"] != entry["idTagInfo"]
    ]
    return changed + [{"idTag": entry["idTag"]} for uid, entry in old.items() if uid not in new]
