"""What is printed and stuck to a connector: its code, and the QR symbol that leads a telephone to its page."""

from dataclasses import dataclass

from django.conf import settings
from django.utils.html import format_html
from django.utils.safestring import SafeString
from reportlab.graphics.barcode.qrencoder import QRCode, QRErrorCorrectLevel

from cms.portal.looks import STANDARDS
from stations.models import ChargingStation, Connector
from stations.services.connector_codes import ensure_connector_codes

# ISO/IEC 18004 asks for four modules of white around the symbol.
_QUIET = 4


@dataclass(frozen=True, slots=True)
class Label:
    """One connector's label. `readable_code` is in two halves, for people who type it."""

    connector: Connector
    address: str
    symbol: SafeString

    @property
    def readable_code(self) -> str:
        code = self.connector.code or ""
        return f"{code[:4]}-{code[4:]}"

    @property
    def address_start(self) -> str:
        """The address up to the code, where it may go on in the next line."""
        return self.address.removesuffix(self.connector.code or "")

    @property
    def kind(self) -> str:
        return STANDARDS.get(self.connector.standard, self.connector.standard)


def labels_of(station: ChargingStation) -> list[Label]:
    """A label for each described connector; one that has no code yet is given one."""
    connectors = list(
        Connector.objects.filter(evse__station=station)
        .select_related("evse")
        .order_by("evse__evse_id", "connector_id")
    )
    ensure_connector_codes(connectors)
    return [_label(connector) for connector in connectors]


def connector_address(code: str) -> str:
    """The page behind a connector's label, as printed."""
    return f"{settings.BASE_URL}/c/{code}"


def _label(connector: Connector) -> Label:
    address = connector_address(connector.code or "")
    return Label(connector, address, qr_svg(address))


def qr_svg(text: str) -> SafeString:
    """The QR symbol of `text` as an SVG without a size; black on white whatever the theme.

    Error correction M: a scratch across the label does no harm. The encoder is ReportLab's, which is
    here for receipts.
    """
    code = QRCode(None, QRErrorCorrectLevel.M)
    code.addData(text)
    code.make()
    size = code.getModuleCount()  # type: ignore[no-untyped-call]
    runs = "".join(
        f"M{column + _QUIET} {row + _QUIET}h1v1h-1z"
        for row in range(size)
        for column in range(size)
        if code.isDark(row, column)  # type: ignore[no-untyped-call]
    )
    side = size + 2 * _QUIET
    return format_html(
        '<svg class="qr" viewBox="0 0 {side} {side}" role="img" aria-label="{text}" '
        'shape-rendering="crispEdges"><rect width="{side}" height="{side}" fill="#fff"></rect>'
        '<path d="{runs}" fill="#000"></path></svg>',
        side=side,
        text=text,
        runs=runs,
    )
