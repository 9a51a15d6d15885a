"""What follows SetChargingProfile, ClearChargingProfile and a RemoteStartTransaction with a profile."""

from collections.abc import Mapping
from typing import Any

from cms.base.errors import Invalid
from stations.choices import CommandStatus
from stations.commands.following import on_ended, on_queued
from stations.models import Command, InstalledProfile
from stations.ocpp.v16.charging_profiles import clear_from_v16, profile_from_v16
from stations.ocpp.v16.followers.answers import answer_to
from stations.services import charging_profiles as domain
from stations.services.charging_profile_rules import TX_PROFILE

PROTOCOL = "ocpp1.6"


@on_queued(PROTOCOL, "SetChargingProfile")
def set_profile_queued(command: Command) -> None:
    """The profile is asked for."""
    _note_requested(command, command.payload["csChargingProfiles"], command.payload["connectorId"])


@on_queued(PROTOCOL, "RemoteStartTransaction")
def start_queued(command: Command) -> None:
    """A profile that comes with a start is asked for too; its transaction is yet to come (§5.11)."""
    profile = command.payload.get("chargingProfile")
    if profile is None:
        return
    if profile["chargingProfilePurpose"] != TX_PROFILE or "transactionId" in profile:
        raise Invalid.fields(
            {
                "payload.chargingProfile": [
                    f"A profile that comes with a start is a {TX_PROFILE} without a transactionId."
                ]
            }
        )
    _note_requested(command, profile, command.payload.get("connectorId", 0))


@on_ended(PROTOCOL, "SetChargingProfile")
def set_profile_ended(command: Command) -> None:
    """Installed, unless something later has taken it away already; or refused, with the station's word."""
    said = said_by(command)
    if said != "Accepted":
        domain.mark_refused(command=command, reason=said)
        return
    domain.mark_installed(command=command)
    if _was_cleared_later(command):
        domain.end_profiles(InstalledProfile.objects.filter(command=command), reason="Cleared")


@on_ended(PROTOCOL, "RemoteStartTransaction")
def start_ended(command: Command) -> None:
    """Agreed to is not started: the profile waits for its transaction."""
    if "chargingProfile" not in command.payload:
        return
    said = said_by(command)
    if said == "Accepted":
        domain.await_start(command=command)
    else:
        domain.mark_refused(command=command, reason=said)


@on_ended(PROTOCOL, "ClearChargingProfile")
def clear_ended(command: Command) -> None:
    """What matched is not there any more; after Unknown it was not there to begin with (§5.3, §7.10)."""
    said = said_by(command)
    if said in ("Accepted", "Unknown"):
        matched = domain.matching_profiles(command.station, **clear_from_v16(command.payload))
        # A profile that was asked for after this request is none of its business.
        earlier = matched.filter(command__isnull=True) | matched.filter(command_id__lt=command.pk)
        domain.end_profiles(earlier, reason="Cleared" if said == "Accepted" else domain.NOT_FOUND)


def said_by(command: Command) -> str:
    """The station's word on a command, Accepted where it gave none; else why there is none."""
    answer = answer_to(command)
    if answer.response is not None:
        return answer.said or "Accepted"
    if not answer.was_sent:
        return domain.NOT_SENT
    return answer.error or domain.NO_ANSWER


def _note_requested(command: Command, profile: Mapping[str, Any], evse_id: int) -> None:
    tx_id = profile.get("transactionId")
    domain.note_requested(
        command=command,
        profile=profile_from_v16(profile),
        profile_id=profile["chargingProfileId"],
        evse_id=evse_id,
        ocpp_transaction_id=None if tx_id is None else str(tx_id),
    )


def _was_cleared_later(command: Command) -> bool:
    """Whether a request to clear that went out after this command matched its profile.

    The outbox may work the later one off first; then there was nothing to clear yet.
    """
    later = Command.objects.filter(
        station=command.station,
        action="ClearChargingProfile",
        status__in=(CommandStatus.ACCEPTED, CommandStatus.REJECTED),
        pk__gt=command.pk,
    ).select_related("station")
    own = InstalledProfile.objects.filter(command=command)
    return any(
        domain.matching_profiles(clear.station, **clear_from_v16(clear.payload))
        .filter(pk__in=own)
        .exists()
        for clear in later
        if said_by(clear) in ("Accepted", "Unknown")
    )
