"""One browser and one running site for all tests of this directory."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright, expect
from pytest_django import DjangoDbBlocker

from accounts.choices import Role
from accounts.models import Operator, User
from tests.browser.chromium import FLAGS, find_chromium
from tests.browser.inventory import Who
from tests.browser.person import DESK, Person
from tests.browser.site import Site, running_site, session_cookie
from tests.factories import make_user
from tests.stations.ocpp.conftest import in_db

PageAs = Callable[..., Awaitable[Person]]
_LINE = "journey"
# A guard against hanging, not a promise of speed.
_PATIENCE_MS = 20_000


def pytest_itemcollected(item: pytest.Item) -> None:
    """The site needs a test database, which pytest-django makes for marked tests only."""
    if "site" in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.django_db)


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    executable = find_chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=executable, headless=True, args=FLAGS
        )
        expect.set_options(timeout=_PATIENCE_MS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def site(
    browser: Browser,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Site]:
    """Asks for the browser first: without one nothing is started."""
    with django_db_blocker.unblock():
        async with running_site(tmp_path_factory.mktemp("var")) as site:
            yield site


class Door:
    """Opens windows, and closes them at the end."""

    def __init__(self, browser: Browser, site: Site, stack: AsyncExitStack) -> None:
        self._browser = browser
        self._site = site
        self._stack = stack
        self.people: list[Person] = []

    async def open(
        self, role: Role | Who, *, operator: Operator | None = None, **options: Any
    ) -> Person:
        """A window in which somebody is signed in."""
        context = await self._browser.new_context(
            viewport={"width": DESK, "height": 900},
            reduced_motion="reduce",
            locale="en-GB",
            timezone_id="Europe/Berlin",
            **options,
        )
        self._stack.push_async_callback(context.close)
        context.set_default_timeout(_PATIENCE_MS)
        user = await self._user(role, operator)
        if user is not None:
            cookie = await session_cookie(user)
            await context.add_cookies([{**cookie, "url": self._site.server.http_url}])
        person = await Person.at(context, self._site.server.http_url)
        self.people.append(person)
        return person

    def assert_no_problems(self) -> None:
        """Of anybody since the last time this was asked."""
        problems = [problem for person in self.people for problem in person.problems]
        for person in self.people:
            person.problems.clear()
        assert problems == []

    async def _user(self, role: Role | Who, operator: Operator | None) -> User | None:
        match role:
            case Who.STRANGER:
                return None
            case Who.DRIVER:
                return self._site.driver.user
            case Who.NEW_DRIVER:
                return await in_db(make_user)
            case Who.TEAM:
                return await self._site.user_of(Role.OWNER)
            case Who.NEW_TEAM:
                return await self._site.user_of(Role.OWNER, self._site.empty)
            case Who.STAFF:
                return await in_db(lambda: make_user(is_staff=True, is_superuser=True))
        return await self._site.user_of(role, operator)


@pytest_asyncio.fixture(loop_scope="session")
async def page_as(browser: Browser, site: Site) -> AsyncIterator[PageAs]:
    """`await page_as(role)`: a window in which somebody is signed in; fails the test on any problem.

    The role is one of the demo's team (`operator=` names another one), or somebody of `Who`.
    """
    async with AsyncExitStack() as stack:
        door = Door(browser, site, stack)
        yield door.open
    door.assert_no_problems()


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def crowd(browser: Browser, site: Site) -> AsyncIterator[tuple[Door, dict[Who, Person]]]:
    """One window for everybody of `Who`, opened when somebody looks for the first time."""
    async with AsyncExitStack() as stack:
        yield Door(browser, site, stack), {}


@pytest.fixture
def looker(crowd: tuple[Door, dict[Who, Person]]) -> Iterator[Callable[[Who], Awaitable[Person]]]:
    """Somebody of the kind that a page of the inventory is for; fails the test on any problem."""
    door, people = crowd

    async def find(who: Who) -> Person:
        if who not in people:
            people[who] = await door.open(who)
        return people[who]

    yield find
    door.assert_no_problems()


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Keep a line for the end of the run."""
    return lambda line: record_property(_LINE, line)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    lines = [
        value
        for report in terminalreporter.stats.get("passed", ())
        for name, value in getattr(report, "user_properties", ())
        if name == _LINE and report.when == "call"
    ]
    if lines:
        terminalreporter.section("journeys")
    for line in lines:
        terminalreporter.write_line(line)
