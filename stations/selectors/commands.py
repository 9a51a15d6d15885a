"""What was asked of stations."""

from django.db.models import QuerySet

from accounts.services.actors import Actor
from cms.base.ids import get_by_id
from stations.models import Command


def commands_for(actor: Actor) -> QuerySet[Command]:
    """The operator's commands, each with its station."""
    return Command.objects.filter(operator=actor.operator).select_related("station")


def get_command_for(actor: Actor, public_id: str) -> Command:
    """Raises NotFound for another operator's."""
    return get_by_id(commands_for(actor), public_id)


def filter_commands(
    commands: QuerySet[Command],
    *,
    station: str | None = None,
    status: str | None = None,
    action: str | None = None,
) -> QuerySet[Command]:
    """`station` is an identity."""
    if station is not None:
        commands = commands.filter(station__identity=station)
    if status is not None:
        commands = commands.filter(status=status)
    if action is not None:
        commands = commands.filter(action=action)
    return commands
