"""The tariff editor: what a person fills in, and the value of `billing.tariffs.plain` behind it."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError
from django.utils.dates import WEEKDAYS, WEEKDAYS_ABBR
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.tariffs.facts import SessionFacts, quote_facts
from billing.tariffs.plain import Hours, PlainTariff, Prices
from billing.tariffs.tariff import DayOfWeek, TariffType
from cms.base.errors import DomainError, Invalid
from cms.base.json import loads
from cms.base.money import UnknownCurrency, minor_digits
from cms.portal.refusals import told

MOST_HOURS = 24
_WEEK = tuple(DayOfWeek)
_LOCAL_NAMES = {"type": "kind"}


def _price(label: Any, help_text: Any = "", *, maximum: int = 100_000) -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        required=False,
        min_value=0,
        max_value=maximum,
        max_digits=16,
        decimal_places=6,
        help_text=help_text,
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal", "min": "0"}),
    )


class TariffForm(forms.Form):
    """The usual prices and what holds besides. Prices are net; bounds are totals with VAT."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=120)
    currency = forms.CharField(
        label=gettext_lazy("Currency"),
        max_length=3,
        widget=forms.TextInput(attrs={"autocapitalize": "characters", "spellcheck": "false"}),
    )
    vat_percent = forms.DecimalField(
        label=gettext_lazy("VAT in %"),
        required=False,
        min_value=0,
        max_value=100,
        max_digits=7,
        decimal_places=4,
        help_text=gettext_lazy("Added to all prices below. Empty where there is none."),
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal", "min": "0"}),
    )
    energy = _price(gettext_lazy("Energy, per kWh"))
    charging_time = _price(gettext_lazy("Charging, per hour"))
    start_fee = _price(gettext_lazy("Start fee, per session"))
    idle_time = _price(
        gettext_lazy("Idle fee, per hour"),
        gettext_lazy(
            "While the car is plugged in and takes no energy. 6.00 an hour is 0.10 a minute."
        ),
    )
    idle_grace_min = forms.IntegerField(
        label=gettext_lazy("Free idle minutes"), required=False, min_value=0, max_value=44_640
    )
    idle_cap = _price(gettext_lazy("Idle fee at most"))
    least = _price(gettext_lazy("At least, per session"), gettext_lazy("With VAT."))
    most = _price(gettext_lazy("At most, per session"), gettext_lazy("With VAT."))
    energy_step_wh = forms.IntegerField(
        label=gettext_lazy("Energy steps in Wh"),
        required=False,
        min_value=0,
        max_value=1_000_000,
        help_text=gettext_lazy("1 is exact; 1000 rounds up to whole kWh."),
    )
    time_step_s = forms.IntegerField(
        label=gettext_lazy("Time steps in seconds"),
        required=False,
        min_value=0,
        max_value=86_400,
        help_text=gettext_lazy("1 is exact; 60 rounds up to whole minutes."),
    )
    country = forms.CharField(
        label=gettext_lazy("Country"),
        required=False,
        max_length=2,
        help_text=gettext_lazy(
            "Two letters, such as DE. The tariff is then checked against the law there."
        ),
        widget=forms.TextInput(attrs={"autocapitalize": "characters", "spellcheck": "false"}),
    )
    kind = forms.ChoiceField(
        label=gettext_lazy("For whom"),
        required=False,
        choices=[
            ("", gettext_lazy("Everybody, with a contract or without")),
            (TariffType.AD_HOC_PAYMENT, gettext_lazy("Guests who pay at once")),
            (TariffType.REGULAR, gettext_lazy("Drivers with a contract")),
            (TariffType.PROFILE_CHEAP, gettext_lazy("Drivers who chose cheap charging")),
            (TariffType.PROFILE_FAST, gettext_lazy("Drivers who chose fast charging")),
            (TariffType.PROFILE_GREEN, gettext_lazy("Drivers who chose green charging")),
        ],
    )
    note = forms.CharField(
        label=gettext_lazy("Note for drivers"),
        required=False,
        max_length=512,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("In English; the prices are shown by themselves."),
    )

    def clean_currency(self) -> str:
        currency: str = self.cleaned_data["currency"].upper()
        try:
            minor_digits(currency)
        except UnknownCurrency:
            raise ValidationError(_("Three letters of ISO 4217, such as EUR.")) from None
        return currency

    def clean_country(self) -> str:
        country: str = self.cleaned_data["country"].upper()
        if country and not (len(country) == 2 and country.isascii() and country.isalpha()):
            raise ValidationError(_("Two letters of ISO 3166-1, such as DE."))
        return country

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if not self.errors and all(
            data.get(name) is None for name in ("energy", "charging_time", "start_fee", "idle_time")
        ):
            self.add_error("energy", _("Give at least one price. Where charging is free, write 0."))
        least, most = data.get("least"), data.get("most")
        if least is not None and most is not None and most < least:
            self.add_error("most", _("This lies below the least price."))
        if data.get("idle_time") is None and (data.get("idle_grace_min") or data.get("idle_cap")):
            self.add_error("idle_time", _("Give the fee that is free at first or capped."))
        return data


class HoursForm(forms.Form):
    """A row: on these days, between these times, other prices. What is empty stays as usual."""

    days = forms.MultipleChoiceField(
        label=gettext_lazy("Days"),
        required=False,
        choices=[(day.value, WEEKDAYS_ABBR[number]) for number, day in enumerate(_WEEK)],
        widget=forms.CheckboxSelectMultiple,
    )
    starts = forms.TimeField(
        label=gettext_lazy("From"),
        required=False,
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
    )
    ends = forms.TimeField(
        label=gettext_lazy("To"),
        required=False,
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
    )
    energy = _price(gettext_lazy("per kWh"))
    charging_time = _price(gettext_lazy("per hour"))
    idle_time = _price(gettext_lazy("idle, per hour"))

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if self.errors or not self._says_something(data):
            return data
        if (data.get("starts") is None) != (data.get("ends") is None):
            self.add_error("ends", _("Give both times or none."))
        elif not data.get("days") and data.get("starts") is None:
            self.add_error("days", _("Choose days or times."))
        elif data.get("starts") is not None and data["starts"] == data["ends"]:
            self.add_error("ends", _("This is no time at all. Leave both empty for the whole day."))
        if all(data.get(name) is None for name in ("energy", "charging_time", "idle_time")):
            self.add_error("energy", _("Give the price of these hours."))
        return data

    def _says_something(self, data: dict[str, Any]) -> bool:
        return any(value not in (None, "", []) for value in data.values())

    @property
    def is_empty(self) -> bool:
        """Of a valid row that nobody filled in."""
        return not self._says_something(self.cleaned_data)


HoursFormSet = forms.formset_factory(HoursForm, extra=1, max_num=MOST_HOURS, validate_max=True)


class JsonForm(forms.Form):
    """The OCPI object as text."""

    content = forms.CharField(
        label=gettext_lazy("OCPI 2.2.1 tariff object"),
        max_length=100_000,
        widget=forms.Textarea(attrs={"rows": 24, "spellcheck": "false", "class": "code"}),
    )

    def clean_content(self) -> dict[str, Any]:
        try:
            content = loads(self.cleaned_data["content"])
        except (ValueError, RecursionError) as error:
            raise ValidationError(_("This is not JSON: %(error)s") % {"error": error}) from error
        if not isinstance(content, dict):
            raise ValidationError(_("This is not a JSON object."))
        return content


class InsistForm(forms.Form):
    """Shown to owners when a tariff breaks a rule."""

    insist = forms.BooleanField(
        label=gettext_lazy("Use it all the same. I know that it breaks this rule."), required=False
    )


class ExampleForm(forms.Form):
    """A session as somebody imagines it."""

    example_kwh = forms.DecimalField(
        label=gettext_lazy("Energy in kWh"),
        min_value=0,
        max_value=2000,
        max_digits=7,
        decimal_places=3,
        initial=20,
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal", "min": "0"}),
    )
    example_minutes = forms.IntegerField(
        label=gettext_lazy("Minutes charging"), min_value=0, max_value=10_080, initial=35
    )
    example_idle = forms.IntegerField(
        label=gettext_lazy("Minutes idle"), min_value=0, max_value=10_080, initial=0
    )
    example_day = forms.ChoiceField(
        label=gettext_lazy("Day"), choices=[(str(n), WEEKDAYS[n]) for n in range(7)], initial="1"
    )
    example_at = forms.TimeField(
        label=gettext_lazy("Plugged in at"),
        initial="18:00",
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
    )

    def facts(self, *, zone: str, today: date) -> SessionFacts:
        """The session on the next such day from today on; the form is valid."""
        data = self.cleaned_data
        days_ahead = (int(data["example_day"]) - today.weekday()) % 7
        day = today + timedelta(days=days_ahead)
        starts_at = datetime.combine(day, data["example_at"], tzinfo=ZoneInfo(zone))
        return quote_facts(
            starts_at=starts_at,
            energy_wh=int(data["example_kwh"] * 1000),
            charging_s=data["example_minutes"] * 60,
            idle_s=data["example_idle"] * 60,
            time_zone=zone,
        )


def example_values(query: Any) -> dict[str, Any]:
    """The example that was asked for, with the usual one where nothing was."""
    fields = ExampleForm.base_fields
    return {name: query.get(name, field.initial) for name, field in fields.items()}


def initial_of(plain: PlainTariff) -> dict[str, Any]:
    """The form of a tariff."""
    grace_s = plain.idle_grace_s
    return {
        "name": plain.name,
        "currency": plain.currency,
        "vat_percent": _tidy(plain.vat_percent),
        "energy": _tidy(plain.prices.energy),
        "charging_time": _tidy(plain.prices.charging_time),
        "start_fee": _tidy(plain.start_fee),
        "idle_time": _tidy(plain.prices.idle_time),
        "idle_grace_min": None if grace_s is None else grace_s // 60,
        "idle_cap": _tidy(plain.idle_cap),
        "least": _tidy(plain.least),
        "most": _tidy(plain.most),
        "energy_step_wh": plain.energy_step_wh,
        "time_step_s": plain.time_step_s,
        "country": plain.country or "",
        "kind": plain.type.value if plain.type else "",
        "note": plain.note,
    }


def initial_hours(plain: PlainTariff) -> list[dict[str, Any]]:
    """The rows of a tariff."""
    return [
        {
            "days": [day.value for day in hours.days],
            "starts": hours.starts,
            "ends": hours.ends,
            "energy": _tidy(hours.prices.energy),
            "charging_time": _tidy(hours.prices.charging_time),
            "idle_time": _tidy(hours.prices.idle_time),
        }
        for hours in plain.hours
    ]


def fits_form(plain: PlainTariff) -> bool:
    """Whether the form can show it to the last digit: whole minutes of grace, both times or none, six decimals."""
    prices = [plain.prices, *(hours.prices for hours in plain.hours)]
    numbers = [plain.start_fee, plain.idle_cap, plain.least, plain.most]
    for each in prices:
        numbers += [each.energy, each.charging_time, each.idle_time]
    return (
        (plain.idle_grace_s or 0) % 60 == 0
        and len(plain.hours) <= MOST_HOURS
        and all((hours.starts is None) == (hours.ends is None) for hours in plain.hours)
        and all(hours.days or hours.starts is not None for hours in plain.hours)
        and all(number is None or _decimals(number) <= 6 for number in numbers)
    )


def plain_of(form: TariffForm, rows: Any) -> PlainTariff:
    """What was filled in; form and rows are valid."""
    data = form.cleaned_data
    grace_min = data["idle_grace_min"]
    return PlainTariff(
        name=data["name"],
        currency=data["currency"],
        prices=_prices(data),
        start_fee=data["start_fee"],
        vat_percent=data["vat_percent"],
        energy_step_wh=_or_one(data["energy_step_wh"]),
        time_step_s=_or_one(data["time_step_s"]),
        idle_grace_s=None if grace_min is None else grace_min * 60,
        idle_cap=data["idle_cap"],
        least=data["least"],
        most=data["most"],
        country=data["country"] or None,
        type=TariffType(data["kind"]) if data["kind"] else None,
        note=data["note"],
        hours=tuple(_hours(row.cleaned_data) for row in rows if not row.is_empty),
    )


def show_tariff_refusal(form: forms.Form, error: DomainError) -> None:
    """What billing objects to, above the form; a path into the object says little beside a field."""
    fields = error.data.get("fields") if isinstance(error, Invalid) else None
    sentences = [f"{path}: {' '.join(map(told, found))}" for path, found in (fields or {}).items()]
    for sentence in sentences or [told(error.message)]:
        form.add_error(None, sentence)


def _prices(data: dict[str, Any]) -> Prices:
    return Prices(data["energy"], data["charging_time"], data["idle_time"])


def _hours(data: dict[str, Any]) -> Hours:
    days = tuple(day for day in _WEEK if day.value in data["days"])
    starts, ends = data["starts"], data["ends"]
    return Hours(_prices(data), days, _whole_minute(starts), _whole_minute(ends))


def _whole_minute(at: time | None) -> time | None:
    return at.replace(second=0, microsecond=0) if at else at


def _or_one(step: int | None) -> int:
    return 1 if step is None else step


def _tidy(number: Decimal | None) -> str | None:
    """Without trailing noughts, never in powers of ten, and with a point: what a number field takes."""
    if number is None:
        return None
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _decimals(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    return max(0, -int(exponent))
