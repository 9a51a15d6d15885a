"""A driver's cards, and the proof that one is theirs: holding it to a reader while the page waits.

Knowing a card's number proves nothing, for numbers are printed and read by telephones. So the driver names a station,
and the first card held to its reader within two minutes becomes theirs. Against waiting for somebody else's:
one person at a time may wait at a station, only when nothing charges there; two cards in that time count as none;
only cards without a history, or given to the driver's address, can be claimed (see `claimable_uids`); attempts are few and kept in the audit log.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts.choices import IdTokenType
from accounts.models import AuditEntry, Driver, IdToken
from accounts.models.id_token import fold_uid
from accounts.services.audit import object_type, record_audit
from accounts.services.drivers import claim_id_token, claimable_uids, driver_actor
from cms.base.errors import Conflict, NotFound
from cms.base.ids import get_by_id
from cms.drivers.places import Outlet
from stations.models import ChargingStation, OcppMessage, Transaction
from stations.selectors.messages import messages_of
from stations.selectors.stations import is_online

CLAIM_WITHIN = timedelta(minutes=2)
CLAIMS_AN_HOUR = 5
BEGIN = "id_token.claim_begin"


@dataclass(frozen=True, slots=True)
class Claim:
    """A driver waiting at a station. `stage` is waiting, claimed, several, taken or lapsed."""

    station: ChargingStation
    stage: str
    left_s: int
    id_token: IdToken | None = None

    @property
    def minutes_left(self) -> str:
        return f"{self.left_s // 60}:{self.left_s % 60:02d}"


def cards_of(driver: Driver) -> QuerySet[IdToken]:
    """The driver's cards, newest first. What the telephone uses is no card."""
    return (
        IdToken.objects.filter(driver=driver)
        .exclude(type=IdTokenType.CENTRAL)
        .select_related("operator")
        .order_by("-id")
    )


def get_card_for(driver: Driver, public_id: str) -> IdToken:
    """Raises NotFound for another driver's."""
    return get_by_id(cards_of(driver), public_id)


@transaction.atomic
def begin_claim(*, driver: Driver, outlet: Outlet, now: datetime) -> AuditEntry:
    """Wait for a card at this station from now on. The audit row is the claim.

    Raises:
        Conflict: the station is away or in use, somebody else waits there, or there were too many attempts.
    """
    station = ChargingStation.objects.select_for_update(no_key=True).get(pk=outlet.station.pk)
    if not is_online(outlet.station):
        raise Conflict(_("This station cannot be reached right now. Try another one."))
    if Transaction.objects.filter(station=station, is_current=True).exists():
        raise Conflict(
            _(
                "A car is charging at this station. Choose one where nothing charges, so that only your card is held to it."
            )
        )
    attempts = AuditEntry.objects.filter(action=BEGIN, user=driver.user)
    if attempts.filter(at__gt=now - timedelta(hours=1)).count() >= CLAIMS_AN_HOUR:
        raise Conflict(_("That was tried too often. Wait an hour, or ask the operator."))
    waiting = AuditEntry.objects.filter(
        object_type=object_type(ChargingStation),
        object_id=str(station.pk),
        action=BEGIN,
        at__gt=now - CLAIM_WITHIN,
    )
    if waiting.exclude(user=driver.user).exists():
        raise Conflict(
            _("Somebody else is adding a card at this station. Try again in two minutes.")
        )
    entry = record_audit(
        actor=driver_actor(driver, outlet.operator), action=BEGIN, obj=station, after={}
    )
    entry.refresh_from_db(fields=["at"])
    return entry


def follow_claim(driver: Driver, public_id: str, *, now: datetime) -> Claim:
    """How a claim is doing; takes the card once exactly one was held to the reader.

    Raises:
        NotFound: there is no such claim, or it is another driver's.
    """
    entry = get_by_id(AuditEntry.objects.filter(action=BEGIN, user=driver.user), public_id)
    station = ChargingStation.objects.filter(pk=entry.object_id).select_related("operator").first()
    if station is None:
        raise NotFound("The station is gone.")
    ends_at = entry.at + CLAIM_WITHIN
    left_s = max(0, round((ends_at - now).total_seconds()))
    presented = _presented(station, entry.at, ends_at)
    own = IdToken.objects.filter(
        operator=station.operator,
        driver=driver,
        uid_folded__in=[fold_uid(uid) for uid in presented],
    ).exclude(type=IdTokenType.CENTRAL)
    if (token := own.first()) is not None:
        return Claim(station, "claimed", left_s, token)
    uids = claimable_uids(operator=station.operator, uids=list(presented), driver=driver)
    if len(uids) > 1:
        return Claim(station, "several", left_s)
    if uids and now < ends_at + CLAIM_WITHIN:
        token = claim_id_token(
            driver=driver,
            operator=station.operator,
            uid=uids[0],
            station_identity=station.identity,
            presented_at=presented[uids[0]],
        )
        return Claim(station, "claimed", left_s, token)
    if presented:
        return Claim(station, "taken", left_s)
    return Claim(station, "waiting" if left_s else "lapsed", left_s)


def _presented(station: ChargingStation, since: datetime, until: datetime) -> dict[str, datetime]:
    """Tokens held to the station's reader in that time: uid to the moment, in order."""
    frames = messages_of(station, action="Authorize", direction="in", since=since)
    rows: list[OcppMessage] = list(frames.filter(at__lt=until, type="call").order_by("at")[:20])
    return {uid: row.at for row in reversed(rows) if (uid := _uid(row.payload))}


def _uid(payload: str) -> str:
    """The token in an Authorize of 1.6 or 2.x; nothing where there is none."""
    try:
        told = json.loads(payload)
    except ValueError:
        return ""
    token = told.get("idTag") or (told.get("idToken") or {}).get("idToken")
    return token if isinstance(token, str) else ""
