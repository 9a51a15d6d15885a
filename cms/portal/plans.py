"""A station's outlets as people fill them in, one line each, and as services take them."""

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from cms.portal.looks import STANDARDS
from stations.models import ChargingStation, Connector
from stations.services.stations import ConnectorPlan, EVSEPlan

MOST_OUTLETS = 32
SPARE_LINES = 2
# A new station has no lines yet; what more it has can be added under its settings.
NEW_LINES = 4
_DC = frozenset({"CHADEMO", "IEC_62196_T1_COMBO", "IEC_62196_T2_COMBO", "TESLA_S"})
# What one phase of 32 A at 230 V gives.
_ONE_PHASE_W = 7_400


class OutletForm(forms.Form):
    """One outlet. `evse` and `connector` are empty on a new line, which becomes the next EVSE."""

    evse = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)
    connector = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)
    standard = forms.ChoiceField(label=_("Plug"), required=False)
    max_power_kw = forms.DecimalField(
        label=_("Power in kW"),
        required=False,
        min_value=Decimal("0.1"),
        max_value=2000,
        max_digits=7,
        decimal_places=3,
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
    )
    remove = forms.BooleanField(label=_("Remove"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = list(STANDARDS.items())
        own = str(self.initial.get("standard") or "")
        if own and own not in STANDARDS:
            known.append((own, own))
        self.fields["standard"].choices = [("", _("No outlet")), *known]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if data.get("max_power_kw") and not data.get("standard") and not data.get("evse"):
            self.add_error("standard", _("Choose the plug of this outlet."))
        return data


class _OutletFormSet(forms.BaseFormSet):  # type: ignore[type-arg]
    """The outlets of one station."""

    def clean(self) -> None:
        named = [
            (line["evse"], line["connector"])
            for line in (form.cleaned_data for form in self.forms if form.is_valid())
            if line.get("evse") and line.get("connector")
        ]
        if len(named) != len(set(named)):
            raise forms.ValidationError(_("Each outlet can be there once only."))

    def plan(self) -> list[EVSEPlan]:
        """Valid lines as `create_station` and `update_station` take them; new ones get the next EVSE."""
        kept = [form for form in self.forms if not form.cleaned_data.get("remove")]
        lines = [form for form in kept if _says_something(form.cleaned_data)]
        evses: dict[int, list[ConnectorPlan]] = {}
        last = max((form.cleaned_data.get("evse") or 0 for form in lines), default=0)
        for form in lines:
            evse_id = form.cleaned_data.get("evse")
            if not evse_id:
                evse_id = last = last + 1
            evses.setdefault(evse_id, []).append(_connector(form))
        return [
            {"evse_id": evse_id, "connectors": connectors}
            for evse_id, connectors in sorted(evses.items())
        ]


def _says_something(line: dict[str, Any]) -> bool:
    return bool(line.get("standard") or line.get("evse"))


OutletFormSet = forms.formset_factory(
    OutletForm, formset=_OutletFormSet, extra=SPARE_LINES, max_num=MOST_OUTLETS, validate_max=True
)


def outlets_of(station: ChargingStation) -> list[dict[str, Any]]:
    """The described outlets as the form set's `initial`."""
    rows = Connector.objects.filter(evse__station=station).select_related("evse")
    return [
        {
            "evse": row.evse.evse_id,
            "connector": row.connector_id,
            "standard": row.standard,
            "power_type": row.power_type,
            "max_power_kw": _kw(row.max_power_w),
        }
        for row in rows.order_by("evse__evse_id", "connector_id")
    ]


def power_type(standard: str, max_power_w: int | None) -> str:
    """OCPI's word for what a plug of this power gives (OCPI 2.2.1 §8.4.19)."""
    if not standard:
        return ""
    if standard in _DC:
        return "DC"
    one_phase = standard == "IEC_62196_T1" or (max_power_w or 0) <= _ONE_PHASE_W
    return "AC_1_PHASE" if max_power_w and one_phase else "AC_3_PHASE"


def _connector(form: forms.Form) -> ConnectorPlan:
    line = form.cleaned_data
    kw = line.get("max_power_kw")
    max_power_w = int(kw * 1000) if kw else None
    # Somebody may have said it better than plug and power can tell.
    as_before = {"standard", "max_power_kw"}.isdisjoint(form.changed_data)
    said = form.initial.get("power_type") if as_before else None
    return {
        "connector_id": line.get("connector") or 1,
        "standard": line["standard"],
        "power_type": said or power_type(line["standard"], max_power_w),
        "max_power_w": max_power_w,
    }


def _kw(power_w: int | None) -> Decimal | None:
    """22, not 22.000 and not 2.2E+1."""
    return Decimal(f"{(Decimal(power_w) / 1000).normalize():f}") if power_w else None
