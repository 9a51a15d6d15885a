"""StartTransaction.req (OCPP 1.6 §4.8)."""

from typing import Any

from accounts.models.id_token import fold_uid
from accounts.services.authorization import Authorization
from stations.ingest.clock import DeviceTime
from stations.ingest.facts import StartResult, TransactionStarted
from stations.ingest.writer import FactQuarantined
from stations.ocpp.context import CallContext, KnownTransaction, storable
from stations.ocpp.errors import CallRefused, ErrorCode
from stations.ocpp.v16.fields import MAX_CONNECTOR_ID, id_tag, id_tag_info, register_wh

# What a station gets for a start that could not be stored; no transaction has this id.
NO_TRANSACTION = -1


async def handle_start_transaction(context: CallContext, payload: dict[str, Any]) -> dict[str, Any]:
    """Store the start whatever the tag's standing, and hand out the transaction's id.

    The same start told again, with whatever message id and over whatever socket, gets the same answer.
    """
    connector_id = payload["connectorId"]
    if not 1 <= connector_id <= MAX_CONNECTOR_ID:
        raise CallRefused(
            ErrorCode.PROPERTY_CONSTRAINT_VIOLATION, "connectorId must name a connector."
        )
    authorization = await context.authorize(payload["idTag"])
    time = context.device_time(payload["timestamp"])
    fact = _start_fact(context, payload, authorization, time)
    try:
        [start, *_] = await context.record(
            fact, *context.unknown_token(payload["idTag"], authorization)
        )
    except FactQuarantined:
        return {"transactionId": NO_TRANSACTION, "idTagInfo": id_tag_info("Invalid")}
    _remember(context, fact, start)
    return {
        "transactionId": start.transaction_id,
        "idTagInfo": id_tag_info(_status(start, authorization), authorization),
    }


def _status(start: StartResult, authorization: Authorization) -> str:
    """How the tag stands: for a start told again as it was judged, unless the tag itself fell since."""
    if not authorization.accepted:
        return authorization.status
    return start.authorization_status


def _start_fact(
    context: CallContext,
    payload: dict[str, Any],
    authorization: Authorization,
    time: DeviceTime,
) -> TransactionStarted:
    uid = id_tag(context, payload)
    connector_id = payload["connectorId"]
    meter_start_wh = register_wh("meterStart", payload["meterStart"])
    # A clock that cannot be right may repeat itself after each boot; then the boot tells two starts apart.
    epoch = "" if time.plausible else f"|boot {context.memory.boot_count}"
    sent_at = storable(payload["timestamp"], 40)
    token = authorization.id_token
    return TransactionStarted(
        station_id=context.station.id,
        operator_id=context.station.operator_id,
        evse_id=connector_id,
        connector_id=1,
        start_key=f"{connector_id}|{sent_at}|{meter_start_wh}|{fold_uid(uid)}{epoch}",
        id_token_uid=uid,
        id_token_id=token.id if token else None,
        max_concurrent=token.max_concurrent if token else None,
        authorization_status=authorization.status.value,
        device_at=time.device_at,
        received_at=context.received_at,
        started_at=time.effective_at,
        meter_start_wh=meter_start_wh,
        reservation_id=payload.get("reservationId"),
        review_reasons=() if time.plausible else ("clock_implausible",),
    )


def _remember(context: CallContext, fact: TransactionStarted, start: StartResult) -> None:
    """Keep the transaction at hand for its readings. A start told again says nothing of the present."""
    if start.ocpp_transaction_id in context.memory.transactions:
        return
    context.memory.remember(
        KnownTransaction(
            id=start.transaction_id,
            ocpp_transaction_id=start.ocpp_transaction_id,
            evse_id=fact.evse_id,
            connector_id=fact.connector_id,
            received_at=start.received_at,
            meter_start_wh=fact.meter_start_wh,
            active=start.created,
        )
    )
