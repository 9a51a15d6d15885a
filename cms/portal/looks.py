"""How a status looks: its word for people, its colour and its shape, side by side.

Colour names are CSS modifiers of `.pill`, shapes are symbols of `static/img/icons.svg`.
"""

from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from billing.choices import SessionStatus
from stations.choices import CommandStatus


class Look(NamedTuple):
    """A status as people see it."""

    word: str | Promise
    colour: str
    shape: str


OFFLINE = Look(_("Offline"), "offline", "ring")
ONLINE = Look(_("Online"), "good", "dot")
UNREPORTED = Look(_("Not reported yet"), "offline", "ring")

CONNECTOR: dict[str, Look] = {
    "Available": Look(_("Available"), "good", "dot"),
    "Preparing": Look(_("Getting ready"), "busy", "clock"),
    "Charging": Look(_("Charging"), "charging", "bolt"),
    "SuspendedEV": Look(_("Paused by the vehicle"), "busy", "pause"),
    "SuspendedEVSE": Look(_("Paused by the station"), "busy", "pause"),
    "Finishing": Look(_("Finishing"), "busy", "clock"),
    "Reserved": Look(_("Reserved"), "busy", "flag"),
    "Occupied": Look(_("Occupied"), "busy", "clock"),
    "Unavailable": Look(_("Out of service"), "offline", "stop"),
    "Faulted": Look(_("Faulted"), "bad", "warning"),
}

SESSION: dict[str, Look] = {
    SessionStatus.PENDING: Look(SessionStatus.PENDING.label, "busy", "clock"),
    SessionStatus.ACTIVE: Look(SessionStatus.ACTIVE.label, "charging", "bolt"),
    SessionStatus.ENDED: Look(SessionStatus.ENDED.label, "busy", "clock"),
    SessionStatus.IN_REVIEW: Look(SessionStatus.IN_REVIEW.label, "warn", "flag"),
    SessionStatus.COMPLETED: Look(SessionStatus.COMPLETED.label, "good", "check"),
    SessionStatus.CANCELLED: Look(SessionStatus.CANCELLED.label, "offline", "cross"),
}

COMMAND: dict[str, Look] = {
    CommandStatus.QUEUED: Look(CommandStatus.QUEUED.label, "busy", "clock"),
    CommandStatus.SENT: Look(CommandStatus.SENT.label, "busy", "clock"),
    CommandStatus.ACCEPTED: Look(CommandStatus.ACCEPTED.label, "good", "check"),
    CommandStatus.REJECTED: Look(CommandStatus.REJECTED.label, "bad", "cross"),
    CommandStatus.ERROR: Look(CommandStatus.ERROR.label, "bad", "warning"),
    CommandStatus.TIMED_OUT: Look(CommandStatus.TIMED_OUT.label, "bad", "warning"),
    CommandStatus.CANCELLED: Look(CommandStatus.CANCELLED.label, "offline", "cross"),
}

STANDARDS = {
    "IEC_62196_T1": "Type 1",
    "IEC_62196_T1_COMBO": "CCS1",
    "IEC_62196_T2": "Type 2",
    "IEC_62196_T2_COMBO": "CCS",
    "CHADEMO": "CHAdeMO",
    "TESLA_S": "Tesla",
}


def connector_look(status: str, *, online: bool) -> Look:
    """What a station that is not connected said last is no longer known to be true."""
    if not online:
        return OFFLINE
    return CONNECTOR.get(status) or (Look(status, "busy", "dot") if status else UNREPORTED)
