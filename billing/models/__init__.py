"""What charging costs and who was billed for it."""

from billing.models.cdr import CDR, DocumentCounter
from billing.models.session import ChargingSession
from billing.models.tariff import Tariff, TariffAssignment, TariffVersion

__all__ = [
    "CDR",
    "ChargingSession",
    "DocumentCounter",
    "Tariff",
    "TariffAssignment",
    "TariffVersion",
]
