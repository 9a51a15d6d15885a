"""Every page, who may see it and at which addresses there is something to see.

`test_inventory` compares `PAGES` and `NO_PAGES` with the URL configuration.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from django.urls import URLPattern, URLResolver, get_resolver, reverse

from cms.portal.questions import QUESTIONS
from tests.browser.site import Site


class Who(StrEnum):
    """Through whose eyes a page is looked at."""

    STRANGER = "stranger"
    DRIVER = "driver"
    NEW_DRIVER = "new driver"
    TEAM = "team"
    NEW_TEAM = "new team"
    STAFF = "staff"


@dataclass(frozen=True)
class Sight:
    """One address as one kind of person sees it; `name` is unique and fit for a file."""

    name: str
    who: Who
    path: str
    status: int = 200


Paths = Callable[[Site], dict[str, str]]


@dataclass(frozen=True)
class Page:
    """Addresses of one page, each with a label, and who is to look at them."""

    who: Who
    paths: Paths

    def sights(self, name: str, site: Site) -> Iterator[Sight]:
        for label, path in self.paths(site).items():
            yield Sight("-".join(filter(None, [name, label])), self.who, path)


def _plain(name: str, **queries: str) -> Paths:
    """A page without arguments, as it is and with each of the queries."""
    return lambda site: (
        {"": reverse(name)}
        | {label: f"{reverse(name)}?{query}" for label, query in queries.items()}
    )


def _station(site: Site) -> dict[str, str]:
    identities = {
        "everything": site.world.station.identity,
        "charging": "DEMO-002",
    }
    return {label: reverse("station", args=[identity]) for label, identity in identities.items()}


def _questions(site: Site) -> dict[str, str]:
    """One for each kind of form."""
    kinds = {question.form_class: kind for kind, question in QUESTIONS.items()}
    identity = site.world.station.identity
    return {
        kind: reverse("station-question", args=[identity, kind]) + "?evse_id=1"
        for kind in kinds.values()
    }


def _each(name: str, **objects: Callable[[Site], object]) -> Paths:
    """A page of one thing, for several things."""
    return lambda site: {
        label.replace("_", "-").strip("-"): reverse(name, args=[get(site)])
        for label, get in objects.items()
    }


def _identity(site: Site) -> str:
    return site.world.station.identity


def _certificate(site: Site) -> dict[str, str]:
    world = site.world
    return {
        "": reverse("revoke-certificate", args=[world.station.identity, world.certificate.pk]),
    }


def _profile(site: Site) -> int:
    return site.world.charging_profile.pk


def _tariff(site: Site) -> str:
    return site.trade.assignment.tariff.ocpi_id


STATION_TABS = (
    "station-sessions",
    "station-trace",
    "station-commands",
    "station-configuration",
    "station-smart-charging",
    "station-reservations",
    "station-security",
    "station-settings",
    "station-labels",
    "station-upkeep",
    "station-new-password",
)

_anybody = partial(Page, Who.STRANGER)
_team = partial(Page, Who.TEAM)
_new_team = partial(Page, Who.NEW_TEAM)
_driver = partial(Page, Who.DRIVER)
_new_driver = partial(Page, Who.NEW_DRIVER)
_staff = partial(Page, Who.STAFF)


PAGES: dict[str, Page] = {
    "login": _anybody(_plain("login")),
    # --- operators
    "operator": _team(
        _plain("operator", charging="show=charging", none="show=faulted&after=ZZZ"),
    ),
    "station": _team(_station),
    "station-question": _team(_questions),
    "sessions": _team(_plain("sessions")),
    "session": _team(
        _each(
            "session",
            completed=lambda site: site.world.completed.pk,
            in_review=lambda site: site.world.in_review.pk,
            running=lambda site: site.world.running.charging_session.pk,
        )
    ),
    "design": _staff(_plain("design", confirm="part=confirm")),
    "map": _team(_plain("map")),
    "locations": _team(_plain("locations")),
    "location": _team(_each("location", _=lambda site: site.driver.location.pk)),
    "new-location": _team(_plain("new-location")),
    "stations": _team(_plain("stations", none="q=nowhere")),
    "new-station": _team(_plain("new-station")),
    **{name: _team(_each(name, _=_identity)) for name in STATION_TABS},
    "revoke-certificate": _team(_certificate),
    "charging-profiles": _team(_plain("charging-profiles")),
    "new-charging-profile": _team(_plain("new-charging-profile")),
    "charging-profile": _team(_each("charging-profile", _=_profile)),
    "delete-charging-profile": _team(_each("delete-charging-profile", _=_profile)),
    "firmware": _team(_plain("firmware")),
    "log-upload": _team(
        lambda site: {
            "": reverse("log-upload", args=[site.world.log_upload.pk]),
            "found": reverse("log-upload", args=[site.world.log_upload.pk]) + "?find=boot 7",
        }
    ),
    "handshakes": _team(_plain("handshakes")),
    "handshake": _team(_each("handshake", _=lambda site: site.world.failure.pk)),
    "id-tokens": _team(_plain("id-tokens", none="q=nowhere")),
    "new-id-token": _team(_plain("new-id-token")),
    "id-token": _team(_each("id-token", _=lambda site: site.driver.card.pk)),
    "block-id-token": _team(_each("block-id-token", _=lambda site: site.driver.card.pk)),
    "unknown-id-tokens": _team(_plain("unknown-id-tokens")),
    "token-groups": _team(_plain("token-groups")),
    "new-token-group": _team(_plain("new-token-group")),
    "token-group": _team(_each("token-group", _=lambda site: site.trade.group.pk)),
    "tariffs": _team(_plain("tariffs")),
    "new-tariff": _team(_plain("new-tariff")),
    "tariff-choice": _team(_plain("tariff-choice", station="station=DEMO-001")),
    "tariff": _team(_each("tariff", _=_tariff)),
    "edit-tariff": _team(_each("edit-tariff", _=_tariff)),
    "assign-tariff": _team(_each("assign-tariff", _=_tariff)),
    "tariff-status": _team(
        lambda site: {"retire": reverse("tariff-status", args=[_tariff(site), "retired"])}
    ),
    "remove-assignment": _team(_each("remove-assignment", _=lambda site: site.trade.assignment.pk)),
    "team": _team(_plain("team")),
    "new-member": _team(_plain("new-member")),
    "member-role": _team(_each("member-role", _=lambda site: site.trade.member.pk)),
    "remove-member": _team(_each("remove-member", _=lambda site: site.trade.member.pk)),
    "join": _anybody(lambda site: {"": reverse("join", args=site.trade.invitation)}),
    "api-keys": _team(_plain("api-keys")),
    "new-api-key": _team(_plain("new-api-key")),
    "revoke-api-key": _team(_each("revoke-api-key", _=lambda site: site.trade.api_key.pk)),
    "audit": _team(_plain("audit")),
    "unknown-id-token": _team(
        _each("unknown-id-token", _=lambda site: site.world.unknown_id_token.pk)
    ),
    # --- drivers
    "drivers-home": _anybody(_plain("drivers-home")),
    "sites": _driver(_plain("sites", none="q=nowhere")),
    "site": _anybody(_each("site", _=lambda site: site.driver.location.pk)),
    "connector": _driver(
        _each(
            "connector",
            free=lambda site: site.driver.codes["DEMO-001"],
            busy=lambda site: site.driver.codes["DEMO-002"],
            out_of_service=lambda site: site.driver.codes["DEMO-004"],
            offline=lambda site: site.driver.codes["DEMO-006"],
        )
    ),
    "driver-account": _driver(_plain("driver-account")),
    "driver-register": _anybody(_plain("driver-register")),
    "driver-mail-sent": _anybody(_plain("driver-mail-sent")),
    "driver-resend": _anybody(_plain("driver-resend")),
    "driver-confirm": _anybody(_each("driver-confirm", _=lambda site: site.driver.confirmation)),
    "driver-password": _anybody(_plain("driver-password")),
    "driver-password-done": _anybody(_plain("driver-password-done")),
    "driver-password-set": _anybody(
        lambda site: {"": reverse("driver-password-set", args=site.driver.password_reset)}
    ),
    "driver-start": _driver(_each("driver-start", _=lambda site: site.driver.start.pk)),
    "driver-sessions": _driver(_plain("driver-sessions")),
    "driver-session": _driver(
        _each(
            "driver-session",
            running=lambda site: site.driver.running.pk,
            in_review=lambda site: site.driver.in_review.pk,
            billed=lambda site: site.driver.billed.pk,
        )
    ),
    "driver-session-stop": _driver(
        _each("driver-session-stop", _=lambda site: site.driver.running.pk)
    ),
    "driver-cards": _driver(_plain("driver-cards")),
    "driver-card-add": _driver(_plain("driver-card-add")),
    "driver-card-claim": _driver(_each("driver-card-claim", _=lambda site: site.driver.claim.pk)),
    "driver-card-block": _driver(_each("driver-card-block", _=lambda site: site.driver.card.pk)),
}

# The same pages as others see them: somebody who has not signed in; a new team, whose one station
# never connected, and a new driver.
OTHER_PAGES: dict[str, dict[str, Page]] = {
    "signed-out": {
        "connector": _anybody(_each("connector", free=lambda site: site.driver.codes["DEMO-001"])),
    },
    "empty": {
        "operator": _new_team(_plain("operator")),
        "map": _new_team(_plain("map")),
        "locations": _new_team(_plain("locations")),
        "stations": _new_team(_plain("stations")),
        "sessions": _new_team(_plain("sessions")),
        "handshakes": _new_team(_plain("handshakes")),
        "id-tokens": _new_team(_plain("id-tokens")),
        "unknown-id-tokens": _new_team(_plain("unknown-id-tokens")),
        "token-groups": _new_team(_plain("token-groups")),
        "charging-profiles": _new_team(_plain("charging-profiles")),
        "tariffs": _new_team(_plain("tariffs")),
        "team": _new_team(_plain("team")),
        "api-keys": _new_team(_plain("api-keys")),
        "station": _new_team(_each("station", _=lambda site: site.bare_station.identity)),
        "driver-sessions": _new_driver(_plain("driver-sessions")),
        "driver-cards": _new_driver(_plain("driver-cards")),
    },
}

# Addresses that lead elsewhere, answer to a form alone or give a file.
NO_PAGES = {
    "acknowledge-security-event",
    "cancel-command",
    "dismiss-handshake",
    "dismiss-unknown-id-token",
    "driver-receipt",
    "driver-start-here",
    "home",
    "invite-member",
    "log-file",
    "logout",
    "mend-handshake",
    "session-export",
    "set-language",
    "stations-export",
    "switch-operator",
}

# What people see where there is nothing for them.
REFUSALS = (
    Sight("not-found", Who.STRANGER, "/no/such/page/", 404),
    Sight("not-found-team", Who.TEAM, "/operator/stations/NOBODY/", 404),
    Sight("no-team", Who.DRIVER, "/operator/", 403),
    Sight("dead-link", Who.STRANGER, "/me/confirm/expired/", 410),
)

_OTHER_PEOPLES = ("admin/", "api/v1/")
_FOR_MACHINES = {"cms.health", "stations.urls"}


def sights_of(name: str, site: Site) -> list[Sight]:
    """A page of `PAGES` at each of its addresses. Reads the database."""
    return list(PAGES[name].sights(name, site))


def other_sights_of(name: str, site: Site) -> list[Sight]:
    """The same page of `OTHER_PAGES`."""
    return [
        sight
        for label, pages in OTHER_PAGES.items()
        if name in pages
        for sight in pages[name].sights(f"{name}-{label}", site)
    ]


def names_in_urlconf() -> set[str]:
    """Of all addresses but the admin's, the API's and the probes'."""
    named: dict[Callable[..., object], set[str]] = {}
    nameless: list[URLPattern] = []
    for entry in _entries(get_resolver()):
        if entry.name:
            named.setdefault(entry.callback, set()).add(entry.name)
        else:
            nameless.append(entry)
    strange = [str(entry.pattern) for entry in nameless if entry.callback not in named]
    assert not strange, "neither a name nor another spelling of an address with one"
    return set().union(*named.values())


def _entries(resolver: URLResolver) -> Iterator[URLPattern]:
    for entry in resolver.url_patterns:
        if str(entry.pattern).startswith(_OTHER_PEOPLES):
            continue
        if isinstance(entry, URLPattern):
            yield entry
        elif getattr(entry.urlconf_name, "__name__", "") not in _FOR_MACHINES:
            yield from _entries(entry)
