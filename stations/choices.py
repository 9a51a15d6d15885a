"""Words with a fixed list of values, as stored and as shown."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class RegistrationStatus(models.TextChoices):
    """How the next BootNotification is answered (OCPP 1.6 §4.2)."""

    ACCEPTED = "accepted", _("Accepted")
    PENDING = "pending", _("Pending")
    REJECTED = "rejected", _("Rejected")


class SecurityProfile(models.IntegerChoices):
    """How a station proves who it is (Improved security for OCPP 1.6-J, §2)."""

    NONE = 0, _("0: none")
    BASIC = 1, _("1: basic authentication")
    TLS_BASIC = 2, _("2: TLS with basic authentication")
    TLS_CLIENT = 3, _("3: TLS with client certificate")


class TransactionStatus(models.TextChoices):
    """Whether energy may still flow under a transaction."""

    ACTIVE = "active", _("Active")
    ENDED = "ended", _("Ended")


class ReviewReason(models.TextChoices):
    """Why a person should look at a transaction before money moves."""

    METER_DECREASED = "meter_decreased", _("A reading was lower than the one before.")
    METER_STOP_BELOW_START = "meter_stop_below_start", _("The meter stopped below its start.")
    IMPLAUSIBLE_ENERGY = "implausible_energy", _("More energy than the connector can deliver.")
    IMPLAUSIBLE_DURATION = "implausible_duration", _("The duration cannot be right.")
    SUPERSEDED = "superseded", _("Another start came before this one was stopped.")
    CONFLICTING_STOP = "conflicting_stop", _("A second stop told something else.")
    UNKNOWN_TRANSACTION = "unknown_transaction", _("The station named a transaction nobody knows.")
    CLOCK_IMPLAUSIBLE = "clock_implausible", _("The station's clock cannot be right.")
    NO_STOP = "no_stop", _("The station never reported a stop.")
    ESTIMATED = "estimated", _("Energy was estimated from readings.")
    NO_TARIFF = "no_tariff", _("No tariff applies.")
    SEQUENCE_GAP = "sequence_gap", _("Messages of this transaction are missing.")


class CommandStatus(models.TextChoices):
    """The life of a command: queued → sent → one of the rest."""

    QUEUED = "queued", _("Waiting")
    SENT = "sent", _("Sent")
    ACCEPTED = "accepted", _("Accepted")
    REJECTED = "rejected", _("Rejected")
    ERROR = "error", _("Error")
    TIMED_OUT = "timed_out", _("No answer")
    CANCELLED = "cancelled", _("Cancelled")


class HandshakeRefusal(models.TextChoices):
    """Why a station's websocket handshake was refused."""

    BAD_IDENTITY = "bad_identity", _("The address does not end in a valid identity.")
    UNKNOWN_IDENTITY = "unknown_identity", _("No station has this identity.")
    NO_CREDENTIALS = "no_credentials", _("The station sent no credentials.")
    WRONG_CREDENTIALS = "wrong_credentials", _("The password is wrong.")
    WRONG_USER = "wrong_user", _("The user name is not the station's identity.")
    PROFILE_TOO_LOW = (
        "profile_too_low",
        _("The connection is less secure than the station's profile."),
    )
    PROFILE_0_DISABLED = (
        "profile_0_disabled",
        _("Stations without a password are not allowed here."),
    )
    NO_SUBPROTOCOL = "no_subprotocol", _("No OCPP version in common.")
    CLIENT_CERTIFICATE = (
        "client_certificate",
        _("The client certificate is missing or not trusted."),
    )
    RATE_LIMITED = "rate_limited", _("Too many failed attempts from this address.")
    UNAVAILABLE = "unavailable", _("The database could not be reached.")


class CertificateProblem(models.TextChoices):
    """Why a client certificate opened no door; the word before the colon in a refusal's detail."""

    MISSING = "missing", _("The station showed no certificate.")
    NOT_ENCRYPTED = "not_encrypted", _("Without TLS no certificate can be shown.")
    NOT_PASSED_ON = "not_passed_on", _("The proxy did not pass a certificate on.")
    UNREADABLE = "unreadable", _("The certificate cannot be read.")
    WRONG_NAME = "wrong_name", _("The certificate is for somebody else.")
    NOT_YET_VALID = "not_yet_valid", _("The certificate is not valid yet.")
    EXPIRED = "expired", _("The certificate has expired.")
    WRONG_USE = "wrong_use", _("The certificate is not meant for clients.")
    UNTRUSTED = "untrusted", _("Nobody whom you trust issued the certificate.")
    REVOKED = "revoked", _("The certificate was revoked.")


class ReservationStatus(models.TextChoices):
    """The life of a reservation."""

    REQUESTED = "requested", _("Asked for")
    RESERVED = "reserved", _("Reserved")
    REJECTED = "rejected", _("Rejected")
    USED = "used", _("Used")
    EXPIRED = "expired", _("Expired")
    CANCELLED = "cancelled", _("Cancelled")
    REMOVED = "removed", _("Removed by the station")


class ProfileStatus(models.TextChoices):
    """The life of a charging profile at a station."""

    REQUESTED = "requested", _("Asked for")
    INSTALLED = "installed", _("Installed")
    REJECTED = "rejected", _("Rejected")
    CLEARED = "cleared", _("Cleared")


class FirmwareStatus(models.TextChoices):
    """How far an update is, in OCPP's words (1.6 §7.25, Improved security §5.9), and ours before and beside them."""

    REQUESTED = "Requested", _("Asked for")
    ACCEPTED = "Accepted", _("Accepted")
    REFUSED = "Refused", _("Refused by the station")
    UNANSWERED = "Unanswered", _("No answer from the station")
    NOT_SENT = "NotSent", _("Never sent to the station")
    DOWNLOAD_SCHEDULED = "DownloadScheduled", _("Download scheduled")
    DOWNLOADING = "Downloading", _("Downloading")
    DOWNLOAD_PAUSED = "DownloadPaused", _("Download paused")
    DOWNLOADED = "Downloaded", _("Downloaded")
    DOWNLOAD_FAILED = "DownloadFailed", _("The download failed")
    SIGNATURE_VERIFIED = "SignatureVerified", _("Signature verified")
    INVALID_SIGNATURE = "InvalidSignature", _("The signature is not valid")
    INSTALL_SCHEDULED = "InstallScheduled", _("Installation scheduled")
    INSTALLING = "Installing", _("Installing")
    INSTALL_REBOOTING = "InstallRebooting", _("Restarting to install")
    INSTALLED = "Installed", _("Installed")
    INSTALLATION_FAILED = "InstallationFailed", _("The installation failed")
    INSTALL_VERIFICATION_FAILED = (
        "InstallVerificationFailed",
        _("What was installed did not pass its check"),
    )
    SUPERSEDED = "Superseded", _("Replaced by a newer update")
    EXPIRED = "Expired", _("The station never told how it went")


class LogKind(models.TextChoices):
    """Which file a station is asked for."""

    DIAGNOSTICS = "diagnostics", _("Diagnostics")
    SECURITY = "security", _("Security log")


class LogStatus(models.TextChoices):
    """How far a file is on its way to us."""

    REQUESTED = "requested", _("Asked for")
    ACCEPTED = "accepted", _("Accepted")
    UPLOADING = "uploading", _("On its way")
    UPLOADED = "uploaded", _("Uploaded")
    NOTHING = "nothing", _("The station has nothing to upload")
    REFUSED = "refused", _("Refused by the station")
    UNANSWERED = "unanswered", _("No answer from the station")
    NOT_SENT = "not_sent", _("Never sent to the station")
    FAILED = "failed", _("The upload failed")
    CANCELLED = "cancelled", _("Replaced by a newer request")
    EXPIRED = "expired", _("Nothing arrived in time")


class CertificateUse(models.TextChoices):
    """What a station has a certificate for."""

    CLIENT = "client", _("Shows who the station is")
    CENTRAL_SYSTEM_ROOT = "central_system_root", _("Root that signs our server")
    MANUFACTURER_ROOT = "manufacturer_root", _("Root that signs firmware")


class RepairKind(models.TextChoices):
    """What was put right in a station's messages, or left out of them."""

    FIELDS = "fields", _("Fields left out or converted")
    SAMPLES = "samples", _("Readings that could not be read left out")
    TIMESTAMPS = "timestamps", _("Timestamps put right")
    UNITS = "units", _("Units put right")
    REGISTERS = "registers", _("Meter registers put right")
    ID_TOKENS = "id_tokens", _("Card numbers put right")
