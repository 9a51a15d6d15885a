"""What can be asked of a station: the words before the button, the form, and the domain function behind it."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts.selectors import find_id_token_for
from accounts.services.actors import Actor
from cms.base.errors import Invalid, NotFound
from cms.portal import questions_planning, questions_raw, questions_security, questions_upkeep
from cms.portal.forms import (
    ChangeConfigurationForm,
    EvseForm,
    GetConfigurationForm,
    OneEvseForm,
    StartForm,
    StopForm,
    TriggerForm,
)
from cms.portal.question import Question, Queue
from stations.models import ChargingStation, Command
from stations.selectors.transactions import get_transaction_for
from stations.services import commands


def _start(acting: Actor, station: ChargingStation, data: Mapping[str, Any]) -> Command:
    token = find_id_token_for(acting, data["id_token"])
    if token is None:
        raise Invalid.fields({"id_token": ["You have no card or token of this number."]})
    return commands.request_start(
        station=station,
        id_token=token.uid,
        evse_id=data["evse_id"],
        power_w=None if data["limit_kw"] is None else int(data["limit_kw"] * 1000),
        acting=acting,
    )


def _stop(acting: Actor, station: ChargingStation, data: Mapping[str, Any]) -> Command:
    tx = get_transaction_for(acting, data["transaction"])
    if tx.station_id != station.pk:
        raise NotFound("This station has no such transaction.")
    return commands.request_stop(tx=tx, acting=acting)


def _unlock(acting: Actor, station: ChargingStation, data: Mapping[str, Any]) -> Command:
    return commands.request_unlock(station=station, evse_id=data["evse_id"], acting=acting)


def _availability(operative: bool) -> Queue:
    def queue(acting: Actor, station: ChargingStation, data: Mapping[str, Any]) -> Command:
        return commands.request_availability(
            station=station, operative=operative, evse_id=data["evse_id"], acting=acting
        )

    return queue


def _reset(kind: str) -> Queue:
    def queue(acting: Actor, station: ChargingStation, data: Mapping[str, Any]) -> Command:
        return commands.request_reset(station=station, kind=kind, acting=acting)

    return queue


def _trigger(acting: Actor, station: ChargingStation, data: Mapping[str, Any]) -> Command:
    payload: dict[str, Any] = {"requestedMessage": data["message"]}
    if data["evse_id"]:
        payload["connectorId"] = data["evse_id"]
    return commands.queue_command(
        station=station, action="TriggerMessage", payload=payload, acting=acting
    )


def _get_configuration(acting: Actor, station: ChargingStation, data: Mapping[str, Any]) -> Command:
    payload = {"key": data["keys"]} if data["keys"] else {}
    return commands.queue_command(
        station=station, action="GetConfiguration", payload=payload, acting=acting
    )


def _change_configuration(
    acting: Actor, station: ChargingStation, data: Mapping[str, Any]
) -> Command:
    return commands.queue_command(
        station=station,
        action="ChangeConfiguration",
        payload={"key": data["key"], "value": data["value"]},
        acting=acting,
    )


def _clear_cache(acting: Actor, station: ChargingStation, data: Mapping[str, Any]) -> Command:
    return commands.queue_command(station=station, action="ClearCache", payload={}, acting=acting)


QUESTIONS: dict[str, Question] = {
    "start": Question(
        title=_("Start charging"),
        consequence=_(
            "The station is asked to start a session on this card, as if it had been held to the "
            "reader. The vehicle should be plugged in. The request lapses after 60 seconds."
        ),
        button=_("Start charging"),
        queue=_start,
        capability="transactions.start_stop",
        form_class=StartForm,
    ),
    "stop": Question(
        title=_("Stop charging"),
        consequence=_(
            "Energy stops flowing, the session ends and is billed for what was charged. The driver "
            "can unplug, and can start again only with a new session."
        ),
        button=_("Stop charging"),
        queue=_stop,
        capability="transactions.start_stop",
        form_class=StopForm,
        dangerous=True,
    ),
    "unlock": Question(
        title=_("Unlock the connector"),
        consequence=_(
            "The station lets go of the plug. A session that is running there ends first; anybody "
            "who stands there can then take the cable."
        ),
        button=_("Unlock"),
        queue=_unlock,
        form_class=OneEvseForm,
        dangerous=True,
    ),
    "out-of-service": Question(
        title=_("Take out of service"),
        consequence=_(
            "Nobody can start charging there until it is put back into service. A session that is "
            "running goes on to its end."
        ),
        button=_("Take out of service"),
        queue=_availability(operative=False),
        form_class=EvseForm,
        dangerous=True,
    ),
    "in-service": Question(
        title=_("Put into service"),
        consequence=_("Drivers can charge there again."),
        button=_("Put into service"),
        queue=_availability(operative=True),
        form_class=EvseForm,
    ),
    "reset-soft": Question(
        title=_("Restart (soft)"),
        consequence=_(
            "The station ends its running sessions properly, restarts its software and connects "
            "again, usually within two minutes."
        ),
        button=_("Restart"),
        queue=_reset("soft"),
        dangerous=True,
        anchor="#recovery",
    ),
    "reset-hard": Question(
        title=_("Restart (hard)"),
        consequence=_(
            "The station restarts at once, as if its power had been switched off and on. Running "
            "sessions are cut off; their last readings may be missing."
        ),
        button=_("Restart at once"),
        queue=_reset("hard"),
        dangerous=True,
        anchor="#recovery",
    ),
    "trigger": Question(
        title=_("Ask for a message"),
        consequence=_("The station sends this message now. Nothing changes at the station."),
        button=_("Ask"),
        queue=_trigger,
        form_class=TriggerForm,
    ),
    "get-configuration": Question(
        title=_("Read the configuration"),
        consequence=_(
            "The station tells its settings; they appear under Configuration. Nothing changes."
        ),
        button=_("Read"),
        queue=_get_configuration,
        form_class=GetConfigurationForm,
        shown_on="station-configuration",
        anchor="",
    ),
    "change-configuration": Question(
        title=_("Change a setting"),
        consequence=_(
            "The station takes the new value at once or after its next restart, or refuses it. A "
            "wrong value can make it unreachable."
        ),
        button=_("Change"),
        queue=_change_configuration,
        form_class=ChangeConfigurationForm,
        dangerous=True,
        shown_on="station-configuration",
        anchor="",
    ),
    "clear-cache": Question(
        title=_("Clear remembered cards"),
        consequence=_(
            "The station forgets the cards it remembers and asks for each again. While it is "
            "offline, cards it does not have on its list may be refused."
        ),
        button=_("Clear"),
        queue=_clear_cache,
        dangerous=True,
    ),
}
QUESTIONS |= (
    questions_planning.QUESTIONS
    | questions_upkeep.QUESTIONS
    | questions_security.QUESTIONS
    | questions_raw.QUESTIONS
)
