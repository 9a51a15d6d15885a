"""Install the locked packages into the virtual environment that runs this: `python -m cms.run.install FILE`.

uv does it in seconds and comes through pip itself, with a hash; where either of the two steps fails,
pip does it all. The settings of this machine's pip (index, extra index, certificates) count for uv
too. Runs before anything is installed, hence the standard library alone.
"""

import ast
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
_OLDEST, _NEWEST = (3, 11), (3, 14)

# pip's setting, uv's variable.
_SETTINGS = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
    "trusted-host": "UV_INSECURE_HOST",
    "default-timeout": "UV_HTTP_TIMEOUT",
}


def main(argv: list[str]) -> int:
    """Exit code 0 when everything in the requirements file is installed."""
    if len(argv) != 1:
        sys.stderr.write("usage: python -m cms.run.install REQUIREMENTS\n")
        return 2
    if not _OLDEST <= sys.version_info[:2] <= _NEWEST:
        version = ".".join(map(str, sys.version_info[:3]))
        sys.stderr.write(
            f"Magetsi runs on Python 3.11 to 3.14, and this is {version}. "
            "Choose another with PYTHON=python3.12, say, after removing .venv.\n"
        )
        return 1
    requirements = argv[0]
    if not (_get_uv() and _install_with_uv(requirements)):
        sys.stderr.write("uv is of no use here; pip installs instead, which takes longer.\n")
        if not _pip("install", "--require-hashes", "--requirement", requirements):
            return 1
    _put_checkout_on_path()
    return 0


def uv_environment(pip_configuration: str, environment: dict[str, str]) -> dict[str, str]:
    """`environment` with the settings that `pip config list` printed, in uv's words.

    A variable of uv's own that is already set wins over pip's, pip's environment over its files.
    """
    found: dict[str, str] = {}
    for line in sorted(pip_configuration.splitlines(), key=lambda line: line.startswith(":env:")):
        matched = re.fullmatch(r"(?:global|install|:env:)\.\.?([\w-]+)=(['\"].*)", line.strip())
        if matched and matched[1] in _SETTINGS:
            found[_SETTINGS[matched[1]]] = " ".join(str(ast.literal_eval(matched[2])).split())
    if "UV_FIND_LINKS" in found:
        found["UV_FIND_LINKS"] = found["UV_FIND_LINKS"].replace(" ", ",")
    if "UV_INDEX" in found:
        # pip looks at all its indexes; the hashes make sure that it does not matter which one answers.
        found["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return found | environment


def _get_uv() -> bool:
    return _pip("install", "--require-hashes", "--requirement", str(ROOT / "requirements/uv.txt"))


def _install_with_uv(requirements: str) -> bool:
    configuration = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--require-hashes"]
    return (
        subprocess.run(  # noqa: S603 - our own interpreter
            [*command, "--python", sys.executable, "--requirement", requirements],
            env=uv_environment(configuration, dict(os.environ)),
            check=False,
        ).returncode
        == 0
    )


def _pip(*arguments: str) -> bool:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    return subprocess.run([*command, *arguments], check=False).returncode == 0  # noqa: S603


def _put_checkout_on_path() -> None:
    """So that `pytest` and `celery` find the checkout from wherever they are called."""
    packages = Path(sysconfig.get_path("purelib"))
    relative = os.path.relpath(ROOT, packages)
    (packages / "magetsi.pth").write_text(f"{relative}\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
