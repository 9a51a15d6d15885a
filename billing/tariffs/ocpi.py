"""OCPI 2.2.1 tariff objects, read into values and written back with the same digits.

Numbers must come in as `int` or `Decimal` (`cms.base.json.loads` does that); a float is a programming error and
raises TypeError. Unknown members are refused wherever they stand, so that nobody believes in a restriction we ignore;
members of OCPI that play no part in a price are kept as they came. `null` counts as absent.

Stricter than OCPI, on purpose: prices are not negative, an element has one component a dimension, a lower bound lies
below its upper bound. Laxer: FLAT may leave `step_size` out, min_price and max_price may name `incl_vat` alone.
"""

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

from billing.tariffs.exceptions import TariffInvalid
from billing.tariffs.reading import ObjectReader, is_sound
from billing.tariffs.tariff import (
    DayOfWeek,
    Dimension,
    DisplayText,
    Extension,
    PriceBound,
    PriceComponent,
    ReservationRestriction,
    Restrictions,
    Tariff,
    TariffElement,
    TariffType,
)
from cms.base.money import UnknownCurrency, minor_digits
from cms.base.time import rfc3339

MAX_ELEMENTS = 100
MAX_IDLE_GRACE_S = 31 * 24 * 3600
_BOUNDS = (("min_kwh", "max_kwh"), ("min_current", "max_current"), ("min_power", "max_power"))
_RESERVABLE = (Dimension.FLAT, Dimension.TIME)

Errors = dict[str, list[str]]


def parse_tariff(data: Any) -> Tariff:
    """Read an OCPI 2.2.1 tariff object with our `x_magetsi`.

    Raises:
        TariffInvalid: naming every wrong member by its path.
        TypeError: a number is a float.

    Source: OCPI 2.2.1 §11.3.1, §11.4.
    """
    errors: Errors = {}
    tariff = _tariff(ObjectReader(data, "", errors), errors)
    if errors:
        raise TariffInvalid.fields(errors)
    return tariff


def _tariff(reader: ObjectReader, errors: Errors) -> Tariff:
    tariff = Tariff(
        id=reader.text("id", maximum=36),
        currency=_currency(reader),
        type=reader.word("type", TariffType),
        alt_text=reader.list_of(
            "tariff_alt_text", lambda item, path: _display_text(item, path, errors), maximum=100
        ),
        min_price=_bound(reader, "min_price", errors),
        max_price=_bound(reader, "max_price", errors),
        elements=reader.list_of(
            "elements",
            lambda item, path: _element(item, path, errors),
            required=True,
            maximum=MAX_ELEMENTS,
        ),
        start_date_time=reader.instant("start_date_time"),
        end_date_time=reader.instant("end_date_time"),
        x_magetsi=_extension(reader, errors),
        other=_other(reader),
    )
    reader.close()
    _check_order(reader, tariff)
    return tariff


def _currency(reader: ObjectReader) -> str:
    value = reader.take("currency", required=True)
    if value is None:
        return ""
    try:
        minor_digits(value)
    except UnknownCurrency:
        reader.object_to("currency", "Must be an ISO 4217 currency code, such as EUR.")
        return ""
    return str(value)


def _check_order(reader: ObjectReader, tariff: Tariff) -> None:
    start, end = tariff.start_date_time, tariff.end_date_time
    if start and end and start >= end:
        reader.object_to("end_date_time", "Must lie after start_date_time.")
    low, high = tariff.min_price, tariff.max_price
    for kind in ("excl_vat", "incl_vat"):
        least, most = getattr(low, kind, None), getattr(high, kind, None)
        if least is not None and most is not None and least > most:
            reader.object_to(f"max_price.{kind}", "Must not lie below min_price.")


def _other(reader: ObjectReader) -> Mapping[str, Any]:
    last_updated = reader.instant("last_updated")
    members = {
        "country_code": reader.text("country_code", maximum=2),
        "party_id": reader.text("party_id", maximum=3),
        "tariff_alt_url": reader.text("tariff_alt_url", maximum=255),
        "energy_mix": reader.verbatim("energy_mix", dict, "Must be an OCPI EnergyMix object."),
        "last_updated": rfc3339(last_updated) if last_updated else None,
    }
    return {name: value for name, value in members.items() if value is not None}


def _display_text(data: Any, path: str, errors: Errors) -> DisplayText:
    reader = ObjectReader(data, path, errors)
    language = reader.text("language", maximum=2, required=True)
    text = reader.text("text", maximum=512, required=True)
    reader.close()
    return DisplayText(language or "", text or "")


def _bound(parent: ObjectReader, name: str, errors: Errors) -> PriceBound | None:
    if (data := parent.take(name)) is None:
        return None
    reader = ObjectReader(data, name, errors)
    bound = PriceBound(reader.number("excl_vat"), reader.number("incl_vat"))
    reader.close()
    if isinstance(data, dict) and not (reader.has("excl_vat") or reader.has("incl_vat")):
        parent.object_to(name, "Must name excl_vat, incl_vat or both.")
    return bound


def _extension(parent: ObjectReader, errors: Errors) -> Extension | None:
    if (data := parent.take("x_magetsi")) is None:
        return None
    reader = ObjectReader(data, "x_magetsi", errors)
    country = reader.text("country", maximum=2)
    if country is not None and not (len(country) == 2 and country.isascii() and country.isupper()):
        reader.object_to("country", "Must be an ISO 3166 country code of two capitals, such as DE.")
    name = reader.take("name")
    if name is not None and not (isinstance(name, str) and len(name) <= 120 and is_sound(name)):
        reader.object_to("name", "Must be a text of up to 120 characters.")
    extension = Extension(
        name=name,
        idle_grace_s=reader.integer("idle_grace_s", maximum=MAX_IDLE_GRACE_S),
        idle_cap=reader.number("idle_cap"),
        country=country,
    )
    reader.close()
    return extension


def _element(data: Any, path: str, errors: Errors) -> TariffElement:
    reader = ObjectReader(data, path, errors)
    components = reader.list_of(
        "price_components",
        lambda item, item_path: _component(item, item_path, errors),
        required=True,
        maximum=len(Dimension),
    )
    restrictions = None
    if (limits := reader.take("restrictions")) is not None:
        restrictions = _restrictions(limits, reader.path("restrictions"), errors)
    reader.close()
    kept = tuple(component for component in components if component is not None)
    types = [component.type for component in kept]
    if len(types) != len(set(types)):
        reader.object_to("price_components", "Must not name a dimension twice.")
    reservation = restrictions.reservation if restrictions else None
    if reservation and not all(kind in _RESERVABLE for kind in types):
        reader.object_to("price_components", "A reservation is priced by FLAT and TIME only.")
    return TariffElement(kept, restrictions)


def _component(data: Any, path: str, errors: Errors) -> PriceComponent | None:
    reader = ObjectReader(data, path, errors)
    dimension = reader.word("type", Dimension, required=True)
    price = reader.number("price", required=True)
    vat = reader.number("vat", maximum=100)
    step_size = reader.integer("step_size", required=dimension is not Dimension.FLAT)
    reader.close()
    if dimension is None or price is None:
        return None
    return PriceComponent(dimension, price, vat, 1 if step_size is None else step_size)


def _restrictions(data: Any, path: str, errors: Errors) -> Restrictions:
    reader = ObjectReader(data, path, errors)
    limits = Restrictions(
        start_time=reader.time_of_day("start_time"),
        end_time=reader.time_of_day("end_time"),
        start_date=reader.day("start_date"),
        end_date=reader.day("end_date"),
        min_kwh=reader.number("min_kwh"),
        max_kwh=reader.number("max_kwh"),
        min_current=reader.number("min_current"),
        max_current=reader.number("max_current"),
        min_power=reader.number("min_power"),
        max_power=reader.number("max_power"),
        min_duration=reader.integer("min_duration"),
        max_duration=reader.integer("max_duration"),
        day_of_week=_days(reader),
        reservation=reader.word("reservation", ReservationRestriction),
    )
    reader.close()
    for low, high in (*_BOUNDS, ("min_duration", "max_duration"), ("start_date", "end_date")):
        least, most = getattr(limits, low), getattr(limits, high)
        if least is not None and most is not None and least >= most:
            reader.object_to(high, f"Must lie above {low}, or the element never applies.")
    return limits


def _days(reader: ObjectReader) -> tuple[DayOfWeek, ...]:
    days = reader.list_of("day_of_week", lambda item, path: item, maximum=len(DayOfWeek))
    if all(isinstance(day, str) and day in DayOfWeek.__members__ for day in days):
        return tuple(DayOfWeek(day) for day in days)
    reader.object_to("day_of_week", f"Must be a list of {', '.join(DayOfWeek)}.")
    return ()


def tariff_to_json(tariff: Tariff) -> dict[str, Any]:
    """The OCPI object again. Numbers stay `Decimal` or `int`: write it with `cms.base.json.dumps`."""
    return _given(
        country_code=tariff.other.get("country_code"),
        party_id=tariff.other.get("party_id"),
        id=tariff.id,
        currency=tariff.currency,
        type=tariff.type and tariff.type.value,
        tariff_alt_text=[_fields_of(text) for text in tariff.alt_text] or None,
        tariff_alt_url=tariff.other.get("tariff_alt_url"),
        min_price=tariff.min_price and _fields_of(tariff.min_price),
        max_price=tariff.max_price and _fields_of(tariff.max_price),
        elements=[_element_to_json(element) for element in tariff.elements],
        start_date_time=tariff.start_date_time and rfc3339(tariff.start_date_time),
        end_date_time=tariff.end_date_time and rfc3339(tariff.end_date_time),
        energy_mix=tariff.other.get("energy_mix"),
        last_updated=tariff.other.get("last_updated"),
        x_magetsi=tariff.x_magetsi and _fields_of(tariff.x_magetsi),
    )


def _element_to_json(element: TariffElement) -> dict[str, Any]:
    return _given(
        price_components=[_fields_of(component) for component in element.price_components],
        restrictions=None if element.restrictions is None else _fields_of(element.restrictions),
    )


def _fields_of(value: Any) -> dict[str, Any]:
    """The members of one of our dataclasses that are set, as JSON values."""
    return _given(**{name: _to_json(getattr(value, name)) for name in value.__dataclass_fields__})


def _given(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _to_json(value: Any) -> Any:
    match value:
        case time():
            return value.strftime("%H:%M")
        case datetime():
            return rfc3339(value)
        case date():
            return value.isoformat()
        case tuple():
            return [_to_json(item) for item in value] or None
        case str():
            return str(value)
        case _:
            return value
