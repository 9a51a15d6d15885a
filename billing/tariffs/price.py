"""A price: itemised, in minor units, and refusing to exist unless its sums are right."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from cms.base.time import rfc3339


class LineDimension(StrEnum):
    """What a line charges for."""

    FLAT = "FLAT"
    ENERGY = "ENERGY"
    TIME = "TIME"
    PARKING_TIME = "PARKING_TIME"
    RESERVATION = "RESERVATION"


class Unit(StrEnum):
    """What a line's quantity counts."""

    KWH = "kWh"
    HOUR = "h"
    SESSION = "session"


@dataclass(frozen=True, slots=True)
class PriceLine:
    """One unit price times one quantity. Amounts are in minor units and may be negative (a maximum price).

    `quantity` is shown to nine decimals; `net_minor` comes from the exact quantity. `unit_price` is in major units.
    Raises ValueError unless net + tax = gross.
    """

    dimension: LineDimension
    quantity: Decimal
    unit: Unit
    unit_price: Decimal
    vat_percent: Decimal
    net_minor: int
    tax_minor: int
    gross_minor: int
    starts_at: datetime
    ends_at: datetime

    def __post_init__(self) -> None:
        if self.net_minor + self.tax_minor != self.gross_minor:
            raise ValueError(f"A line's net and tax do not make its gross: {self}")


@dataclass(frozen=True, slots=True)
class Price:
    """What a session costs; `final` is False while it runs. Raises ValueError unless the sums hold."""

    currency: str
    final: bool
    net_minor: int
    tax_minor: int
    gross_minor: int
    lines: tuple[PriceLine, ...]

    def __post_init__(self) -> None:
        if self.net_minor + self.tax_minor != self.gross_minor:
            raise ValueError(f"Net and tax do not make the gross: {self}")
        for part in ("net_minor", "tax_minor", "gross_minor"):
            if getattr(self, part) != sum(getattr(line, part) for line in self.lines):
                raise ValueError(f"The lines do not make the total {part}: {self}")

    @classmethod
    def of_lines(cls, lines: tuple[PriceLine, ...], *, currency: str, final: bool) -> "Price":
        net_minor = sum(line.net_minor for line in lines)
        tax_minor = sum(line.tax_minor for line in lines)
        return cls(currency, final, net_minor, tax_minor, net_minor + tax_minor, lines)


def price_to_json(price: Price) -> dict[str, Any]:
    """The `price` object of the REST API. Numbers stay `Decimal`: write it with `cms.base.json.dumps`."""
    return {
        "currency": price.currency,
        "final": price.final,
        "net_minor": price.net_minor,
        "tax_minor": price.tax_minor,
        "gross_minor": price.gross_minor,
        "lines": [_line_to_json(line) for line in price.lines],
    }


def _line_to_json(line: PriceLine) -> dict[str, Any]:
    return {
        "dimension": line.dimension.value,
        "quantity": line.quantity,
        "unit": line.unit.value,
        "unit_price": line.unit_price,
        "vat_percent": line.vat_percent,
        "net_minor": line.net_minor,
        "tax_minor": line.tax_minor,
        "gross_minor": line.gross_minor,
        "from": rfc3339(line.starts_at),
        "to": rfc3339(line.ends_at),
    }
