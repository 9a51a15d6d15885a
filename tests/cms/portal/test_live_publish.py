"""Open pages learn of what the worker does."""

from uuid import uuid4

import pytest
from channels.layers import get_channel_layer
from django.db import connection

from cms.base import outbox
from cms.portal.live import publish_transaction
from stations.models import Transaction
from tests.factories import make_operator, make_station


def test_the_worker_tells_pages_once_its_work_is_committed(
    django_capture_on_commit_callbacks, db, monkeypatch
):
    operator = make_operator()
    station = make_station(operator=operator)
    now = "2026-11-25T00:00:00Z"
    tx = Transaction.objects.create(
        operator=operator,
        station=station,
        evse_id=1,
        connector_id=1,
        ocpp_transaction_id="1",
        start_key=uuid4().hex,
        status="active",
        is_current=True,
        received_started_at=now,
        started_at=now,
    )
    sent = []
    monkeypatch.setattr("cms.portal.live.publish", lambda *args: sent.append(args))
    with django_capture_on_commit_callbacks(execute=True):
        publish_transaction(str(tx.pk), {"transaction_id": tx.pk})
        assert sent == []
    assert sent == [(operator.pk, station.pk)]
    assert connection.vendor == "postgresql"
    assert publish_transaction in outbox._handlers["transaction.ended"]


@pytest.mark.asyncio
async def test_publishing_reaches_the_operators_group():
    from asgiref.sync import sync_to_async

    from cms.portal.live import publish

    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add("operator.987654", channel)
    await sync_to_async(publish)(987654, 5)
    message = await layer.receive(channel)
    assert message == {"type": "stations.changed", "stations": [5]}
    await layer.group_discard("operator.987654", channel)
