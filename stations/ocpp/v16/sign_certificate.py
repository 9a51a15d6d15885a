"""SignCertificate.req (Improved security for OCPP 1.6-J, A02)."""

from typing import Any

from stations.ingest.writer import FactQuarantined
from stations.maintenance.certificates import sign_request
from stations.ocpp.context import CallContext


async def handle_sign_certificate(context: CallContext, payload: dict[str, Any]) -> dict[str, Any]:
    """Accepted once the certificate is made; CertificateSigned brings it to the station."""
    try:
        signed = await context.apply(
            sign_request,
            station_id=context.station.id,
            csr=payload["csr"],
            received_at=context.received_at,
        )
    except FactQuarantined:
        signed = False
    return {"status": "Accepted" if signed else "Rejected"}
