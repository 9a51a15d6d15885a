"""What drivers type."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from cms.drivers.places import POWERS_KW
from stations.services.connector_codes import normal_code


class EmailForm(forms.Form):
    """An address alone: to send a mail to."""

    email = forms.EmailField(
        label=_("E-mail address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email", "inputmode": "email"}),
    )


class RegisterForm(EmailForm):
    """A new driver. What is wrong with a password the domain function says."""

    name = forms.CharField(
        label=_("Name"),
        max_length=120,
        required=False,
        help_text=_("Printed on your receipts. You may leave it empty."),
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    password = forms.CharField(
        label=_("Password"),
        max_length=128,
        strip=False,
        help_text=_(
            "At least eight characters, and not one of the passwords that many people use."
        ),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    field_order = ("email", "password", "name")


class CodeForm(forms.Form):
    """The eight characters on a label, as anybody may type them."""

    code = forms.CharField(
        label=_("Code on the label"),
        max_length=20,
        widget=forms.TextInput(
            attrs={"autocapitalize": "characters", "autocomplete": "off", "spellcheck": "false"}
        ),
        error_messages={"required": _("Type the eight characters on the station's label.")},
    )

    def clean_code(self) -> str:
        code = normal_code(self.cleaned_data["code"])
        if code is None:
            raise forms.ValidationError(
                _("A code has eight letters and digits. Look at the label beside the connector.")
            )
        return code


def site_filter(data: Any) -> dict[str, Any]:
    """`?q=`, `?power=` and `?free=` of the list; whatever makes no sense filters nothing."""
    power = data.get("power", "")
    known = {str(kw): kw for kw in POWERS_KW}
    return {
        "search": data.get("q", "").replace("\0", "").strip()[:60],
        "power_kw": known.get(power),
        "only_free": bool(data.get("free")),
    }
