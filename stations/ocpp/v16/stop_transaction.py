"""StopTransaction.req (OCPP 1.6 §4.10)."""

from typing import Any

from stations.ingest.facts import Fact, MeterReported, TransactionEnded
from stations.ocpp.context import CallContext, KnownTransaction, storable
from stations.ocpp.v16.fields import id_tag, id_tag_info, register_wh
from stations.ocpp.v16.readings import read_meter_values


async def handle_stop_transaction(context: CallContext, payload: dict[str, Any]) -> dict[str, Any]:
    """Store the stop, always acknowledged: the first one counts, what names no transaction is kept apart.

    Without a reason it is Local (OCPP-J 1.6 errata 2.5). The tag is answered for, never a ground to refuse.
    """
    ocpp_id = str(payload["transactionId"])
    tx = await context.find_transaction(ocpp_id, 0)
    time = context.device_time(payload["timestamp"])
    meter_stop_wh = register_wh("meterStop", payload["meterStop"])
    sent_at = storable(payload["timestamp"], 40)
    end = TransactionEnded(
        station_id=context.station.id,
        operator_id=context.station.operator_id,
        ocpp_transaction_id=ocpp_id,
        end_key=f"stop|{ocpp_id}|{sent_at}|{meter_stop_wh}",
        device_at=time.device_at,
        received_at=context.received_at,
        ended_at=time.effective_at,
        meter_stop_wh=meter_stop_wh,
        reason=payload.get("reason") or "Local",
        id_token_uid=id_tag(context, payload),
        review_reasons=() if time.plausible else ("clock_implausible",),
    )
    facts: list[Fact] = [end]
    if readings := _transaction_data(context, payload, tx):
        facts.append(readings)
    await context.record(*facts)
    if tx is not None:
        tx.active = False
    else:
        # The writer may have given it to the transaction that was open.
        context.memory.forget_transactions()
    if not payload.get("idTag"):
        return {}
    authorization = await context.authorize(payload["idTag"])
    return {"idTagInfo": id_tag_info(authorization.status, authorization)}


def _transaction_data(
    context: CallContext, payload: dict[str, Any], tx: KnownTransaction | None
) -> MeterReported | None:
    meter_values = payload.get("transactionData")
    if not meter_values:
        return None
    readings = read_meter_values(context, meter_values, default_context="Transaction.End")
    if not readings:
        return None
    day = tx.month if tx else context.received_at.date().replace(day=1)
    return MeterReported(
        station_id=context.station.id,
        evse_id=tx.evse_id if tx else 0,
        transaction_id=tx.id if tx else None,
        tx_month=day,
        readings=tuple(readings),
    )
