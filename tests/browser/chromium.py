"""The browser: Debian's chromium, found on the machine and never downloaded."""

import os
import shutil

import pytest

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_NAMES = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> str:
    """Its program. Without one the test is skipped, and fails in CI."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    if found:
        return found
    notice = "There is no chromium: apt-get install chromium, or name one with CHROMIUM=/path."
    if os.environ.get("CI"):
        pytest.fail(notice)
    pytest.skip(notice)
