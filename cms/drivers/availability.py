"""Whether one may charge at a connector now: a word, a sentence, and what to do."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from cms.portal.looks import Look
from stations.choices import RegistrationStatus
from stations.models import ChargingStation
from stations.selectors.stations import is_online


@dataclass(frozen=True, slots=True)
class Availability:
    """How a connector is doing, for people. `sentence` says what follows from it."""

    key: str
    look: Look
    sentence: str | Promise
    may_start: bool = False


FREE = Availability(
    "free", Look(_("Free"), "good", "dot"), _("Plug in before or after you start."), may_start=True
)
PLUGGED = Availability(
    "plugged",
    Look(_("Plugged in"), "busy", "clock"),
    _("A car is plugged in. If it is yours, start now."),
    may_start=True,
)
BUSY = Availability(
    "busy", Look(_("In use"), "charging", "bolt"), _("Another car is charging here.")
)
FINISHING = Availability(
    "finishing",
    Look(_("Still plugged in"), "busy", "clock"),
    _("The last session is over, but its cable is still plugged in. Unplug it, then start."),
)
RESERVED = Availability(
    "reserved", Look(_("Reserved"), "busy", "flag"), _("Somebody has reserved this connector.")
)
OUT_OF_SERVICE = Availability(
    "out-of-service",
    Look(_("Out of service"), "offline", "stop"),
    _("The operator has taken this connector out of service. Use another one."),
)
FAULTED = Availability(
    "faulted",
    Look(_("Out of order"), "bad", "warning"),
    _("The station reports a fault here. Use another connector; the operator sees the fault."),
)
OFFLINE = Availability(
    "offline",
    Look(_("Offline"), "offline", "ring"),
    _(
        "The station cannot be reached right now, so it cannot be started from here. "
        "A card may work at its reader."
    ),
)
UNKNOWN = Availability(
    "unknown",
    Look(_("Not ready yet"), "offline", "ring"),
    _("The station has not said yet how this connector is doing. Try again in a minute."),
)
NOT_OPEN = Availability(
    "not-open", Look(_("Not open yet"), "offline", "ring"), _("This station is not in service yet.")
)

_BY_STATUS = {
    "Available": FREE,
    "Preparing": PLUGGED,
    "Occupied": PLUGGED,
    "Charging": BUSY,
    "SuspendedEV": BUSY,
    "SuspendedEVSE": BUSY,
    "Finishing": FINISHING,
    "Reserved": RESERVED,
    "Unavailable": OUT_OF_SERVICE,
    "Faulted": FAULTED,
}


def availability_of(station: ChargingStation, status: str, *, is_charging: bool) -> Availability:
    """From what the station, read by `with_presence`, last said and whether a transaction runs at the EVSE."""
    if station.registration_status != RegistrationStatus.ACCEPTED:
        return NOT_OPEN
    if not is_online(station):
        return OFFLINE
    if is_charging and status != "Faulted":
        return BUSY
    return _BY_STATUS.get(status, UNKNOWN)
