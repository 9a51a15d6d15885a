"""What a connector's error code means for people: what happened, and what to do about it.

The codes are those of OCPP 1.6 §7.6 (ChargePointErrorCode). What the maker adds, a code of its own and a
line of text, is shown as it came; nobody but the maker knows what it means.
"""

from dataclasses import dataclass
from datetime import datetime

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from stations.models import ConnectorStatus, StationState

Words = str | Promise

NO_ERROR = ("", "NoError")


@dataclass(frozen=True, slots=True)
class Meaning:
    """`happened` is one sentence; `remedy` is what the person who reads it can do next.

    `restart_helps` where the station gets over it by starting anew; elsewhere somebody has to go there.
    """

    happened: Words
    remedy: Words
    restart_helps: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """One report of trouble. `code`, `vendor_code` and `info` are the station's own words."""

    code: str
    vendor_code: str
    info: str
    at: datetime | None
    is_out_of_order: bool
    meaning: Meaning


_MEANINGS: dict[str, Meaning] = {
    "ConnectorLockFailure": Meaning(
        _("The connector could not be locked or let go of."),
        _(
            "Ask whoever stands there to push the plug in all the way, or to take its weight off, then "
            "unlock the connector. If it stays, its lock needs a mechanic."
        ),
    ),
    "EVCommunicationError": Meaning(
        _("Station and vehicle did not understand each other."),
        _(
            "Ask the driver to unplug, lock and unlock the vehicle, and plug in again. If other "
            "vehicles fail here too, restart the station."
        ),
        restart_helps=True,
    ),
    "GroundFailure": Meaning(
        _("Current leaked to earth, and the protection switched the connector off."),
        _(
            "Restart the station. If the fault comes back with another vehicle or with none, keep the "
            "connector out of service and send an electrician: moisture or a damaged cable is likely."
        ),
        restart_helps=True,
    ),
    "HighTemperature": Meaning(
        _("The inside of the station is too hot."),
        _(
            "Let it cool down; it usually comes back by itself. If it happens often, have fans, filters "
            "and the tightness of its terminals checked."
        ),
    ),
    "InternalError": Meaning(
        _("The station's own hardware or software failed."),
        _("Restart the station. If the fault comes back, send its log to the maker."),
        restart_helps=True,
    ),
    "LocalListConflict": Meaning(
        _("The station's own list of cards contradicts ours."),
        _("Clear the cards that the station remembers; it then asks us for each."),
    ),
    "OtherError": Meaning(
        _("Something failed that has no name in OCPP."),
        _(
            "Look up the maker's code below in the manual of the station. A restart mends many of "
            "these."
        ),
        restart_helps=True,
    ),
    "OverCurrentFailure": Meaning(
        _("More current flowed than the connector allows, and it was switched off."),
        _(
            "Restart the station and try another vehicle. If it trips again, send an electrician; if it "
            "does not, the first vehicle is the cause."
        ),
        restart_helps=True,
    ),
    "OverVoltage": Meaning(
        _("The voltage of the grid is too high."),
        _(
            "It comes back once the voltage is right. If other stations at the site say the same, call "
            "the grid operator."
        ),
    ),
    "UnderVoltage": Meaning(
        _("The voltage of the grid is too low."),
        _(
            "It comes back once the voltage is right. Check the site's main fuses; if several stations "
            "say the same, call the grid operator."
        ),
    ),
    "PowerMeterFailure": Meaning(
        _("The station cannot read its energy meter."),
        _(
            "Restart the station. Until it reads the meter again nothing that is charged here can be "
            "billed; if the fault comes back, keep it out of service."
        ),
        restart_helps=True,
    ),
    "PowerSwitchFailure": Meaning(
        _("The switch that turns the power on and off does not obey."),
        _(
            "Take the connector out of service now and send an electrician: the plug may be live. Do "
            "not ask anybody to touch it."
        ),
    ),
    "ReaderFailure": Meaning(
        _("The card reader does not work."),
        _(
            "Drivers can still start with the QR code on the label. Restart the station; if the reader "
            "stays dead, it has to be replaced."
        ),
        restart_helps=True,
    ),
    "ResetFailure": Meaning(
        _("The station could not restart."),
        _("Try the hard restart. If that fails too, somebody has to switch its power off and on."),
        restart_helps=True,
    ),
    "WeakSignal": Meaning(
        _("The station's mobile network is weak."),
        _(
            "Charging goes on, but messages may come late. If it stays, have the antenna or the SIM "
            "card looked at."
        ),
    ),
}

_UNNAMED = Meaning(
    _("The station reported a fault without saying which."),
    _("Restart the station. If the fault comes back, somebody has to look at it on site."),
    restart_helps=True,
)
_UNKNOWN = Meaning(
    _("The station reported a fault that has no name in OCPP."),
    _("Look up its code in the manual of the station. A restart mends many of these."),
    restart_helps=True,
)


def meaning_of(error_code: str) -> Meaning:
    """What an error code means; an unknown one in general words."""
    if error_code in NO_ERROR:
        return _UNNAMED
    return _MEANINGS.get(error_code, _UNKNOWN)


def fault_of(status: ConnectorStatus | None) -> Fault | None:
    """The trouble that a connector reported last; None where it reported none."""
    if status is None:
        return None
    return _fault(
        status.status,
        status.error_code,
        status.vendor_error_code,
        status.info,
        status.status_at,
    )


def fault_of_station(state: StationState | None) -> Fault | None:
    """The trouble that a station reported of itself as a whole (connector 0)."""
    if state is None:
        return None
    return _fault(state.status, state.error_code, "", state.status_info, state.status_at)


def _fault(
    status: str, code: str, vendor_code: str, info: str, at: datetime | None
) -> Fault | None:
    is_faulted = status == "Faulted"
    if code in NO_ERROR and not is_faulted:
        return None
    return Fault(code, vendor_code, info, at, is_faulted, meaning_of(code))
