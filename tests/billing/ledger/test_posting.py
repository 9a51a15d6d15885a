"""The ledger adds up, whoever writes to it, and says of each bill what it did."""

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from accounts.services.actors import Actor
from billing.choices import LedgerAccountKind, LedgerKind
from billing.ledger.posting import Leg, PostedOtherwise, post, post_missing
from billing.ledger.selectors import are_balanced, balances_for
from billing.models import CDR, LedgerAccount, LedgerEntry, LedgerTransaction
from tests.api import Api
from tests.billing.factories import assign, component, hours_ago, make_ended, make_tariff, tell
from tests.factories import make_api_key, make_operator, make_station

pytestmark = pytest.mark.django_db

RECEIVABLE, REVENUE, TAX = (
    LedgerAccountKind.RECEIVABLE,
    LedgerAccountKind.REVENUE,
    LedgerAccountKind.TAX,
)


def bill(operator, *components, **fields) -> CDR:
    """A charged and billed session: 10 kWh at 0.40 EUR and 20 % VAT unless told."""
    assign(make_tariff(operator, *components, **fields), created_at=hours_ago(48))
    tx = make_ended(make_station(operator))
    tell("transaction.ended", tx)
    return CDR.objects.get(session__transaction=tx)


def entries_of(cdr) -> dict[str, int]:
    entries = LedgerEntry.objects.filter(transaction__cdr=cdr)
    return dict(entries.values_list("account__kind", "amount_minor"))


def post_sale(operator, *, key="test/1", net=100, tax=20, currency="EUR", receivable=None):
    return post(
        operator_id=operator.pk,
        key=key,
        kind=LedgerKind.SALE,
        currency=currency,
        at=timezone.now(),
        legs=[
            Leg(RECEIVABLE, net + tax if receivable is None else receivable),
            Leg(REVENUE, -net),
            Leg(TAX, -tax),
        ],
    )


def test_a_bill_is_posted_with_it(operator):
    cdr = bill(operator)
    assert entries_of(cdr) == {"receivable": 480, "revenue": -400, "tax": -80}
    posted = cdr.ledger_transaction
    assert (posted.kind, posted.currency, posted.at) == ("sale", "EUR", cdr.created_at)
    connection.check_constraints()


def test_a_bill_told_twice_is_posted_once(operator):
    cdr = bill(operator)
    tell("transaction.ended", cdr.session.transaction)
    assert LedgerTransaction.objects.filter(operator=operator).count() == 1


def test_a_bill_of_nothing_moves_nothing(operator):
    cdr = bill(operator, component("ENERGY", "0"))
    assert cdr.gross_minor == 0
    assert entries_of(cdr) == {}
    assert post_missing() == 0


def test_a_bill_without_tax_leaves_the_tax_alone(operator):
    assert entries_of(bill(operator, component("ENERGY", "0.40", vat=None))) == {
        "receivable": 400,
        "revenue": -400,
    }


def test_a_key_is_posted_once_and_other_amounts_under_it_are_an_error(operator):
    first = post_sale(operator)
    assert post_sale(operator) == first
    with pytest.raises(PostedOtherwise):
        post_sale(operator, net=101)
    assert entries_total(operator) == 120


def entries_total(operator) -> int:
    return sum(
        LedgerEntry.objects.filter(
            transaction__operator=operator, account__kind="receivable"
        ).values_list("amount_minor", flat=True)
    )


def test_what_does_not_add_up_is_not_committed(operator):
    post_sale(operator, receivable=119)
    with pytest.raises(IntegrityError, match="does not add up"):
        connection.check_constraints()


def test_a_transaction_without_entries_is_not_committed(operator):
    LedgerTransaction.objects.create(
        operator=operator, key="bare", kind="sale", currency="EUR", at=timezone.now()
    )
    with pytest.raises(IntegrityError, match="does not add up"):
        connection.check_constraints()


@pytest.mark.parametrize("stranger", ["currency", "operator"])
def test_entries_stay_within_one_operator_and_currency(operator, stranger):
    posted = post_sale(operator)
    owner = make_operator() if stranger == "operator" else operator
    currency = "USD" if stranger == "currency" else "EUR"
    accounts = [
        LedgerAccount.objects.create(operator=owner, kind=kind, currency=currency, reference="x")
        for kind in (RECEIVABLE, REVENUE)
    ]
    for account, amount_minor in zip(accounts, (5, -5), strict=True):
        LedgerEntry.objects.create(transaction=posted, account=account, amount_minor=amount_minor)
    with pytest.raises(IntegrityError, match="does not add up"):
        connection.check_constraints()


@pytest.mark.parametrize("model", [LedgerAccount, LedgerTransaction, LedgerEntry])
@pytest.mark.parametrize("verb", ["UPDATE {} SET id = id", "DELETE FROM {}"])
def test_nothing_posted_can_be_changed(operator, model, verb):
    post_sale(operator)
    with (
        pytest.raises(DatabaseError, match="immutable"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(verb.format(model._meta.db_table))


def test_bills_older_than_the_ledger_are_posted_later(operator):
    cdr = bill(operator)
    # A copy as it would be had nobody posted it.
    fields = {
        f.attname: getattr(cdr, f.attname) for f in CDR._meta.concrete_fields if f.name != "id"
    }
    credit = CDR.objects.create(
        **{
            **fields,
            "number": "CDR-OLD",
            "credit_of_id": cdr.pk,
            "net_minor": -cdr.net_minor,
            "tax_minor": -cdr.tax_minor,
            "gross_minor": -cdr.gross_minor,
        }
    )
    assert post_missing() == 1
    assert entries_of(credit) == {"receivable": -480, "revenue": 400, "tax": 80}
    assert credit.ledger_transaction.kind == "credit"
    assert post_missing() == 0
    balances = balances_for(Actor.system(operator))
    assert [b.balance_minor for b in balances] == [0, 0, 0]


def test_the_ledger_over_rest(operator):
    cdr = bill(operator)
    api = Api(make_api_key(operator))
    [row] = api.get("/ledger/").json()["results"]
    assert row == {
        "id": str(cdr.ledger_transaction.pk),
        "kind": "sale",
        "at": row["at"],
        "currency": "EUR",
        "session": str(cdr.session_id),
        "cdr": str(cdr.pk),
        "entries": [
            {"account": "receivable", "reference": None, "amount_minor": 480},
            {"account": "revenue", "reference": None, "amount_minor": -400},
            {"account": "tax", "reference": None, "amount_minor": -80},
        ],
        "balanced": True,
    }
    assert api.get(f"/ledger/{row['id']}/").json() == row
    balances = api.get("/ledger/balances/").json()
    assert balances["balanced"] is True
    assert [(b["account"], b["currency"], b["balance_minor"]) for b in balances["balances"]] == [
        ("receivable", "EUR", 480),
        ("revenue", "EUR", -400),
        ("tax", "EUR", -80),
    ]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("account=tax", 1),
        ("kind=credit", 0),
        ("currency=USD", 0),
        ("session=0", 0),
        ("since=2020-01-01T00:00:00Z", 1),
        ("until=2020-01-01T00:00:00Z", 0),
    ],
)
def test_filters_of_the_ledger(operator, query, found):
    bill(operator)
    assert len(Api(make_api_key(operator)).get(f"/ledger/?{query}").json()["results"]) == found


def test_another_operators_ledger_is_not_seen(operator):
    cdr = bill(operator)
    stranger = Api(make_api_key(make_operator()))
    assert stranger.get("/ledger/").json()["results"] == []
    assert stranger.get(f"/ledger/{cdr.ledger_transaction.pk}/").status_code == 404
    assert stranger.get("/ledger/balances/").json() == {"balances": [], "balanced": True}


def test_accounts_of_different_currencies_add_up_each_by_itself(operator):
    post_sale(operator, key="a")
    post_sale(operator, key="b", currency="KWD", net=1000, tax=0)
    balances = balances_for(Actor.system(operator))
    assert are_balanced(balances)
    # In each currency: leaving one account out shows.
    assert not are_balanced([b for b in balances if str(b.account) != "revenue KWD"])
