"""Security events in words."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

# What each event means for whoever reads it (Improved security for OCPP 1.6-J, §7).
EVENT_WORDS: dict[str, str | Promise] = {
    "FirmwareUpdated": _("New firmware was installed."),
    "FailedToAuthenticateAtCentralSystem": _("The station could not sign in here."),
    "CentralSystemFailedToAuthenticate": _("The station did not believe that our server is ours."),
    "SettingSystemTime": _("The station's clock was set."),
    "StartupOfTheDevice": _("The station started."),
    "ResetOrReboot": _("The station restarted."),
    "SecurityLogWasCleared": _("Somebody cleared the station's security log."),
    "ReconfigurationOfSecurityParameters": _("Its keys or its security profile were changed."),
    "MemoryExhaustion": _("The station ran out of memory."),
    "InvalidMessages": _("It got messages that it could not read."),
    "AttemptedReplayAttacks": _("It got messages a second time, as an attacker would send them."),
    "TamperDetectionActivated": _("Somebody opened the station or tampered with it."),
    "InvalidFirmwareSignature": _("Firmware was not signed by its maker."),
    "InvalidFirmwareSigningCertificate": _(
        "Firmware was signed with a certificate it does not trust."
    ),
    "InvalidCentralSystemCertificate": _("It refused a root certificate for our server."),
    "InvalidChargePointCertificate": _("It refused the certificate that was made for it."),
    "InvalidTLSVersion": _("Somebody offered a TLS version that is too old."),
    "InvalidTLSCipherSuite": _("Somebody offered a cipher suite that is not allowed."),
    "CertificateRequestRefused": _("Its request for a certificate could not be signed."),
}
