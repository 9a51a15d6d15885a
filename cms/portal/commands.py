"""Commands in plain words: what was asked, and what the station said."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models.id_token import mask_uid
from cms.base.ids import parse_id
from cms.portal.forms import MESSAGES
from cms.portal.looks import COMMAND, Look
from cms.portal.outcomes import outcome_words
from cms.portal.profile_words import profile_request_words
from cms.portal.settings_words import SETTINGS
from stations.choices import CommandStatus
from stations.commands.secrets import MASK, is_secret_key, mask_payload
from stations.models import ChargingStation, Command, StationVariable
from stations.selectors.planning import settings_of

# Requests that say the same whatever is in them.
_PLAIN: dict[str, str | Promise] = {
    "ClearCache": gettext_lazy("Clear remembered cards"),
    "GetLocalListVersion": gettext_lazy("Ask for the version of its list"),
    "GetDiagnostics": gettext_lazy("Fetch diagnostics"),
    "GetLog": gettext_lazy("Fetch diagnostics"),
    "UpdateFirmware": gettext_lazy("Update the firmware"),
    "SignedUpdateFirmware": gettext_lazy("Update the firmware (signed)"),
    "InstallCertificate": gettext_lazy("Install a root certificate"),
    "DeleteCertificate": gettext_lazy("Delete a root certificate"),
    "GetInstalledCertificateIds": gettext_lazy("Read the root certificates"),
    "CertificateSigned": gettext_lazy("Send the certificate that it asked for"),
}

COMMANDS_SHOWN = 5
COMMANDS_PER_PAGE = 50


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as a station told it, or as it was changed since.

    `changed_at` is set where the value is what we asked for and the station agreed to, but has not told
    since; `needs_restart` where it takes the value only when it starts anew.
    """

    key: str
    value: str | None
    readonly: bool
    changed_at: datetime | None = None
    needs_restart: bool = False

    @property
    def meaning(self) -> str:
        """What it does, where OCPP says so; empty for a maker's own."""
        return str(SETTINGS.get(self.key, ""))


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings of a station by name; `read_at` is when all of them were read last."""

    settings: list[Setting]
    read_at: datetime | None


@dataclass(frozen=True, slots=True)
class CommandView:
    """One request to a station. `is_online` None: not known here."""

    command: Command
    is_online: bool | None = None
    zone: str = "UTC"

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
            case "TriggerMessage" | "ExtendedTriggerMessage":
                name = str(payload.get("requestedMessage", ""))
                asked = _("Ask for a message: %(what)s") % {"what": MESSAGES.get(name, name)}
                return asked + _at(evse_id)
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
            case "SetChargingProfile" | "ClearChargingProfile" | "GetCompositeSchedule":
                return profile_request_words(self.command.action, payload)
            case "ReserveNow":
                card = mask_uid(str(payload.get("idTag", "")))
                asked = _("Keep free for %(card)s") % {"card": card}
                return asked + (_at(evse_id) or _(" (whole station)"))
            case "CancelReservation":
                return _("Give up reservation %(id)s") % {"id": payload.get("reservationId")}
            case "SendLocalList":
                full = payload.get("updateType") == "Full"
                return (
                    _("Send the list of cards")
                    if full
                    else _("Send what changed of the list of cards")
                )
            case "GetLog" if payload.get("logType") == "SecurityLog":
                return _("Fetch the security log")
            case "DataTransfer":
                named = [payload.get("vendorId"), payload.get("messageId")]
                return _("Send data: %(what)s") % {"what": " / ".join(filter(None, named))}
            case action:
                return str(_PLAIN.get(action, action))

    @property
    def answer(self) -> str:
        """What the station said, why it said nothing, or what the request waits for."""
        return outcome_words(self.command, is_online=self.is_online, zone=self.zone)


def _at(evse_id: Any) -> str:
    return _(" at EVSE %(id)s") % {"id": evse_id} if evse_id else ""


def latest_commands(station: ChargingStation) -> list[CommandView]:
    """What was asked of a station lately, newest first."""
    return command_page(station, before="", size=COMMANDS_SHOWN)[0]


def command_page(
    station: ChargingStation, *, before: str, size: int = COMMANDS_PER_PAGE
) -> tuple[list[CommandView], str | None]:
    """Commands older than the one called `before`, newest first, and where the next page begins."""
    rows = Command.objects.filter(station=station).select_related("created_by").order_by("-id")
    if (before_pk := parse_id(before)) is not None:
        rows = rows.filter(pk__lt=before_pk)
    found = list(rows[: size + 1])
    zone = (station.location or station.operator).time_zone
    views = [CommandView(row, getattr(station, "is_online", None), zone) for row in found[:size]]
    return views, str(found[size - 1].pk) if len(found) > size else None


def configuration_of(station: ChargingStation) -> Configuration | None:
    """What is known of a station's settings; None before anything was. Three queries."""
    rows = sorted(settings_of(station), key=lambda row: row.variable.casefold())
    if not rows:
        return None
    agreed = Command.objects.filter(station=station, status=CommandStatus.ACCEPTED)
    whole = agreed.filter(action="GetConfiguration", payload={}).order_by("-id").first()
    changes = agreed.filter(action="ChangeConfiguration", finished_at__in={row.at for row in rows})
    changed = {
        (str(command.payload.get("key")).casefold(), command.finished_at) for command in changes
    }
    settings = [_setting(row, (row.variable.casefold(), row.at) in changed) for row in rows]
    return Configuration(settings, whole.finished_at if whole else None)


def _setting(row: StationVariable, is_changed: bool) -> Setting:
    return Setting(
        row.variable,
        MASK if is_secret_key(row.variable) else row.value,
        bool(row.readonly),
        changed_at=row.at if is_changed else None,
        needs_restart=row.awaits_restart,  # type: ignore[attr-defined]
    )
