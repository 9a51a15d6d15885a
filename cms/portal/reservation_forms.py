"""What people fill in about reservations and lists of cards."""

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import IdTokenGroup
from accounts.models.id_token import mask_uid
from accounts.selectors import id_token_groups_for
from accounts.services.actors import Actor
from cms.portal.forms import StationForm
from cms.portal.planning_forms import EvseChoiceForm
from stations.models import ChargingStation, Reservation
from stations.selectors.planning import reservations_for
from stations.services.reservations import OPEN

_MOST_MINUTES = 7 * 24 * 60


class ReserveForm(EvseChoiceForm):
    """For which card, where and how long."""

    id_token = forms.CharField(
        label=_("Card or token"),
        max_length=255,
        help_text=_("The whole number, as on the card. Nobody else can start there."),
        widget=forms.TextInput(attrs={"list": "id-tokens", "autocomplete": "off"}),
    )
    minutes = forms.IntegerField(
        label=_("For how many minutes"), min_value=1, max_value=_MOST_MINUTES, initial=30
    )
    field_order = ("id_token", "evse_id", "minutes")

    def offer(self, actor: Actor, station: ChargingStation) -> None:
        super().offer(actor, station)
        # Few stations can keep just any place free.
        first = station.evses.order_by("evse_id").first()
        if first is not None:
            self.initial.setdefault("evse_id", first.evse_id)


class CancelReservationForm(StationForm):
    """Which of the open ones. Comes with the link, and can be chosen."""

    reservation = forms.ModelChoiceField(
        label=_("Reservation"), queryset=Reservation.objects.none(), empty_label=None
    )

    def offer(self, actor: Actor, station: ChargingStation) -> None:
        field = self.fields["reservation"]
        field.queryset = reservations_for(actor).filter(station=station, status__in=OPEN)  # type: ignore[attr-defined]
        field.label_from_instance = _reservation_label  # type: ignore[attr-defined]


def _reservation_label(row: Reservation) -> str:
    where = f"EVSE {row.evse_id}" if row.evse_id else str(_("The whole station"))
    return f"{row.reservation_id} · {where} · {mask_uid(row.id_token_uid)}"


class SendLocalListForm(StationForm):
    """All cards or what changed, and whose."""

    update = forms.ChoiceField(
        label=_("What to send"),
        widget=forms.RadioSelect,
        choices=[
            ("full", _("The whole list, in place of what the station has")),
            ("differential", _("Only what changed since the list that it has")),
        ],
        initial="full",
    )
    group = forms.ModelChoiceField(
        label=_("Whose cards"),
        queryset=IdTokenGroup.objects.none(),
        required=False,
        empty_label=_("All that may charge"),
    )

    def offer(self, actor: Actor, station: ChargingStation) -> None:
        self.fields["group"].queryset = id_token_groups_for(actor)  # type: ignore[attr-defined]
