"""Short ways to say a tariff and a session in tests."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from billing.tariffs.facts import SessionFacts
from billing.tariffs.ocpi import parse_tariff
from billing.tariffs.price import LineDimension, Price, PriceLine
from billing.tariffs.tariff import Tariff

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)  # a Monday


def component(kind: str, price: str, *, vat: str | None = None, step: int = 1) -> dict[str, Any]:
    fields: dict[str, Any] = {"type": kind, "price": Decimal(price), "step_size": step}
    return fields if vat is None else {**fields, "vat": Decimal(vat)}


def energy(price: str, **more: Any) -> dict[str, Any]:
    return component("ENERGY", price, **more)


def charging(price: str, **more: Any) -> dict[str, Any]:
    return component("TIME", price, **more)


def parking(price: str, **more: Any) -> dict[str, Any]:
    return component("PARKING_TIME", price, **more)


def flat(price: str, **more: Any) -> dict[str, Any]:
    return component("FLAT", price, **more)


def element(*components: dict[str, Any], **restrictions: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {"price_components": list(components)}
    return {**fields, "restrictions": restrictions} if restrictions else fields


def tariff(*elements: dict[str, Any], currency: str = "EUR", **more: Any) -> Tariff:
    return parse_tariff({"currency": currency, "elements": list(elements), **more})


def session(
    minutes: float,
    wh: int,
    *,
    start: datetime = START,
    zone: str = "UTC",
    register: int = 0,
    readings: Iterable[tuple[float, int]] = (),
    statuses: Iterable[tuple[float, str]] = (),
    currents: Iterable[tuple[float, str]] = (),
    reserved_minutes: float | None = None,
) -> SessionFacts:
    """Readings, statuses and currents at minutes after the start; readings in Wh since the start."""

    def at(after: float) -> datetime:
        return start + timedelta(minutes=after)

    return SessionFacts(
        started_at=start,
        ended_at=at(minutes),
        meter_start_wh=register,
        meter_stop_wh=register + wh,
        time_zone=zone,
        readings=tuple((at(after), register + reading) for after, reading in readings),
        statuses=tuple((at(after), status) for after, status in statuses),
        currents=tuple((at(after), Decimal(current)) for after, current in currents),
        reserved_at=None if reserved_minutes is None else at(-reserved_minutes),
    )


def lines(price: Price, dimension: str) -> list[PriceLine]:
    return [line for line in price.lines if line.dimension is LineDimension(dimension)]


def quantities(price: Price, dimension: str) -> list[str]:
    """Quantities of that dimension as plain text, in order."""
    return [f"{line.quantity:f}" for line in lines(price, dimension)]


def nets(price: Price) -> dict[str, int]:
    """Net in minor units by dimension."""
    found: dict[str, int] = {}
    for line in price.lines:
        found[line.dimension.value] = found.get(line.dimension.value, 0) + line.net_minor
    return found
