"""What people fill in about firmware and logs."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.services.actors import Actor
from cms.portal.forms import StationForm
from stations.maintenance.firmware import LOCATION_MAX
from stations.models import ChargingStation, FirmwareFile
from stations.selectors.upkeep import firmware_files_for

_FILES_OFFERED = 200
_MOMENT = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")


class SpanForm(forms.Form):
    """From when until when; either may be left out."""

    from_at = forms.DateTimeField(
        label=_("From"), required=False, widget=_MOMENT, help_text=_("Times are UTC.")
    )
    to_at = forms.DateTimeField(label=_("Until"), required=False, widget=_MOMENT)

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        begin, end = self.cleaned_data.get("from_at"), self.cleaned_data.get("to_at")
        if begin and end and begin >= end:
            self.add_error("to_at", _("This must be later than the beginning."))
        return cleaned


class UpdateFirmwareForm(StationForm):
    """A file of ours or an address, and when to begin."""

    firmware = forms.ModelChoiceField(
        label=_("Firmware"),
        queryset=FirmwareFile.objects.none(),
        required=False,
        empty_label=_("From another address, given below"),
    )
    location = forms.CharField(
        label=_("Address"),
        required=False,
        max_length=LOCATION_MAX,
        help_text=_("Only without a file from here: where the maker keeps it, https:// or ftp://."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    retrieve_at = forms.DateTimeField(
        label=_("Begin at"),
        required=False,
        widget=_MOMENT,
        help_text=_("UTC; empty for at once."),
    )
    signed = forms.BooleanField(
        label=_("Signed"),
        required=False,
        help_text=_(
            "The station checks the maker's signature. Only stations with the security extension can; the file "
            "must have been uploaded with its signature."
        ),
    )

    def offer(self, actor: Actor, station: ChargingStation) -> None:
        newest = firmware_files_for(actor).order_by("-pk")[:_FILES_OFFERED]
        field: Any = self.fields["firmware"]
        field.queryset = FirmwareFile.objects.filter(pk__in=[row.pk for row in newest])

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        file, location = self.cleaned_data.get("firmware"), self.cleaned_data.get("location")
        if "firmware" in self.cleaned_data and bool(file) == bool(location):
            self.add_error("firmware", _("Choose a file or give an address."))
        return cleaned


class FirmwareForm(forms.Form):
    """A firmware file and what is said about it."""

    file = forms.FileField(label=_("File"), allow_empty_file=True)
    version = forms.CharField(
        label=_("Version"),
        max_length=50,
        help_text=_("As the station will name it once it runs."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    vendor = forms.CharField(label=_("Made by"), max_length=50, required=False)
    model = forms.CharField(label=_("For the model"), max_length=50, required=False)
    signing_certificate = forms.CharField(
        label=_("Signing certificate"),
        max_length=5500,
        required=False,
        help_text=_("From the maker, in PEM; only for signed updates."),
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
    )
    signature = forms.CharField(
        label=_("Signature"),
        max_length=800,
        required=False,
        help_text=_("From the maker, in base64."),
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
    )
