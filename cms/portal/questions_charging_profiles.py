"""How fast may be charged: profiles to install and to clear, and what they allow together."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts.services.actors import Actor
from cms.portal.planning_forms import (
    ClearProfileForm,
    ClearProfilesForm,
    CompositeScheduleForm,
    InstallProfileForm,
)
from cms.portal.question import Question
from stations.models import ChargingStation, Command
from stations.services import charging_profiles as services

SHOWN_ON = "station-smart-charging"


def _install(acting: Actor, station: ChargingStation, data: Mapping[str, Any]) -> Command:
    tx = data["transaction"]
    installed = services.install_profile(
        acting=acting,
        station=station,
        profile=data["profile"],
        evse_id=None if tx else data["evse_id"],
        tx=tx,
    )
    assert installed.command is not None  # noqa: S101 - it was made with it
    return installed.command


def _clear(acting: Actor, station: ChargingStation, data: Mapping[str, Any]) -> Command:
    return services.clear_profile(acting=acting, installed=data["profile"])


def _clear_matching(acting: Actor, station: ChargingStation, data: Mapping[str, Any]) -> Command:
    return services.clear_profiles(
        acting=acting,
        station=station,
        evse_id=data["where"],
        purpose=data["purpose"] or None,
        stack_level=data["stack_level"],
    )


def _composite(acting: Actor, station: ChargingStation, data: Mapping[str, Any]) -> Command:
    return services.request_composite_schedule(
        acting=acting,
        station=station,
        evse_id=data["evse_id"],
        duration_s=data["hours"] * 3600,
        unit=data["unit"] or None,
    )


QUESTIONS: dict[str, Question] = {
    "install-profile": Question(
        title=_("Install a charging profile"),
        consequence=_(
            "The station charges no faster than the profile allows, also in sessions that are running. One "
            "that it has for the same purpose, place and level is replaced."
        ),
        button=_("Install"),
        queue=_install,
        form_class=InstallProfileForm,
        shown_on=SHOWN_ON,
        anchor="",
    ),
    "clear-profile": Question(
        title=_("Clear a charging profile"),
        consequence=_(
            "The station forgets this profile at once. Another one that it has may then decide how fast "
            "is charged."
        ),
        button=_("Clear"),
        queue=_clear,
        form_class=ClearProfileForm,
        dangerous=True,
        shown_on=SHOWN_ON,
        anchor="",
    ),
    "clear-profiles": Question(
        title=_("Clear charging profiles"),
        consequence=_(
            "The station forgets every profile that matches, also those that it did not get from here. "
            "With nothing chosen it forgets all."
        ),
        button=_("Clear"),
        queue=_clear_matching,
        form_class=ClearProfilesForm,
        dangerous=True,
        shown_on=SHOWN_ON,
        anchor="",
    ),
    "composite-schedule": Question(
        title=_("Ask what may be drawn"),
        consequence=_(
            "The station works out what all its profiles together allow from now on. Nothing changes."
        ),
        button=_("Ask"),
        queue=_composite,
        form_class=CompositeScheduleForm,
        shown_on=SHOWN_ON,
        anchor="",
    ),
}
