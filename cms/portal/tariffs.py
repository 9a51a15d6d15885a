"""Tariffs as the portal shows them: where each applies, what is without a price, and why a tariff applies."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import IdTokenGroup
from accounts.selectors import id_token_groups_for
from accounts.services.actors import Actor
from billing.choices import TariffStatus
from billing.models import Tariff, TariffAssignment, TariffVersion
from billing.tariffs.facts import SessionFacts
from billing.tariffs.ocpi import parse_tariff
from billing.tariffs.price import price_to_json
from billing.tariffs.rate import rate
from billing.tariffs.selectors import assignments_for, explain_tariff, tariffs_for
from billing.tariffs.tariff import Tariff as TariffValue
from cms.portal.looks import Look
from cms.portal.tariff_words import (
    PriceLine,
    assignment_words,
    clauses_of,
    explained,
    summary_of,
    target_words,
    terms_of,
)
from stations.models import ChargingStation, Location
from stations.selectors.locations import locations_for
from stations.selectors.stations import stations_for

TARIFF: dict[str, Look] = {
    TariffStatus.DRAFT: Look(TariffStatus.DRAFT.label, "busy", "clock"),
    TariffStatus.ACTIVE: Look(TariffStatus.ACTIVE.label, "good", "check"),
    TariffStatus.RETIRED: Look(TariffStatus.RETIRED.label, "offline", "cross"),
}


@dataclass(frozen=True, slots=True)
class TariffView:
    """One tariff of the list."""

    tariff: Tariff
    look: Look
    summary: str
    targets: list[str]


def tariff_views(actor: Actor) -> list[TariffView]:
    """All tariffs, those in use first; an operator has few. Two queries."""
    targets: dict[int, list[str]] = {}
    for assignment in assignments_for(actor).order_by("pk"):
        targets.setdefault(assignment.tariff_id, []).append(target_words(assignment))
    order = [TariffStatus.ACTIVE, TariffStatus.DRAFT, TariffStatus.RETIRED]
    views = [
        TariffView(
            tariff,
            TARIFF[tariff.status],
            summary_of(parse_tariff(tariff.latest_content)),  # type: ignore[attr-defined]
            targets.get(tariff.pk, []),
        )
        for tariff in tariffs_for(actor)
    ]
    return sorted(
        views, key=lambda view: (order.index(TariffStatus(view.tariff.status)), not view.targets)
    )


def stations_without_price(actor: Actor) -> QuerySet[ChargingStation]:
    """Stations whose whole no assignment in force covers: not theirs, not their location's, not the operator's."""
    in_force = TariffAssignment.objects.filter(
        operator=actor.operator,
        removed_at__isnull=True,
        group__isnull=True,
        evse_id__isnull=True,
        tariff__status=TariffStatus.ACTIVE,
    )
    if in_force.filter(station__isnull=True, location__isnull=True).exists():
        return ChargingStation.objects.none()
    return stations_for(actor).exclude(
        Q(pk__in=in_force.filter(station__isnull=False).values("station_id"))
        | Q(location_id__in=in_force.filter(location__isnull=False).values("location_id"))
    )


@dataclass(frozen=True, slots=True)
class VersionView:
    """One version in words."""

    version: TariffVersion
    value: TariffValue

    @property
    def clauses(self) -> list[Any]:
        return list(clauses_of(self.value))

    @property
    def terms(self) -> list[str]:
        return terms_of(self.value)


def versions_of(tariff: Tariff, *, most: int = 50) -> list[VersionView]:
    """The newest versions, newest first."""
    rows = TariffVersion.objects.filter(tariff=tariff).order_by("-version")[:most]
    return [VersionView(row, parse_tariff(row.content)) for row in rows]


@dataclass(frozen=True, slots=True)
class Placed:
    """An assignment with where it applies, in words."""

    assignment: TariffAssignment
    where: str


def placed(actor: Actor, tariff: Tariff) -> list[Placed]:
    """Where a tariff applies now."""
    rows = assignments_for(actor).filter(tariff=tariff).order_by("pk")
    return [Placed(row, target_words(row)) for row in rows]


@dataclass(frozen=True, slots=True)
class Example:
    """What a session would cost, line by line."""

    price: dict[str, Any]
    lines: list[PriceLine]


def example_of(tariff: TariffValue, facts: SessionFacts) -> Example:
    """By the one function that also makes the bill."""
    price = price_to_json(rate(tariff, facts, final=True))
    return Example(price, explained(price))


@dataclass(frozen=True, slots=True)
class Rung:
    """One assignment that was looked at: what it says and what came of it."""

    where: str
    tariff: Tariff
    outcome: str
    applies: bool


@dataclass(frozen=True, slots=True)
class ChoiceView:
    """Which tariff an EVSE has now and why; None where it has none."""

    evse_id: int
    tariff: Tariff | None
    version: TariffVersion | None
    why: str
    summary: str
    rungs: list[Rung]


def choices_at(
    station: ChargingStation, *, id_token_id: int | None, now: datetime
) -> list[ChoiceView]:
    """For each EVSE of a station (or one, where none is known), by the walk that sessions are priced by."""
    evse_ids = list(station.evses.order_by("evse_id").values_list("evse_id", flat=True)) or [1]
    return [_choice(station, evse_id, id_token_id, now) for evse_id in evse_ids]


def _choice(
    station: ChargingStation, evse_id: int, id_token_id: int | None, now: datetime
) -> ChoiceView:
    choice = explain_tariff(
        station_id=station.pk, evse_id=evse_id, id_token_id=id_token_id, at=now, as_of=now
    )
    rungs = [
        Rung(
            target_words(a),
            a.tariff,
            _("Its dates do not hold today, so it was passed over."),
            False,
        )
        for a in choice.out_of_date
    ]
    if choice.assignment is not None:
        a = choice.assignment
        rungs.append(Rung(target_words(a), a.tariff, _("This one applies."), True))
    rungs += [
        Rung(target_words(a), a.tariff, _("A narrower or newer assignment comes first."), False)
        for a in choice.outdone
    ]
    version = choice.version
    return ChoiceView(
        evse_id,
        version.tariff if version else None,
        version,
        assignment_words(choice.assignment) if choice.assignment else "",
        summary_of(parse_tariff(version.content)) if version else "",
        rungs,
    )


class AssignForm(forms.Form):
    """Where a tariff is to apply: exactly one kind of place."""

    target = forms.ChoiceField(
        label=gettext_lazy("Applies to"),
        widget=forms.RadioSelect,
        choices=[
            ("operator", gettext_lazy("Everything you have, where nothing narrower is said")),
            ("location", gettext_lazy("One location")),
            ("station", gettext_lazy("One station, or one EVSE of it")),
            ("group", gettext_lazy("Cards of one group, wherever they charge")),
        ],
        initial="operator",
    )
    location = forms.ModelChoiceField(
        label=gettext_lazy("Location"), queryset=Location.objects.none(), required=False
    )
    station = forms.CharField(
        label=gettext_lazy("Station"),
        required=False,
        max_length=48,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "spellcheck": "false", "list": "stations"}
        ),
        help_text=gettext_lazy("Its identity."),
    )
    evse_id = forms.IntegerField(
        label=gettext_lazy("EVSE"),
        required=False,
        min_value=1,
        max_value=2**31 - 1,
        help_text=gettext_lazy("Empty means all of the station."),
    )
    group = forms.ModelChoiceField(
        label=gettext_lazy("Group"), queryset=IdTokenGroup.objects.none(), required=False
    )

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._actor = actor
        self.fields["location"].queryset = locations_for(actor)  # type: ignore[attr-defined]
        self.fields["group"].queryset = id_token_groups_for(actor)  # type: ignore[attr-defined]

    def clean_station(self) -> ChargingStation | None:
        identity = self.cleaned_data["station"].replace("\0", "").strip()
        if not identity:
            return None
        station = stations_for(self._actor).filter(identity__iexact=identity).first()
        if station is None:
            raise forms.ValidationError(_("You have no station of this identity."))
        return station

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        target = data.get("target")
        is_named = target == "operator" or data.get(target or "") or target in self.errors
        if target and not is_named:
            self.add_error(target, _("Choose which one."))
        return data

    @property
    def place(self) -> dict[str, Any]:
        """The target for the service; the form is valid."""
        data = self.cleaned_data
        match data["target"]:
            case "location":
                return {"location": data["location"]}
            case "station":
                return {"station": data["station"], "evse_id": data["evse_id"]}
            case "group":
                return {"group": data["group"]}
            case _:
                return {}
