"""A charge point that Magetsi did not write: the `ocpp` package's own, with its own validation on both sides."""

import asyncio
import base64
from datetime import UTC, datetime, timedelta

import websockets
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call, call_result
from ocpp.v16.enums import Action, RegistrationStatus, RemoteStartStopStatus

from accounts.services.actors import Actor
from cms.base.time import rfc3339
from stations.models import MeterValue, Transaction
from stations.services import commands
from tests.stations.ocpp.conftest import PASSWORD, eventually, in_db


class ForeignChargePoint(ChargePoint):
    """Stops when it is told to."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.told_to_stop: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @on(Action.remote_stop_transaction)
    def on_remote_stop(self, transaction_id: int) -> call_result.RemoteStopTransaction:
        self.told_to_stop.set_result(transaction_id)
        return call_result.RemoteStopTransaction(status=RemoteStartStopStatus.accepted)


async def test_boots_authorises_charges_and_stops_when_told(tenant, ocpp_server):
    row = await in_db(tenant.make_station)
    credentials = base64.b64encode(f"{row.identity}:{PASSWORD}".encode()).decode()
    began = datetime.now(UTC) - timedelta(hours=1)
    async with websockets.connect(
        f"{ocpp_server.ocpp_url}/{row.identity}",
        subprotocols=["ocpp1.6"],
        additional_headers={"Authorization": f"Basic {credentials}"},
    ) as socket:
        point = ForeignChargePoint(row.identity, socket)
        listening = asyncio.create_task(point.start())
        boot = await point.call(
            call.BootNotification(charge_point_vendor="Foreign", charge_point_model="One")
        )
        assert boot.status == RegistrationStatus.accepted
        await point.call(
            call.StatusNotification(connector_id=1, error_code="NoError", status="Preparing")
        )
        authorized = await point.call(call.Authorize(id_tag=tenant.id_token.uid))
        assert authorized.id_tag_info["status"] == "Accepted"
        started = await point.call(
            call.StartTransaction(
                connector_id=1,
                id_tag=tenant.id_token.uid,
                meter_start=500,
                timestamp=rfc3339(began),
            )
        )
        tx_id = started.transaction_id
        for minutes in (10, 20, 30):
            await point.call(
                call.MeterValues(
                    connector_id=1,
                    transaction_id=tx_id,
                    meter_value=[
                        {
                            "timestamp": rfc3339(began + timedelta(minutes=minutes)),
                            "sampledValue": [{"value": str(500 + 100 * minutes), "unit": "Wh"}],
                        }
                    ],
                )
            )
        await in_db(
            lambda: commands.request_stop(
                tx=Transaction.objects.get(pk=tx_id), acting=Actor.system(tenant.operator)
            )
        )
        async with asyncio.timeout(10):
            assert await point.told_to_stop == tx_id
        stopped = await point.call(
            call.StopTransaction(
                transaction_id=tx_id,
                meter_stop=6500,
                timestamp=rfc3339(began + timedelta(hours=1)),
                reason="Remote",
            )
        )
        assert stopped.id_tag_info is None
        listening.cancel()
    tx = await eventually(lambda: Transaction.objects.filter(pk=tx_id, status="ended").first())
    assert (tx.energy_wh, tx.stop_reason, tx.review_reasons) == (6000, "Remote", [])
    assert await in_db(lambda: MeterValue.objects.filter(transaction_id=tx_id).count()) == 3
