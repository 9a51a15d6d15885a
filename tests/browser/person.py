"""Somebody at a browser: goes to pages, clicks, and remembers whatever went wrong."""

from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import pytest
from playwright.async_api import BrowserContext, ConsoleMessage, Locator, Page, Request, Response

from cms.run.children import ROOT

Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")
DESK, TABLET, PHONE = 1440, 768, 360
HEIGHTS = {DESK: 900, TABLET: 1024, PHONE: 740}
RULES = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
# A theme changes nothing else.
COLOUR_RULES = ("color-contrast", "link-in-text-block")

# Elements that stick out of the window and are in no box that scrolls or cuts by itself.
_STICKING_OUT = """
() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  const boxed = (element) => {
    for (let box = element.parentElement; box && box !== document.body; box = box.parentElement)
      if (getComputedStyle(box).overflowX !== "visible") return true;
    return false;
  };
  const name = (element) =>
    element.tagName.toLowerCase() + (element.id ? "#" + element.id : "") +
    [...element.classList].map((word) => "." + word).join("");
  const out = [...document.body.querySelectorAll("*")].filter(
    (element) => element.getBoundingClientRect().right > width + 0.5 && !boxed(element));
  const deepest = out.filter((element) => !out.some((o) => o !== element && element.contains(o)));
  return [document.documentElement.scrollWidth + " px wide", ...deepest.slice(0, 5).map(
    (element) => `${name(element.parentElement)} > ${name(element)} ` +
      `"${element.textContent.trim().replace(/\\s+/g, " ").slice(0, 40)}"`)];
}
"""

_RUN_AXE = """
async (runOnly) => {
  for (const animation of document.getAnimations()) animation.finish();
  const { violations } = await axe.run({ runOnly, resultTypes: ["violations"],
      iframes: false, preload: false });
  return violations.flatMap((violation) => violation.nodes.map((node) =>
    `${violation.id}: ${node.target.join(" ")}: ${node.failureSummary.split("\\n")[1].trim()}`));
}
"""


@cache
def axe_source() -> str:
    """The accessibility checker from `node_modules/`; without it the test is skipped, and fails in CI."""
    path = ROOT / "node_modules/axe-core/axe.min.js"
    if not path.is_file():
        pytest.fail(f"There is no {path.relative_to(ROOT)}: make assets")
    return path.read_text(encoding="utf-8")


@dataclass
class Person:
    """`problems` are console errors and failed requests, each with the page it happened on."""

    page: Page
    base: str
    problems: list[str] = field(default_factory=list)
    clicks: int = 0
    fields: int = 0

    @classmethod
    async def at(cls, context: BrowserContext, base: str) -> "Person":
        """Somebody at a new window."""
        person = cls(await context.new_page(), base)
        person.page.on("console", person._hear)
        person.page.on("pageerror", lambda error: person._complain(f"script error: {error}"))
        person.page.on("requestfailed", person._miss)
        person.page.on("response", person._receive)
        return person

    async def look(self, *, width: int, theme: Theme) -> None:
        """From now on a window of this width, in this theme."""
        await self.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        await self.page.set_viewport_size({"width": width, "height": HEIGHTS[width]})

    async def go(self, path: str, *, status: int = 200) -> None:
        """Open a page of the site."""
        self._expected = (self.base + path, status)
        response = await self.page.goto(self.base + path, wait_until="load")
        assert response is not None and response.status == status, (path, response)

    async def click(self, target: Locator) -> None:
        """One click of a person, counted."""
        self.clicks += 1
        await target.click()

    async def fill(self, target: Locator, text: str) -> None:
        """One field that a person fills in, counted."""
        self.fields += 1
        await target.fill(text)

    async def sticking_out(self) -> list[str]:
        """What makes the page scroll sideways; empty when it does not."""
        return list(await self.page.evaluate(_STICKING_OUT))

    async def violations(self, *rules: str) -> list[str]:
        """What axe says of the page as it is now, by WCAG 2.1 A and AA or by some rules alone."""
        if not await self.page.evaluate("typeof axe === 'object'"):
            await self.page.evaluate(axe_source())
        return list(
            await self.page.evaluate(
                _RUN_AXE, {"type": "rule", "values": rules} if rules else RULES
            )
        )

    _expected: tuple[str, int] = ("", 200)

    def _complain(self, words: str) -> None:
        self.problems.append(f"{self.page.url.removeprefix(self.base)}: {words}")

    def _hear(self, message: ConsoleMessage) -> None:
        location: dict[str, Any] = dict(message.location)
        is_expected = self._expected[1] >= 400 and location.get("url") == self._expected[0]
        if message.type in ("error", "warning") and not is_expected:
            self._complain(f"console {message.type}: {message.text} ({location.get('url')})")

    def _miss(self, request: Request) -> None:
        # Leaving a page ends what it still asked for.
        if request.failure != "net::ERR_ABORTED":
            self._complain(f"{request.method} {request.url} failed: {request.failure}")

    def _receive(self, response: Response) -> None:
        if response.status >= 400 and (response.url, response.status) != self._expected:
            self._complain(f"{response.request.method} {response.url} got {response.status}")
