"""What certificates a station has, as its answers tell (Improved security for OCPP 1.6-J, A02, M03 to M05)."""

from stations.choices import CertificateUse, CommandStatus
from stations.commands.following import on_ended
from stations.maintenance.certificates import (
    settle_deleted_root,
    settle_installed_root,
    settle_root_list,
    settle_signed_certificate,
)
from stations.models import Command

USES = {
    "CentralSystemRootCertificate": CertificateUse.CENTRAL_SYSTEM_ROOT,
    "ManufacturerRootCertificate": CertificateUse.MANUFACTURER_ROOT,
}
_OLD = "ocpp1.6"


def _said(command: Command) -> str | None:
    """The status that the station answered, also after its time was over; None without a usable answer."""
    if command.status == CommandStatus.ERROR or not isinstance(command.response, dict):
        return None
    status = command.response.get("status")
    return status if isinstance(status, str) else None


@on_ended(_OLD, "CertificateSigned")
def follow_certificate_signed(command: Command) -> None:
    """The certificate is installed, or not; while nobody knows, it stays as it is."""
    said = _said(command)
    if said is None and command.status == CommandStatus.TIMED_OUT:
        return
    settle_signed_certificate(
        station_id=command.station_id,
        chain=command.payload["certificateChain"],
        installed=said == "Accepted",
    )


@on_ended(_OLD, "InstallCertificate")
def follow_install_certificate(command: Command) -> None:
    """Only what the station accepted is there."""
    if _said(command) == "Accepted":
        settle_installed_root(
            station_id=command.station_id,
            use=USES[command.payload["certificateType"]],
            pem=command.payload["certificate"],
        )


@on_ended(_OLD, "DeleteCertificate")
def follow_delete_certificate(command: Command) -> None:
    """Gone, or never there: either way the station does not have it."""
    if _said(command) in ("Accepted", "NotFound"):
        settle_deleted_root(
            station_id=command.station_id, hash_data=command.payload["certificateHashData"]
        )


@on_ended(_OLD, "GetInstalledCertificateIds")
def follow_installed_certificate_ids(command: Command) -> None:
    """The list is the whole truth about one use."""
    said = _said(command)
    if said not in ("Accepted", "NotFound") or command.sent_at is None:
        return
    told = command.response.get("certificateHashData") or [] if said == "Accepted" else []
    settle_root_list(
        station_id=command.station_id,
        use=USES[command.payload["certificateType"]],
        told=told,
        asked_at=command.sent_at,
    )
