"""Sites."""

from django.db.models import QuerySet

from accounts.services.actors import Actor
from cms.base.ids import get_by_id
from stations.models import Location


def locations_for(actor: Actor) -> QuerySet[Location]:
    """The operator's sites."""
    return Location.objects.filter(operator=actor.operator)


def get_location_for(actor: Actor, public_id: str) -> Location:
    """Raises NotFound for another operator's."""
    return get_by_id(locations_for(actor), public_id)
