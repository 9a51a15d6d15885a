"""Third-party stylesheets and scripts: got once, got again when asked for others, never in the way."""

import json
import os
import re
from pathlib import Path

import pytest

from cms.run import assets
from cms.run.assets import PICKED, Assets, AssetsError
from cms.run.children import ROOT

# Stands in for npm: makes every file that is picked, and keeps count of how often it was asked.
NPM = """#!/bin/sh
echo "$@" >> asked
[ -e unreachable ] && { echo "npm error network is down" >&2; exit 1; }
exec cp -r packages node_modules
"""


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout with a lock file, and a machine whose npm has what it names."""
    (tmp_path / "static").mkdir()
    (tmp_path / "package-lock.json").write_text("{}")
    for package, pick in PICKED.items():
        names = [f"{pick.base}/{name}" for name in pick.files] + [pick.licence or "LICENSE"]
        for name in names:
            file = tmp_path / "packages" / package / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{package} {name}\n//# sourceMappingURL={file.name}.map")
    npm = tmp_path / "bin/npm"
    npm.parent.mkdir()
    npm.write_text(NPM)
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{npm.parent}:{os.environ['PATH']}")
    monkeypatch.delenv("CI", raising=False)
    return tmp_path


def times_asked(checkout):
    asked = checkout / "asked"
    return len(asked.read_text().splitlines()) if asked.exists() else 0


def vendor_files(checkout):
    vendor = checkout / "static/vendor"
    return {str(file.relative_to(vendor)) for file in vendor.rglob("*") if file.is_file()}


def test_the_lock_file_names_hashes_and_no_place_to_download_from():
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    for name, entry in packages.items():
        if name:
            assert entry["integrity"].startswith("sha512-"), name
        assert "resolved" not in entry, name
    assert set(PICKED) == set(packages[""]["dependencies"])


def test_picks_the_listed_files_and_nothing_else(checkout):
    Assets(checkout).get()
    expected = {f"{pick.folder}/{name}" for pick in PICKED.values() for name in pick.files}
    licences = {f"{pick.folder}/LICENSE" for pick in PICKED.values() if pick.licence}
    assert vendor_files(checkout) == expected | licences | {".stamp"}
    leaflet = (checkout / "static/vendor/leaflet/leaflet.js").read_text()
    assert leaflet == "leaflet dist/leaflet.js\n", "without the pointer to a map that is not there"


def test_runs_no_script_of_a_package(checkout):
    Assets(checkout).get()
    assert "--ignore-scripts" in (checkout / "asked").read_text()


def test_a_second_time_npm_is_not_asked(checkout):
    Assets(checkout).get()
    Assets(checkout).get()
    assert times_asked(checkout) == 1


@pytest.mark.parametrize("change", ["lock", "table", "file"])
def test_asks_again_when_something_changed(checkout, monkeypatch, change):
    Assets(checkout).get()
    if change == "lock":
        (checkout / "package-lock.json").write_text('{"lockfileVersion": 3}')
    elif change == "table":
        less = PICKED["leaflet"]._replace(files=("leaflet.js",))
        monkeypatch.setitem(assets.PICKED, "leaflet", less)
    else:
        (checkout / "static/vendor/leaflet/leaflet.css").unlink()
    assert not Assets(checkout).are_current
    Assets(checkout).get()
    assert Assets(checkout).are_current
    assert times_asked(checkout) == 2
    assert ("leaflet/leaflet.css" in vendor_files(checkout)) == (change != "table")


def test_the_old_files_stay_when_new_ones_cannot_be_had(checkout):
    Assets(checkout).get()
    before = vendor_files(checkout)
    (checkout / "package-lock.json").write_text('{"lockfileVersion": 3}')
    (checkout / "unreachable").touch()
    with pytest.raises(AssetsError, match="network is down"):
        Assets(checkout).get()
    assert vendor_files(checkout) == before


def test_a_package_without_a_listed_file_is_named(checkout):
    (checkout / "packages/leaflet/dist/leaflet.css").unlink()
    with pytest.raises(AssetsError, match=re.escape("leaflet/dist/leaflet.css")):
        Assets(checkout).get()


@pytest.mark.parametrize(
    ("arguments", "environment", "code"),
    [([], {}, 0), (["--required"], {}, 1), ([], {"CI": "true"}, 1)],
    ids=["start", "required", "ci"],
)
def test_a_start_goes_on_without_them_and_says_so(
    checkout, monkeypatch, capsys, arguments, environment, code
):
    (checkout / "unreachable").touch()
    monkeypatch.setattr(assets, "Assets", lambda: Assets(checkout))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert assets.main(arguments) == code
    assert "network is down" in (said := capsys.readouterr().err)
    assert "The next start tries again" in said


def test_every_vendor_file_that_a_template_asks_for_is_picked():
    picked = {f"vendor/{pick.folder}/{name}" for pick in PICKED.values() for name in pick.files}
    asked = set()
    for folder in ("templates", "static/css", "static/js"):
        for file in Path(ROOT, folder).rglob("*"):
            if file.is_file():
                asked |= set(re.findall(r"vendor/[\w./-]+\.\w+", file.read_text(errors="replace")))
    assert asked <= picked
