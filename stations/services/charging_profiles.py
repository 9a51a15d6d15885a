"""Charging profiles: an operator's library, and what is asked of stations and lies there.

A row of `InstalledProfile` is made with the command that asks for it, however it was asked, and moves when
that command ends; `stations.ocpp.<version>.followers` translate.
"""

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.services.actors import Actor
from accounts.services.audit import record_audit
from accounts.services.permissions import require
from cms.base import outbox
from cms.base.errors import Conflict, Invalid
from stations.choices import ProfileStatus, TransactionStatus
from stations.models import ChargingProfile, ChargingStation, Command, InstalledProfile, Transaction
from stations.ocpp.v16.charging_profiles import clear_to_v16, profile_to_v16
from stations.services.charging_profile_rules import MAX_PROFILE, TX_PROFILE, check_profile
from stations.services.commands import queue_command

# Why a profile is not there (any more), beside the words that stations say.
REPLACED = "Replaced"
TRANSACTION_ENDED = "TransactionEnded"
NO_ANSWER = "NoAnswer"
NOT_SENT = "NotSent"
NOT_STARTED = "NotStarted"
NOT_FOUND = "NotFound"

# A vehicle that comes later than this after a remote start charges without the profile that came with it.
START_WAIT_S = 3600

_INT_MAX = 2**31 - 1


# --- the library ------------------------------------------------------------------------------------


@transaction.atomic
def create_charging_profile(
    *, acting: Actor, name: str, profile: Mapping[str, Any]
) -> ChargingProfile:
    """Keep a profile under a name.

    Raises:
        NotAllowed: the role may not change stations.
        Invalid: the profile breaks the schema or a rule of OCPP 2.0.1.
        Conflict: the name is taken.
    """
    require(acting, "stations.change")
    row = ChargingProfile(
        operator=acting.operator, name=name, profile=_without_transaction(check_profile(profile))
    )
    _save_named(row, force_insert=True)
    row.refresh_from_db(fields=["created_at"])
    record_audit(actor=acting, action="charging_profile.create", obj=row, after={"name": row.name})
    return row


@transaction.atomic
def change_charging_profile(
    *,
    acting: Actor,
    charging_profile: ChargingProfile,
    name: str | None = None,
    profile: Mapping[str, Any] | None = None,
) -> ChargingProfile:
    """Change what the library says; what was installed from it stays as it was sent.

    Raises: as `create_charging_profile`.
    """
    require(acting, "stations.change")
    before = {"name": charging_profile.name, "profile": str(charging_profile.profile)}
    if name is not None:
        charging_profile.name = name
    if profile is not None:
        charging_profile.profile = _without_transaction(check_profile(profile))
    _save_named(charging_profile, update_fields=["name", "profile"])
    record_audit(
        actor=acting,
        action="charging_profile.update",
        obj=charging_profile,
        before=before,
        after={"name": charging_profile.name, "profile": str(charging_profile.profile)},
    )
    return charging_profile


@transaction.atomic
def delete_charging_profile(*, acting: Actor, charging_profile: ChargingProfile) -> None:
    """Take a profile out of the library; where it is installed it stays so.

    Raises:
        NotAllowed: the role may not change stations.
    """
    require(acting, "stations.change")
    record_audit(
        actor=acting,
        action="charging_profile.delete",
        obj=charging_profile,
        before={"name": charging_profile.name},
    )
    charging_profile.delete()


def _without_transaction(profile: dict[str, Any]) -> dict[str, Any]:
    if "transactionId" in profile:
        raise Invalid.fields(
            {"profile.transactionId": ["The transaction is named when the profile is installed."]}
        )
    return profile


def _save_named(row: ChargingProfile, **options: Any) -> None:
    try:
        with transaction.atomic():
            row.save(**options)
    except IntegrityError as error:
        raise Conflict("There is a charging profile of this name already.") from error


# --- asking a station ----------------------------------------------------------------------------------


@transaction.atomic
def install_profile(
    *,
    acting: Actor,
    station: ChargingStation,
    profile: Mapping[str, Any] | ChargingProfile,
    evse_id: int | None = None,
    tx: Transaction | None = None,
) -> InstalledProfile:
    """Ask a station to take a profile; the row is `requested` until it has answered.

    `profile` is of the library or an object, whose `id` is kept. `evse_id` None is the station as a whole
    (a TxDefaultProfile then holds at each EVSE), or with `tx` the transaction's EVSE.

    Raises:
        Conflict: as `queue_command`; or the transaction has ended.
        Invalid: the profile breaks a rule, cannot be said in the station's version, or does not go there.

    Source: OCPP 1.6 §5.16; OCPP 2.0.1 Part 2, K01.
    """
    library = profile if isinstance(profile, ChargingProfile) else None
    asked: Mapping[str, Any] = library.profile if library else profile  # type: ignore[assignment]
    profile_id = asked.get("id")
    if profile_id is not None and not _is_id(profile_id):
        raise Invalid.fields({"profile.id": ["An id is a whole number from 0 to 2147483647."]})
    checked = check_profile(asked)
    tx = tx or _named_transaction(station, checked)
    purpose = checked["chargingProfilePurpose"]
    evse_id = _place(purpose, evse_id, tx)
    command = queue_command(
        station=station,
        action="SetChargingProfile",
        payload={
            "connectorId": evse_id,
            "csChargingProfiles": profile_to_v16(
                checked,
                profile_id=profile_id,
                ocpp_transaction_id=tx.ocpp_transaction_id if tx else None,
            ),
        },
        acting=acting,
    )
    row = InstalledProfile.objects.get(command=command)
    row.library_profile = library
    row.profile = checked
    row.save(update_fields=["library_profile", "profile"])
    return row


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _INT_MAX


def _named_transaction(station: ChargingStation, profile: Mapping[str, Any]) -> Transaction | None:
    """The transaction that a profile itself names, in the station's words."""
    name = profile.get("transactionId")
    if name is None:
        return None
    tx = find_transaction(station, str(name))
    if tx is None:
        raise Invalid.fields({"profile.transactionId": ["This station has no such transaction."]})
    return tx


def find_transaction(station: ChargingStation, ocpp_transaction_id: str) -> Transaction | None:
    """A station's transaction by the id that it knows it by."""
    return Transaction.objects.filter(
        station=station, orphan=False, ocpp_transaction_id=ocpp_transaction_id
    ).first()


def _place(purpose: str, evse_id: int | None, tx: Transaction | None) -> int:
    """The EVSE that a profile goes to; 0 is the whole station (OCPP 1.6 §3.13.1)."""
    if purpose == TX_PROFILE:
        if tx is None:
            raise Invalid.fields(
                {"transaction": [f"A {TX_PROFILE} belongs to a transaction that runs."]}
            )
        if tx.status != TransactionStatus.ACTIVE:
            raise Conflict("This transaction has ended.", code="transaction_ended")
        if evse_id not in (None, tx.evse_id):
            raise Invalid.fields({"evse_id": ["The transaction runs at another EVSE."]})
        return tx.evse_id
    if tx is not None:
        raise Invalid.fields({"transaction": [f"Only a {TX_PROFILE} belongs to a transaction."]})
    if purpose == MAX_PROFILE and evse_id not in (None, 0):
        raise Invalid.fields(
            {"evse_id": [f"A {MAX_PROFILE} holds for the station as a whole; leave this out."]}
        )
    return evse_id or 0


def clear_profile(*, acting: Actor, installed: InstalledProfile) -> Command:
    """Ask the station to drop one profile, by its id (OCPP 1.6 §5.3).

    Raises:
        Conflict: it is not at the station; or as `queue_command`.
    """
    if installed.status != ProfileStatus.INSTALLED:
        raise Conflict("This profile is not at the station.", code="not_installed")
    return clear_profiles(acting=acting, station=installed.station, profile_id=installed.profile_id)


def clear_profiles(
    *,
    acting: Actor,
    station: ChargingStation,
    profile_id: int | None = None,
    evse_id: int | None = None,
    purpose: str | None = None,
    stack_level: int | None = None,
) -> Command:
    """Ask the station to drop every profile that matches all that is given; without anything, all (§5.3)."""
    return queue_command(
        station=station,
        action="ClearChargingProfile",
        payload=clear_to_v16(
            profile_id=profile_id, evse_id=evse_id, purpose=purpose, stack_level=stack_level
        ),
        acting=acting,
    )


def request_composite_schedule(
    *,
    acting: Actor,
    station: ChargingStation,
    evse_id: int,
    duration_s: int,
    unit: str | None = None,
) -> Command:
    """Ask what all profiles together allow from now on; `evse_id` 0 is the station (OCPP 1.6 §5.7)."""
    payload: dict[str, Any] = {"connectorId": evse_id, "duration": duration_s}
    if unit:
        payload["chargingRateUnit"] = unit
    return queue_command(
        station=station, action="GetCompositeSchedule", payload=payload, acting=acting
    )


# --- what becomes of it ----------------------------------------------------------------------------------


def note_requested(
    *,
    command: Command,
    profile: Mapping[str, Any],
    profile_id: int,
    evse_id: int,
    ocpp_transaction_id: str | None = None,
) -> InstalledProfile:
    """The row of a profile that a queued command carries, in 2.0.1's words; in the command's transaction.

    Raises:
        Invalid: a number in it is none that a station could keep.
    """
    numbers = {
        "chargingProfileId": profile_id,
        "connectorId": evse_id,
        "stackLevel": profile["stackLevel"],
    }
    wrong = {name: value for name, value in numbers.items() if not _is_id(value)}
    if wrong:
        sentence = f"This must be a whole number from 0 to {_INT_MAX}."
        raise Invalid.fields({f"payload.{name}": [sentence] for name in wrong})
    return InstalledProfile.objects.create(
        station=command.station,
        evse_id=evse_id,
        profile_id=profile_id,
        purpose=profile["chargingProfilePurpose"],
        stack_level=profile["stackLevel"],
        transaction=find_transaction(command.station, ocpp_transaction_id)
        if ocpp_transaction_id is not None
        else None,
        profile=profile,
        status=ProfileStatus.REQUESTED,
        command=command,
    )


# Whether the station took it may turn out after we gave up waiting.
_UNDECIDED = Q(status=ProfileStatus.REQUESTED) | Q(status=ProfileStatus.REJECTED, reason=NO_ANSWER)


@transaction.atomic
def mark_installed(*, command: Command) -> None:
    """The station took the command's profile: it replaces what has its id or its place there.

    Idempotent. An older profile whose answer is worked off late replaces no newer one, and one whose
    transaction has ended is over at once.

    Source: OCPP 1.6 §3.13.2, §5.16.
    """
    row = _lock_undecided(command)
    if row is None:
        return
    if row.transaction is not None and row.transaction.status == TransactionStatus.ENDED:
        _end(row, ProfileStatus.CLEARED, TRANSACTION_ENDED)
        return
    rivals = InstalledProfile.objects.filter(
        Q(profile_id=row.profile_id)
        | Q(evse_id=row.evse_id, purpose=row.purpose, stack_level=row.stack_level),
        station_id=row.station_id,
        status=ProfileStatus.INSTALLED,
    ).exclude(pk=row.pk)
    if rivals.filter(pk__gt=row.pk).exists():
        _end(row, ProfileStatus.CLEARED, REPLACED)
        return
    end_profiles(rivals, reason=REPLACED)
    row.status = ProfileStatus.INSTALLED
    row.reason = ""
    row.installed_at = command.finished_at or timezone.now()
    row.ended_at = None
    row.save(update_fields=["status", "reason", "installed_at", "ended_at"])


@transaction.atomic
def mark_refused(*, command: Command, reason: str) -> None:
    """The command's profile did not get to the station, for this reason. Idempotent."""
    row = _lock_undecided(command)
    if row is not None:
        _end(row, ProfileStatus.REJECTED, reason)


def _lock_undecided(command: Command) -> InstalledProfile | None:
    # The station's row serialises what is decided of its profiles.
    ChargingStation.objects.select_for_update(no_key=True).get(pk=command.station_id)
    return (
        InstalledProfile.objects.filter(_UNDECIDED, command=command)
        .select_related("transaction")
        .first()
    )


def _end(row: InstalledProfile, status: ProfileStatus, reason: str) -> None:
    row.status, row.reason, row.ended_at = status, reason[:50], timezone.now()
    row.save(update_fields=["status", "reason", "ended_at"])


def matching_profiles(
    station: ChargingStation,
    *,
    profile_id: int | None = None,
    evse_id: int | None = None,
    purpose: str | None = None,
    stack_level: int | None = None,
) -> QuerySet[InstalledProfile]:
    """What a request to clear matches of what is installed; what is not given matches everything."""
    criteria = {
        "profile_id": profile_id,
        "evse_id": evse_id,
        "purpose": purpose,
        "stack_level": stack_level,
    }
    given = {name: value for name, value in criteria.items() if value is not None}
    return InstalledProfile.objects.filter(station=station, status=ProfileStatus.INSTALLED, **given)


def end_profiles(rows: QuerySet[InstalledProfile], *, reason: str) -> int:
    """These are at the station no more; returns how many were. Idempotent."""
    return rows.filter(status=ProfileStatus.INSTALLED).update(
        status=ProfileStatus.CLEARED, reason=reason, ended_at=timezone.now()
    )


# --- profiles that come with a start ---------------------------------------------------------------------


def await_start(*, command: Command) -> None:
    """The station agreed to start with a profile: it is installed once the transaction is there.

    Nothing may come of the start; then the profile is over after `START_WAIT_S`. Idempotent.
    """
    rows = InstalledProfile.objects.filter(command=command, status=ProfileStatus.REQUESTED)
    if not rows.exists():
        return
    adopt_start(command=command)
    outbox.enqueue("charging_profile.start_awaited", str(command.pk), delay_s=START_WAIT_S)


def adopt_start(*, command: Command) -> None:
    """Give the profile of a remote start to the transaction that came of it, if there is one."""
    wanted = str(command.payload.get("idTag", ""))
    tx = (
        Transaction.objects.filter(
            station=command.station,
            id_token_uid__iexact=wanted,
            received_started_at__gte=command.sent_at or command.created_at,
        )
        .order_by("pk")
        .first()
    )
    if tx is None:
        return
    InstalledProfile.objects.filter(
        command=command, status=ProfileStatus.REQUESTED, evse_id__in=(0, tx.evse_id)
    ).update(transaction=tx, evse_id=tx.evse_id)
    if InstalledProfile.objects.filter(command=command, transaction=tx).exists():
        mark_installed(command=command)


@outbox.handler("charging_profile.start_awaited")
def on_start_awaited(key: str, payload: Mapping[str, Any]) -> None:
    """Nobody came: the profile of the remote start is over."""
    command = Command.objects.filter(pk=key).first()
    if command is not None:
        mark_refused(command=command, reason=NOT_STARTED)


@outbox.handler("transaction.started")
def on_transaction_started(key: str, payload: Mapping[str, Any]) -> None:
    """The profile of a remote start belongs to the transaction from now on."""
    tx = Transaction.objects.filter(pk=payload["transaction_id"]).first()
    if tx is None:
        return
    waiting = InstalledProfile.objects.filter(
        station_id=tx.station_id,
        status=ProfileStatus.REQUESTED,
        purpose=TX_PROFILE,
        transaction=None,
        command__action="RemoteStartTransaction",
        command__status="accepted",
    ).select_related("command__station")
    for row in waiting.order_by("pk"):
        assert row.command is not None  # noqa: S101 - it was looked for by it
        adopt_start(command=row.command)


@outbox.handler("transaction.ended")
def on_transaction_ended(key: str, payload: Mapping[str, Any]) -> None:
    """A TxProfile ends with its transaction (OCPP 1.6 §3.13.1)."""
    end_profiles(
        InstalledProfile.objects.filter(
            transaction_id=payload["transaction_id"],
            transaction__status=TransactionStatus.ENDED,
            purpose=TX_PROFILE,
        ),
        reason=TRANSACTION_ENDED,
    )
