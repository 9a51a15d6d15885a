"""A station's known habits and what was put right for them, in words."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from stations.choices import RepairKind
from stations.models import ChargingStation, StationState
from stations.quirks import SITE_ZONE, QuirkProfile
from stations.selectors.repairs import Repairs, quirks_of, repairs_of_week


@dataclass(frozen=True, slots=True)
class Habits:
    """The profile that governs a station, what it changes, and what was repaired this week."""

    title: str
    changes: list[str]
    repairs: list[str]


def habits_of(station: ChargingStation, state: StationState | None, *, now: datetime) -> Habits:
    """`title` is empty where no profile governs the station. One query."""
    profile = quirks_of(state)
    repairs = [repaired(one) for one in repairs_of_week(station, now=now)]
    return Habits(profile.title, changes_of(profile), repairs)


def changes_of(profile: QuirkProfile) -> list[str]:
    """A sentence for each thing that a profile changes, in the order of its file's sections."""
    told = []
    if profile.without_zone:
        told.append(
            _("Times without a zone are taken for the site's own time.")
            if profile.without_zone == SITE_ZONE
            else _("Times without a zone are taken for UTC.")
        )
    if profile.z_means_site_time:
        told.append(_("Times that it calls UTC are taken for the site's own time."))
    told += [
        _("%(measurand)s in “%(sent)s” is taken for %(meant)s.")
        % {"measurand": measurand, "sent": sent, "meant": meant}
        for (measurand, sent), meant in profile.units.items()
    ]
    if profile.shorten:
        told.append(
            _("Texts that are too long are cut in: %(actions)s.")
            % {"actions": ", ".join(profile.shorten)}
        )
    if profile.session_register:
        told.append(_("Its meter readings count from the start of each session."))
    if profile.id_token_pattern is not None:
        told.append(_("What it adds to a card's number is left out."))
    if profile.quiet_after_boot_s:
        told.append(
            _("Nothing is asked of it for %(seconds)g seconds after a restart.")
            % {"seconds": profile.quiet_after_boot_s}
        )
    if profile.rate_unit:
        told.append(
            _("Limits are sent to it in %(unit)s, the only unit that it follows.")
            % {"unit": profile.rate_unit}
        )
    return told


def repaired(repairs: Repairs) -> str:
    """Such as "Repaired 312 timestamps this week"."""
    times = repairs.times
    match repairs.kind:
        case RepairKind.FIELDS:
            told = ngettext(
                "Left out or converted %(times)s field this week",
                "Left out or converted %(times)s fields this week",
                times,
            )
        case RepairKind.SAMPLES:
            told = ngettext(
                "Left out %(times)s unreadable reading this week",
                "Left out %(times)s unreadable readings this week",
                times,
            )
        case RepairKind.TIMESTAMPS:
            told = ngettext(
                "Repaired %(times)s timestamp this week",
                "Repaired %(times)s timestamps this week",
                times,
            )
        case RepairKind.UNITS:
            told = ngettext(
                "Repaired %(times)s unit this week", "Repaired %(times)s units this week", times
            )
        case RepairKind.REGISTERS:
            told = ngettext(
                "Repaired %(times)s meter register this week",
                "Repaired %(times)s meter registers this week",
                times,
            )
        case RepairKind.ID_TOKENS:
            told = ngettext(
                "Repaired %(times)s card number this week",
                "Repaired %(times)s card numbers this week",
                times,
            )
    return told % {"times": number_format(times, force_grouping=True)}
