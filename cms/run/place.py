"""Where the embedded services live, and as whom they run.

PostgreSQL refuses to run as root. A root session therefore runs both services as `nobody`, and since
`nobody` may not be able to enter the folder of this checkout (a clone under a 0700 home), programs and data
lie under `/var/tmp` then. Everybody else has them in the data folder itself.
"""

import hashlib
import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# Longest path of a Unix socket that every system takes, with room for PostgreSQL's ".s.PGSQL.5432".
_LONGEST_SOCKET_FOLDER = 85


class ServiceError(Exception):
    """An embedded service cannot run; the text is a sentence for the person at the terminal."""


@dataclass(frozen=True)
class Place:
    """`home` holds data and sockets; `owner` is the account of the services, None for our own."""

    home: Path
    logs: Path
    owner: pwd.struct_passwd | None

    @property
    def socket_folder(self) -> Path:
        """A private folder with a path short enough for a Unix socket."""
        folder = self.home / "run"
        if len(os.fsencode(folder)) <= _LONGEST_SOCKET_FOLDER:
            return folder
        return Path("/tmp") / f"magetsi-{_digest(self.home)}-{os.getuid()}"  # noqa: S108 - checked to be ours

    def make(self) -> None:
        """Make the folders, private; refuses folders that somebody else put there."""
        self.home.parent.mkdir(parents=True, exist_ok=True)
        for folder in (self.home, self.socket_folder):
            self.make_folder(folder)
        self.logs.mkdir(parents=True, exist_ok=True)

    def make_folder(self, folder: Path) -> None:
        """A folder of mode 0700 that belongs to the account of the services."""
        try:
            folder.mkdir(mode=0o700)
            if self.owner:
                os.chown(folder, self.owner.pw_uid, self.owner.pw_gid)
        except FileExistsError:
            found = folder.lstat()
            uid = self.owner.pw_uid if self.owner else os.getuid()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid:
                raise ServiceError(
                    f"{folder} is in the way: it is no folder of the account that runs the services."
                ) from None
            folder.chmod(0o700)
        except PermissionError as error:
            raise ServiceError(f"{folder} cannot be made: {error.strerror}.") from None

    def copy_of(self, source: Path, name: str, copy: Callable[[Path], None]) -> Path:
        """The folder with programs to run: `source` itself, or a copy that the owner may read.

        `name` changes with the version; `copy` fills a new folder. Copies of other versions go away.
        """
        if self.owner is None:
            return source
        target = self.home / name
        if not target.exists():
            for old in self.home.glob(f"{name.rpartition('-')[0]}-*"):
                shutil.rmtree(old)
            partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=self.home))
            copy(partial)
            self.give(partial)
            partial.rename(target)
        return target

    def give(self, path: Path) -> None:
        """Hand a file or a tree to the account of the services."""
        if self.owner is None:
            return
        os.chown(path, self.owner.pw_uid, self.owner.pw_gid)
        for folder, folders, files in os.walk(path):
            for name in (*folders, *files):
                os.chown(
                    Path(folder, name),
                    self.owner.pw_uid,
                    self.owner.pw_gid,
                    follow_symlinks=False,
                )


def place_of(var: Path) -> Place:
    """Of the data folder `var`; nothing is made yet."""
    var = var.resolve()
    if os.geteuid() != 0:
        return Place(home=var / "services", logs=var / "log", owner=None)
    try:
        owner = pwd.getpwnam("nobody")
    except KeyError:
        raise ServiceError(
            "PostgreSQL refuses to run as root and this machine has no account `nobody`: "
            "run as an ordinary user, or set DATABASE_URL and REDIS_URL."
        ) from None
    home = Path("/var/tmp") / f"magetsi-{_digest(var)}"  # noqa: S108 - checked to be ours
    return Place(home=home, logs=var / "log", owner=owner)


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
