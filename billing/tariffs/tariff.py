"""A tariff as values: OCPI 2.2.1 §11.3.1 with our extension, numbers exact, nothing mutable."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import Any


class Dimension(StrEnum):
    """What a price component charges for (OCPI 2.2.1 §11.4.5)."""

    FLAT = "FLAT"
    ENERGY = "ENERGY"
    TIME = "TIME"
    PARKING_TIME = "PARKING_TIME"


class TariffType(StrEnum):
    """For whom a tariff is meant (OCPI 2.2.1 §11.4.7)."""

    AD_HOC_PAYMENT = "AD_HOC_PAYMENT"
    PROFILE_CHEAP = "PROFILE_CHEAP"
    PROFILE_FAST = "PROFILE_FAST"
    PROFILE_GREEN = "PROFILE_GREEN"
    REGULAR = "REGULAR"


class DayOfWeek(StrEnum):
    """In the order of `date.weekday()`."""

    MONDAY = "MONDAY"
    TUESDAY = "TUESDAY"
    WEDNESDAY = "WEDNESDAY"
    THURSDAY = "THURSDAY"
    FRIDAY = "FRIDAY"
    SATURDAY = "SATURDAY"
    SUNDAY = "SUNDAY"


class ReservationRestriction(StrEnum):
    """The element prices a reservation, not the session (OCPI 2.2.1 §11.4.3)."""

    RESERVATION = "RESERVATION"
    RESERVATION_EXPIRES = "RESERVATION_EXPIRES"


@dataclass(frozen=True, slots=True)
class PriceComponent:
    """Price of one dimension: major units per kWh, hour or session, net of VAT.

    `vat` is in per cent; None says that no VAT applies. `step_size` is in Wh or seconds; 0 and absent steps of FLAT
    round nothing.
    """

    type: Dimension
    price: Decimal
    vat: Decimal | None = None
    step_size: int = 1


@dataclass(frozen=True, slots=True)
class Restrictions:
    """When an element is active; what is None does not restrict. All that are set must hold.

    Lower bounds are inclusive, upper bounds exclusive. Times and dates are the location's own. Energy in kWh, power in
    kW, current in A summed over the phases, durations in seconds since the session began.
    """

    start_time: time | None = None
    end_time: time | None = None
    start_date: date | None = None
    end_date: date | None = None
    min_kwh: Decimal | None = None
    max_kwh: Decimal | None = None
    min_current: Decimal | None = None
    max_current: Decimal | None = None
    min_power: Decimal | None = None
    max_power: Decimal | None = None
    min_duration: int | None = None
    max_duration: int | None = None
    day_of_week: tuple[DayOfWeek, ...] = ()
    reservation: ReservationRestriction | None = None


@dataclass(frozen=True, slots=True)
class TariffElement:
    """Prices that hold together under the same restrictions; at most one component a dimension."""

    price_components: tuple[PriceComponent, ...]
    restrictions: Restrictions | None = None


@dataclass(frozen=True, slots=True)
class PriceBound:
    """`excl_vat` bounds the net total, `incl_vat` the gross total, in major units; only what is given applies."""

    excl_vat: Decimal | None = None
    incl_vat: Decimal | None = None


@dataclass(frozen=True, slots=True)
class DisplayText:
    """A sentence in one language (ISO 639-1)."""

    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Extension:
    """Our `x_magetsi`: a name, the free first part of parking, a cap on its net cost, the country for its law.

    `idle_cap` is in major units and bounds the exact net of all PARKING_TIME lines of a session together.
    """

    name: str | None = None
    idle_grace_s: int | None = None
    idle_cap: Decimal | None = None
    country: str | None = None


@dataclass(frozen=True, slots=True)
class Tariff:
    """Elements in order: of each dimension the first that matches prices a moment.

    `other` holds OCPI's members that play no part in a price, as they came (country_code, party_id, tariff_alt_url,
    energy_mix, last_updated).
    """

    currency: str
    elements: tuple[TariffElement, ...]
    id: str | None = None
    type: TariffType | None = None
    alt_text: tuple[DisplayText, ...] = ()
    min_price: PriceBound | None = None
    max_price: PriceBound | None = None
    start_date_time: datetime | None = None
    end_date_time: datetime | None = None
    x_magetsi: Extension | None = None
    other: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def name(self) -> str:
        return (self.x_magetsi and self.x_magetsi.name) or ""

    @property
    def idle_grace_s(self) -> int:
        return (self.x_magetsi and self.x_magetsi.idle_grace_s) or 0

    @property
    def idle_cap(self) -> Decimal | None:
        return self.x_magetsi.idle_cap if self.x_magetsi else None

    def applies_at(self, started_at: datetime) -> bool:
        """Whether a session that starts then falls into the tariff's dates; the end is exclusive."""
        return (self.start_date_time is None or started_at >= self.start_date_time) and (
            self.end_date_time is None or started_at < self.end_date_time
        )
