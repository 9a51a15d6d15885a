"""The database itself refuses to change what was billed and what a tariff said."""

from collections.abc import Callable

import pytest
from django.db import IntegrityError, connection, transaction

from billing.models import CDR, ChargingSession, TariffVersion
from stations.models import ChargingStation
from tests.billing.factories import make_ended, tell


@pytest.fixture
def cdr(station: ChargingStation) -> CDR:
    tx = make_ended(station)
    tell("transaction.ended", tx)
    return CDR.objects.get(session__transaction=tx)


def change_cdr(cdr: CDR) -> None:
    CDR.objects.filter(pk=cdr.pk).update(gross_minor=0, net_minor=0, tax_minor=0)


def delete_cdr(cdr: CDR) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM billing_cdr WHERE id = %s", [cdr.pk])


def change_version(cdr: CDR) -> None:
    TariffVersion.objects.filter(tariff__operator=cdr.operator).update(content={})


def delete_version(cdr: CDR) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM billing_tariffversion WHERE tariff_id IN"
            " (SELECT id FROM billing_tariff WHERE operator_id = %s)",
            [cdr.operator_id],
        )


@pytest.mark.parametrize("attempt", [change_cdr, delete_cdr, change_version, delete_version])
def test_refuses_every_change(cdr: CDR, attempt: Callable[[CDR], None]) -> None:
    def rows() -> list[object]:
        return [
            *CDR.objects.filter(pk=cdr.pk).values(),
            *TariffVersion.objects.filter(tariff__operator=cdr.operator).values(),
        ]

    before = rows()
    with pytest.raises(IntegrityError, match="immutable"), transaction.atomic():
        attempt(cdr)
    assert rows() == before


def test_a_session_has_one_bill(cdr: CDR) -> None:
    cdr.pk, cdr.number = None, "CDR-2026-999999"
    with pytest.raises(IntegrityError, match="billing_one_cdr_per_session"), transaction.atomic():
        cdr.save(force_insert=True)


def test_a_billed_session_stays(cdr: CDR) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        ChargingSession.objects.filter(pk=cdr.session_id)._raw_delete("default")
        connection.check_constraints()
