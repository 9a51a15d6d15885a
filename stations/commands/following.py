"""What follows a command: rows that are made with it, and rows that move when it has ended.

A module of an OCPP version translates between that version's payloads and the domain's functions:

    @on_queued("ocpp1.6", "ReserveNow")     in the transaction that queues the command
    @on_ended("ocpp1.6", "ReserveNow")      by the outbox, whichever way it ended

The second is called at least once, and again when a late answer comes in after a time-out: look at the
command and at the rows as they are now.
"""

from collections.abc import Callable, Mapping
from typing import Any

from cms.base import outbox
from stations.models import Command

Follower = Callable[[Command], None]

_queued: dict[tuple[str, str], Follower] = {}
_ended: dict[tuple[str, str], Follower] = {}


def on_queued(protocol: str, action: str) -> Callable[[Follower], Follower]:
    """Register what is made together with a command; it may raise a domain error, then nothing is queued."""
    return _registering(_queued, protocol, action)


def on_ended(protocol: str, action: str) -> Callable[[Follower], Follower]:
    """Register what moves when a command has ended."""
    return _registering(_ended, protocol, action)


def _registering(
    table: dict[tuple[str, str], Follower], protocol: str, action: str
) -> Callable[[Follower], Follower]:
    def register(function: Follower) -> Follower:
        if table.setdefault((protocol, action), function) is not function:
            raise ValueError(f"{protocol} {action} has a follower already")
        return function

    return register


def follow_queued(command: Command) -> None:
    """Make what belongs to a command that was queued just now, in its transaction."""
    if follower := _queued.get((command.protocol, command.action)):
        follower(command)


@outbox.handler("command.ended")
def follow_ended(key: str, payload: Mapping[str, Any]) -> None:
    """Move what a command was about. A command that is gone moved nothing."""
    command = Command.objects.filter(pk=key).select_related("station").first()
    if command is not None and (follower := _ended.get((command.protocol, command.action))):
        follower(command)
