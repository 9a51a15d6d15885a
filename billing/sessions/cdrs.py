"""Issuing charge detail records: a number without gaps, and a row that never changes."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import connection

from billing.ledger.posting import post_cdr
from billing.models import CDR, ChargingSession, TariffVersion
from billing.sessions.evidence import Evidence
from billing.tariffs.price import Price, price_to_json
from billing.tariffs.timeline import idle_s

CDR_KIND = "CDR"


def issue_cdr(
    *,
    session: ChargingSession,
    version: TariffVersion,
    evidence: Evidence,
    price: Price,
    now: datetime,
) -> CDR:
    """Write the session's CDR and post it to the ledger; call it inside the transaction that completes the session.

    `evidence.transaction` carries its station with operator, `version` its tariff.

    Raises:
        IntegrityError: the session has its CDR already (`billing_one_cdr_per_session`).
    """
    tx, facts = evidence.transaction, evidence.facts
    issued_on = now.astimezone(ZoneInfo(tx.station.operator.time_zone))
    cdr = CDR.objects.create(
        operator_id=session.operator_id,
        number=next_number(operator_id=session.operator_id, kind=CDR_KIND, year=issued_on.year),
        session=session,
        station_identity=tx.station.identity,
        evse_id=tx.evse_id,
        connector_id=tx.connector_id,
        id_token_uid=tx.id_token_uid,
        started_at=facts.started_at,
        ended_at=facts.ended_at,
        energy_wh=facts.energy_wh,
        duration_s=facts.duration_s,
        idle_s=idle_s(facts),
        tariff={
            "id": version.tariff.ocpi_id,
            "version": version.version,
            "content": version.content,
        },
        facts=evidence.to_json(),
        currency=price.currency,
        net_minor=price.net_minor,
        tax_minor=price.tax_minor,
        gross_minor=price.gross_minor,
        price=price_to_json(price),
        created_at=now,
    )
    post_cdr(cdr)
    return cdr


def next_number(*, operator_id: int, kind: str, year: int) -> str:
    """The next number of a kind of document, `CDR-2026-000017`: per operator and year, without gaps.

    Holds the counter's row until the end of the transaction, so that a number that is rolled back is
    given again; take it last.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO billing_documentcounter AS c (operator_id, kind, year, last)"
            " VALUES (%s, %s, %s, 1)"
            " ON CONFLICT (operator_id, kind, year) DO UPDATE SET last = c.last + 1"
            " RETURNING last",
            [operator_id, kind, year],
        )
        (last,) = cursor.fetchone()
    return f"{kind}-{year}-{last:06d}"
