"""Reservations and local lists for people: how each stands, and why."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models.id_token import mask_uid
from cms.portal.looks import Look
from cms.portal.past import Past
from stations.choices import ReservationStatus
from stations.models import LocalList, Reservation
from stations.services import local_lists, reservations
from stations.services.local_list_rules import EMPTY, NO_LIST

STATUS: dict[str, Look] = {
    ReservationStatus.REQUESTED: Look(ReservationStatus.REQUESTED.label, "busy", "clock"),
    ReservationStatus.RESERVED: Look(ReservationStatus.RESERVED.label, "busy", "flag"),
    ReservationStatus.REJECTED: Look(ReservationStatus.REJECTED.label, "bad", "cross"),
    ReservationStatus.USED: Look(ReservationStatus.USED.label, "good", "check"),
    ReservationStatus.EXPIRED: Look(ReservationStatus.EXPIRED.label, "offline", "clock"),
    ReservationStatus.CANCELLED: Look(ReservationStatus.CANCELLED.label, "offline", "cross"),
    ReservationStatus.REMOVED: Look(ReservationStatus.REMOVED.label, "warn", "flag"),
}
# How a card on a list stands (OCPP 1.6 §7.2).
CARD: dict[str, Look] = {
    "Accepted": Look(gettext_lazy("May charge"), "good", "check"),
    "Blocked": Look(gettext_lazy("Blocked"), "bad", "cross"),
    "Expired": Look(gettext_lazy("Expired"), "offline", "clock"),
    "Invalid": Look(gettext_lazy("Invalid"), "bad", "cross"),
}
CARDS_SHOWN = 50

_WHY_REFUSED: dict[str, str | Promise] = {
    "Occupied": gettext_lazy("The connector is in use."),
    "Faulted": gettext_lazy("The connector has a fault."),
    "Unavailable": gettext_lazy("The connector is out of service."),
    "Rejected": gettext_lazy("The station refused."),
    "NotSupported": gettext_lazy("The station cannot keep a connector free."),
    "NotImplemented": gettext_lazy("The station cannot keep a connector free."),
}
_WHY: dict[str, str | Promise] = {
    reservations.NOT_SENT: gettext_lazy("It was never sent."),
    reservations.REPLACED: gettext_lazy("A newer reservation took its place."),
    reservations.UNKNOWN_THERE: gettext_lazy("The station says that it has no such reservation."),
}
_WHY_NO_LIST: dict[str, str | Promise] = {
    "Failed": gettext_lazy("The station could not take the list that was sent last."),
    "NotSupported": gettext_lazy("The station says that it keeps no list of cards."),
    "NotImplemented": gettext_lazy("The station says that it keeps no list of cards."),
    "VersionMismatch": gettext_lazy("The station has another version than we thought."),
    local_lists.NO_ANSWER: gettext_lazy(
        "The station did not answer; whether it took the list is not known."
    ),
    local_lists.NOT_SENT: gettext_lazy("The last list was never sent."),
}


@dataclass(frozen=True, slots=True)
class ReservationView:
    """One reservation."""

    row: Reservation

    @property
    def look(self) -> Look:
        return STATUS[self.row.status]

    @property
    def card(self) -> str:
        return mask_uid(self.row.id_token_uid)

    @property
    def is_open(self) -> bool:
        return self.row.status in reservations.OPEN

    @property
    def past(self) -> Past:
        row = self.row
        return Past(self.card, row.reservation_id, row.evse_id, row.ended_at, self.look, self.words)

    @property
    def words(self) -> str:
        """What the status does not say; may be empty."""
        reason = self.row.reason
        if reason == reservations.NO_ANSWER:
            if self.is_open:
                return _("The station did not answer; it may keep it free all the same.")
            return _("The station never said whether it kept it free.")
        if self.row.status == ReservationStatus.REJECTED:
            return str(_WHY_REFUSED.get(reason, reason))
        if self.row.status == ReservationStatus.REQUESTED:
            return _("The station has not answered yet.")
        return str(_WHY.get(reason, reason))


@dataclass(frozen=True, slots=True)
class CardView:
    """One card on a station's list."""

    card: str
    look: Look


@dataclass(frozen=True, slots=True)
class LocalListView:
    """A station's list: what it has in a sentence, what is the matter in another, and the first cards."""

    row: LocalList
    is_under_way: bool

    @property
    def is_told(self) -> bool:
        return self.row.version is not None

    @property
    def words(self) -> str:
        version, entries = self.row.version, self.row.entries
        if version is None:
            return _("Nobody knows yet what this station keeps.")
        if version == NO_LIST:
            return _("The station keeps no list of cards.")
        if version == EMPTY:
            return _("Its list is empty.")
        if entries is None:
            return _("It has version %(version)s, which did not come from here.") % {
                "version": version
            }
        return ngettext(
            "%(count)s card, version %(version)s",
            "%(count)s cards, version %(version)s",
            len(entries),
        ) % {"count": len(entries), "version": version}

    @property
    def trouble(self) -> str:
        """Why the last request about it did not come to what was asked; may be empty."""
        refusal = self.row.refusal
        if not refusal:
            return ""
        return str(
            _WHY_NO_LIST.get(refusal) or _("The station answered: %(code)s") % {"code": refusal}
        )

    @property
    def cards(self) -> list[CardView]:
        return [_card(entry) for entry in (self.row.entries or [])[:CARDS_SHOWN]]

    @property
    def more(self) -> int:
        return max(0, len(self.row.entries or []) - CARDS_SHOWN)


def _card(entry: dict[str, Any]) -> CardView:
    status = str(entry.get("idTagInfo", {}).get("status", ""))
    return CardView(mask_uid(entry["idTag"]), CARD.get(status) or Look(status, "busy", "dot"))


def reservation_views(rows: Iterable[Reservation]) -> Sequence[ReservationView]:
    """As they come."""
    return [ReservationView(row) for row in rows]
