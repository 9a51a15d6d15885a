"""The editor of a charging profile: a form, and a row for each period."""

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from cms.base.errors import DomainError
from cms.base.time import rfc3339
from cms.portal.profile_words import PURPOSES
from cms.portal.refusals import told
from stations.services.charging_profile_rules import (
    TX_DEFAULT_PROFILE,
    check_profile,
    read_moment,
)

MOST_PERIODS = 96
_FIRST_PERIODS = 2
_ROWS = "periods"
_PERIOD_FAULT = re.compile(
    r"profile\.chargingSchedule\[0\]\.chargingSchedulePeriod\[(\d+)\]\.(\w+)"
)
_FIELDS = {
    "profile.chargingProfilePurpose": "purpose",
    "profile.chargingProfileKind": "rhythm",
    "profile.recurrencyKind": "rhythm",
    "profile.stackLevel": "stack_level",
    "profile.validFrom": "valid_from",
    "profile.validTo": "valid_to",
    "profile.chargingSchedule[0].startSchedule": "starts_at",
    "profile.chargingSchedule[0].duration": "duration",
}
_PERIOD_FIELDS = {"startPeriod": "begins", "limit": "limit", "numberPhases": "phases"}
_SHOWN = {"stackLevel", "chargingProfilePurpose", "chargingProfileKind", "recurrencyKind"} | {
    "validFrom",
    "validTo",
    "chargingSchedule",
}
_SHOWN_SCHEDULE = {"id", "startSchedule", "duration", "chargingRateUnit", "chargingSchedulePeriod"}
_SHOWN_PERIOD = {"startPeriod", "limit", "numberPhases"}


class OffsetField(forms.CharField):
    """Hours and minutes, `6:30`, as seconds; hours go beyond a day."""

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text:
            return None
        match = re.fullmatch(r"(\d{1,4}):([0-5]\d)", text, re.ASCII)
        if match is None:
            raise forms.ValidationError(_("Write hours and minutes, such as 6:30."))
        return int(match[1]) * 3600 + int(match[2]) * 60

    def validate(self, value: Any) -> None:
        if self.required and value is None:
            raise forms.ValidationError(self.error_messages["required"])

    def run_validators(self, value: Any) -> None:
        """A number of seconds has no length."""

    def prepare_value(self, value: Any) -> Any:
        return offset_text(value) if isinstance(value, int) else value


def offset_text(seconds: int) -> str:
    """`6:30`, from seconds."""
    return f"{seconds // 3600}:{seconds % 3600 // 60:02d}"


def _moment_field(label: Any, help_text: Any = "") -> forms.DateTimeField:
    return forms.DateTimeField(
        label=label,
        required=False,
        help_text=help_text,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )


class ProfileForm(forms.Form):
    """What a profile is for, and when it begins."""

    name = forms.CharField(label=_("Name"), max_length=100)
    purpose = forms.ChoiceField(label=_("Meant for"), choices=list(PURPOSES.items()))
    stack_level = forms.IntegerField(
        label=_("Level"),
        min_value=0,
        max_value=2**31 - 1,
        help_text=_("Of several profiles for the same purpose the highest decides."),
    )
    rhythm = forms.ChoiceField(
        label=_("Begins"),
        choices=[
            ("Relative", _("With each session")),
            ("Daily", _("Every day")),
            ("Weekly", _("Every week")),
            ("Absolute", _("Once, at a fixed time")),
        ],
    )
    starts_at = _moment_field(_("First begins at"), _("Not for what begins with each session."))
    duration = OffsetField(
        label=_("Ends after"),
        required=False,
        help_text=_("Hours and minutes; empty: it does not end."),
    )
    unit = forms.ChoiceField(
        label=_("Limits in"), choices=[("W", _("kW in all")), ("A", _("A on each phase"))]
    )
    valid_from = _moment_field(_("Valid from"))
    valid_to = _moment_field(_("Valid until"))


class PeriodForm(forms.Form):
    """One step. An empty row is left out."""

    begins = OffsetField(label=_("After"), required=False)
    limit = forms.DecimalField(
        label=_("At most"), required=False, min_value=0, max_value=100_000, decimal_places=4
    )
    phases = forms.TypedChoiceField(
        label=_("Phases"),
        required=False,
        coerce=int,
        empty_value=None,
        choices=[("", _("any")), (1, "1"), (2, "2"), (3, "3")],
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        begins, limit = data.get("begins"), data.get("limit")
        if limit is None and begins is not None and "limit" not in self.errors:
            self.add_error("limit", _("How much may be drawn from then on?"))
        if begins is None and limit is not None and "begins" not in self.errors:
            self.add_error("begins", _("When does this begin?"))
        return data

    @property
    def is_empty(self) -> bool:
        return self.cleaned_data.get("limit") is None


PeriodFormSet = forms.formset_factory(
    PeriodForm, extra=0, max_num=MOST_PERIODS, validate_max=True, absolute_max=MOST_PERIODS + 10
)


class Editor:
    """The form with its rows. `profile` is there once `is_valid()`."""

    def __init__(
        self, posted: Mapping[str, Any] | None, *, name: str, profile: Mapping[str, Any] | None
    ) -> None:
        self._posted = posted
        self.profile: dict[str, Any] = {}
        self.form = ProfileForm(posted, initial={"name": name, **_initial(profile)})
        # What was posted is judged as it is: a row that says what it said before is still a row.
        initial = _initial_rows(profile) if posted is None else None
        self.rows = PeriodFormSet(posted, initial=initial, prefix=_ROWS)

    def add_row(self) -> None:
        """One more empty row, and nothing judged yet."""
        assert self._posted is not None  # noqa: S101 - a button was pressed
        data = self._posted.copy()  # type: ignore[attr-defined]
        count = data.get(f"{_ROWS}-TOTAL_FORMS", "0")
        number = int(count) if count.isascii() and count.isdigit() and len(count) < 4 else 0
        data[f"{_ROWS}-TOTAL_FORMS"] = str(min(number + 1, MOST_PERIODS))
        self.rows = PeriodFormSet(data, prefix=_ROWS)

    def is_valid(self) -> bool:
        """Whether it is a profile that a station could take; complaints stand beside the fields."""
        # Both are asked, so that all complaints are shown at once.
        if not all([self.form.is_valid(), self.rows.is_valid()]):
            return False
        self._kept = [row for row in self.rows if not row.is_empty]
        if not self._kept:
            self.form.add_error(None, _("A profile needs at least one limit."))
            return False
        try:
            self.profile = check_profile(self._profile())
        except DomainError as error:
            self.show(error)
            return False
        return True

    def show(self, error: DomainError) -> None:
        """Put what the domain refused beside the fields it is about."""
        fields = error.data.get("fields") or {}
        if not fields:
            self.form.add_error("name", told(error.message))
        for path, sentences in fields.items():
            said = [told(sentence) for sentence in sentences]
            match = _PERIOD_FAULT.fullmatch(path)
            if match and int(match[1]) < len(self._kept):
                self._kept[int(match[1])].add_error(_PERIOD_FIELDS.get(match[2]), said)
            else:
                self.form.add_error(_FIELDS.get(path), said)

    def _profile(self) -> dict[str, Any]:
        data = self.form.cleaned_data
        rhythm = data["rhythm"]
        recurs = rhythm in ("Daily", "Weekly")
        profile: dict[str, Any] = {
            "stackLevel": data["stack_level"],
            "chargingProfilePurpose": data["purpose"],
            "chargingProfileKind": "Recurring" if recurs else rhythm,
        }
        if recurs:
            profile["recurrencyKind"] = rhythm
        for name, field in (("validFrom", "valid_from"), ("validTo", "valid_to")):
            if data[field]:
                profile[name] = rfc3339(data[field])
        schedule: dict[str, Any] = {"id": 1, "chargingRateUnit": data["unit"]}
        if data["starts_at"]:
            schedule["startSchedule"] = rfc3339(data["starts_at"])
        if data["duration"] is not None:
            schedule["duration"] = data["duration"]
        schedule["chargingSchedulePeriod"] = [
            _period(row.cleaned_data, data["unit"]) for row in self._kept
        ]
        return profile | {"chargingSchedule": [schedule]}


def fits_form(profile: Mapping[str, Any]) -> bool:
    """Whether the form can show all that a profile says."""
    schedules = profile["chargingSchedule"]
    periods = schedules[0]["chargingSchedulePeriod"]
    return (
        len(schedules) == 1
        and not set(profile) - _SHOWN
        and not set(schedules[0]) - _SHOWN_SCHEDULE
        and all(not set(period) - _SHOWN_PERIOD for period in periods)
        and all(period["startPeriod"] % 60 == 0 for period in periods)
        and schedules[0].get("duration", 0) % 60 == 0
        and len(periods) <= MOST_PERIODS
    )


def _period(data: Mapping[str, Any], unit: str) -> dict[str, Any]:
    limit: Decimal = data["limit"] * 1000 if unit == "W" else data["limit"]
    period: dict[str, Any] = {
        "startPeriod": data["begins"],
        "limit": int(limit) if limit == int(limit) else limit.normalize(),
    }
    if data["phases"] is not None:
        period["numberPhases"] = data["phases"]
    return period


def _initial(profile: Mapping[str, Any] | None) -> dict[str, Any]:
    if profile is None:
        return {
            "purpose": TX_DEFAULT_PROFILE,
            "stack_level": 0,
            "rhythm": "Relative",
            "unit": "W",
        }
    schedule = profile["chargingSchedule"][0]
    return {
        "purpose": profile["chargingProfilePurpose"],
        "stack_level": profile["stackLevel"],
        "rhythm": profile.get("recurrencyKind") or profile["chargingProfileKind"],
        "unit": schedule["chargingRateUnit"],
        "starts_at": _read(schedule.get("startSchedule")),
        "duration": schedule.get("duration"),
        "valid_from": _read(profile.get("validFrom")),
        "valid_to": _read(profile.get("validTo")),
    }


def _initial_rows(profile: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    if profile is None:
        return [{"begins": 0}, *({} for _number in range(_FIRST_PERIODS - 1))]
    schedule = profile["chargingSchedule"][0]
    divisor = 1000 if schedule["chargingRateUnit"] == "W" else 1
    return [
        {
            "begins": period["startPeriod"],
            "limit": Decimal(str(period["limit"])) / divisor,
            "phases": period.get("numberPhases"),
        }
        for period in schedule["chargingSchedulePeriod"]
    ]


def _read(text: str | None) -> datetime | None:
    return read_moment(text) if text else None
