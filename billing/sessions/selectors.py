"""Sessions and CDRs as an operator's people and programs see them."""

from datetime import datetime

from django.db.models import Prefetch, Q, QuerySet

from accounts.selectors import find_id_token_for
from accounts.services.actors import Actor
from billing.models import CDR, ChargingSession
from cms.base.ids import get_by_id, parse_id

_NOBODY = 0


def sessions_for(actor: Actor) -> QuerySet[ChargingSession]:
    """The operator's sessions with all that a price needs, and in `bills` the CDR; two queries."""
    bills = CDR.objects.filter(credit_of__isnull=True).only("session_id", "price", "number")
    return (
        ChargingSession.objects.filter(operator=actor.operator)
        .select_related(
            "station",
            "tariff_version__tariff",
            "transaction__progress",
            "transaction__station__operator",
            "transaction__station__location",
        )
        .prefetch_related(Prefetch("cdrs", bills, to_attr="bills"))
    )


def get_session_for(actor: Actor, public_id: str) -> ChargingSession:
    """Raises NotFound for another operator's."""
    return get_by_id(sessions_for(actor), public_id)


def filter_sessions(
    actor: Actor,
    sessions: QuerySet[ChargingSession],
    *,
    station: str | None = None,
    transaction: str | None = None,
    id_token: str | None = None,
    status: str | None = None,
    started_after: datetime | None = None,
) -> QuerySet[ChargingSession]:
    """`station` is an identity, `id_token` a uid in any case or an id, `started_after` exclusive."""
    if station is not None:
        sessions = sessions.filter(station__identity=station)
    if transaction is not None:
        sessions = sessions.filter(transaction_id=parse_id(transaction) or _NOBODY)
    if id_token is not None:
        token = find_id_token_for(actor, id_token)
        sessions = sessions.filter(
            Q(id_token=token) if token else Q(transaction__id_token_uid=id_token)
        )
    if status is not None:
        sessions = sessions.filter(status=status)
    if started_after is not None:
        sessions = sessions.filter(transaction__started_at__gt=started_after)
    return sessions


def cdrs_for(actor: Actor) -> QuerySet[CDR]:
    """The operator's CDRs, each with its session; what they were priced by is left in the database."""
    return CDR.objects.filter(operator=actor.operator).select_related("session").defer("facts")


def get_cdr_for(actor: Actor, public_id: str) -> CDR:
    """Raises NotFound for another operator's."""
    return get_by_id(cdrs_for(actor), public_id)


def filter_cdrs(
    cdrs: QuerySet[CDR],
    *,
    station: str | None = None,
    session: str | None = None,
    transaction: str | None = None,
    id_token: str | None = None,
    number: str | None = None,
    started_after: datetime | None = None,
) -> QuerySet[CDR]:
    """`station` is an identity and `id_token` a uid, both as billed; `started_after` exclusive."""
    if station is not None:
        cdrs = cdrs.filter(station_identity=station)
    if session is not None:
        cdrs = cdrs.filter(session_id=parse_id(session) or _NOBODY)
    if transaction is not None:
        cdrs = cdrs.filter(session__transaction_id=parse_id(transaction) or _NOBODY)
    if id_token is not None:
        cdrs = cdrs.filter(id_token_uid__iexact=id_token)
    if number is not None:
        cdrs = cdrs.filter(number=number)
    if started_after is not None:
        cdrs = cdrs.filter(started_at__gt=started_after)
    return cdrs
