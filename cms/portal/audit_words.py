"""The audit log's own words: what its nouns, verbs, fields and values are called on a page."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.choices import IdTokenStatus, IdTokenType, Role
from accounts.models.id_token import mask_uid
from billing.choices import SessionStatus, TariffStatus
from billing.receipts import formats
from billing.tariffs.exceptions import TariffInvalid
from billing.tariffs.ocpi import parse_tariff
from cms.portal.review_steps import reason_words
from cms.portal.tariff_words import summary_of
from cms.portal.templatetags.magetsi import exact_kwh
from stations.choices import HandshakeRefusal, RegistrationStatus, SecurityProfile

OBJECTS: dict[str, Any] = {
    "charging_station": gettext_lazy("Station"),
    "location": gettext_lazy("Location"),
    "command": gettext_lazy("Command"),
    "charging_session": gettext_lazy("Session"),
    "id_token": gettext_lazy("Card"),
    "id_token_group": gettext_lazy("Group of cards"),
    "unknown_id_token": gettext_lazy("Unknown card"),
    "tariff": gettext_lazy("Tariff"),
    "tariff_assignment": gettext_lazy("Assignment of a tariff"),
    "handshake_failure": gettext_lazy("Refused handshake"),
    "charging_profile": gettext_lazy("Charging profile"),
    "security_event": gettext_lazy("Security event"),
    "station_certificate": gettext_lazy("Certificate of a station"),
    "trusted_ca": gettext_lazy("Trusted authority"),
    "membership": gettext_lazy("Member of the team"),
    "api_key": gettext_lazy("API key"),
    "operator": gettext_lazy("Operator"),
}

# By what was done; a whole action goes before its verb.
VERBS: dict[str, Any] = {
    "create": gettext_lazy("added"),
    "update": gettext_lazy("changed"),
    "delete": gettext_lazy("removed"),
    "set": gettext_lazy("set"),
    "release": gettext_lazy("released from review"),
    "resolve": gettext_lazy("resolved"),
    "revoke": gettext_lazy("revoked"),
    "dismiss": gettext_lazy("dismissed"),
    "cancel": gettext_lazy("cancelled"),
    "invite": gettext_lazy("invited again"),
    "claim": gettext_lazy("claimed by its driver"),
    "block": gettext_lazy("blocked"),
    "issue": gettext_lazy("issued"),
    "acknowledge": gettext_lazy("marked as seen"),
    "claim_begin": gettext_lazy("waits for a card that a driver adds"),
    "command.create": gettext_lazy("asked for"),
}

FIELDS: dict[str, Any] = {
    "name": gettext_lazy("Name"),
    "identity": gettext_lazy("Identity"),
    "registration_status": gettext_lazy("Answer to its boot notice"),
    "security_profile": gettext_lazy("How it signs in"),
    "accepts_literal_hex": gettext_lazy("Also accept its password's hexadecimal digits as text"),
    "assumes_ocpp16": gettext_lazy("Assume OCPP 1.6 where it names no version"),
    "password": gettext_lazy("Password"),
    "evses": gettext_lazy("EVSEs"),
    "location": gettext_lazy("Location"),
    "station": gettext_lazy("Station"),
    "address": gettext_lazy("Street and number"),
    "postal_code": gettext_lazy("Postal code"),
    "city": gettext_lazy("City"),
    "country": gettext_lazy("Country"),
    "latitude": gettext_lazy("Latitude"),
    "longitude": gettext_lazy("Longitude"),
    "time_zone": gettext_lazy("Time zone"),
    "uid": gettext_lazy("Number of the card"),
    "id_token": gettext_lazy("Card"),
    "type": gettext_lazy("Kind"),
    "status": gettext_lazy("Status"),
    "expires_at": gettext_lazy("Valid until"),
    "max_concurrent": gettext_lazy("Sessions at one time"),
    "group": gettext_lazy("Group"),
    "master": gettext_lazy("Master group"),
    "driver": gettext_lazy("Driver"),
    "presented_at": gettext_lazy("Held to the reader"),
    "id": gettext_lazy("Identifier"),
    "version": gettext_lazy("Version"),
    "content": gettext_lazy("Usual price, before VAT"),
    "insisted_on": gettext_lazy("Published against the rule"),
    "tariff": gettext_lazy("Tariff"),
    "target": gettext_lazy("Applies to"),
    "reason": gettext_lazy("Reason"),
    "review_reasons": gettext_lazy("Held because"),
    "energy_wh": gettext_lazy("Energy"),
    "energy_given": gettext_lazy("Energy put in by hand"),
    "cdr": gettext_lazy("Charge detail record"),
    "user": gettext_lazy("Person"),
    "role": gettext_lazy("Role"),
    "prefix": gettext_lazy("Begins with"),
    "how": gettext_lazy("Remedy"),
    "action": gettext_lazy("Command"),
    "subject": gettext_lazy("Issued to"),
    "not_after": gettext_lazy("Valid until"),
    "fingerprint": gettext_lazy("Fingerprint"),
    "events": gettext_lazy("Events"),
}

# What a page says in its own way, or leaves to the row as it is kept.
LEFT_OUT = frozenset({"payload"})

_STATUSES: dict[str, Any] = {
    "id_token": IdTokenStatus,
    "tariff": TariffStatus,
    "charging_session": SessionStatus,
}
_CHOICES: dict[str, Any] = {
    "type": IdTokenType,
    "role": Role,
    "registration_status": RegistrationStatus,
    "security_profile": SecurityProfile,
    "reason": HandshakeRefusal,
}
_REMEDIES: dict[str, Any] = {
    "dismiss": gettext_lazy("dismissed"),
    "adopt": gettext_lazy("adopted"),
}
_SIDES: dict[str, Any] = {"everywhere": gettext_lazy("Everything you have")}


def verb_words(action: str) -> Any:
    """What was done; an action without words shows its own."""
    return VERBS.get(action) or VERBS.get(action.rpartition(".")[2], action)


def field_words(name: str) -> str:
    """What a field is called; one without words loses its underscores at least."""
    return str(FIELDS.get(name) or name.replace("_", " ").capitalize())


def value_words(object_type: str, name: str, value: Any) -> str:
    """A value as people say it; empty for none."""
    if value is None or value in ("", [], {}):
        return ""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if name == "status":
        return _choice(_STATUSES.get(object_type), value)
    if name in _CHOICES:
        return _choice(_CHOICES[name], value)
    if name in _WORDS:
        return _WORDS[name](value)
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)


def _choice(choices: Any, value: Any) -> str:
    """Free texts, such as the reason of a release, stay as they are."""
    if choices is None:
        return str(value)
    return str({str(member.value): member.label for member in choices}.get(str(value), value))


def _moment(text: Any) -> str:
    try:
        return formats.at(datetime.fromisoformat(str(text)), "UTC") + " UTC"
    except ValueError:
        return str(text)


def _evses(rows: Any) -> str:
    count = len({row.get("evse_id") for row in rows if isinstance(row, dict)})
    kinds = dict.fromkeys(_outlet(row) for row in rows if isinstance(row, dict))
    words = ngettext("%(count)s EVSE", "%(count)s EVSEs", count) % {"count": count}
    return f"{words} ({', '.join(filter(None, kinds))})"


def _outlet(row: dict[str, Any]) -> str:
    kind = str(row.get("power_type") or "").partition("_")[0]
    power_w = row.get("max_power_w")
    return " ".join(filter(None, (kind, f"{power_w / 1000:g} kW" if power_w else "")))


def _price(content: Any) -> str:
    try:
        return summary_of(parse_tariff(content))
    except (TariffInvalid, TypeError):
        return ""


_WORDS: dict[str, Callable[[Any], str]] = {
    "uid": lambda value: mask_uid(str(value)),
    "id_token": lambda value: mask_uid(str(value)),
    "expires_at": _moment,
    "presented_at": _moment,
    "not_after": _moment,
    "evses": _evses,
    "content": _price,
    "energy_wh": exact_kwh,
    "review_reasons": lambda reasons: " ".join(map(reason_words, reasons)),
    "how": lambda value: str(_REMEDIES.get(value, value)),
    "target": lambda value: str(_SIDES.get(value, value)),
    "password": lambda _value: _("set anew"),
}
