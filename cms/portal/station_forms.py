"""What people fill in about stations and locations."""

from decimal import Decimal
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from stations.choices import RegistrationStatus, SecurityProfile
from stations.models import Location
from stations.models.station import validate_identity

_PLAIN = {"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}


def _profiles() -> list[tuple[int, Any]]:
    """Profile 3 is left out until client certificates are accepted."""
    profiles = [
        (SecurityProfile.BASIC, _("Password (profile 1)")),
        (SecurityProfile.TLS_BASIC, _("Password over TLS only (profile 2)")),
    ]
    if settings.OCPP_ALLOW_PROFILE_0:
        profiles.append(
            (SecurityProfile.NONE, _("Nothing (profile 0): anybody who knows the identity can pose as it"))
        )  # fmt: skip
    return [(int(profile), words) for profile, words in profiles]


class _StationForm(forms.Form):
    """What is asked of a new station and of one that is there."""

    name = forms.CharField(
        label=_("Name"),
        max_length=120,
        required=False,
        help_text=_("What your team calls it, such as “Mall north, bay 4”."),
    )
    location = forms.ModelChoiceField(
        label=_("Location"),
        queryset=Location.objects.none(),
        required=False,
        empty_label=_("None yet"),
    )
    security_profile = forms.TypedChoiceField(
        label=_("How it signs in"), coerce=int, widget=forms.RadioSelect
    )

    def __init__(self, *args: Any, locations: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["location"].queryset = locations  # type: ignore[attr-defined]
        profiles = _profiles()
        own = self.initial.get("security_profile")
        if own is not None and int(own) not in dict(profiles):
            profiles.append((int(own), SecurityProfile(own).label))
        self.fields["security_profile"].choices = profiles  # type: ignore[attr-defined]

    @property
    def location_id(self) -> str | None:
        """The chosen location's public id; the form is valid."""
        location = self.cleaned_data["location"]
        return str(location.pk) if location else None


class NewStationForm(_StationForm):
    """A station that is about to be installed."""

    identity = forms.CharField(
        label=_("Identity"),
        max_length=48,
        validators=[validate_identity],
        help_text=_(
            "Its name on the wire, as set in the station (charge point id). Letters, digits, blank and "
            "* _ = + | @ . - only. It cannot be changed later."
        ),
        widget=forms.TextInput(attrs=_PLAIN),
    )

    field_order = ("identity", "name", "location", "security_profile")


class StationSettingsForm(_StationForm):
    """What can be changed about a station."""

    registration_status = forms.ChoiceField(
        label=_("Answer to its boot notice"),
        choices=[
            (RegistrationStatus.ACCEPTED, _("Accepted: it may charge")),
            (RegistrationStatus.PENDING, _("Pending: it may be configured, not charge")),
            (RegistrationStatus.REJECTED, _("Rejected: it is to keep quiet")),
        ],
    )
    assumes_ocpp16 = forms.BooleanField(
        label=_("Assume OCPP 1.6 where it names no version"), required=False
    )
    accepts_literal_hex = forms.BooleanField(
        label=_("Also accept its password's hexadecimal digits as text"),
        required=False,
        help_text=_(
            "Some stations send the key as it was typed instead of the bytes it stands for."
        ),
    )


class LocationForm(forms.Form):
    """A site."""

    name = forms.CharField(label=_("Name"), max_length=255)
    address = forms.CharField(label=_("Street and number"), max_length=45, required=False)
    postal_code = forms.CharField(label=_("Postal code"), max_length=10, required=False)
    city = forms.CharField(label=_("City"), max_length=45, required=False)
    country = forms.CharField(
        label=_("Country"),
        max_length=2,
        required=False,
        validators=[
            RegexValidator(r"\A[A-Za-z]{2}\Z", _("A country has two letters, such as DE."))
        ],
        help_text=_("Two letters (ISO 3166-1), such as DE, KE or MW."),
    )
    latitude = forms.DecimalField(
        label=_("Latitude"),
        required=False,
        min_value=Decimal(-90),
        max_value=Decimal(90),
        max_digits=10,
        decimal_places=7,
        help_text=_("Degrees with decimals, north is positive: -13.9626"),
        widget=forms.TextInput(attrs=_PLAIN | {"inputmode": "text"}),
    )
    longitude = forms.DecimalField(
        label=_("Longitude"),
        required=False,
        min_value=Decimal(-180),
        max_value=Decimal(180),
        max_digits=10,
        decimal_places=7,
        help_text=_("Degrees with decimals, east is positive: 33.7741"),
        widget=forms.TextInput(attrs=_PLAIN | {"inputmode": "text"}),
    )
    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        help_text=_("Tariffs by the hour and all times of the site follow it."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zones = sorted(available_timezones() | {str(self.initial.get("time_zone") or "UTC")})
        self.fields["time_zone"].choices = [(zone, zone) for zone in zones]  # type: ignore[attr-defined]

    def clean_country(self) -> str:
        return str(self.cleaned_data["country"]).upper()

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        half = (data.get("latitude") is None) != (data.get("longitude") is None)
        if half and not {"latitude", "longitude"} & set(self.errors):
            missing = "latitude" if data.get("latitude") is None else "longitude"
            self.add_error(missing, _("A place on the map needs both."))
        return data
