"""`make screens`: a picture of every page, to be opened and judged."""

import shutil
from collections import defaultdict
from collections.abc import Awaitable, Callable
from html import escape
from itertools import chain
from pathlib import Path

import pytest
from django.conf import settings

from tests.browser.inventory import (
    PAGES,
    REFUSALS,
    Sight,
    Who,
    other_sights_of,
    sights_of,
)
from tests.browser.person import DESK, PHONE, TABLET, THEMES, Person
from tests.browser.site import Site
from tests.stations.ocpp.conftest import in_db

pytestmark = [pytest.mark.screens, pytest.mark.asyncio(loop_scope="session")]


async def test_every_page_is_pictured(
    site: Site, looker: Callable[[Who], Awaitable[Person]]
) -> None:
    folder = Path(settings.VAR_DIR, "screens")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    pictures: dict[str, list[str]] = defaultdict(list)
    for sight in await in_db(lambda: all_sights(site)):
        person = await looker(sight.who)
        await person.go(sight.path, status=sight.status)
        for width in (DESK, TABLET, PHONE):
            for theme in THEMES:
                await person.look(width=width, theme=theme)
                name = f"{sight.name}-{width}-{theme}.png"
                await person.page.screenshot(path=folder / name, full_page=True)
                pictures[sight.name].append(name)
    (folder / "index.html").write_text(_index(pictures), encoding="utf-8")


def all_sights(site: Site) -> list[Sight]:
    """With data, without any, and refused."""
    return [
        *chain.from_iterable(sights_of(name, site) for name in PAGES),
        *chain.from_iterable(other_sights_of(name, site) for name in PAGES),
        *REFUSALS,
    ]


def _index(pictures: dict[str, list[str]]) -> str:
    """All of them side by side."""
    rows = "".join(
        f"<h2>{escape(page)}</h2><p>"
        + "".join(
            f'<a href="{name}"><img src="{name}" alt="{name}" loading="lazy" height="360"></a> '
            for name in names
        )
        + "</p>"
        for page, names in pictures.items()
    )
    return f'<!doctype html><meta charset="utf-8"><title>Magetsi, every page</title>{rows}'
