"""The honest ways out of a review beside a price: to bill nothing, and to join a stop to its session.

A session in review has evidence on its page; `release_session` prices it, what is here does not.
"""

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from accounts.services.actors import Actor
from accounts.services.audit import record_audit
from accounts.services.permissions import require
from billing.choices import SessionStatus
from billing.exceptions import NotReleasable
from billing.models import ChargingSession
from cms.base.errors import Conflict
from stations.models import Transaction
from stations.services.transactions import join_stop


@transaction.atomic
def waive_session(*, actor: Actor, session: ChargingSession, reason: str) -> ChargingSession:
    """End a session in review without a bill, on somebody's word. Its transaction is left as it was reported.

    Raises:
        NotAllowed: the role may not release sessions.
        NotReleasable: the session is not in review.
        Conflict: the transaction changed meanwhile; look again.
    """
    require(actor, "sessions.release")
    session = _lock_reviewed(session)
    tx = session.transaction
    reasons = tx.review_reasons if tx else []
    session.status = SessionStatus.CANCELLED
    session.save(update_fields=["status"])
    if tx is not None and not (
        Transaction.objects.filter(pk=tx.pk, review_reasons=reasons).update(review_reasons=[])
    ):
        raise Conflict(_("The transaction changed meanwhile. Look at it again."))
    record_audit(
        actor=actor,
        action="session.waive",
        obj=session,
        before={"status": SessionStatus.IN_REVIEW, "review_reasons": reasons},
        after={"status": session.status, "reason": reason},
    )
    return session


def sessions_a_stop_may_end(session: ChargingSession) -> QuerySet[ChargingSession]:
    """The sessions that a stop without a known transaction can belong to, the latest first.

    Of the same station and still without a stop of their own, begun before it, with a register at the start that
    is not above the one it told. Empty where the session is not such a stop's.
    """
    stop = session.transaction
    if stop is None or not stop.orphan or session.status != SessionStatus.IN_REVIEW:
        return ChargingSession.objects.none()
    return (
        ChargingSession.objects.filter(
            Q(transaction__meter_start_wh=None)
            | Q(transaction__meter_start_wh__lte=stop.meter_stop_wh or 0),
            station_id=session.station_id,
            transaction__orphan=False,
            transaction__received_ended_at=None,
            transaction__started_at__lte=stop.ended_at,
            status__in=[SessionStatus.ACTIVE, SessionStatus.ENDED, SessionStatus.IN_REVIEW],
        )
        .select_related("transaction")
        .order_by("-transaction__started_at", "-pk")
    )


@transaction.atomic
def join_session(*, actor: Actor, session: ChargingSession, to: ChargingSession) -> ChargingSession:
    """Give a stop that named no transaction of ours to the session that it ended; returns that session.

    The stop's own session ends without a bill; the other one is settled anew by what the stop told.

    Raises:
        NotAllowed: the role may not release sessions.
        NotReleasable: the stop's session is not in review.
        Conflict: the other one has a stop, or the stop cannot be its end.
    """
    require(actor, "sessions.release")
    session = _lock_reviewed(session)
    if not sessions_a_stop_may_end(session).filter(pk=to.pk).exists():
        raise Conflict(_("This stop cannot be the end of that session."), code="cannot_join")
    assert session.transaction is not None  # noqa: S101 - `sessions_a_stop_may_end` found others for it
    assert to.transaction is not None  # noqa: S101 - and this one by its transaction
    join_stop(stop=session.transaction, tx=to.transaction)
    session.status = SessionStatus.CANCELLED
    session.save(update_fields=["status"])
    record_audit(
        actor=actor,
        action="session.join",
        obj=session,
        before={"status": SessionStatus.IN_REVIEW},
        after={"status": session.status, "joined_to": str(to.pk)},
    )
    return to


def _lock_reviewed(session: ChargingSession) -> ChargingSession:
    locked = (
        ChargingSession.objects.select_for_update(of=("self",))
        .select_related("transaction")
        .get(pk=session.pk)
    )
    if locked.status != SessionStatus.IN_REVIEW:
        raise NotReleasable(locked.status)
    return locked
