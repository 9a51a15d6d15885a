"""What a domain function refuses, as errors of the form that asked for it."""

from django import forms
from django.utils.translation import gettext, gettext_noop

from cms.base.errors import DomainError

# Sentences of code that is pure and so knows no languages (`billing.tariffs`), marked for the translators.
_FROM_PURE_CODE = (
    gettext_noop("The session ends before it begins."),
    gettext_noop("The meter shows less at the end of the session than at its start."),
    gettext_noop("The reservation begins after the session."),
    gettext_noop("A quote needs energy and times that are not negative."),
    gettext_noop("This field is required."),
    gettext_noop("There is no such field."),
    gettext_noop("Must be an object."),
    gettext_noop("Must be an ISO 4217 currency code, such as EUR."),
    gettext_noop("Must lie after start_date_time."),
    gettext_noop("Must not lie below min_price."),
    gettext_noop("Must name excl_vat, incl_vat or both."),
    gettext_noop("Must be an ISO 3166 country code of two capitals, such as DE."),
    gettext_noop("Must be a text of up to 120 characters."),
    gettext_noop("Must not name a dimension twice."),
    gettext_noop("A reservation is priced by FLAT and TIME only."),
)


def told(sentence: str) -> str:
    """A sentence of a domain function in the reader's language; one that is in it already stays."""
    return gettext(sentence)


def show_refusal(form: forms.Form, error: DomainError) -> None:
    """Put the sentences beside the fields they are about, the others above the form."""
    fields = error.data.get("fields") or {}
    if not fields:
        form.add_error(None, told(error.message))
    for name, sentences in fields.items():
        own = name.removeprefix("payload.")
        form.add_error(own if own in form.fields else None, [told(one) for one in sentences])
