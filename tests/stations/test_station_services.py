"""Changing stations beside the hot path."""

import threading

import pytest
from django.db import connection, transaction

from accounts.services.id_tokens import update_id_token
from stations.models import Transaction
from stations.services.stations import update_station
from tests.factories import make_actor, make_id_token, make_operator, make_station, make_transaction


@pytest.mark.django_db(transaction=True)
def test_a_change_under_way_keeps_no_transaction_from_starting() -> None:
    """A row that refers to the station and its token goes in while both are being changed."""
    actor = make_actor(make_operator())
    station, token = make_station(actor.operator), make_id_token(actor.operator)
    failures: list[Exception] = []

    def start() -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '5s'")
            make_transaction(station, id_token=token)
        except Exception as error:  # noqa: BLE001 - carried to the test's own thread
            failures.append(error)
        finally:
            connection.close()

    with transaction.atomic():
        update_station(acting=actor, station=station, name="changing", security_profile=2)
        update_id_token(acting=actor, id_token=token, status="blocked", group="New")
        starting = threading.Thread(target=start)
        starting.start()
        starting.join(30)
        assert not starting.is_alive()
    assert failures == []
    assert Transaction.objects.filter(station=station, id_token=token).exists()
