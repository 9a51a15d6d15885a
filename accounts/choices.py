"""Words with a fixed list of values, as stored and as shown."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    """What a member of an operator's team may do; see `accounts.permissions`."""

    OWNER = "owner", _("Owner")
    MANAGER = "manager", _("Manager")
    TECHNICIAN = "technician", _("Technician")
    SUPPORT = "support", _("Support")
    FINANCE = "finance", _("Finance")
    VIEWER = "viewer", _("Viewer")


class IdTokenStatus(models.TextChoices):
    """What an operator sets; `expired` follows from `expires_at` and is never stored."""

    ACCEPTED = "accepted", _("Accepted")
    BLOCKED = "blocked", _("Blocked")
    INVALID = "invalid", _("Invalid")


class IdTokenType(models.TextChoices):
    """Kinds of identifier in OCPP 2.x's words (OCPP 2.0.1 Part 2, IdTokenEnumType)."""

    CENTRAL = "Central", _("Central")
    EMAID = "eMAID", _("Contract (eMAID)")
    ISO14443 = "ISO14443", _("RFID (ISO 14443)")
    ISO15693 = "ISO15693", _("RFID (ISO 15693)")
    KEY_CODE = "KeyCode", _("Key code")
    LOCAL = "Local", _("Local")
    MAC_ADDRESS = "MacAddress", _("Vehicle (MAC address)")
    NO_AUTHORIZATION = "NoAuthorization", _("No authorisation")


class AuthorizationStatus(models.TextChoices):
    """The decision on an id token, spelled as OCPP 1.6 §7.2 does."""

    ACCEPTED = "Accepted", _("Accepted")
    BLOCKED = "Blocked", _("Blocked")
    EXPIRED = "Expired", _("Expired")
    INVALID = "Invalid", _("Invalid")
    CONCURRENT_TX = "ConcurrentTx", _("Already charging")
