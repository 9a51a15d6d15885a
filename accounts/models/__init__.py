"""Who is who: operators and their teams, users, drivers, id tokens, API keys and the audit log."""

from accounts.models.audit import AuditEntry
from accounts.models.id_token import ChargingRight, IdToken, IdTokenGroup, UnknownIdToken
from accounts.models.operator import ApiKey, Membership, Operator
from accounts.models.user import Driver, User

__all__ = [
    "ApiKey",
    "AuditEntry",
    "ChargingRight",
    "Driver",
    "IdToken",
    "IdTokenGroup",
    "Membership",
    "Operator",
    "UnknownIdToken",
    "User",
]
