"""Known habits of chargers as data: one file in `profiles/` for each vendor, model or firmware that needs it.

A profile says what a message of such a station means where its letter says something else. Applying it is a
repair, counted by kind and shown on the station's page; what was sent stays in the trace as it came.

    title = "KEBA P30: serial number behind the card number"
    sources = ["https://…"]
    match = [{ vendor = "keba*", model = "kc-p30*" }]   # all given patterns of one entry, without case; * and ?

    [timestamps]
    without_zone = "site"          # "site" or "UTC": what a time without a zone means
    z_means_site_time = true       # the clock shows site time and calls it UTC

    [units]                        # "measurand as sent" = { "unit as sent" = "unit meant" }
    "Energy.Active.Import.Register" = { Wh = "kWh" }

    [shorten]                      # texts that are longer than OCPP allows, in messages that must not fail for it
    BootNotification = { chargePointModel = 20 }

    [registers]
    meter_values = "session"       # MeterValues count from the start of the transaction

    [id_tokens]
    pattern = '(?P<uid>[0-9A-F]+)_.+'

    [commands]
    quiet_after_boot_s = 20        # ask nothing so soon after a boot

    [charging_profiles]
    rate_unit = "A"                # the only unit of limits that it follows
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

_FOLDER = Path(__file__).parent / "profiles"
_FIELDS = ("vendor", "model", "firmware")
_SECTIONS = {
    "timestamps": {"without_zone", "z_means_site_time"},
    "registers": {"meter_values"},
    "id_tokens": {"pattern"},
    "commands": {"quiet_after_boot_s"},
    "charging_profiles": {"rate_unit"},
}
_BOOT_FIELDS = ("chargePointVendor", "chargePointModel", "firmwareVersion")
UTC_ZONE, SITE_ZONE = "UTC", "site"


class QuirkError(Exception):
    """A profile's file says something that it cannot mean; the text names the file."""


@dataclass(frozen=True, slots=True)
class QuirkProfile:
    """What to know of a kind of station. The defaults are those of a station without a habit."""

    key: str = ""
    title: str = ""
    sources: tuple[str, ...] = ()
    # Patterns of vendor, model and firmware; empty ones match anything.
    match: tuple[tuple[str, str, str], ...] = ()
    without_zone: str = ""
    z_means_site_time: bool = False
    units: Mapping[tuple[str, str], str] = field(default_factory=dict)
    shorten: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    session_register: bool = False
    id_token_pattern: re.Pattern[str] | None = None
    quiet_after_boot_s: float = 0
    rate_unit: str = ""

    def fits(self, vendor: str, model: str, firmware: str) -> int:
        """How many patterns of the best entry say yes; 0 where none fits."""
        told = (vendor.casefold(), model.casefold(), firmware.casefold())
        return max(
            (
                sum(1 for pattern in entry if pattern)
                for entry in self.match
                if all(not p or fnmatchcase(value, p) for p, value in zip(entry, told, strict=True))
            ),
            default=0,
        )

    def naive_zone(self, site: str) -> tzinfo | None:
        """The zone of a time without one, at a site in time zone `site`; None where it is not known."""
        if not self.without_zone:
            return None
        return ZoneInfo(site if self.without_zone == SITE_ZONE else UTC_ZONE)

    def normal_uid(self, uid: str) -> str:
        """The number of a card without what such stations add to it."""
        if self.id_token_pattern is None:
            return uid
        match = self.id_token_pattern.fullmatch(uid)
        return match["uid"] if match else uid

    def shorten_texts(self, action: str, payload: dict[str, Any]) -> int:
        """Cut over-long texts of a message, in place; returns how many."""
        cut = 0
        for name, length in self.shorten.get(action, {}).items():
            text = payload.get(name)
            if isinstance(text, str) and len(text) > length:
                payload[name] = text[:length]
                cut += 1
        return cut


NO_QUIRKS = QuirkProfile()


@cache
def all_profiles() -> tuple[QuirkProfile, ...]:
    """Every profile that is shipped. Raises QuirkError for a file that is wrong."""
    return tuple(_read(path) for path in sorted(_FOLDER.glob("*.toml")))


@lru_cache(maxsize=4096)
def find_profile(vendor: str, model: str, firmware: str) -> QuirkProfile:
    """The profile that says most about such a station; `NO_QUIRKS` where none fits."""
    return best_of(all_profiles(), vendor, model, firmware)


def profile_of_boot(payload: Mapping[str, Any]) -> QuirkProfile:
    """The profile of the station that sends this BootNotification, whatever else is wrong with it."""
    told = (payload.get(name) for name in _BOOT_FIELDS)
    vendor, model, firmware = (text if isinstance(text, str) else "" for text in told)
    return find_profile(vendor, model, firmware)


def best_of(
    profiles: Iterable[QuirkProfile], vendor: str, model: str, firmware: str
) -> QuirkProfile:
    """The profile with the most fitting patterns, the first of equals."""
    best, most = NO_QUIRKS, 0
    for profile in profiles:
        if (score := profile.fits(vendor, model, firmware)) > most:
            best, most = profile, score
    return best


def read_profile(key: str, text: str) -> QuirkProfile:
    """A profile from the text of its file. Raises QuirkError."""
    try:
        return _build(key, tomllib.loads(text))
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError, re.error) as error:
        raise QuirkError(f"{key}: {error}") from error


def _read(path: Path) -> QuirkProfile:
    return read_profile(path.stem, path.read_text(encoding="utf-8"))


def _build(key: str, table: dict[str, Any]) -> QuirkProfile:
    unknown = set(table) - {"title", "sources", "match", "units", "shorten", *_SECTIONS}
    for name, known in _SECTIONS.items():
        unknown |= {f"{name}.{word}" for word in set(table.get(name, {})) - known}
    if unknown:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
    times, registers = table.get("timestamps", {}), table.get("registers", {})
    pattern = table.get("id_tokens", {}).get("pattern")
    profile = QuirkProfile(
        key=key,
        title=table["title"],
        sources=tuple(table["sources"]),
        match=tuple(_entry(entry) for entry in table["match"]),
        without_zone=_one_of(times.get("without_zone", ""), "", UTC_ZONE, SITE_ZONE),
        z_means_site_time=bool(times.get("z_means_site_time", False)),
        units={
            (measurand, sent): meant
            for measurand, units in table.get("units", {}).items()
            for sent, meant in units.items()
        },
        shorten={action: dict(fields) for action, fields in table.get("shorten", {}).items()},
        session_register=_one_of(registers.get("meter_values", "lifetime"), "lifetime", "session")
        == "session",
        id_token_pattern=re.compile(pattern, re.IGNORECASE) if pattern else None,
        quiet_after_boot_s=float(table.get("commands", {}).get("quiet_after_boot_s", 0)),
        rate_unit=_one_of(table.get("charging_profiles", {}).get("rate_unit", ""), "", "A", "W"),
    )
    if pattern and "uid" not in (profile.id_token_pattern or re.compile("")).groupindex:
        raise ValueError("id_tokens.pattern has no group named uid")
    return profile


def _entry(entry: Mapping[str, str]) -> tuple[str, str, str]:
    if not entry or set(entry) - set(_FIELDS):
        raise ValueError(f"match knows {', '.join(_FIELDS)}, not {', '.join(entry) or 'nothing'}")
    vendor, model, firmware = (entry.get(name, "").casefold() for name in _FIELDS)
    return vendor, model, firmware


def _one_of(value: str, *allowed: str) -> str:
    if value not in allowed:
        raise ValueError(f"{value!r} is none of {', '.join(filter(None, allowed))}")
    return value
