"""A receipt on paper: one PDF, made in memory by ReportLab, which is Python alone and needs no system library.

Its own Vera font is embedded: the fonts that every reader has know neither most languages nor most
currency signs. The file is the same for the same receipt, byte by byte.
"""

import unicodedata
from functools import cache
from io import BytesIO
from xml.sax.saxutils import escape

from django.utils.translation import gettext as _
from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from billing.receipts import formats
from billing.receipts.receipt import Receipt, ReceiptLine

_INK = HexColor("#17252b")
_MUTED = HexColor("#56656d")
_LINE = HexColor("#8b969c")
_BAND = HexColor("#0f3a3d")
_MARGIN = 18 * mm
_WIDTH = A4[0] - 2 * _MARGIN - 12  # a frame keeps 6 points free on either side
Row = list[list[Paragraph] | Paragraph | str]
_REGULAR, _BOLD = "Vera", "VeraBd"


@cache
def _register_fonts() -> None:
    for name in (_REGULAR, _BOLD):
        pdfmetrics.registerFont(TTFont(name, f"{name}.ttf"))


def _style(
    size: float, *, bold: bool = False, muted: bool = False, right: bool = False
) -> ParagraphStyle:
    return ParagraphStyle(
        "",
        fontName=_BOLD if bold else _REGULAR,
        fontSize=size,
        leading=size * 1.35,
        textColor=_MUTED if muted else _INK,
        alignment=TA_RIGHT if right else 0,
    )


def receipt_pdf(receipt: Receipt) -> bytes:
    """The receipt as a PDF of A4 pages, in the active language."""
    _register_fonts()
    out = BytesIO()
    document = SimpleDocTemplate(
        out,
        pagesize=A4,
        leftMargin=_MARGIN,
        rightMargin=_MARGIN,
        topMargin=_MARGIN,
        bottomMargin=_MARGIN,
        title=f"{_('Receipt')} {receipt.number}",
        author=receipt.operator_name,
        creator="Magetsi",
        lang=str(formats.locale().language),
        invariant=True,
    )
    document.build(
        [*_head(receipt), _facts(receipt), Spacer(0, 7 * mm), _bill(receipt), *_foot(receipt)]
    )
    return out.getvalue()


def _text(text: str, size: float = 9, **look: bool) -> Paragraph:
    return Paragraph(escape(_printable(text)), _style(size, **look))


def _printable(text: str) -> str:
    """Without what the font cannot draw: an accented letter loses its accent, the rest becomes `?`."""
    font: TTFont = pdfmetrics.getFont(_REGULAR)  # type: ignore[assignment]
    known = font.face.charToGlyph
    drawn = []
    for char in text:
        plain = char if ord(char) in known else unicodedata.normalize("NFKD", char)[0]
        drawn.append(plain if ord(plain) in known else "?")
    return "".join(drawn)


def _head(receipt: Receipt) -> list[Flowable]:
    return [
        _text(receipt.operator_name, 11, bold=True),
        Spacer(0, 5 * mm),
        _text(_("Receipt for charging"), 17, bold=True),
        Spacer(0, 1 * mm),
        _text(
            _("No. %(number)s, issued %(at)s")
            % {
                "number": receipt.number,
                "at": formats.at(receipt.issued_at, receipt.time_zone),
            },
            9,
            muted=True,
        ),
        Spacer(0, 6 * mm),
    ]


def facts_of(receipt: Receipt) -> list[tuple[str, str]]:
    """What was charged, where and when: (word, value), as page and paper show it."""
    zone = receipt.time_zone
    rows = [
        (_("Place"), ", ".join(receipt.place)),
        (
            _("Station"),
            _("%(station)s, connector %(connector)s")
            % {"station": receipt.station, "connector": receipt.connector},
        ),
        (_("Driver"), receipt.driver_name),
        (_("Card or app"), receipt.id_token),
        (_("Start"), formats.at(receipt.started_at, zone, seconds=True)),
        (_("End"), formats.at(receipt.ended_at, zone, seconds=True)),
        (_("Duration"), formats.clock(receipt.duration_s)),
        (_("of that not charging"), formats.clock(receipt.idle_s) if receipt.idle_s else ""),
        (_("Meter at the start"), formats.kwh(receipt.meter_start_wh, places=3)),
        (_("Meter at the end"), formats.kwh(receipt.meter_stop_wh, places=3)),
        (_("Energy"), formats.kwh(receipt.energy_wh, places=3)),
        (_("Tariff"), receipt.tariff),
    ]
    return [(word, value) for word, value in rows if value not in ("", formats.NOTHING)]


def _facts(receipt: Receipt) -> Table:
    rows = [[_text(word, muted=True), _text(value)] for word, value in facts_of(receipt)]
    table = Table(rows, colWidths=[42 * mm, _WIDTH - 42 * mm])
    table.setStyle(
        TableStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
                ("TOPPADDING", (0, 0), (-1, -1), 1),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 1),
            ]
        )
    )
    return table


def _bill(receipt: Receipt) -> Table:
    currency = receipt.currency
    heads = [_("For"), _("Net"), _("VAT"), _("Gross")]
    rows: list[Row] = [
        [_text(head, 8, muted=True, right=index > 0) for index, head in enumerate(heads)]
    ]
    rows += [_bill_row(line, currency) for line in receipt.lines]
    if not receipt.lines:
        rows.append([_text(_("Nothing was charged for.")), "", "", ""])
    rows.append(
        [
            _text(_("Total"), 11, bold=True),
            *(
                _text(formats.money(amount, currency), size, bold=True, right=True)
                for amount, size in (
                    (receipt.net_minor, 9),
                    (receipt.tax_minor, 9),
                    (receipt.gross_minor, 11),
                )
            ),
        ]
    )
    amounts = 30 * mm
    table = Table(rows, colWidths=[_WIDTH - 3 * amounts, amounts, amounts, amounts], repeatRows=1)
    table.setStyle(
        TableStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (0, -1), 0),
                ("RIGHTPADDING", (-1, 0), (-1, -1), 0),
                ("LINEBELOW", (0, 0), (-1, 0), 0.8, _BAND),
                ("LINEBELOW", (0, 1), (-1, -2), 0.3, _LINE),
                ("LINEABOVE", (0, -1), (-1, -1), 0.8, _BAND),
                ("TOPPADDING", (0, -1), (-1, -1), 5),
            ]
        )
    )
    return table


def _bill_row(line: ReceiptLine, currency: str) -> Row:
    vat = f"{formats.money(line.tax_minor, currency)} ({formats.percent(line.vat_percent)})"
    return [
        [
            _text(line.label, bold=True),
            _text(line.calculation, 8),
            _text(line.period, 8, muted=True),
        ],
        _text(formats.money(line.net_minor, currency), right=True),
        _text(vat, right=True),
        _text(formats.money(line.gross_minor, currency), right=True),
    ]


def _foot(receipt: Receipt) -> list[Flowable]:
    notes = [
        _("Times as the clock shows at the site (%(zone)s).")
        % {"zone": formats.zone_words(receipt.started_at, receipt.time_zone)},
        _(
            "Each net amount is quantity × unit price, rounded once. VAT is made of the exact net and rounded once."
        ),
    ]
    if receipt.tariff_text:
        notes.append(f"{_('Price as published:')} {receipt.tariff_text}")
    return [Spacer(0, 7 * mm), *(_text(note, 8, muted=True) for note in notes)]
