"""What our 1.6 requests set in motion: payloads and answers translated for the domain. One file a profile."""

from stations.ocpp.v16.followers import (
    certificates,
    configuration,
    diagnostics,
    firmware,
    local_list,
    reservation,
    smart_charging,
)

__all__ = [
    "certificates",
    "configuration",
    "diagnostics",
    "firmware",
    "local_list",
    "reservation",
    "smart_charging",
]
