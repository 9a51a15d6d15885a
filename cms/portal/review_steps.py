"""What people decided about a session, and what was billed: the last steps of the flight recorder."""

from collections.abc import Iterator
from datetime import datetime

from django.utils.translation import gettext as _

from accounts.models import AuditEntry
from billing.choices import SessionStatus
from billing.models import CDR
from cms.portal.sessions import SessionView
from cms.portal.steps import Step, make_step
from cms.portal.templatetags.magetsi import exact_kwh, money
from stations.choices import ReviewReason
from stations.models import Transaction


def decisions_of(view: SessionView) -> list[AuditEntry]:
    """What people decided about a session in review, the oldest first."""
    session = view.session
    return list(
        AuditEntry.objects.filter(
            operator_id=session.operator_id,
            object_type="charging_session",
            object_id=str(session.pk),
            action__in=["session.release", "session.waive", "session.join"],
        )
        .select_related("user", "api_key")
        .order_by("pk")
    )


def _decided_at(view: SessionView, entry: AuditEntry) -> datetime:
    """A release is written in one transaction with its bill, a moment after the bill's time."""
    return min(entry.at, view.cdr.created_at) if view.cdr else entry.at


def _reasons_held(tx: Transaction, decisions: list[AuditEntry]) -> list[str]:
    """Why a person had to look, also where one has looked since."""
    if decisions and decisions[0].before:
        return list(decisions[0].before.get("review_reasons", []))
    return list(tx.review_reasons)


def is_assumed(tx: Transaction, decisions: list[AuditEntry]) -> bool:
    """Whether it was closed by itself, because no stop came, and none has come since."""
    reasons = _reasons_held(tx, decisions)
    return tx.received_ended_at is None and ReviewReason.ESTIMATED in reasons


def judged(view: SessionView, tx: Transaction, decisions: list[AuditEntry]) -> Iterator[Step]:
    """Review, release, bill."""
    session = view.session
    settled_at = tx.received_ended_at or tx.ended_at
    reasons = _reasons_held(tx, decisions)
    held = session.status == SessionStatus.IN_REVIEW or bool(decisions)
    if held and settled_at:
        # A stop may have come after the decision.
        decided = [_decided_at(view, entry) for entry in decisions]
        yield make_step(
            min([settled_at, *decided]),
            "warn",
            "flag",
            _("Held for a review"),
            " ".join(map(reason_words, reasons))
            or _("Energy was taken on a card that was refused and belongs to nobody."),
        )
    for entry in decisions:
        if entry.action != "session.release":
            yield _closed(entry)
            continue
        after = entry.after or {}
        detail = [f"“{after.get('reason', '')}”"]
        if after.get("energy_given"):
            detail.append(
                _("The energy was put at %(energy)s.") % {"energy": exact_kwh(after["energy_wh"])}
            )
        yield make_step(
            _decided_at(view, entry),
            "good",
            "user",
            _("Released by %(name)s") % {"name": who_did(entry)},
            " ".join(detail),
        )
    if view.cdr is not None:
        yield _billed(view.cdr)
        # Whoever released it closed the reasons of then.
        if tx.review_reasons:
            yield _changed_since(view.cdr, tx, reasons if held else [])
    elif session.status == SessionStatus.CANCELLED and settled_at:
        yield make_step(
            settled_at,
            "offline",
            "cross",
            _("Cancelled: nothing was charged and nothing is billed"),
        )


def _closed(entry: AuditEntry) -> Step:
    """Out of review without a bill."""
    after = entry.after or {}
    if entry.action == "session.join":
        detail = _("Its stop was given to session %(session)s.") % {"session": after["joined_to"]}
    else:
        detail = f"“{after.get('reason', '')}”"
    title = _("Closed without a bill by %(name)s") % {"name": who_did(entry)}
    return make_step(entry.at, "offline", "user", title, detail)


def _changed_since(cdr: CDR, tx: Transaction, held_for: list[str]) -> Step:
    """`held_for` are the reasons that a person closed before it was billed."""
    at = max(cdr.created_at, tx.received_ended_at or cdr.created_at)
    if ReviewReason.NO_STOP in held_for and tx.received_ended_at is not None:
        detail = _("The station told its stop after all, and it differs from what was billed.")
    else:
        detail = " ".join(map(reason_words, tx.review_reasons))
    return make_step(at, "warn", "flag", _("Something changed after it was billed"), detail)


def _billed(cdr: CDR) -> Step:
    return make_step(
        cdr.created_at,
        "good",
        "receipt",
        _("Priced at %(price)s") % {"price": money(cdr.gross_minor, cdr.currency)},
        _("Charge detail record %(number)s, tariff version %(version)s.")
        % {"number": cdr.number, "version": cdr.tariff["version"]},
    )


def reason_words(reason: str) -> str:
    """A reason for a review as a sentence."""
    return str(ReviewReason(reason).label) if reason in ReviewReason.values else reason


def who_did(entry: AuditEntry) -> str:
    """Whose change it was."""
    if entry.user:
        return entry.user.name or entry.user.email
    if entry.api_key:
        return _("API key %(name)s") % {"name": entry.api_key.name or entry.api_key.prefix}
    return "Magetsi"
