"""GetConfiguration (OCPP 1.6 §5.8) and ChangeConfiguration (§5.3)."""

from collections.abc import Iterable, Iterator
from typing import Any

from stations.commands.following import on_ended
from stations.models import Command
from stations.ocpp.v16.followers.answers import answer_to
from stations.services.variables import Reading, note_variables

_OLD = "ocpp1.6"
# As the schemas have it; stations that give more are read leniently.
_KEY_LENGTH, _VALUE_LENGTH = 50, 500


@on_ended(_OLD, "GetConfiguration")
def follow_get_ended(command: Command) -> None:
    """What the station told; asked for everything, it has nothing else."""
    answer = answer_to(command)
    if answer.response is None or command.finished_at is None:
        return
    note_variables(
        station_id=command.station_id,
        at=command.finished_at,
        readings=_told(answer.response.get("configurationKey") or []),
        unknown=[str(name) for name in answer.response.get("unknownKey") or []],
        is_all=not command.payload.get("key"),
    )


def _told(items: Iterable[dict[str, Any]]) -> Iterator[Reading]:
    for item in items:
        value = item.get("value")
        yield Reading(
            variable=item["key"][:_KEY_LENGTH],
            value=None if value is None else value[:_VALUE_LENGTH],
            readonly=item["readonly"],
        )


@on_ended(_OLD, "ChangeConfiguration")
def follow_change_ended(command: Command) -> None:
    """Set is only what the station took (§5.3); RebootRequired holds after its restart."""
    said = answer_to(command).said
    if said in ("Accepted", "RebootRequired") and command.finished_at is not None:
        reading = Reading(
            variable=command.payload["key"],
            value=command.payload["value"],
            pending_reboot=said == "RebootRequired",
        )
        note_variables(station_id=command.station_id, at=command.finished_at, readings=[reading])
