"""Sampled values of OCPP 1.6 (§7.33, §7.43), read into version-free readings."""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from cms.base.json import dumps
from stations.choices import RepairKind
from stations.ingest.clock import DeviceTime
from stations.ingest.facts import Reading
from stations.ocpp.context import CallContext, storable

ENERGY = "Energy.Active.Import.Register"
MAX_VALUE = Decimal(10) ** 18
MAX_RAW_LENGTH = 4096
_MILLI = Decimal("0.000001")
# What Decimal reads beside it, no meter means: 1_000, digits of other scripts, exponents that overflow.
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)

# Unit as sent → (our unit, factor). An absent unit is the measurand's own.
_UNITS: dict[str, tuple[str, Decimal]] = {
    "Wh": ("Wh", Decimal(1)),
    "kWh": ("Wh", Decimal(1000)),
    "varh": ("varh", Decimal(1)),
    "kvarh": ("varh", Decimal(1000)),
    "W": ("W", Decimal(1)),
    "kW": ("W", Decimal(1000)),
    "VA": ("VA", Decimal(1)),
    "kVA": ("VA", Decimal(1000)),
    "var": ("var", Decimal(1)),
    "kvar": ("var", Decimal(1000)),
    "A": ("A", Decimal(1)),
    "V": ("V", Decimal(1)),
    "Celsius": ("Celsius", Decimal(1)),
    "Celcius": ("Celsius", Decimal(1)),
    "Fahrenheit": ("Fahrenheit", Decimal(1)),
    "K": ("K", Decimal(1)),
    "Percent": ("Percent", Decimal(1)),
}
# Which units make sense for the measurands that we calculate with.
_FITTING = {"Energy.Active": {"Wh"}, "Power.Active": {"W"}, "SoC": {"Percent"}}


def read_meter_values(
    context: CallContext,
    meter_values: Iterable[dict[str, Any]],
    *,
    default_context: str = "Sample.Periodic",
) -> list[Reading]:
    """The readings of a list of MeterValue; samples that cannot be read are counted in `context`.

    A sample with nothing but a value is Energy.Active.Import.Register in Wh at the Outlet. Energy becomes Wh and
    power W; what is no number, or carries a unit that cannot be its own, is dropped and counted. A signed sample
    is kept as it came: its figure is inside the signature, so it has no unit and enters no calculation.
    """
    readings: list[Reading] = []
    for meter_value in meter_values:
        time = context.device_time(meter_value.get("timestamp"))
        for sample in meter_value.get("sampledValue", ()):
            reading = _read_sample(context, sample, time, default_context)
            if reading is None:
                context.repair(RepairKind.SAMPLES)
            else:
                readings.append(reading)
    return readings


def _read_sample(
    context: CallContext, sample: dict[str, Any], time: DeviceTime, default_context: str
) -> Reading | None:
    measurand = sample.get("measurand") or ENERGY
    text = str(sample.get("value", ""))
    text = storable(text, len(text))
    raw_unit = sample.get("unit")
    signed = dumps({"signedMeterData": text}) if sample.get("format") == "SignedData" else None
    if signed is not None:
        unit, value = "", Decimal(0)
    else:
        meant = _unit_meant(context, measurand, raw_unit)
        unit, factor = _UNITS.get(meant or _own_unit(measurand), ("", Decimal(1)))
        number = _number(text, factor)
        if number is None or not _fits(measurand, unit):
            return None
        value, text = number, text[:MAX_RAW_LENGTH]
    return Reading(
        at=time.effective_at,
        device_at=time.device_at or context.received_at,
        has_device_time=time.device_at is not None,
        received_at=context.received_at,
        measurand=measurand,
        phase=sample.get("phase"),
        location=sample.get("location") or "Outlet",
        context=sample.get("context") or default_context,
        unit=unit,
        value=value,
        raw_value=text,
        raw_unit=raw_unit,
        signed=signed,
    )


def _unit_meant(context: CallContext, measurand: str, sent: str | None) -> str | None:
    """The unit as sent, or the one that such a station means by it."""
    units = context.memory.quirks.units
    if units and (meant := units.get((measurand, sent or _own_unit(measurand)))):
        context.repair(RepairKind.UNITS)
        return meant
    return sent


def _number(text: str, factor: Decimal) -> Decimal | None:
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        return None
    value = Decimal(text) * factor
    if abs(value) >= MAX_VALUE:
        return None
    return value.quantize(_MILLI) if value.as_tuple().exponent < -6 else value  # type: ignore[operator]


def _own_unit(measurand: str) -> str:
    """The unit of a sample that names none: Wh by the letter of §7.33, else the measurand's natural one."""
    if measurand.startswith("Power.Factor") or measurand in ("Frequency", "RPM"):
        return ""
    for beginning, unit in _OWN_UNITS:
        if measurand.startswith(beginning):
            return unit
    return "Wh"


_OWN_UNITS = (
    ("Energy.Active", "Wh"),
    ("Energy.Reactive", "varh"),
    ("Power.Active", "W"),
    ("Power.Offered", "W"),
    ("Power.Reactive", "var"),
    ("Current", "A"),
    ("Voltage", "V"),
    ("SoC", "Percent"),
    ("Temperature", "Celsius"),
)


def _fits(measurand: str, unit: str) -> bool:
    for beginning, units in _FITTING.items():
        if measurand.startswith(beginning):
            return unit in units
    return True
