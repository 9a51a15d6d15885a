"""The life of a charging session: opened with its transaction, priced at its end, or kept for a person."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, Func, Value
from django.utils.translation import gettext as _

from accounts.services.actors import Actor
from accounts.services.audit import record_audit
from accounts.services.permissions import require
from billing.choices import SessionStatus
from billing.exceptions import NoTariff, NotReleasable
from billing.models import CDR, ChargingSession, TariffVersion
from billing.sessions.cdrs import issue_cdr
from billing.sessions.evidence import final_evidence, gather, reported, uses_current
from billing.sessions.plausibility import SAME_CLOCK, Reported, doubts
from billing.tariffs.ocpi import parse_tariff
from billing.tariffs.rate import rate
from billing.tariffs.selectors import tariff_version_for
from cms.base.errors import Conflict, Invalid
from stations.choices import ReviewReason, TransactionStatus
from stations.models import Connector, Transaction

_ACCEPTED = "Accepted"
# Found here and nowhere else; found anew whenever the transaction changes.
_OWN_REASONS = frozenset(
    {
        ReviewReason.NO_TARIFF,
        ReviewReason.IMPLAUSIBLE_ENERGY,
        ReviewReason.IMPLAUSIBLE_DURATION,
    }
)


def open_session(*, transaction_id: int) -> ChargingSession | None:
    """The charging session of a transaction, made if there is none; None if the transaction is gone.

    The tariff that applies at the effective start is frozen with it, also where the start was kept
    offline and comes late. Idempotent, also side by side.
    """
    tx = Transaction.objects.select_related("id_token").filter(pk=transaction_id).first()
    if tx is None:
        return None
    session = ChargingSession.objects.filter(transaction=tx).first()
    if session is not None:
        return session
    made = ChargingSession(
        operator_id=tx.operator_id,
        transaction=tx,
        station_id=tx.station_id,
        driver_id=tx.id_token.driver_id if tx.id_token else None,
        id_token_id=tx.id_token_id,
        tariff_version=_version_for(tx),
        status=SessionStatus.ACTIVE,
    )
    ChargingSession.objects.bulk_create([made], ignore_conflicts=True)
    return ChargingSession.objects.get(transaction=tx)


@transaction.atomic
def settle_session(*, transaction_id: int, now: datetime) -> ChargingSession | None:
    """Bring the session of an ended transaction as far as it goes by itself.

    Completed with a CDR; or in review, with the reasons on the transaction, where a person must look: any
    reason that is open already, whatever `plausibility.doubts` finds, no tariff, or energy taken on a
    token that was refused and that nobody knows. A refused start without energy is cancelled; one
    with energy and a known token is priced, for the energy was taken.

    What is billed stays billed: a correction that comes later flags the transaction. Idempotent; may run in
    any order with the opening, and side by side with itself. None if the transaction is gone.
    """
    if open_session(transaction_id=transaction_id) is None:
        return None
    session = _lock_session(transaction__pk=transaction_id)
    tx = _transaction_of(session)
    if tx.status != TransactionStatus.ENDED or session.status == SessionStatus.CANCELLED:
        return session
    if session.status == SessionStatus.COMPLETED:
        _flag_if_corrected(session, tx)
        return session

    session.tariff_version = session.tariff_version or _version_for(tx)
    if _opens_review(session, tx):
        session.status = SessionStatus.IN_REVIEW
    elif _is_refused(tx) and not tx.energy_wh:
        session.status = SessionStatus.CANCELLED
    else:
        _complete(session, tx, now=now)
    session.save(update_fields=["status", "tariff_version"])
    return session


@transaction.atomic
def release_session(
    *,
    actor: Actor,
    session: ChargingSession,
    reason: str,
    energy_wh: int | None = None,
    now: datetime,
) -> ChargingSession:
    """Let a session that was in review go on to its price, on somebody's word.

    `energy_wh` replaces what the registers say; without it and without a stop, the last reading counts.
    Clears the transaction's review reasons.

    Raises:
        NotAllowed: the role may not release sessions.
        NotReleasable: the session is not in review.
        NoTariff: still no tariff applies.
        Invalid: the registers give no energy, so that `energy_wh` is needed.
        Conflict: the transaction changed meanwhile; look again.
        RatingRefused: the facts have no price.
    """
    require(actor, "sessions.release")
    session = _lock_session(pk=session.pk)
    if session.status != SessionStatus.IN_REVIEW:
        raise NotReleasable(session.status)
    tx = _transaction_of(session)
    session.tariff_version = session.tariff_version or _version_for(tx)
    if session.tariff_version is None:
        raise NoTariff
    reasons = tx.review_reasons
    cdr = _complete(session, tx, now=now, energy_wh=energy_wh, reviewed=True)
    session.save(update_fields=["status", "tariff_version"])
    if not Transaction.objects.filter(pk=tx.pk, review_reasons=reasons).update(review_reasons=[]):
        raise Conflict(_("The transaction changed meanwhile. Look at it again."))
    record_audit(
        actor=actor,
        action="session.release",
        obj=session,
        before={"status": SessionStatus.IN_REVIEW, "review_reasons": reasons},
        after={
            "status": session.status,
            "reason": reason,
            "energy_wh": cdr.energy_wh,
            "energy_given": energy_wh is not None,
            "cdr": cdr.number,
        },
    )
    return session


def add_review_reasons(transaction_id: int, reasons: Iterable[ReviewReason]) -> None:
    """Open reasons on a transaction; one that is open already stays as it is. Safe side by side."""
    for reason in reasons:
        Transaction.objects.filter(pk=transaction_id).exclude(
            review_reasons__contains=[reason.value]
        ).update(
            review_reasons=Func(F("review_reasons"), Value(reason.value), function="array_append")
        )


def _lock_session(**lookup: Any) -> ChargingSession:
    return (
        ChargingSession.objects.select_for_update(of=("self",))
        .select_related("tariff_version__tariff")
        .get(**lookup)
    )


def _transaction_of(session: ChargingSession) -> Transaction:
    """As it is now. Not locked: whoever changes it afterwards also says so (`transaction.corrected`)."""
    assert session.transaction_id is not None  # noqa: S101 - it was found by it, or is in review
    return Transaction.objects.select_related("station__operator", "station__location").get(
        pk=session.transaction_id
    )


def _version_for(tx: Transaction) -> TariffVersion | None:
    """By the effective start. A start that came at once was agreed on when it came, whatever its clock says."""
    came_at_once = abs(tx.received_started_at - tx.started_at) <= SAME_CLOCK
    return tariff_version_for(
        station_id=tx.station_id,
        evse_id=tx.evse_id,
        id_token_id=tx.id_token_id,
        at=tx.started_at,
        as_of=tx.received_started_at if came_at_once else tx.started_at,
    )


def _is_refused(tx: Transaction) -> bool:
    """Whether we said no to its start. An orphan's start was never judged."""
    return tx.authorization_status not in ("", _ACCEPTED)


def _opens_review(session: ChargingSession, tx: Transaction) -> bool:
    """Whether a person must look first; what speaks against the session is put down on the transaction."""
    found = doubts(_reported(tx))
    outdated = _outdated(tx) - set(found)
    open_reasons = {*tx.review_reasons, *found} - outdated
    needs_price = bool(open_reasons) or not (_is_refused(tx) and not tx.energy_wh)
    if needs_price and session.tariff_version is None:
        found.append(ReviewReason.NO_TARIFF)
        outdated.discard(ReviewReason.NO_TARIFF)
    add_review_reasons(tx.pk, found)
    for reason in outdated:
        _close_review_reason(tx.pk, reason)
    nobody_to_bill = _is_refused(tx) and tx.id_token_id is None and bool(tx.energy_wh)
    return bool(open_reasons) or ReviewReason.NO_TARIFF in found or nobody_to_bill


def _outdated(tx: Transaction) -> set[ReviewReason]:
    """The open reasons that hold no longer unless they are found again.

    What was found about an assumed end is not true of the reported one that replaced it, and a judgement
    that was under way while the stop was written may have said once more that there is none.
    """
    candidates = set(_OWN_REASONS)
    if tx.received_ended_at is not None:
        candidates.add(ReviewReason.NO_STOP)
    return {reason for reason in candidates if reason in tx.review_reasons}


def _close_review_reason(transaction_id: int, reason: ReviewReason) -> None:
    Transaction.objects.filter(pk=transaction_id).update(
        review_reasons=Func(F("review_reasons"), Value(reason.value), function="array_remove")
    )


def _reported(tx: Transaction) -> Reported:
    assert tx.ended_at is not None  # noqa: S101 - `stations_ended_tx_has_end`
    connector = Connector.objects.filter(
        evse__station_id=tx.station_id,
        evse__evse_id=tx.evse_id,
        connector_id=tx.connector_id,
    ).first()
    return Reported(
        started_at=tx.started_at,
        ended_at=tx.ended_at,
        meter_start_wh=tx.meter_start_wh,
        meter_stop_wh=tx.meter_stop_wh,
        max_power_w=connector.max_power_w if connector else None,
        start_by_device=tx.device_started_at == tx.started_at,
        # An end that nobody told is assumed from the station's own readings, never from our clock.
        end_by_device=tx.received_ended_at is None or tx.device_ended_at == tx.ended_at,
        received_started_at=tx.received_started_at,
    )


def _complete(
    session: ChargingSession,
    tx: Transaction,
    *,
    now: datetime,
    energy_wh: int | None = None,
    reviewed: bool = False,
) -> CDR:
    """Rate the facts and issue the CDR."""
    version = session.tariff_version
    assert version is not None  # noqa: S101 - both callers looked
    tariff = parse_tariff(version.content)
    with_currents = [tx.pk] if uses_current(tariff) else []
    samples = gather([tx], now=now, with_currents=with_currents)[tx.pk]
    if reviewed and energy_wh is None:
        energy_wh = _energy_for_release(tx, samples.registers)
    evidence = final_evidence(tx, samples, energy_wh=energy_wh)
    price = rate(tariff, evidence.facts, final=True)
    session.status = SessionStatus.COMPLETED
    return issue_cdr(session=session, version=version, evidence=evidence, price=price, now=now)


def _energy_for_release(tx: Transaction, registers: list[tuple[datetime, int]]) -> int | None:
    """None where the registers at both ends serve; else from the last reading (rule 17).

    Raises:
        Invalid: neither gives an energy.
    """
    if tx.energy_wh is not None and tx.energy_wh >= 0:
        return None
    if tx.meter_stop_wh is None and tx.meter_start_wh is not None and registers:
        last_wh = registers[-1][1]
        if last_wh >= tx.meter_start_wh:
            return last_wh - tx.meter_start_wh
    raise Invalid.fields(
        {"energy_wh": [_("The registers give no energy: say how much it was, in Wh.")]}
    )


def _flag_if_corrected(session: ChargingSession, tx: Transaction) -> None:
    """Flag a transaction that no longer says what it was billed by."""
    cdr = CDR.objects.filter(session=session, credit_of__isnull=True).only("facts").first()
    if cdr is not None and cdr.facts.get("reported") != reported(tx):
        add_review_reasons(tx.pk, [ReviewReason.CONFLICTING_STOP])
