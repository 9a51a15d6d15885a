"""Requests in OCPP's own words, for people who know them."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts.services.actors import Actor
from cms.portal.planning_forms import DataTransferForm, RequestForm
from cms.portal.question import Question
from stations.models import ChargingStation, Command
from stations.services.commands import queue_command


def _data_transfer(acting: Actor, station: ChargingStation, data: Mapping[str, Any]) -> Command:
    payload = {"vendorId": data["vendor_id"]}
    if data["message_id"]:
        payload["messageId"] = data["message_id"]
    if data["content"]:
        payload["data"] = data["content"]
    return queue_command(station=station, action="DataTransfer", payload=payload, acting=acting)


def _request(acting: Actor, station: ChargingStation, data: Mapping[str, Any]) -> Command:
    return queue_command(
        station=station, action=data["action"], payload=data["payload"], acting=acting
    )


QUESTIONS: dict[str, Question] = {
    "data-transfer": Question(
        title=_("Send data of the maker's own"),
        consequence=_(
            "The station gets this message as it is. What it does with it only its maker can say."
        ),
        button=_("Send"),
        queue=_data_transfer,
        form_class=DataTransferForm,
    ),
    "send-request": Question(
        title=_("Send any request"),
        consequence=_(
            "The request is checked against OCPP's schema and sent as it stands. It can do everything "
            "that the other buttons do, and more."
        ),
        button=_("Send"),
        queue=_request,
        form_class=RequestForm,
        dangerous=True,
        shown_on="station-commands",
        anchor="",
    ),
}
