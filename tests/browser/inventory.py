"""Every page, who may see it and at which addresses there is something to see.

`test_inventory` compares `PAGES` and `NO_PAGES` with the URL configuration.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

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
    """Addresses of one page, each with a label, and everybody who is to look at them."""

    paths: Paths
    whos: tuple[Who, ...]

    def sights(self, name: str, site: Site) -> Iterator[Sight]:
        for label, path in self.paths(site).items():
            for who in self.whos:
                whose = who.replace(" ", "-") if len(self.whos) > 1 else ""
                yield Sight("-".join(filter(None, [name, label, whose])), who, path)


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
        "out-of-service": "DEMO-004",
        "never-seen": "DEMO-006",
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


def _team(paths: Paths) -> Page:
    return Page(paths, (Who.TEAM,))


def _driver(paths: Paths) -> Page:
    return Page(paths, (Who.DRIVER,))


def _anybody(paths: Paths) -> Page:
    return Page(paths, (Who.STRANGER,))


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
    "handshake": _team(_each("handshake", _=lambda site: site.world.failure.pk)),
    "unknown-id-token": _team(
        _each("unknown-id-token", _=lambda site: site.world.unknown_id_token.pk)
    ),
    # --- drivers
    "drivers-home": _anybody(_plain("drivers-home")),
    "sites": Page(_plain("sites", none="q=nowhere"), (Who.STRANGER, Who.DRIVER)),
    "site": _anybody(_each("site", _=lambda site: site.driver.location.pk)),
    "connector": Page(
        _each(
            "connector",
            free=lambda site: site.driver.codes["DEMO-001"],
            busy=lambda site: site.driver.codes["DEMO-002"],
            out_of_service=lambda site: site.driver.codes["DEMO-004"],
            offline=lambda site: site.driver.codes["DEMO-006"],
        ),
        (Who.STRANGER, Who.DRIVER),
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

# What a new team sees, whose one station never connected, and a new driver.
EMPTY_PAGES: dict[str, Page] = {
    "operator": Page(_plain("operator"), (Who.NEW_TEAM,)),
    "sessions": Page(_plain("sessions"), (Who.NEW_TEAM,)),
    "station": Page(_each("station", _=lambda site: site.bare_station.identity), (Who.NEW_TEAM,)),
    "driver-sessions": Page(_plain("driver-sessions"), (Who.NEW_DRIVER,)),
    "driver-cards": Page(_plain("driver-cards"), (Who.NEW_DRIVER,)),
}

# Addresses that lead elsewhere, answer to a form alone or give a file.
NO_PAGES = {
    "dismiss-handshake",
    "driver-receipt",
    "driver-start-here",
    "home",
    "logout",
    "mend-handshake",
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
_FOR_MACHINES = {"cms.health"}


def sights_of(name: str, site: Site) -> list[Sight]:
    """A page of `PAGES` at each of its addresses. Reads the database."""
    return list(PAGES[name].sights(name, site))


def empty_sights_of(name: str, site: Site) -> list[Sight]:
    """A page of `EMPTY_PAGES`."""
    return list(EMPTY_PAGES[name].sights(f"{name}-empty", site))


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
