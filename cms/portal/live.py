"""Telling open operator pages that something of a station changed, from wherever it was changed."""

import logging
from collections.abc import Mapping
from functools import partial
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

from cms.base import outbox
from stations.models import ChargingStation, Transaction

logger = logging.getLogger(__name__)


def publish(operator_id: int, station_id: int) -> None:
    """Tell the operator's open pages; a message that gets lost costs them a delay only."""
    message = {"type": "stations.changed", "stations": [station_id]}
    try:
        async_to_sync(get_channel_layer().group_send)(f"operator.{operator_id}", message)
    except Exception as error:  # noqa: BLE001 - whatever Redis does, the work is done
        logger.debug("pages were not told of a change: %s", error)


def publish_transaction(key: str, payload: Mapping[str, Any]) -> None:
    """After a transaction's session was opened, priced or sent to review."""
    found = Transaction.objects.filter(pk=payload["transaction_id"])
    for operator_id, station_id in found.values_list("operator_id", "station_id"):
        transaction.on_commit(partial(publish, operator_id, station_id))


def publish_station(key: str, payload: Mapping[str, Any]) -> None:
    """After something of a station's upkeep moved: a firmware update, a file that it hands over."""
    for operator_id in ChargingStation.objects.filter(pk=key).values_list("operator_id", flat=True):
        transaction.on_commit(partial(publish, operator_id, int(key)))


def register() -> None:
    """Listen to what the worker does; called once all apps are ready."""
    for topic in ("transaction.started", "transaction.ended", "transaction.corrected"):
        outbox.handler(topic)(publish_transaction)
    outbox.handler("station.upkeep_changed")(publish_station)
