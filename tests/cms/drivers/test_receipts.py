"""The bill: page and paper say what the CDR says, to the cent."""

import io
import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import translation
from pypdf import PdfReader

from accounts.models import Driver
from billing.models import CDR
from billing.receipts import formats
from billing.receipts.pdf import receipt_pdf
from billing.receipts.receipt import Receipt, receipt_of
from tests.billing.factories import assign, component, hours_ago, make_ended, make_tariff, tell
from tests.cms.drivers.conftest import Site, app_token, make_billed, make_site


@pytest.fixture
def cdr(driver: Driver, site: Site) -> CDR:
    return CDR.objects.get(session=make_billed(driver, site, energy_wh=12_345))


def shown(client: Client, cdr: CDR) -> str:
    response = client.get(f"/me/sessions/{cdr.session_id}/")
    return re.sub(r"\s+", " ", response.content.decode().replace("\xa0", " "))


def test_every_amount_on_the_page_is_the_cdrs(browser: Client, cdr: CDR) -> None:
    page = shown(browser, cdr)
    euros = formats.money
    assert len(cdr.price["lines"]) == 2  # energy, and two minutes past the grace of none
    for line in cdr.price["lines"]:
        for part in ("net_minor", "tax_minor", "gross_minor"):
            assert euros(line[part], "EUR") in page
    for part in (cdr.net_minor, cdr.tax_minor, cdr.gross_minor):
        assert euros(part, "EUR") in page
    assert cdr.number in page


def test_the_bill_explains_itself(browser: Client, cdr: CDR) -> None:
    page = shown(browser, cdr)
    # 12.345 × 0.49 = 6.04905 → 6.05 net; 19 % of the exact net 1.1493 → 1.15.
    assert "12.345 kWh × €0.49" in page
    assert "+ €1.15 VAT (19%) = €7.20" in page
    assert "0:12:00 h × €6.00" in page
    for register in ("5.000 kWh", "17.345 kWh"):
        assert register in page
    assert "Europe/Berlin, UTC+0" in page
    assert "Alexanderplatz 1" in page
    assert cdr.station_identity in page


def test_lines_and_rates_add_up_to_the_total(cdr: CDR) -> None:
    receipt = receipt_of(cdr)
    for part in ("net_minor", "tax_minor"):
        total = getattr(receipt, part)
        assert total == sum(getattr(line, part) for line in receipt.lines)
        assert total == sum(getattr(rate, part) for rate in receipt.vat_totals)
    assert receipt.gross_minor == receipt.net_minor + receipt.tax_minor == cdr.gross_minor


def test_the_pdf_has_the_amounts_of_the_page(browser: Client, cdr: CDR) -> None:
    response = browser.get(f"/me/sessions/{cdr.session_id}/receipt.pdf")
    assert response.headers["Content-Type"] == "application/pdf"
    assert cdr.number in response.headers["Content-Disposition"]
    words = pdf_text(response.content)
    for amount in (cdr.net_minor, cdr.tax_minor, cdr.gross_minor):
        assert formats.money(amount, "EUR") in words
    assert "12.345 kWh × €0.49" in words
    assert cdr.number in words
    again = browser.get(f"/me/sessions/{cdr.session_id}/receipt.pdf")
    assert again.content == response.content


def test_letters_that_the_font_lacks_do_not_break_the_paper(cdr: CDR) -> None:
    for name in ("Ŵezi <b>& 充電", "مها", "🚗" * 200, "a" * 2000):
        cdr.operator.name = name
        assert receipt_pdf(receipt_of(cdr)).startswith(b"%PDF")


def test_a_bill_with_many_lines_goes_on_overleaf(cdr: CDR) -> None:
    receipt = receipt_of(cdr)
    long = Receipt(
        **{
            name: getattr(receipt, name) for name in Receipt.__dataclass_fields__ if name != "lines"
        },
        lines=receipt.lines * 40,
    )
    assert len(PdfReader(io.BytesIO(receipt_pdf(long))).pages) > 1


def test_a_free_session_and_one_in_yen_have_receipts(driver: Driver, browser: Client) -> None:
    site = make_site(priced=False)
    yen = make_tariff(site.operator, component("ENERGY", "30", vat=None), currency="JPY")
    assign(yen, created_at=hours_ago(48))
    cdr = CDR.objects.get(session=make_billed(driver, site, energy_wh=10_000))
    assert "JP¥300" in shown(browser, cdr)
    tx = make_ended(site.station, energy_wh=0, id_token=app_token(driver, site))
    tell("transaction.ended", tx)
    free = CDR.objects.get(session__transaction=tx)
    assert "Nothing was charged for." in shown(browser, free)


def test_a_bill_that_is_not_made_yet_is_not_found(
    browser: Client, driver: Driver, site: Site
) -> None:
    session = make_billed(driver, site)
    assert browser.get(f"/me/sessions/{session.pk + 10_000}/receipt.pdf").status_code == 404


def test_the_receipt_speaks_the_readers_language(cdr: CDR) -> None:
    with translation.override("fr"):
        assert receipt_of(cdr).lines[0].calculation == "12,345 kWh × 0,49\xa0€"


# --- formats ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        (123456, "EUR", "€1,234.56"),
        (1234, "JPY", "JP¥1,234"),
        (-5, "KWD", "-KWD0.005"),
        (None, "EUR", "–"),
    ],
)
def test_money_has_its_currencys_digits(amount: int | None, currency: str, written: str) -> None:
    assert formats.money(amount, currency) == written


@pytest.mark.parametrize(
    ("price", "currency", "written"),
    [
        ("0.5831", "EUR", "€0.5831"), ("0.58", "EUR", "€0.58"), ("7", "EUR", "€7.00"),
        ("0.12345", "EUR", "€0.1235"), ("30", "JPY", "JP¥30"), ("0.5", "JPY", "JP¥0.5"),
    ],
)  # fmt: skip
def test_unit_prices_have_as_many_digits_as_they_need(
    price: str, currency: str, written: str
) -> None:
    assert formats.unit_price(Decimal(price), currency) == written


def test_times_are_the_sites() -> None:
    noon = datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert formats.at(noon, "Europe/Berlin") == "1 Jul 2026, 14:00"
    assert formats.at(noon, "Not/AZone") == "1 Jul 2026, 12:00"
    assert formats.zone_words(noon, "Europe/Berlin") == "Europe/Berlin, UTC+02:00"


@pytest.mark.parametrize(
    ("seconds", "words"), [(40, "40 s"), (720, "12 min"), (3_720, "1 h 02 min"), (None, "–")]
)
def test_durations_are_as_long_as_they_need_to_be(seconds: int | None, words: str) -> None:
    assert formats.duration(seconds) == words


def pdf_text(pdf: bytes) -> str:
    """What a reader of the file sees."""
    pages = PdfReader(io.BytesIO(pdf)).pages
    return "\n".join(page.extract_text() for page in pages).replace("\xa0", " ")
