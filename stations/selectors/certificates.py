"""Certificates of stations, and whom an operator trusts."""

from django.db.models import QuerySet

from accounts.services.actors import Actor
from cms.base.ids import get_by_id
from stations.models import ChargingStation, StationCertificate, TrustedCA


def trusted_cas_for(actor: Actor) -> QuerySet[TrustedCA]:
    """The CAs that the operator added."""
    return TrustedCA.objects.filter(operator=actor.operator)


def get_trusted_ca_for(actor: Actor, public_id: str) -> TrustedCA:
    """Raises NotFound for another operator's."""
    return get_by_id(trusted_cas_for(actor), public_id)


def certificates_of(station: ChargingStation) -> QuerySet[StationCertificate]:
    """What a station has or had, the latest first; who asks may see the station."""
    return StationCertificate.objects.filter(station=station).select_related("station")


def get_certificate_of(station: ChargingStation, public_id: str) -> StationCertificate:
    """Raises NotFound for another station's."""
    return get_by_id(certificates_of(station), public_id)
