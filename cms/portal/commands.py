"""Commands in plain words: what was asked, and what the station said."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from accounts.models.id_token import mask_uid
from cms.portal.looks import COMMAND, Look
from stations.choices import CommandStatus
from stations.commands.secrets import mask_payload
from stations.models import ChargingStation, Command

COMMANDS_SHOWN = 15


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as a station told it."""

    key: str
    value: str | None
    readonly: bool


@dataclass(frozen=True, slots=True)
class CommandView:
    """One request to a station."""

    command: Command

    @property
    def look(self) -> Look:
        return COMMAND[self.command.status]

    @property
    def is_open(self) -> bool:
        return self.command.status in (CommandStatus.QUEUED, CommandStatus.SENT)

    @property
    def words(self) -> str:
        """What was asked."""
        payload = mask_payload(self.command.action, self.command.payload)
        evse_id = payload.get("connectorId")
        match self.command.action:
            case "RemoteStartTransaction":
                card = mask_uid(str(payload.get("idTag", "")))
                return _("Start charging with %(card)s") % {"card": card} + _at(evse_id)
            case "RemoteStopTransaction":
                return _("Stop transaction %(id)s") % {"id": payload.get("transactionId")}
            case "Reset":
                hard = payload.get("type") == "Hard"
                return _("Restart at once (hard)") if hard else _("Restart (soft)")
            case "UnlockConnector":
                return _("Unlock") + _at(evse_id)
            case "ChangeAvailability":
                operative = payload.get("type") == "Operative"
                asked = _("Put into service") if operative else _("Take out of service")
                return asked + (_at(evse_id) or _(" (whole station)"))
            case "TriggerMessage":
                message = payload.get("requestedMessage")
                return _("Send %(message)s") % {"message": message} + _at(evse_id)
            case "ChangeConfiguration":
                return _("Set %(key)s to %(value)s") % {
                    "key": payload.get("key"),
                    "value": payload.get("value") or "“”",
                }
            case "GetConfiguration":
                keys = payload.get("key")
                return (
                    _("Read %(keys)s") % {"keys": ", ".join(keys)}
                    if keys
                    else _("Read all settings")
                )
            case "ClearCache":
                return _("Clear remembered cards")
            case action:
                return action

    @property
    def answer(self) -> str:
        """What the station said, or why it said nothing."""
        if self.command.error:
            description = self.command.error.get("description") or ""
            return description or str(self.command.error.get("code", ""))
        response = self.command.response
        if not isinstance(response, dict):
            return ""
        if "configurationKey" in response:
            count = len(response["configurationKey"] or [])
            return _("%(count)s settings told") % {"count": count}
        return str(response.get("status", ""))


def _at(evse_id: Any) -> str:
    return _(" at EVSE %(id)s") % {"id": evse_id} if evse_id else ""


def latest_commands(station: ChargingStation) -> list[CommandView]:
    """What was asked of a station lately, newest first."""
    rows = Command.objects.filter(station=station).select_related("created_by")
    return [CommandView(row) for row in rows.order_by("-id")[:COMMANDS_SHOWN]]


def told_configuration(station: ChargingStation) -> tuple[Command, list[Setting]] | None:
    """The settings in the last answer to a request for all of them; None before the first."""
    command = (
        Command.objects.filter(
            station=station,
            action="GetConfiguration",
            status=CommandStatus.ACCEPTED,
            payload={},
        )
        .order_by("-id")
        .first()
    )
    if command is None or not isinstance(command.response, dict):
        return None
    response = mask_payload(command.action, command.response)
    items = [item for item in response.get("configurationKey") or [] if isinstance(item, dict)]
    settings = [
        Setting(str(item.get("key", "")), item.get("value"), bool(item.get("readonly")))
        for item in items
    ]
    return command, sorted(settings, key=lambda setting: setting.key.casefold())
