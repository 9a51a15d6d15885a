"""A station's clock that is off, in words: by how much, what that does, what to do."""

from dataclasses import dataclass
from datetime import timedelta

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from stations.selectors.clock import ClockFault, ClockFaultKind


@dataclass(frozen=True, slots=True)
class ClockWords:
    """`what` is wrong, and what to `do` about it."""

    what: str
    do: str


def clock_words(fault: ClockFault) -> ClockWords:
    """Two sentences or three for a person who stands before the station, or calls somebody who does."""
    restart = _(
        "Restart the station: it sets its clock by our answers when it boots and with each heartbeat."
    )
    match fault.kind:
        case ClockFaultKind.UNREADABLE:
            return ClockWords(
                _("Its times cannot be read: they name no time zone, or are no times. Ours count."),
                _("Have its firmware updated, or tell us the model, so that its habit is known."),
            )
        case ClockFaultKind.UNSET:
            return ClockWords(
                _(
                    "Its clock was never set: it counts from long ago, as after a new battery. Ours counts."
                ),
                restart,
            )
    assert fault.off_by is not None  # noqa: S101 - all other kinds have it
    what = (
        _("Its clock is %(time)s ahead. Our times count in place of its own.")
        if fault.off_by > timedelta(0)
        else _("Its clock is %(time)s slow. Its sessions are billed by that clock.")
    ) % {"time": _long(abs(fault.off_by))}
    match fault.kind:
        case ClockFaultKind.SITE_TIME:
            do = _(
                "That is your time zone: it sends the time of the site and calls it UTC. Set UTC in its own settings."
            )
        case ClockFaultKind.SUMMER_TIME:
            do = _("Just an hour: look at summer time and the time zone in its own settings.")
        case _:
            do = _("%(restart)s If it goes wrong again, look at its own time server.") % {
                "restart": restart
            }
    return ClockWords(what, do)


def _long(span: timedelta) -> str:
    """Rounded down to its greatest unit: "3 days", "2 hours", "12 minutes"."""
    minutes = int(span.total_seconds() + 30) // 60
    if minutes < 120:
        return ngettext("%(n)s minute", "%(n)s minutes", minutes) % {"n": minutes}
    if minutes < 48 * 60:
        hours = minutes // 60
        return ngettext("%(n)s hour", "%(n)s hours", hours) % {"n": hours}
    days = minutes // (24 * 60)
    return ngettext("%(n)s day", "%(n)s days", days) % {"n": days}
