"""Which function answers which action. What is missing here is NotSupported."""

from collections.abc import Mapping

from stations.ocpp.context import Handler
from stations.ocpp.v16.authorize import handle_authorize
from stations.ocpp.v16.boot_notification import handle_boot_notification
from stations.ocpp.v16.data_transfer import handle_data_transfer
from stations.ocpp.v16.firmware_status import (
    handle_firmware_status,
    handle_signed_firmware_status,
)
from stations.ocpp.v16.heartbeat import handle_heartbeat
from stations.ocpp.v16.log_status import handle_diagnostics_status, handle_log_status
from stations.ocpp.v16.meter_values import handle_meter_values
from stations.ocpp.v16.security_event import handle_security_event
from stations.ocpp.v16.sign_certificate import handle_sign_certificate
from stations.ocpp.v16.start_transaction import handle_start_transaction
from stations.ocpp.v16.status_notification import handle_status_notification
from stations.ocpp.v16.stop_transaction import handle_stop_transaction

ROUTES: Mapping[str, Handler] = {
    "Authorize": handle_authorize,
    "BootNotification": handle_boot_notification,
    "DataTransfer": handle_data_transfer,
    "DiagnosticsStatusNotification": handle_diagnostics_status,
    "FirmwareStatusNotification": handle_firmware_status,
    "Heartbeat": handle_heartbeat,
    "LogStatusNotification": handle_log_status,
    "MeterValues": handle_meter_values,
    "SecurityEventNotification": handle_security_event,
    "SignCertificate": handle_sign_certificate,
    "SignedFirmwareStatusNotification": handle_signed_firmware_status,
    "StartTransaction": handle_start_transaction,
    "StatusNotification": handle_status_notification,
    "StopTransaction": handle_stop_transaction,
}
