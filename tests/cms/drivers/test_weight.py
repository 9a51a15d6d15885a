"""What a telephone on a slow network loads, and what is left of a page without JavaScript."""

import gzip
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from tests.cms.drivers.conftest import Site, Things

LIMIT_BYTES = 100_000


class _Page(HTMLParser):
    """Assets that a browser fetches, and everything that would need a script to work."""

    def __init__(self) -> None:
        super().__init__()
        self.assets: set[str] = set()
        self.inline: list[str] = []
        self.foreign: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        source = told.get("src") or (told.get("href", "") if tag in ("link", "use") else "")
        if source:
            self.assets.add(source.split("#")[0])
        if re.match(r"(https?:)?//", source):
            self.foreign.append(source)
        if "style" in told or any(name.startswith("on") for name in told):
            self.inline.append(f"<{tag} {attrs}>")
        if tag == "script" and "src" not in told:
            self.inline.append(tag)
        if tag == "style":
            self.inline.append(tag)
        if tag == "a" and told.get("href", "#") in ("", "#"):
            self.inline.append("a link that leads nowhere")
        if tag == "button" and told.get("type") != "submit":
            self.inline.append("a button that sends nothing")
        if tag == "form" and told.get("method", "get") not in ("get", "post"):
            self.inline.append("a form that a browser cannot send")


def loaded(page: str) -> _Page:
    reader = _Page()
    reader.feed(page)
    return reader


def asset_bytes(url: str) -> int:
    found = finders.find(url.removeprefix("/static/"))
    assert found, url
    return len(gzip.compress(Path(found).read_bytes(), 6))


@pytest.fixture
def pages(things: Things, site: Site, browser: Client) -> dict[str, str]:
    """Each page by its address."""
    paths = [
        "/sites/", f"/sites/{site.station.location_id}/", site.page, "/me/", "/me/sessions/", "/me/cards/",
        "/me/cards/add/", "/me/register/sent/", "/me/password/", *things.paths,
    ]  # fmt: skip
    found = {path: browser.get(path) for path in paths if not path.endswith(".pdf")}
    found["/me/register/"] = Client().get("/me/register/")
    found["for nobody"] = Client().get(site.page)
    assert {path: page.status_code for path, page in found.items() if page.status_code != 200} == {}
    return {path: page.content.decode() for path, page in found.items()}


def test_every_page_weighs_less_than_100_kilobytes(pages: dict[str, str]) -> None:
    weights = {}
    for path, page in pages.items():
        assets = sum(asset_bytes(url) for url in loaded(page).assets)
        weights[path] = len(gzip.compress(page.encode(), 6)) + assets
    assert max(weights.values()) < LIMIT_BYTES, weights
    # Far less in truth; who adds a library here should have to think about it.
    assert max(weights.values()) < 25_000, weights


def test_every_page_is_made_of_links_and_forms(pages: dict[str, str]) -> None:
    for path, page in pages.items():
        assert loaded(page).inline == [], path
        assert loaded(page).foreign == [], path


def test_every_form_that_changes_something_carries_its_token(pages: dict[str, str]) -> None:
    for path, page in pages.items():
        for form in re.findall(r'<form[^>]*method="post".*?</form>', page, re.DOTALL):
            assert "csrfmiddlewaretoken" in form, path


def test_every_page_has_one_title_one_heading_and_a_language(pages: dict[str, str]) -> None:
    for path, page in pages.items():
        assert len(re.findall(r"<h1[ >]", page)) == 1, path
        assert re.search(r"<title>\s*\S", page), path
        assert '<html lang="en">' in page, path
        labelled = set(re.findall(r'<label[^>]* for="([^"]+)"', page))
        fields = re.findall(
            r'<(?:input|select)(?![^>]*type="(?:hidden|checkbox)")[^>]*id="([^"]+)"', page
        )
        assert set(fields) <= labelled, path
