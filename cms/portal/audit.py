"""The audit log as the portal shows it: found by who, what and when, each row in words."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import ApiKey, AuditEntry, IdToken, IdTokenGroup
from accounts.models.id_token import mask_uid
from accounts.selectors import audit_entries_for
from accounts.services.actors import Actor
from billing.models import Tariff
from cms.base.json import dumps
from cms.portal.audit_words import LEFT_OUT, OBJECTS, VERBS, field_words, value_words, verb_words
from cms.portal.commands import CommandView
from cms.portal.review_steps import who_did
from cms.portal.team import memberships_for
from stations.models import ChargingStation, Command, Location

_LONGEST_VALUE = 160
_UID_FIELDS = frozenset({"uid", "id_token", "idTag", "parentIdTag"})
# A command's payload is kept as the text of a mapping.
_UID_IN_TEXT = re.compile(r"""(['"](?:idTag|parentIdTag|idToken)['"]: ?['"])([^'"]*)""")


class AuditFilterForm(forms.Form):
    """What the log is filtered by; what makes no sense filters nothing."""

    who = forms.ChoiceField(label=gettext_lazy("Who"), required=False)
    q = forms.ChoiceField(label=gettext_lazy("Did"), required=False)
    object_type = forms.ChoiceField(label=gettext_lazy("What"), required=False)
    object_id = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)
    since = forms.DateField(
        label=gettext_lazy("From"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    until = forms.DateField(
        label=gettext_lazy("To"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = [
            (f"user-{row.user_id}", row.user.name or row.user.email)
            for row in memberships_for(actor)
        ]
        keys = [
            (f"key-{key.pk}", _("API key %(name)s") % {"name": key.name or key.prefix})
            for key in ApiKey.objects.filter(operator=actor.operator)
        ]
        self._choose("who", [("", _("Anybody")), *people, *keys])
        self._choose("q", [("", _("Anything")), *VERBS.items()])
        self._choose("object_type", [("", _("Anything")), *OBJECTS.items()])

    def _choose(self, name: str, choices: list[tuple[str, Any]]) -> None:
        self.fields[name].choices = choices  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Change:
    """One field as it was and as it became; either is empty where there was none."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class AuditView:
    """One row of the log in words; `kept` is the row as programs read it, numbers of cards masked."""

    entry: AuditEntry
    who: str
    what: Any
    name: str
    verb: Any
    changes: list[Change]
    kept: str


def filtered_audit(actor: Actor, asked: dict[str, Any]) -> QuerySet[AuditEntry]:
    """The operator's log; `asked` are the form's sound fields. Raises NotAllowed."""
    entries = audit_entries_for(actor)
    zone = ZoneInfo(actor.operator.time_zone)
    if verb := asked.get("q"):
        entries = (
            entries.filter(action=verb)
            if "." in verb
            else entries.filter(action__endswith=f".{verb}")
        )
    kind, _dash, pk = (asked.get("who") or "").partition("-")
    if pk:
        entries = entries.filter(**{"user_id" if kind == "user" else "api_key_id": int(pk)})
    for name in ("object_type", "object_id"):
        if asked.get(name):
            entries = entries.filter(**{name: asked[name]})
    if day := _day(asked.get("since")):
        entries = entries.filter(at__gte=datetime.combine(day, time(), tzinfo=zone))
    if day := _day(asked.get("until")):
        entries = entries.filter(
            at__lt=datetime.combine(day + timedelta(days=1), time(), tzinfo=zone)
        )
    return entries


def _day(day: date | None) -> date | None:
    return day if day and 1900 < day.year < 3000 else None


def audit_views(actor: Actor, entries: list[AuditEntry]) -> list[AuditView]:
    """Each in words; one query for each kind of thing that has a name, however many rows."""
    names = _names(actor, entries)
    return [_audit_view(entry, names) for entry in entries]


def _audit_view(entry: AuditEntry, names: dict[tuple[str, str], str]) -> AuditView:
    before, after = entry.before or {}, entry.after or {}
    return AuditView(
        entry,
        who_did(entry),
        OBJECTS.get(entry.object_type, entry.object_type.replace("_", " ").capitalize()),
        names.get((entry.object_type, entry.object_id), entry.object_id),
        verb_words(entry.action),
        _changes(entry.object_type, before, after),
        dumps(
            {
                "action": entry.action,
                "object": f"{entry.object_type} {entry.object_id}",
                "before": _masked(entry.before),
                "after": _masked(entry.after),
            }
        ),
    )


_NAMED: dict[str, tuple[Any, Callable[[Any], str]]] = {
    "charging_station": (ChargingStation, lambda row: row.identity),
    "location": (Location, lambda row: row.name),
    "id_token": (IdToken, lambda row: mask_uid(row.uid)),
    "id_token_group": (IdTokenGroup, lambda row: row.name),
    "tariff": (Tariff, str),
    "api_key": (ApiKey, lambda row: row.name or f"mgz_{row.prefix}…"),
    "command": (
        Command,
        lambda row: f"{CommandView(row).words} · {row.station.identity}",
    ),
}


def _names(actor: Actor, entries: Iterable[AuditEntry]) -> dict[tuple[str, str], str]:
    """What things of the operator are called today, by kind and number; those that are gone are missing."""
    wanted: dict[str, set[int]] = defaultdict(set)
    for entry in entries:
        if entry.object_type in _NAMED and entry.object_id.isdecimal():
            wanted[entry.object_type].add(int(entry.object_id))
    names = {}
    for kind, pks in wanted.items():
        model, name_of = _NAMED[kind]
        rows = model.objects.filter(operator=actor.operator, pk__in=pks)
        if kind == "command":
            rows = rows.select_related("station")
        names.update({(kind, str(row.pk)): name_of(row) for row in rows})
    return names


def _changes(object_type: str, before: Any, after: Any) -> list[Change]:
    """What a fresh thing has, and what changed about one that was; a fresh thing's "no" says nothing."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return []
    changes = [
        Change(
            field_words(name),
            _shown(object_type, name, before.get(name)),
            _shown(object_type, name, after.get(name)),
        )
        for name in {**before, **after}
        if name not in LEFT_OUT and (name in before or after[name] is not False)
    ]
    return [change for change in changes if change.before or change.after]


def _shown(object_type: str, name: str, value: Any) -> str:
    text = value_words(object_type, name, value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def _masked(value: Any, name: str = "") -> Any:
    """The kept value without whole numbers of cards."""
    if isinstance(value, dict):
        return {key: _masked(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item, name) for item in value]
    if not isinstance(value, str):
        return value
    if name in _UID_FIELDS:
        return mask_uid(value)
    return _UID_IN_TEXT.sub(lambda found: found[1] + mask_uid(found[2]), value)
