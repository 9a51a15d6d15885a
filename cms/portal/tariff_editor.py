"""The two ways to write a tariff: the form, and the OCPI object as text. Both end in one value."""

from collections.abc import Mapping
from typing import Any

from django import forms

from billing.tariffs.ocpi import parse_tariff, tariff_to_json
from billing.tariffs.plain import PlainTariff, to_tariff
from billing.tariffs.tariff import Tariff
from cms.base.errors import DomainError
from cms.base.json import dumps
from cms.portal.tariff_form import (
    MOST_HOURS,
    HoursFormSet,
    JsonForm,
    TariffForm,
    initial_hours,
    initial_of,
    plain_of,
    show_tariff_refusal,
)

_ROWS = "hours"


class Editor:
    """The form with its rows. `value` is there once `is_valid()`."""

    def __init__(
        self, posted: Mapping[str, Any] | None, *, plain: PlainTariff, like: Tariff | None
    ) -> None:
        self._like = like
        self._posted = posted
        self._valid: bool | None = None
        self.form: forms.Form = TariffForm(posted, initial=initial_of(plain))
        self.rows = HoursFormSet(posted, initial=initial_hours(plain), prefix=_ROWS)

    def add_row(self) -> None:
        """One more empty row, and nothing judged yet: the way without a script."""
        assert self._posted is not None  # noqa: S101 - a button was pressed
        data = self._posted.copy()  # type: ignore[attr-defined]
        count = data.get(f"{_ROWS}-TOTAL_FORMS", "0")
        number = int(count) if count.isascii() and count.isdigit() and len(count) < 4 else 0
        data[f"{_ROWS}-TOTAL_FORMS"] = str(min(number + 1, MOST_HOURS))
        self.rows = HoursFormSet(data, prefix=_ROWS)

    def is_valid(self) -> bool:
        """Whether it is a tariff that billing takes, its fields' complaints on the form if not."""
        if self._valid is None:
            self._valid = self.form.is_valid() and self.rows.is_valid()
            if self._valid:
                try:
                    value = to_tariff(plain_of(self.form, self.rows), like=self._like)  # type: ignore[arg-type]
                    self.value = parse_tariff(tariff_to_json(value))
                except DomainError as error:
                    show_tariff_refusal(self.form, error)
                    self._valid = False
        return self._valid


class JsonEditor:
    """The object as text, for what the form cannot say."""

    def __init__(self, posted: Mapping[str, Any] | None, *, like: Tariff | None) -> None:
        content = tariff_to_json(like) if like else {"currency": "EUR", "elements": []}
        self._valid: bool | None = None
        self.form: forms.Form = JsonForm(posted, initial={"content": self.text_of(content)})
        self.rows = None

    @staticmethod
    def text_of(content: Mapping[str, Any]) -> str:
        """Indented, numbers with the digits they have."""
        return _written(content, "\n")

    def add_row(self) -> None:
        """The text has no rows."""

    def is_valid(self) -> bool:
        """As `Editor.is_valid`."""
        if self._valid is None:
            self._valid = self.form.is_valid()
            if self._valid:
                try:
                    self.value = parse_tariff(self.form.cleaned_data["content"])
                except DomainError as error:
                    show_tariff_refusal(self.form, error)
                    self._valid = False
        return self._valid


def _written(value: Any, newline: str) -> str:
    """JSON with a line for each member; the standard library would make floats of our numbers."""
    inner = newline + "  "
    if isinstance(value, Mapping) and value:
        members = (f"{dumps(name)}: {_written(each, inner)}" for name, each in value.items())
        return "{" + inner + f",{inner}".join(members) + newline + "}"
    if isinstance(value, list | tuple) and value:
        items = (_written(each, inner) for each in value)
        return "[" + inner + f",{inner}".join(items) + newline + "]"
    return dumps(value)
