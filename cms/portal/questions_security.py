"""Certificates, keys and security profiles."""

import secrets
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts.services.actors import Actor
from cms.base.errors import Conflict
from cms.portal.question import Question
from cms.portal.security_forms import (
    DeleteRootForm,
    ExtendedTriggerForm,
    InstallRootForm,
    NewKeyForm,
    RaiseProfileForm,
    RootUseForm,
)
from stations.maintenance.certificates import request_renewal
from stations.models import ChargingStation, Command
from stations.selectors.certificates import get_certificate_of
from stations.services.commands import queue_command
from stations.services.passwords import generate_password

SHOWN_ON = "station-security"
KEY_BYTES = 20


def _raise_profile(acting: Actor, station: ChargingStation, data: Mapping[str, Any]) -> Command:
    if data["profile"] <= station.security_profile:
        raise Conflict("The station has this profile, or a higher one, already.")
    return queue_command(
        station=station,
        action="ChangeConfiguration",
        payload={"key": "SecurityProfile", "value": str(data["profile"])},
        acting=acting,
    )


def _new_key(acting: Actor, station: ChargingStation, data: Mapping[str, Any]) -> Command:
    """Nobody sees the key: the station has it, and we keep its hash."""
    as_text = data["form"] == "text"
    value = generate_password() if as_text else secrets.token_hex(KEY_BYTES)
    return queue_command(
        station=station,
        action="ChangeConfiguration",
        payload={"key": "AuthorizationKey", "value": value},
        acting=acting,
    )


def _renew(acting: Actor, station: ChargingStation, data: Mapping[str, Any]) -> Command:
    return request_renewal(station=station, acting=acting)


def _install(acting: Actor, station: ChargingStation, data: Mapping[str, Any]) -> Command:
    return queue_command(
        station=station,
        action="InstallCertificate",
        payload={"certificateType": data["use"], "certificate": data["certificate"]},
        acting=acting,
    )


def _delete(acting: Actor, station: ChargingStation, data: Mapping[str, Any]) -> Command:
    certificate = get_certificate_of(station, data["certificate"])
    if certificate.hash_data is None:
        raise Conflict("A station's own certificate cannot be deleted; revoke it instead.")
    return queue_command(
        station=station,
        action="DeleteCertificate",
        payload={"certificateHashData": certificate.hash_data},
        acting=acting,
    )


def _read(acting: Actor, station: ChargingStation, data: Mapping[str, Any]) -> Command:
    return queue_command(
        station=station,
        action="GetInstalledCertificateIds",
        payload={"certificateType": data["use"]},
        acting=acting,
    )


def _trigger(acting: Actor, station: ChargingStation, data: Mapping[str, Any]) -> Command:
    payload: dict[str, Any] = {"requestedMessage": data["message"]}
    if data["evse_id"]:
        payload["connectorId"] = data["evse_id"]
    return queue_command(
        station=station, action="ExtendedTriggerMessage", payload=payload, acting=acting
    )


QUESTIONS: dict[str, Question] = {
    "raise-profile": Question(
        title=_("Raise the security profile"),
        consequence=_(
            "The station changes the way it signs in and connects anew. Until it has come back that "
            "way, the old one goes on to work; afterwards only the new one does. It cannot be asked to "
            "go back. For profiles 2 and 3 it needs the root of our server's certificate and an "
            "address with wss://, for 3 a certificate of its own as well."
        ),
        button=_("Raise"),
        queue=_raise_profile,
        form_class=RaiseProfileForm,
        dangerous=True,
        shown_on=SHOWN_ON,
        anchor="",
    ),
    "new-key": Question(
        title=_("Change the key"),
        consequence=_(
            "A new key is made and sent to the station, which connects anew with it. Nobody sees it. "
            "If the answer is lost, both keys open the door until the station has shown which one it "
            "has."
        ),
        button=_("Change the key"),
        queue=_new_key,
        form_class=NewKeyForm,
        dangerous=True,
        shown_on=SHOWN_ON,
        anchor="",
    ),
    "renew-certificate": Question(
        title=_("Renew the certificate"),
        consequence=_(
            "The station makes a new key and asks for a certificate, which our CA signs and sends. The "
            "one it has goes on to work until it expires or you revoke it."
        ),
        button=_("Renew"),
        queue=_renew,
        shown_on=SHOWN_ON,
        anchor="#certificates",
    ),
    "install-root": Question(
        title=_("Install a root certificate"),
        consequence=_(
            "The station trusts what this root has signed: our server, or firmware. It may drop an "
            "older root that it has for the same use."
        ),
        button=_("Install"),
        queue=_install,
        form_class=InstallRootForm,
        shown_on=SHOWN_ON,
        anchor="#certificates",
    ),
    "delete-root": Question(
        title=_("Delete a root certificate"),
        consequence=_(
            "The station no longer trusts what this root has signed. Without the root of our server's "
            "certificate it cannot connect any more."
        ),
        button=_("Delete"),
        queue=_delete,
        form_class=DeleteRootForm,
        dangerous=True,
        shown_on=SHOWN_ON,
        anchor="#certificates",
    ),
    "read-roots": Question(
        title=_("Read the root certificates"),
        consequence=_("The station tells which roots it has. Nothing changes."),
        button=_("Read"),
        queue=_read,
        form_class=RootUseForm,
        shown_on=SHOWN_ON,
        anchor="#certificates",
    ),
    "extended-trigger": Question(
        title=_("Ask for a message (security)"),
        consequence=_(
            "The station sends this message now, as the security extension of OCPP 1.6 has it. Nothing "
            "changes at the station."
        ),
        button=_("Ask"),
        queue=_trigger,
        form_class=ExtendedTriggerForm,
    ),
}
