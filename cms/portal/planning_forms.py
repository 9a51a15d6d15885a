"""What people fill in about charging profiles at a station, and requests in OCPP's own words."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.services.actors import Actor
from cms.base.json import loads
from cms.portal.forms import StationForm
from cms.portal.profile_words import PURPOSES
from stations.choices import TransactionStatus
from stations.models import ChargingProfile, ChargingStation, InstalledProfile, Transaction
from stations.ocpp.schemas import SENDERS, Sender
from stations.selectors.charging_profiles import charging_profiles_for, installed_profiles_for
from stations.services.commands import VERSIONS

WHOLE_STATION = 0
_MOST_EVSES = 200
_MAX_PAYLOAD = 100_000


def _evse_choices(station: ChargingStation) -> list[tuple[int, Any]]:
    numbers = station.evses.order_by("evse_id").values_list("evse_id", flat=True)[:_MOST_EVSES]
    return [(WHOLE_STATION, _("The whole station")), *((n, f"EVSE {n}") for n in numbers)]


class EvseChoiceForm(StationForm):
    """Where; the station as a whole is 0."""

    evse_id = forms.TypedChoiceField(label=_("Where"), coerce=int)

    def offer(self, actor: Actor, station: ChargingStation) -> None:
        self.fields["evse_id"].choices = _evse_choices(station)  # type: ignore[attr-defined]


class InstallProfileForm(EvseChoiceForm):
    """A profile of the library, and where it is to hold."""

    profile = forms.ModelChoiceField(
        label=_("Charging profile"), queryset=ChargingProfile.objects.none(), empty_label=None
    )
    transaction = forms.ModelChoiceField(
        label=_("Session"),
        queryset=Transaction.objects.none(),
        required=False,
        empty_label=_("None"),
        help_text=_("Only a profile for one session needs one; it then holds there."),
    )
    field_order = ("profile", "evse_id", "transaction")

    def offer(self, actor: Actor, station: ChargingStation) -> None:
        super().offer(actor, station)
        self.fields["profile"].queryset = charging_profiles_for(actor)  # type: ignore[attr-defined]
        running = Transaction.objects.filter(station=station, status=TransactionStatus.ACTIVE)
        field = self.fields["transaction"]
        field.queryset = running.order_by("evse_id")  # type: ignore[attr-defined]
        field.label_from_instance = lambda tx: f"EVSE {tx.evse_id} · {tx.pk}"  # type: ignore[attr-defined]


class ClearProfileForm(StationForm):
    """Which of the installed ones. Comes with the link, and can be chosen."""

    profile = forms.ModelChoiceField(
        label=_("Charging profile"), queryset=InstalledProfile.objects.none(), empty_label=None
    )

    def offer(self, actor: Actor, station: ChargingStation) -> None:
        field = self.fields["profile"]
        field.queryset = installed_profiles_for(actor, station, statuses=["installed"])  # type: ignore[attr-defined]
        field.label_from_instance = lambda row: (  # type: ignore[attr-defined]
            f"{row.profile_id} · {PURPOSES.get(row.purpose, row.purpose)}"
        )


class ClearProfilesForm(StationForm):
    """What a profile must match to be cleared; what is left open matches everything."""

    where = forms.ChoiceField(label=_("Where"), required=False)
    purpose = forms.ChoiceField(
        label=_("Meant for"), required=False, choices=[("", _("Anything")), *PURPOSES.items()]
    )
    stack_level = forms.IntegerField(
        label=_("Level"), required=False, min_value=0, max_value=2**31 - 1
    )

    def offer(self, actor: Actor, station: ChargingStation) -> None:
        places = [("", _("Anywhere")), *_evse_choices(station)]
        self.fields["where"].choices = places  # type: ignore[attr-defined]

    def clean_where(self) -> int | None:
        where = self.cleaned_data["where"]
        return int(where) if where else None


class CompositeScheduleForm(EvseChoiceForm):
    """For where, how long and in which unit."""

    hours = forms.IntegerField(
        label=_("For how many hours"), min_value=1, max_value=168, initial=24
    )
    unit = forms.ChoiceField(
        label=_("Unit"),
        required=False,
        choices=[("", _("As the station likes")), ("W", "kW"), ("A", "A")],
    )


class DataTransferForm(forms.Form):
    """A message of the maker's own (OCPP 1.6 §5.4)."""

    vendor_id = forms.CharField(label=_("Vendor"), max_length=255)
    message_id = forms.CharField(label=_("Message"), max_length=50, required=False)
    content = forms.CharField(
        label=_("Data"),
        max_length=_MAX_PAYLOAD,
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
    )


class RequestForm(StationForm):
    """Any request that a CSMS may send in the station's version of OCPP, in its own words."""

    action = forms.ChoiceField(label=_("Request"))
    payload = forms.CharField(
        label=_("Payload"),
        max_length=_MAX_PAYLOAD,
        initial="{}",
        help_text=_("JSON as OCPP has it. Ids that Magetsi chooses may be left out."),
        widget=forms.Textarea(
            attrs={"rows": 8, "spellcheck": "false", "class": "mono", "autocomplete": "off"}
        ),
    )

    def offer(self, actor: Actor, station: ChargingStation) -> None:
        state = getattr(station, "state", None)
        version = VERSIONS.get(state.protocol if state else "")
        senders = SENDERS[version] if version is not None else {}
        ours = sorted(name for name, sender in senders.items() if sender is not Sender.STATION)
        self.fields["action"].choices = [(name, name) for name in ours]  # type: ignore[attr-defined]

    def clean_payload(self) -> dict[str, Any]:
        try:
            payload = loads(self.cleaned_data["payload"])
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError(_("This is not JSON.")) from error
        if not isinstance(payload, dict):
            raise forms.ValidationError(_("A payload is an object: { … }."))
        return payload
