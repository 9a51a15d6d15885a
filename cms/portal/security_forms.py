"""What people fill in about a station's security."""

from django import forms
from django.utils.translation import gettext_lazy as _

from cms.portal.forms import message_choices
from stations.choices import SecurityProfile
from stations.maintenance.x509 import Unacceptable, read_certificates

_MAX_PEM = 5500  # InstallCertificate.req's certificate


class RaiseProfileForm(forms.Form):
    """The security profile that a station is to rise to."""

    profile = forms.TypedChoiceField(
        label=_("Security profile"),
        coerce=int,
        choices=[
            (profile.value, profile.label)
            for profile in SecurityProfile
            if profile != SecurityProfile.NONE
        ],
        initial=SecurityProfile.TLS_BASIC.value,
    )


class NewKeyForm(forms.Form):
    """How a station takes a key that is made here."""

    form = forms.ChoiceField(
        label=_("How it is written"),
        widget=forms.RadioSelect,
        choices=[
            ("hex", _("Twenty bytes as hexadecimal digits, as OCPP 1.6 has it")),
            ("text", _("Twenty characters, for stations that take the key for text")),
        ],
        initial="hex",
    )


class RootUseForm(forms.Form):
    """What the root certificates are for."""

    use = forms.ChoiceField(
        label=_("Kind"),
        widget=forms.RadioSelect,
        choices=[
            ("CentralSystemRootCertificate", _("Roots that sign our server")),
            ("ManufacturerRootCertificate", _("Roots that sign firmware")),
        ],
        initial="CentralSystemRootCertificate",
    )


class InstallRootForm(RootUseForm):
    """A root certificate for the station."""

    certificate = forms.CharField(
        label=_("Certificate"),
        max_length=_MAX_PEM,
        help_text=_("In PEM form, with its BEGIN and END lines."),
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false", "autocomplete": "off"}),
    )

    def clean_certificate(self) -> str:
        pem: str = self.cleaned_data["certificate"]
        try:
            found = read_certificates(pem)
        except Unacceptable as error:
            raise forms.ValidationError(_("This is no certificate in PEM form.")) from error
        if len(found) != 1:
            raise forms.ValidationError(_("Give one certificate at a time."))
        return pem


class DeleteRootForm(forms.Form):
    """Which certificate; comes with the link."""

    certificate = forms.CharField(max_length=20, widget=forms.HiddenInput)


class ExtendedTriggerForm(forms.Form):
    """Which message, by the security extension's own trigger."""

    evse_id = forms.IntegerField(
        min_value=1, max_value=2**31 - 1, required=False, widget=forms.HiddenInput
    )
    message = forms.ChoiceField(
        label=_("Message"),
        choices=message_choices(
            "LogStatusNotification",
            "FirmwareStatusNotification",
            "SignChargePointCertificate",
            "BootNotification",
            "StatusNotification",
            "MeterValues",
            "Heartbeat",
        ),
    )
