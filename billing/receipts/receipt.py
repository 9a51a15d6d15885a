"""A receipt: what a CDR says, put so that the person who paid can check each cent.

The page and the PDF are made of one `Receipt`, and every amount in it is the CDR's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from accounts.models.id_token import mask_uid
from billing.models import CDR
from billing.receipts import formats
from billing.tariffs.price import LineDimension, Unit


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """One line of the price. `calculation` says how the net comes about; amounts in minor units."""

    label: str
    calculation: str
    period: str
    vat_percent: Decimal
    net_minor: int
    tax_minor: int
    gross_minor: int


@dataclass(frozen=True, slots=True)
class VatTotal:
    """What the lines of one rate of VAT come to."""

    percent: Decimal
    net_minor: int
    tax_minor: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """A finished session, billed. Registers are in Wh; None where the station reported none."""

    number: str
    operator_name: str
    issued_at: datetime
    place: tuple[str, ...]
    station: str
    connector: str
    driver_name: str
    id_token: str
    started_at: datetime
    ended_at: datetime
    duration_s: int
    idle_s: int
    meter_start_wh: int | None
    meter_stop_wh: int | None
    energy_wh: int
    time_zone: str
    tariff: str
    tariff_text: str
    currency: str
    net_minor: int
    tax_minor: int
    gross_minor: int
    lines: tuple[ReceiptLine, ...]

    @property
    def vat_totals(self) -> tuple[VatTotal, ...]:
        """By rate, highest first; they add up to the receipt's net and tax."""
        rates = sorted({line.vat_percent for line in self.lines}, reverse=True)
        return tuple(
            VatTotal(
                rate,
                sum(line.net_minor for line in self.lines if line.vat_percent == rate),
                sum(line.tax_minor for line in self.lines if line.vat_percent == rate),
            )
            for rate in rates
        )

    @property
    def filename(self) -> str:
        """ASCII, whatever the number looks like."""
        safe = "".join(char if char.isascii() and char.isalnum() else "-" for char in self.number)
        return f"{safe}.pdf"


def receipt_of(cdr: CDR) -> Receipt:
    """The receipt of a CDR, in the active language.

    Needs `operator`, `session__driver` and `session__station__location` loaded. The site's name and address
    are as they are today: a CDR keeps the station alone.
    """
    facts: Mapping[str, Any] = cdr.facts
    station = cdr.session.station
    zone = str(facts.get("time_zone") or cdr.operator.time_zone)
    location = station.location
    place = (
        (
            location.name,
            location.address,
            f"{location.postal_code} {location.city}".strip(),
        )
        if location
        else ()
    )
    content: Mapping[str, Any] = cdr.tariff.get("content") or {}
    driver = cdr.session.driver
    return Receipt(
        number=cdr.number,
        operator_name=cdr.operator.name,
        issued_at=cdr.created_at,
        place=tuple(line for line in place if line),
        station=cdr.station_identity,
        connector=f"{cdr.evse_id}"
        if cdr.connector_id == 1
        else f"{cdr.evse_id}-{cdr.connector_id}",
        driver_name=str(driver) if driver else "",
        id_token=mask_uid(cdr.id_token_uid),
        started_at=cdr.started_at,
        ended_at=cdr.ended_at,
        duration_s=cdr.duration_s,
        idle_s=cdr.idle_s,
        meter_start_wh=facts.get("meter_start_wh"),
        meter_stop_wh=facts.get("meter_stop_wh"),
        energy_wh=cdr.energy_wh,
        time_zone=zone,
        tariff=_tariff_name(cdr.tariff, content),
        tariff_text=_tariff_text(content),
        currency=cdr.currency,
        net_minor=cdr.net_minor,
        tax_minor=cdr.tax_minor,
        gross_minor=cdr.gross_minor,
        lines=tuple(_line(line, cdr.currency, zone) for line in cdr.price["lines"]),
    )


def price_lines(price: Mapping[str, Any], zone: str) -> tuple[ReceiptLine, ...]:
    """The lines of a price as JSON (`price_to_json`), also of one that is not final."""
    return tuple(_line(line, price["currency"], zone) for line in price["lines"])


def _line(line: Mapping[str, Any], currency: str, zone: str) -> ReceiptLine:
    quantity, unit_price = Decimal(str(line["quantity"])), Decimal(str(line["unit_price"]))
    start, end = _moment(line["from"]), _moment(line["to"])
    return ReceiptLine(
        label=_label(line["dimension"], line["net_minor"]),
        calculation=_calculation(quantity, line["unit"], unit_price, currency),
        period=f"{formats.time_of_day(start, zone)} – {formats.time_of_day(end, zone)}"
        if start != end
        else formats.time_of_day(start, zone),
        vat_percent=Decimal(str(line["vat_percent"])),
        net_minor=line["net_minor"],
        tax_minor=line["tax_minor"],
        gross_minor=line["gross_minor"],
    )


def _moment(value: datetime | str) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def _label(dimension: str, net_minor: int) -> str:
    if net_minor < 0:
        return _("Reduction to the maximum price")
    return {
        LineDimension.ENERGY: _("Energy"),
        LineDimension.TIME: _("Charging time"),
        LineDimension.PARKING_TIME: _("Plugged in without charging"),
        LineDimension.FLAT: _("Fixed fee"),
        LineDimension.RESERVATION: _("Reservation"),
    }[LineDimension(dimension)]


def _calculation(quantity: Decimal, unit: str, price: Decimal, currency: str) -> str:
    """`12.345 kWh × €0.49`: the factors of the net."""
    each = formats.unit_price(price, currency)
    if unit == Unit.KWH:
        return f"{formats.number(quantity)} kWh × {each}"
    if unit == Unit.HOUR:
        seconds = quantity * 3600
        clock = formats.clock(int(seconds.to_integral_value()))
        return f"{clock} h × {each}"
    return f"{formats.number(quantity)} × {each}"


def _tariff_name(tariff: Mapping[str, Any], content: Mapping[str, Any]) -> str:
    name = (content.get("x_magetsi") or {}).get("name") or tariff.get("id") or ""
    return _("%(name)s, version %(version)s") % {"name": name, "version": tariff.get("version")}


def _tariff_text(content: Mapping[str, Any]) -> str:
    """What the operator wrote about the price, in the reader's language, else in the first there is."""
    texts = content.get("tariff_alt_text") or []
    language = formats.locale().language
    chosen = [text for text in texts if text.get("language") == language] or texts[:1]
    return str(chosen[0].get("text", "")) if chosen else ""
