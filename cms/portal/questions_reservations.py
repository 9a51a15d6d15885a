"""Keeping a place free for somebody, and the cards that a station decides on by itself."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.selectors import find_id_token_for
from accounts.services.actors import Actor
from cms.base.errors import Invalid
from cms.portal.question import Question
from cms.portal.reservation_forms import CancelReservationForm, ReserveForm, SendLocalListForm
from stations.models import ChargingStation, Command
from stations.services import local_lists, reservations

SHOWN_ON = "station-reservations"


def _reserve(acting: Actor, station: ChargingStation, data: Mapping[str, Any]) -> Command:
    token = find_id_token_for(acting, data["id_token"])
    if token is None:
        raise Invalid.fields({"id_token": ["You have no card or token of this number."]})
    reservation = reservations.request_reservation(
        acting=acting,
        station=station,
        id_token=token,
        evse_id=data["evse_id"],
        expires_at=timezone.now() + timedelta(minutes=data["minutes"]),
    )
    assert reservation.command is not None  # noqa: S101 - it was made with it
    return reservation.command


def _cancel(acting: Actor, station: ChargingStation, data: Mapping[str, Any]) -> Command:
    return reservations.cancel_reservation(acting=acting, reservation=data["reservation"])


def _send_list(acting: Actor, station: ChargingStation, data: Mapping[str, Any]) -> Command:
    return local_lists.send_local_list(
        acting=acting, station=station, is_full=data["update"] == "full", group=data["group"]
    )


def _list_version(acting: Actor, station: ChargingStation, data: Mapping[str, Any]) -> Command:
    return local_lists.request_list_version(acting=acting, station=station)


QUESTIONS: dict[str, Question] = {
    "reserve": Question(
        title=_("Keep a place free"),
        consequence=_(
            "Nobody but the holder of this card can start charging there until the time is over. The "
            "station may refuse, for instance while somebody charges."
        ),
        button=_("Reserve"),
        queue=_reserve,
        capability="transactions.start_stop",
        form_class=ReserveForm,
        shown_on=SHOWN_ON,
        anchor="",
    ),
    "cancel-reservation": Question(
        title=_("Give up a reservation"),
        consequence=_("Anybody can charge there again."),
        button=_("Give up"),
        queue=_cancel,
        capability="transactions.start_stop",
        form_class=CancelReservationForm,
        dangerous=True,
        shown_on=SHOWN_ON,
        anchor="",
    ),
    "send-local-list": Question(
        title=_("Send the list of cards"),
        consequence=_(
            "The station lets these cards charge without asking, also while it is offline. It is told by "
            "itself of cards that are blocked or deleted later."
        ),
        button=_("Send"),
        queue=_send_list,
        form_class=SendLocalListForm,
        shown_on=SHOWN_ON,
        anchor="#local-list",
    ),
    "local-list-version": Question(
        title=_("Ask for the version of its list"),
        consequence=_("The station tells which list of cards it has. Nothing changes."),
        button=_("Ask"),
        queue=_list_version,
        shown_on=SHOWN_ON,
        anchor="#local-list",
    ),
}
