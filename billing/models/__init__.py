"""What charging costs and who was billed for it."""

from billing.models.cdr import CDR, DocumentCounter
from billing.models.ledger import LedgerAccount, LedgerEntry, LedgerTransaction
from billing.models.session import ChargingSession
from billing.models.tariff import Tariff, TariffAssignment, TariffVersion

__all__ = [
    "CDR",
    "ChargingSession",
    "DocumentCounter",
    "LedgerAccount",
    "LedgerEntry",
    "LedgerTransaction",
    "Tariff",
    "TariffAssignment",
    "TariffVersion",
]
