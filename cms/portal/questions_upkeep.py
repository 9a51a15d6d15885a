"""Firmware, diagnostics and logs."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts.services.actors import Actor
from cms.portal.question import Question
from cms.portal.upkeep_forms import SpanForm, UpdateFirmwareForm
from stations.choices import LogKind
from stations.maintenance import firmware, logs
from stations.models import ChargingStation, Command, FirmwareUpdate, LogUpload

SHOWN_ON = "station-upkeep"


def _diagnostics(acting: Actor, station: ChargingStation, data: Mapping[str, Any]) -> Command:
    return _command_of(
        logs.request_diagnostics(
            acting=acting, station=station, from_at=data["from_at"], to_at=data["to_at"]
        )
    )


def _security_log(acting: Actor, station: ChargingStation, data: Mapping[str, Any]) -> Command:
    return _command_of(
        logs.request_log(
            acting=acting,
            station=station,
            kind=LogKind.SECURITY,
            from_at=data["from_at"],
            to_at=data["to_at"],
        )
    )


def _update_firmware(acting: Actor, station: ChargingStation, data: Mapping[str, Any]) -> Command:
    return _command_of(
        firmware.request_firmware_update(
            acting=acting,
            station=station,
            firmware=data["firmware"],
            location=data["location"],
            retrieve_at=data["retrieve_at"],
            signed=data["signed"],
        )
    )


def _command_of(job: LogUpload | FirmwareUpdate) -> Command:
    assert job.command is not None  # noqa: S101 - it was made with it
    return job.command


QUESTIONS: dict[str, Question] = {
    "diagnostics": Question(
        title=_("Fetch diagnostics"),
        consequence=_(
            "The station packs what its maker needs to find a fault and sends it here. Charging goes on; the file "
            "arrives within some minutes and can be read here."
        ),
        button=_("Fetch"),
        queue=_diagnostics,
        form_class=SpanForm,
        shown_on=SHOWN_ON,
        anchor="#logs",
    ),
    "security-log": Question(
        title=_("Fetch the security log"),
        consequence=_(
            "The station sends what it noted about its security: sign-ins, changes, attempts. Stations without the "
            "security extension refuse."
        ),
        button=_("Fetch"),
        queue=_security_log,
        form_class=SpanForm,
        shown_on=SHOWN_ON,
        anchor="#logs",
    ),
    "update-firmware": Question(
        title=_("Update the firmware"),
        consequence=_(
            "The station fetches the file, installs it and restarts; drivers cannot start charging meanwhile, and "
            "some stations end running sessions. A firmware for another model can make it unusable."
        ),
        button=_("Update"),
        queue=_update_firmware,
        form_class=UpdateFirmwareForm,
        dangerous=True,
        shown_on=SHOWN_ON,
        anchor="#firmware",
    ),
}
