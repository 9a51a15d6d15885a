"""Sites: made and changed."""

from typing import Any

from django.db import transaction

from accounts.services.actors import Actor
from accounts.services.audit import record_audit
from accounts.services.permissions import require
from stations.models import Location

_FIELDS = (
    "name",
    "address",
    "city",
    "postal_code",
    "country",
    "latitude",
    "longitude",
    "time_zone",
)


@transaction.atomic
def create_location(*, acting: Actor, **fields: Any) -> Location:
    """A new site of the actor's operator; without a time zone it has the operator's.

    Raises:
        NotAllowed: the role may not change locations.
    """
    require(acting, "locations.change")
    fields.setdefault("time_zone", acting.operator.time_zone)
    location = Location.objects.create(operator=acting.operator, **fields)
    record_audit(actor=acting, action="location.create", obj=location, after=_state(location))
    return location


@transaction.atomic
def update_location(*, acting: Actor, location: Location, **fields: Any) -> Location:
    """Change a site. A new time zone holds for sessions that are priced from now on. Idempotent.

    Raises:
        NotAllowed: the role may not change locations.
    """
    require(acting, "locations.change")
    location = Location.objects.select_for_update(no_key=True).get(pk=location.pk)
    before = _state(location)
    for name, value in fields.items():
        setattr(location, name, value)
    location.save(update_fields=list(fields))
    after = _state(location)
    changed = [name for name in _FIELDS if before[name] != after[name]]
    if changed:
        record_audit(
            actor=acting,
            action="location.update",
            obj=location,
            before={name: before[name] for name in changed},
            after={name: after[name] for name in changed},
        )
    return location


def _state(location: Location) -> dict[str, Any]:
    return {name: getattr(location, name) for name in _FIELDS}
