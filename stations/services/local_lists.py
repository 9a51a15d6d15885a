"""Local authorisation lists: the cards that a station decides on by itself.

A list goes out whole or as what changed, in as many parts as the station wants, one after the other. What a
station has follows from what it was sent and said (`local_list_rules`); `stations.ocpp.<version>.followers`
translate.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import BooleanField
from django.db.models.expressions import RawSQL
from django.utils import timezone

from accounts.models import IdToken, IdTokenGroup, Operator
from accounts.models.id_token import fold_uid
from accounts.services.actors import Actor
from accounts.services.authorization import Authorization, KnownIdToken, authorize_id_token
from cms.base import outbox
from cms.base.errors import Conflict
from stations.choices import CommandStatus
from stations.maintenance.history import lock_jobs, tell_pages
from stations.models import ChargingStation, Command, LocalList, StationVariable
from stations.ocpp.v16.local_lists import MAX_UID_LENGTH, entry_of, list_to_v16
from stations.services.commands import queue_command
from stations.services.local_list_rules import Entries, Entry, ListState, difference

# Why a list was not accepted, beside the words that stations say.
NO_ANSWER = "NoAnswer"
NOT_SENT = "NotSent"
# After these the whole list should be sent (OCPP 1.6 §5.15).
_WANT_ALL = ("Failed", "VersionMismatch")

LIST_LIMIT, PART_LIMIT = "LocalAuthListMaxLength", "SendLocalListMaxLength"
# While a list is on its way, what else changed waits so long.
_LATER_S = 15

# Tokens compare without case; a list holds them as they were sent.
_HOLDS = """
EXISTS (
    SELECT 1 FROM jsonb_array_elements(stations_locallist.entries) AS entry
    WHERE lower(entry ->> 'idTag') = lower(%s)
)
"""


# --- asking ------------------------------------------------------------------------------------------


@transaction.atomic
def send_local_list(
    *, acting: Actor, station: ChargingStation, is_full: bool, group: IdTokenGroup | None = None
) -> Command:
    """Send the cards that may charge now, all of them or what changed since the list that the station has.

    `group` leaves out everybody else. What is more than the station takes at once follows in parts, each after the
    one before was accepted; the command is that of the first part. A differential that the station does not take is
    followed by the whole list, once.

    Raises:
        Conflict: as `queue_command`; a list is on its way; the station cannot hold so many cards; or, for a
            differential, nobody knows what the station has, or nothing changed.

    Source: OCPP 1.6 §5.15.
    """
    lock_jobs(station.pk)
    row, _created = LocalList.objects.get_or_create(station=station)
    if is_under_way(row):
        raise Conflict("A list is on its way to this station.", code="list_under_way")
    if not is_full and row.entries is None:
        raise Conflict(
            "Nobody knows which list this station has; send a full one.", code="list_unknown"
        )
    target = wanted_entries(
        operator=acting.operator,
        group=group,
        now=timezone.now(),
        standing=() if is_full else row.entries or (),
    )
    most = _limit(station.pk, LIST_LIMIT)
    if most is not None and len(target) > most:
        raise Conflict(
            f"The station's list holds {most} cards, and these are {len(target)}.",
            code="list_too_long",
            data={"most": most, "cards": len(target)},
        )
    if not is_full and not difference(row.entries or (), target):
        raise Conflict("The station's list is as it should be.", code="nothing_changed")
    return _send_part(row, target, acting=acting, is_full=is_full)


def request_list_version(*, acting: Actor, station: ChargingStation) -> Command:
    """Ask which version of the list the station has (OCPP 1.6 §5.10)."""
    return queue_command(station=station, action="GetLocalListVersion", payload={}, acting=acting)


def wanted_entries(
    *,
    operator: Operator,
    group: IdTokenGroup | None,
    now: datetime,
    standing: Sequence[Entry] = (),
) -> Entries:
    """Who may charge now, by uid. Of `standing` entries those stay, as refused, whose token may not any more.

    A token whose uid is too long for OCPP 1.6 is never on a list.
    """
    tokens = IdToken.objects.filter(operator=operator).select_related("group", "charging_right")
    if group is not None:
        tokens = tokens.filter(group=group)
    known = {fold_uid(entry["idTag"]) for entry in standing}
    entries: Entries = []
    for token in tokens.order_by("uid_folded").iterator():
        authorization = _authorization(token, now)
        if len(token.uid) <= MAX_UID_LENGTH and (
            authorization.accepted or (token.uid_folded in known and _is_refused(authorization))
        ):
            entries.append(entry_of(token.uid, authorization))
    return entries


def is_under_way(row: LocalList) -> bool:
    """Whether a part of a list waits or is out."""
    return (
        row.under_way is not None
        and Command.objects.filter(
            pk=row.under_way["command"], status__in=(CommandStatus.QUEUED, CommandStatus.SENT)
        ).exists()
    )


def _authorization(token: IdToken, now: datetime) -> Authorization:
    right = getattr(token, "charging_right", None)
    known = KnownIdToken(
        id=token.pk,
        uid=token.uid,
        status=token.status,
        expires_at=token.expires_at,
        group=token.group.name if token.group else None,
        master=token.group.master if token.group else False,
        max_concurrent=token.max_concurrent,
        allowed=right.allowed if right else True,
        right_valid_until=right.valid_until if right else None,
    )
    return authorize_id_token(known, now=now)


def _is_refused(authorization: Authorization) -> bool:
    """Known and refused: a station that forgot it would ask, or let it charge while it is offline."""
    return authorization.status in ("Blocked", "Expired")


def _limit(station_id: int, variable: str) -> int | None:
    """A length that the station told; None where it told none that makes sense."""
    told = StationVariable.objects.filter(
        station_id=station_id, component="", variable__iexact=variable
    ).first()
    value = (told.value or "").strip() if told else ""
    return int(value) if value.isascii() and value.isdigit() and len(value) < 9 else None


def _send_part(
    row: LocalList, target: Sequence[Entry], *, acting: Actor, is_full: bool, retried: bool = False
) -> Command:
    """Queue as much of the way to `target` as the station takes at once."""
    part = list(target) if is_full else difference(row.entries or (), target)
    command = queue_command(
        station=row.station,
        action="SendLocalList",
        payload=list_to_v16(part[: _limit(row.station_id, PART_LIMIT) or None], is_full=is_full),
        acting=acting,
    )
    row.under_way = {"command": command.pk, "target": list(target), "retried": retried}
    row.save(update_fields=["under_way"])
    return command


# --- what becomes of it ------------------------------------------------------------------------------


def settle_list(
    *,
    command: Command,
    state: ListState,
    refusal: str,
    newest_refusal: str,
    was_full: bool | None = None,
) -> None:
    """A request about the list has ended: this is what the station has now. The station's row is locked.

    A refusal is empty where the station did what was asked, by this request and by the newest one. `was_full` None is
    a question. Goes on with what is on its way. Idempotent.
    """
    row, _created = LocalList.objects.select_related("station__operator").get_or_create(
        station_id=command.station_id
    )
    if (row.version, row.entries) != (state.version, state.entries):
        row.version, row.entries = state.version, state.entries
        row.changed_at = command.finished_at or timezone.now()
    row.refusal = newest_refusal[:50]
    row.save(update_fields=["version", "entries", "changed_at", "refusal"])
    if row.under_way is not None and row.under_way["command"] == command.pk:
        _go_on(row, refusal, was_full=bool(was_full))
    tell_pages(command.station_id)


def _go_on(row: LocalList, refusal: str, *, was_full: bool) -> None:
    """The next part, the whole list after a refusal, or nothing more."""
    acting = Actor.system(row.station.operator)
    under_way, row.under_way = row.under_way, None
    target, retried = under_way["target"], under_way["retried"]
    if not refusal and row.entries is None:
        refusal = "VersionMismatch"  # It told another version meanwhile: what it has is not known.
    if not refusal and difference(row.entries or (), target):
        _send_part(row, target, acting=acting, is_full=False, retried=retried)
        return
    if refusal in _WANT_ALL and not was_full and not retried:
        _send_part(row, target, acting=acting, is_full=True, retried=True)
        return
    row.save(update_fields=["under_way"])
    if refusal == NO_ANSWER:
        # What it has shows when it tells its version.
        request_list_version(acting=acting, station=row.station)


@outbox.handler("id_token.changed")
def on_id_token_changed(key: str, payload: Mapping[str, Any]) -> None:
    """A token was changed or deleted: every list that holds it is to follow."""
    holds = RawSQL(_HOLDS, [payload["uid"]], output_field=BooleanField())  # noqa: S611 - no text of anybody's
    lists = LocalList.objects.filter(holds, station__operator_id=payload["operator_id"])
    for station_id in lists.values_list("station_id", flat=True):
        outbox.enqueue(
            "local_list.token_changed",
            str(station_id),
            {"id_token": int(key), "uid": payload["uid"]},
        )


@outbox.handler("local_list.token_changed")
@transaction.atomic
def on_listed_token_changed(key: str, payload: Mapping[str, Any]) -> None:
    """Send a station what became of one token on its list: changed, refused or gone. Idempotent."""
    station_id = int(key)
    if not lock_jobs(station_id):
        return
    lists = LocalList.objects.select_related("station__operator")
    row = lists.filter(station_id=station_id).first()
    if row is None or row.entries is None:
        return
    if is_under_way(row):
        outbox.enqueue("local_list.token_changed", key, dict(payload), delay_s=_LATER_S)
        return
    target = _with_token(row.entries, payload["uid"], payload["id_token"])
    if difference(row.entries, target):
        _send_part(row, target, acting=Actor.system(row.station.operator), is_full=False)


def _with_token(entries: Sequence[Entry], uid: str, id_token_id: int) -> Entries:
    """The list as it should be for one token that is on it."""
    folded = fold_uid(uid)
    token = (
        IdToken.objects.filter(pk=id_token_id, uid_folded=folded)
        .select_related("group", "charging_right")
        .first()
    )
    authorization = _authorization(token, timezone.now()) if token else None
    stays = authorization is not None and (authorization.accepted or _is_refused(authorization))
    return [
        entry_of(entry["idTag"], authorization)
        if fold_uid(entry["idTag"]) == folded and authorization is not None
        else entry
        for entry in entries
        if stays or fold_uid(entry["idTag"]) != folded
    ]
