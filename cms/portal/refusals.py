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

# What requests to stations, charging profiles, reservations and lists of cards are refused for.
_FROM_STATIONS = (
    gettext_noop("There is a charging profile of this name already."),
    gettext_noop("The transaction is named when the profile is installed."),
    gettext_noop("This station has no such transaction."),
    gettext_noop("A TxProfile belongs to a transaction that runs."),
    gettext_noop("Only a TxProfile belongs to a transaction."),
    gettext_noop("A ChargingStationMaxProfile holds for the station as a whole; leave this out."),
    gettext_noop("This transaction has ended."),
    gettext_noop("The transaction runs at another EVSE."),
    gettext_noop("This profile is not at the station."),
    gettext_noop(
        "A ChargingStationMaxProfile holds without a transaction, so it cannot be relative to the start of one."
    ),
    gettext_noop("A recurring profile says whether it recurs Daily or Weekly."),
    gettext_noop("Only a recurring profile has this."),
    gettext_noop("A stack level is 0 or more."),
    gettext_noop("It would end before it begins."),
    gettext_noop("A recurring profile says when it first begins."),
    gettext_noop(
        "An absolute profile of several periods says when the first begins; one that begins with the transaction is Relative."
    ),
    gettext_noop("A relative profile begins with the transaction, so it has no start of its own."),
    gettext_noop("A duration is more than 0 seconds."),
    gettext_noop("The first period begins at 0."),
    gettext_noop("Each period begins later than the one before it."),
    gettext_noop("That is more seconds than a station can count."),
    gettext_noop("There are 1, 2 or 3 phases."),
    gettext_noop("Only with one phase it matters which."),
    gettext_noop("A limit is 0 or more."),
    gettext_noop("Limits have at most one decimal."),
    gettext_noop("No station could read this time."),
    gettext_noop(
        "OCPP 1.6 takes one schedule in a profile. Make a profile of each, with stack levels of their own."
    ),
    gettext_noop("OCPP 1.6 has nothing like phaseToUse; leave it out for this station."),
    gettext_noop("OCPP 1.6 has nothing like salesTariff; leave it out for this station."),
    gettext_noop("OCPP 1.6 has nothing like customData; leave it out for this station."),
    gettext_noop("This time has passed."),
    gettext_noop("This token is too long for an OCPP 1.6 station."),
    gettext_noop("This token has expired; it may not charge."),
    gettext_noop("This reservation is over."),
    gettext_noop("A list is on its way to this station."),
    gettext_noop("Nobody knows which list this station has; send a full one."),
    gettext_noop("The station's list is as it should be."),
    gettext_noop("This station was never connected, so nobody knows which OCPP version it speaks."),
    gettext_noop("The station is pending; it cannot start or stop charging yet."),
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
