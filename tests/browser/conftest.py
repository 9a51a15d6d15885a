"""One browser and one running site for all tests of this directory."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright, expect
from pytest_django import DjangoDbBlocker

from accounts.choices import Role
from accounts.models import Operator
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


@pytest_asyncio.fixture(loop_scope="session")
async def page_as(browser: Browser, site: Site) -> AsyncIterator[PageAs]:
    """`await page_as(role)`: a window in which somebody is signed in; fails the test on any problem.

    The role is one of the demo's team (`operator=` names another one), or somebody of `Who` who is
    in none.
    """
    people: list[Person] = []
    async with AsyncExitStack() as stack:

        async def open_window(
            role: Role | Who, *, operator: Operator | None = None, **options: Any
        ) -> Person:
            context = await browser.new_context(
                viewport={"width": DESK, "height": 900},
                reduced_motion="reduce",
                locale="en-GB",
                timezone_id="Europe/Berlin",
                **options,
            )
            stack.push_async_callback(context.close)
            context.set_default_timeout(_PATIENCE_MS)
            if role is not Who.STRANGER:
                if role is Who.DRIVER:
                    user = site.driver.user
                elif role is Who.NEW_DRIVER:
                    user = await in_db(make_user)
                else:
                    user = await site.user_of(Role(role), operator)
                cookie = await session_cookie(user)
                await context.add_cookies([{**cookie, "url": site.server.http_url}])
            person = await Person.at(context, site.server.http_url)
            people.append(person)
            return person

        yield open_window
    problems = [problem for person in people for problem in person.problems]
    assert problems == []


@pytest_asyncio.fixture(loop_scope="session")
async def looker(page_as: PageAs, site: Site) -> Callable[[Who], Awaitable[Person]]:
    """Somebody of the kind that a page of the inventory is for."""

    async def find(who: Who) -> Person:
        if who is Who.TEAM:
            return await page_as(Role.OWNER)
        if who is Who.NEW_TEAM:
            return await page_as(Role.OWNER, operator=site.empty)
        return await page_as(who)

    return find


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
