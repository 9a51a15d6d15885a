"""Tariffs and charged transactions, made with as few words as possible."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from accounts.models import IdTokenGroup, Operator
from accounts.services.actors import Actor
from billing.models import Tariff, TariffAssignment
from billing.tariffs.services import assign_tariff, create_tariff
from cms.base import outbox
from stations.models import ChargingStation, Location, Transaction
from tests.factories import make_id_token, make_message, make_meter_value, make_transaction


def component(kind: str, price: str, *, vat: str | None = "20", step: int = 1) -> dict[str, Any]:
    """An OCPI price component; prices are written as text so that no test rounds them."""
    made: dict[str, Any] = {"type": kind, "price": Decimal(price), "step_size": step}
    return made if vat is None else {**made, "vat": Decimal(vat)}


def tariff_object(*components: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """An OCPI tariff of one element without restrictions: 0.40 EUR/kWh and 20 % VAT unless told."""
    chosen = list(components) or [component("ENERGY", "0.40")]
    return {"currency": "EUR", "elements": [{"price_components": chosen}], **fields}


def make_tariff(operator: Operator, *components: dict[str, Any], **fields: Any) -> Tariff:
    """A published tariff."""
    return create_tariff(actor=Actor.system(operator), data=tariff_object(*components, **fields))


def assign(
    tariff: Tariff,
    *,
    station: ChargingStation | None = None,
    evse_id: int | None = None,
    location: Location | None = None,
    group: IdTokenGroup | None = None,
    created_at: datetime | None = None,
) -> TariffAssignment:
    """Without a target, to the operator. `created_at` makes it an old one."""
    assignment = assign_tariff(
        actor=Actor.system(tariff.operator),
        tariff=tariff,
        station=station,
        evse_id=evse_id,
        location=location,
        group=group,
    )
    if created_at is not None:
        TariffAssignment.objects.filter(pk=assignment.pk).update(created_at=created_at)
    return assignment


def hours_ago(hours: float) -> datetime:
    """On the second, so that nothing is lost on the wire."""
    return timezone.now().replace(microsecond=0) - timedelta(hours=hours)


def make_ended(
    station: ChargingStation,
    *,
    energy_wh: int | None = 10_000,
    hours: float = 1,
    start_wh: int = 5_000,
    **fields: Any,
) -> Transaction:
    """A transaction that ended a minute ago by both clocks, on a known token, with registers at both ends."""
    ended_at = fields.pop("ended_at", None) or hours_ago(0) - timedelta(minutes=1)
    started_at = fields.pop("started_at", None) or ended_at - timedelta(hours=hours)
    if "id_token" not in fields:
        fields["id_token"] = make_id_token(station.operator)
    return make_transaction(
        station,
        **{
            "started_at": started_at,
            "ended_at": ended_at,
            "device_ended_at": ended_at,
            "received_ended_at": ended_at,
            "meter_start_wh": start_wh,
            "meter_stop_wh": None if energy_wh is None else start_wh + energy_wh,
            **fields,
        },
    )


def make_reading(tx: Transaction, at: datetime, register_wh: int, **fields: Any) -> None:
    make_meter_value(tx, at=at, value=Decimal(register_wh), **fields)


def make_status(station: ChargingStation, at: datetime, status: str, connector_id: int = 1) -> None:
    """The station reports a connector's status, with its own time."""
    text = at.isoformat().replace("+00:00", "Z")
    make_message(
        station,
        at=at + timedelta(seconds=1),
        action="StatusNotification",
        payload=f'{{"connectorId":{connector_id},"errorCode":"NoError","status":"{status}","timestamp":"{text}"}}',
    )


def tell(topic: str, tx: Transaction, *, times: int = 1) -> None:
    """Deliver an outbox row about `tx`, as a worker does."""
    for _ in range(times):
        for function in outbox._handlers[topic]:
            function(str(tx.pk), {"transaction_id": tx.pk})
