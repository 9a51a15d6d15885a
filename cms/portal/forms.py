"""What people fill in."""

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.choices import IdTokenStatus
from accounts.services.actors import Actor
from stations.models import ChargingStation, Location

_EVSE_MOST = 2**31 - 1

# What a station can be asked to send (OCPP 1.6 §7.1, MessageTrigger; Improved security, §4.6).
MESSAGES: dict[str, str | Promise] = {
    "StatusNotification": _("Status of its connectors"),
    "MeterValues": _("Meter readings"),
    "Heartbeat": _("A sign of life"),
    "BootNotification": _("Boot notice: model, firmware, serial number"),
    "DiagnosticsStatusNotification": _("State of a diagnostics upload"),
    "FirmwareStatusNotification": _("State of a firmware update"),
    "LogStatusNotification": _("State of a log upload"),
    "SignChargePointCertificate": _("A request for a new certificate"),
}


def message_choices(*names: str) -> list[tuple[str, str | Promise]]:
    """These messages, for a choice."""
    return [(name, MESSAGES[name]) for name in names]


class NothingForm(forms.Form):
    """A question that is answered with yes."""


class StationForm(forms.Form):
    """A form whose choices depend on the station, or on who asks."""

    def offer(self, actor: Actor, station: ChargingStation) -> None:
        """Fill the choices; called before anything is validated or shown."""


class EvseForm(forms.Form):
    """Which EVSE; empty is the station as a whole. Comes with the link, so it is not shown."""

    evse_id = forms.IntegerField(
        min_value=1, max_value=_EVSE_MOST, required=False, widget=forms.HiddenInput
    )


class OneEvseForm(forms.Form):
    """An EVSE that must be named."""

    evse_id = forms.IntegerField(min_value=1, max_value=_EVSE_MOST, widget=forms.HiddenInput)


class StartForm(OneEvseForm):
    """A card or token to charge on."""

    id_token = forms.CharField(
        label=_("Card or token"),
        max_length=255,
        help_text=_("The whole number, as on the card. The session is billed to it."),
        widget=forms.TextInput(attrs={"list": "id-tokens", "autocomplete": "off"}),
    )
    limit_kw = forms.DecimalField(
        label=_("At most, in kW"),
        required=False,
        min_value=0,
        max_value=10_000,
        decimal_places=3,
        help_text=_("Empty for all that station and vehicle can do."),
    )


class StopForm(forms.Form):
    """The transaction to end. Comes with the link."""

    transaction = forms.CharField(max_length=20, widget=forms.HiddenInput)


class TriggerForm(EvseForm):
    """Which message the station is to send now (OCPP 1.6 §7.1, MessageTrigger)."""

    message = forms.ChoiceField(
        label=_("Message"),
        choices=message_choices(
            "StatusNotification",
            "MeterValues",
            "Heartbeat",
            "BootNotification",
            "DiagnosticsStatusNotification",
            "FirmwareStatusNotification",
        ),
    )


class GetConfigurationForm(forms.Form):
    """Which settings to read."""

    keys = forms.CharField(
        label=_("Settings"),
        required=False,
        max_length=2000,
        help_text=_("Names with commas between them; leave empty for all."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def clean_keys(self) -> list[str]:
        return [key.strip() for key in self.cleaned_data["keys"].split(",") if key.strip()]


class ChangeConfigurationForm(forms.Form):
    """One setting and its new value."""

    key = forms.CharField(
        label=_("Setting"),
        max_length=50,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    value = forms.CharField(
        label=_("New value"),
        max_length=500,
        required=False,
        strip=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


class AdoptionForm(forms.Form):
    """What an unknown station is to become."""

    name = forms.CharField(
        label=_("Name"),
        max_length=120,
        required=False,
        help_text=_("What your team calls it, such as “Mall north, bay 4”."),
    )
    location = forms.ModelChoiceField(
        label=_("Location"), queryset=Location.objects.none(), required=False
    )
    protection = forms.ChoiceField(
        label=_("How it signs in"),
        widget=forms.RadioSelect,
        choices=[
            ("password", _("With a password, made now and shown once")),
            ("none", _("Without a password: anybody who knows the identity can pose as it")),
        ],
        initial="password",
    )

    def __init__(self, *args: Any, locations: Any, allow_open: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["location"].queryset = locations  # type: ignore[attr-defined]
        if not allow_open:
            del self.fields["protection"]


class UnknownIdTokenForm(forms.Form):
    """What an unknown card is to become."""

    status = forms.ChoiceField(
        label=_("From now on"),
        widget=forms.RadioSelect,
        choices=[
            (IdTokenStatus.ACCEPTED, _("Accept it: whoever holds the card may charge")),
            (IdTokenStatus.BLOCKED, _("Block it: it is refused and no longer listed here")),
        ],
        initial=IdTokenStatus.ACCEPTED,
    )


class WaiveForm(forms.Form):
    """Why a session in review is not billed."""

    reason = forms.CharField(
        label=_("Why nothing is billed"),
        max_length=500,
        help_text=_("Kept in the audit log."),
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class ReleaseForm(forms.Form):
    """Why a session that was in review may be billed, and by which energy."""

    energy_kwh = forms.DecimalField(
        label=_("Energy in kWh"),
        required=False,
        min_value=0,
        max_value=1_000_000,
        max_digits=10,
        decimal_places=3,
        help_text=_("Only where the registers are wrong; empty takes what the station reported."),
    )
    reason = forms.CharField(
        label=_("Why it may be billed"),
        max_length=500,
        help_text=_("Kept in the audit log."),
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    @property
    def energy_wh(self) -> int | None:
        """The energy in Wh; the form is valid."""
        energy_kwh: Decimal | None = self.cleaned_data["energy_kwh"]
        return None if energy_kwh is None else int(energy_kwh * 1000)
