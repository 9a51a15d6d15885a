"""Every page, looked at as people do: on a desk and on a phone, by day and by night."""

import os
from collections.abc import Awaitable, Callable, Iterable
from itertools import chain

import pytest

from tests.browser.inventory import (
    NO_PAGES,
    OTHER_PAGES,
    PAGES,
    REFUSALS,
    Sight,
    Who,
    names_in_urlconf,
    other_sights_of,
    sights_of,
)
from tests.browser.person import COLOUR_RULES, DESK, PHONE, TABLET, Person, Theme
from tests.browser.site import Site
from tests.stations.ocpp.conftest import in_db

Looker = Callable[[Who], Awaitable[Person]]

# Two opposite corners have every width and every theme; the other two take time that CI has.
LOOKS: list[tuple[int, Theme, tuple[str, ...]]] = [(DESK, "light", ()), (PHONE, "dark", ())]
if os.environ.get("CI"):
    LOOKS += [(DESK, "dark", COLOUR_RULES), (PHONE, "light", COLOUR_RULES)]

on_one_loop = pytest.mark.asyncio(loop_scope="session")


def test_every_page_is_in_the_inventory() -> None:
    """Whoever adds a page adds it to `tests/browser/inventory.py`, and it is looked at from then on."""
    assert names_in_urlconf() == set(PAGES) | NO_PAGES
    assert set(chain(*OTHER_PAGES.values())) <= set(PAGES)
    assert not set(PAGES) & NO_PAGES


@on_one_loop
@pytest.mark.parametrize("name", PAGES)
async def test_a_page_is_without_fault(name: str, site: Site, looker: Looker) -> None:
    assert await faults_of(await in_db(lambda: sights_of(name, site)), looker) == []


@on_one_loop
@pytest.mark.parametrize("name", sorted(set(chain(*OTHER_PAGES.values()))))
async def test_a_page_is_without_fault_for_newcomers(name: str, site: Site, looker: Looker) -> None:
    assert await faults_of(await in_db(lambda: other_sights_of(name, site)), looker) == []


@on_one_loop
@pytest.mark.parametrize("sight", REFUSALS, ids=lambda sight: sight.name)
async def test_a_refusal_is_without_fault(sight: Sight, looker: Looker) -> None:
    assert await faults_of([sight], looker) == []


_FOR_DRIVERS = [
    name for name, page in PAGES.items() if name.startswith("driver") or page.who == Who.DRIVER
]


@on_one_loop
@pytest.mark.parametrize("name", [*_FOR_DRIVERS, "site", "login"])
async def test_a_drivers_page_works_without_scripts(
    name: str, site: Site, page_as: Callable[..., Awaitable[Person]]
) -> None:
    """Nothing waits for a script: no control that only one could serve, nothing hidden that it would show."""
    for sight in await in_db(lambda: sights_of(name, site)):
        person = await page_as(sight.who, java_script_enabled=False)
        await person.look(width=PHONE, theme="light")
        await person.go(sight.path)
        main = person.page.get_by_role("main")
        assert await main.get_by_role("heading", level=1).count() == 1, sight
        idle = main.locator("button:not(form button), a:not([href]), [onclick], [disabled]")
        assert await idle.all_inner_texts() == [], sight
        for form in await main.locator("form").all():
            assert await form.locator("button:not([type=button])").count() >= 1, sight


@on_one_loop
async def test_the_instruments_notice_what_they_are_for(looker: Looker) -> None:
    """A page with one fault of each kind."""
    person = await looker(Who.STRANGER)
    await person.look(width=PHONE, theme="light")
    await person.go("/login/")
    assert (await person.violations(), await person.sticking_out()) == ([], [])
    await person.page.evaluate(
        """() => {
          const box = document.createElement("p");
          box.className = "too-wide";
          box.style.cssText = "width: 500px; color: #999; background: #fff";
          box.textContent = "pale";
          document.querySelector("main").append(box);
          console.error("oh no");
          return fetch("/no/such/file.css");
        }"""
    )
    assert [what.partition(":")[0] for what in await person.violations()] == ["color-contrast"]
    assert "p.too-wide" in (await person.sticking_out())[1]
    told = "\n".join(person.problems)
    assert "console error: oh no" in told
    assert "/no/such/file.css got 404" in told
    person.problems.clear()


async def faults_of(sights: Iterable[Sight], looker: Looker) -> list[str]:
    """What axe and the edge of the window say, in all `LOOKS`; at a tablet's width the edge alone."""
    faults: list[str] = []
    for sight in sights:
        person = await looker(sight.who)
        await person.look(width=DESK, theme="light")
        await person.go(sight.path, status=sight.status)
        for width, theme, rules in LOOKS:
            await person.look(width=width, theme=theme)
            where = f"{sight.name} at {width}, {theme}"
            faults += [f"{where}: {what}" for what in await person.violations(*rules)]
            faults += [f"{where}: sticks out: {what}" for what in await person.sticking_out()]
        await person.look(width=TABLET, theme="light")
        where = f"{sight.name} at {TABLET}"
        faults += [f"{where}: sticks out: {what}" for what in await person.sticking_out()]
    return faults
