"""The list of sessions: what it is filtered by, its pages, and the same rows as a file."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.db.models import Q, QuerySet
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Driver, IdToken
from accounts.models.id_token import fold_uid
from accounts.services.actors import Actor
from billing.choices import SessionStatus
from billing.models import CDR, ChargingSession
from cms.base.ids import parse_id
from cms.base.money import to_major
from cms.portal.paging import page_by_id
from cms.portal.sessions import SessionView, session_views, sessions_for
from stations.models import ChargingStation

_AT_ONCE = 500
_EARLIEST, _LATEST = date(2000, 1, 1), date(2999, 12, 31)


class SessionFilterForm(forms.Form):
    """What is in the address. A filter that makes no sense is said to be so, and filters nothing."""

    q = forms.CharField(required=False, max_length=120)
    status = forms.ChoiceField(
        label=gettext_lazy("Status"),
        required=False,
        choices=[("", gettext_lazy("Any")), *SessionStatus.choices],
    )
    station = forms.CharField(
        label=gettext_lazy("Station"),
        required=False,
        max_length=48,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    since = forms.DateField(
        label=gettext_lazy("From"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    until = forms.DateField(
        label=gettext_lazy("To"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    review = forms.BooleanField(label=gettext_lazy("Needs review"), required=False)

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        for name in ("since", "until"):
            day = data.get(name)
            if day is not None and not _EARLIEST <= day <= _LATEST:
                self.add_error(name, _("There are no sessions of that day."))
        since, until = data.get("since"), data.get("until")
        if since and until and until < since:
            self.add_error("until", _("This lies before the first day."))
        return data


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """The days are the operator's own, both included. `needs_review` also finds flags on what is billed."""

    q: str = ""
    status: str = ""
    station: str = ""
    since: date | None = None
    until: date | None = None
    needs_review: bool = False

    @property
    def is_set(self) -> bool:
        return self != SessionFilter()

    @property
    def folds_open(self) -> bool:
        """Whether something is set that only the folded part of the form shows."""
        return bool(self.station or self.since or self.until)


def read_filter(query: QueryDict) -> tuple[SessionFilterForm, SessionFilter]:
    """The form, bound, and what of it is sound."""
    form = SessionFilterForm({name: query.get(name, "").replace("\0", "") for name in _NAMES})
    form.is_valid()
    sound = form.cleaned_data
    return form, SessionFilter(
        q=sound.get("q", "").strip(),
        status=sound.get("status", ""),
        station=sound.get("station", "").strip(),
        since=sound.get("since"),
        until=sound.get("until"),
        needs_review=sound.get("review", False),
    )


_NAMES = tuple(SessionFilterForm.base_fields)


def filtered_sessions(actor: Actor, asked: SessionFilter) -> QuerySet[ChargingSession]:
    """The operator's sessions that match, newest first."""
    sessions = sessions_for(actor)
    zone = ZoneInfo(actor.operator.time_zone)
    if asked.status:
        sessions = sessions.filter(status=asked.status)
    if asked.needs_review:
        flagged = Q(transaction__isnull=False) & ~Q(transaction__review_reasons=[])
        sessions = sessions.filter(Q(status=SessionStatus.IN_REVIEW) | flagged)
    if asked.station:
        sessions = sessions.filter(station__identity__iexact=asked.station)
    if asked.since:
        sessions = sessions.filter(_begins(gte=_midnight(asked.since, zone)))
    if asked.until:
        sessions = sessions.filter(_begins(lt=_midnight(asked.until + timedelta(days=1), zone)))
    if asked.q:
        sessions = sessions.filter(_search(actor, asked.q))
    return sessions


def session_page(
    actor: Actor, asked: SessionFilter, *, before: str, now: datetime
) -> tuple[list[SessionView], str]:
    """One page, and the cursor of the next one or ""."""
    rows, following = page_by_id(filtered_sessions(actor, asked), before)
    return session_views(rows, now=now), following


EXPORT_HEAD = (
    "session",
    "cdr",
    "station",
    "evse",
    "driver_or_card",
    "started_at",
    "ended_at",
    "duration_s",
    "energy_kwh",
    "currency",
    "net",
    "vat",
    "gross",
    "price_is_final",
    "tariff",
    "status",
    "review_reasons",
)


def export_rows(actor: Actor, asked: SessionFilter, *, now: datetime) -> Iterator[list[Any]]:
    """What the list shows, all pages of it; a few queries for every 500 rows. Times are the site's own."""
    before = ""
    while True:
        rows, before = page_by_id(filtered_sessions(actor, asked), before, size=_AT_ONCE)
        for view in session_views(rows, now=now):
            yield _export_row(view)
        if not before:
            return


def _export_row(view: SessionView) -> list[Any]:
    session, tx, price = view.session, view.tx, view.price
    zone = ZoneInfo(view.time_zone)

    def local(at: datetime | None) -> datetime | None:
        return at.astimezone(zone) if at else None

    def amount(part: str) -> Decimal | None:
        return to_major(price[part], price["currency"]) if price else None

    energy_wh = view.energy_wh
    return [
        session.pk,
        view.cdr.number if view.cdr else None,
        session.station.identity,
        tx.evse_id if tx else None,
        view.who,
        local(tx.started_at) if tx else None,
        local(tx.ended_at) if tx else None,
        round(view.duration.total_seconds()) if view.duration is not None else None,
        None if energy_wh is None else Decimal(energy_wh) / 1000,
        price["currency"] if price else None,
        amount("net_minor"),
        amount("tax_minor"),
        amount("gross_minor"),
        None if price is None else "yes" if price["final"] else "no",
        str(session.tariff_version.tariff) if session.tariff_version else None,
        session.status,
        " ".join(tx.review_reasons) if tx else None,
    ]


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone)


def _begins(**bound: datetime) -> Q:
    """When energy could flow; for a session that still waits for its vehicle, when it was made."""
    ((lookup, at),) = bound.items()
    return Q(**{f"transaction__started_at__{lookup}": at}) | Q(
        **{"transaction__isnull": True, f"created_at__{lookup}": at}
    )


def _search(actor: Actor, words: str) -> Q:
    """A CDR or session number, a whole card number, part of a station's or a driver's name.

    Cards are found by their whole number only: parts of it would give it away letter by letter.
    """
    own = actor.operator
    stations = ChargingStation.objects.filter(operator=own).filter(
        Q(identity__icontains=words) | Q(name__icontains=words)
    )
    drivers = Driver.objects.filter(id_tokens__operator=own).filter(
        Q(name__icontains=words) | Q(email__iexact=words)
    )
    tokens = IdToken.objects.filter(operator=own, uid_folded=fold_uid(words))
    bills = CDR.objects.filter(operator=own, number__istartswith=words)
    found = (
        Q(station__in=stations.values("pk"))
        | Q(driver__in=drivers.values("pk"))
        | Q(id_token__in=tokens.values("pk"))
        | Q(transaction__id_token_uid__iexact=words)
        | Q(pk__in=bills.values("session_id"))
    )
    number = words.removeprefix("#")
    if (pk := parse_id(number)) is not None:
        found |= Q(pk=pk) | Q(transaction__ocpp_transaction_id=number)
    return found
