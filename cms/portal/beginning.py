"""The way of a new operator from nothing to the first session."""

from dataclasses import dataclass

from accounts.models import IdToken
from accounts.services.actors import Actor
from billing.models import ChargingSession, TariffAssignment
from stations.models import ChargingStation, StationState


@dataclass(frozen=True, slots=True)
class Beginning:
    """Which steps are behind them; `next_step` names the first that is not."""

    has_station: bool
    has_connected: bool
    has_tariff: bool
    has_card: bool

    @property
    def next_step(self) -> str:
        steps = {
            "station": self.has_station,
            "connect": self.has_connected,
            "tariff": self.has_tariff,
            "card": self.has_card,
        }
        return next((step for step, is_done in steps.items() if not is_done), "session")


def beginning_of(actor: Actor) -> Beginning | None:
    """None once anybody has charged; one query then, five before."""
    operator = actor.operator
    if ChargingSession.objects.filter(operator=operator).exists():
        return None
    stations = ChargingStation.objects.filter(operator=operator)
    connected = StationState.objects.filter(station__operator=operator, generation__gt=0)
    assigned = TariffAssignment.objects.filter(operator=operator, removed_at__isnull=True)
    return Beginning(
        has_station=stations.exists(),
        has_connected=connected.exists(),
        has_tariff=assigned.exists(),
        has_card=IdToken.objects.filter(operator=operator, status="accepted").exists(),
    )
