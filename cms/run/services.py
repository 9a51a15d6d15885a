"""PostgreSQL and Valkey for a machine that has neither: `python -m cms.run.services --var var`.

A data folder (VAR, usually `var/`) has at most one pair of services at a time. Whoever starts them holds a
lock on `VAR/services.lock` as long as they run and writes their addresses to `VAR/services.json`, where
`running_urls` finds them; the settings call it, so this module must not import Django. The passwords
stay in `VAR/services-secret`: remove VAR and the next start begins with empty data.

As root, programs and data lie outside VAR; see `cms.run.place`.
"""

import argparse
import contextlib
import fcntl
import json
import os
import secrets
import shutil
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple, Self

from cms.run.console import say
from cms.run.place import Place, ServiceError, place_of
from cms.run.postgres import Postgres
from cms.run.processes import reason_of_end
from cms.run.signals import stop_on_signals
from cms.run.valkey import Valkey

__all__ = ["AlreadyRunning", "ServiceError", "ServiceUrls", "Services", "remove", "running_urls"]


class ServiceUrls(NamedTuple):
    """What DATABASE_URL and REDIS_URL would say; both contain a password."""

    database: str
    redis: str


class AlreadyRunning(ServiceError):
    """Somebody holds the services of this data folder."""


def running_urls(var: Path) -> ServiceUrls | None:
    """The addresses of the services that run for the data folder `var`; None when none do.

    A pointer left by a killed process counts for nothing: the lock tells whether its writer lives.
    """
    try:
        with (var / "services.lock").open("rb") as lock:
            if _take(lock, fcntl.LOCK_SH):
                return None
        pointer = json.loads((var / "services.json").read_text(encoding="utf-8"))
        return ServiceUrls(pointer["database"], pointer["redis"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


class Services:
    """The pair of services of one data folder; a context manager.

        with Services(Path("var")) as services:
            ... services.urls ...

    `durable=False` trades safety against a power cut for speed, for data that may be lost.
    """

    def __init__(self, var: Path, *, durable: bool = True) -> None:
        self.var = var.resolve()
        self._durable = durable
        self._lock: IO[bytes] | None = None
        self._place: Place = place_of(self.var)
        self._both: tuple[Postgres, Valkey] | None = None

    @property
    def postgres(self) -> Postgres:
        """Its start(), stop() and kill() serve fault tests; the address stays the same."""
        return self._started()[0]

    @property
    def valkey(self) -> Valkey:
        """As `postgres`."""
        return self._started()[1]

    @property
    def urls(self) -> ServiceUrls:
        """For everybody who connects, as long as these services run."""
        return ServiceUrls(self.postgres.url, self.valkey.url)

    def start(self) -> ServiceUrls:
        """Start both and wait until both answer.

        Raises:
            AlreadyRunning: another process runs the services of this data folder.
            ServiceError: one of them cannot run here; the text says why.
        """
        self.var.mkdir(parents=True, exist_ok=True)
        lock = (self.var / "services.lock").open("ab")
        # Whoever asks `running_urls` holds the lock for a moment.
        deadline = time.monotonic() + 1
        while not _take(lock, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                lock.close()
                raise AlreadyRunning(
                    f"The services of {self.var} are already running, started by another process. "
                    "Stop that one, or choose another data folder with VAR=…"
                )
            time.sleep(0.02)
        self._lock = lock
        try:
            self._start_both()
        except BaseException:
            self.stop()
            raise
        self._write_pointer()
        return self.urls

    def stop(self) -> None:
        """Stop both in order; nothing is left when this returns. May be called twice."""
        (self.var / "services.json").unlink(missing_ok=True)
        for service in reversed(self._both or ()):
            service.stop()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def restart_the_dead(self) -> list[str]:
        """Start again what has ended by itself; one sentence for each, naming the reason."""
        sentences = []
        for service in self._started():
            if service.process is not None and (code := service.process.poll()) is not None:
                service.start()
                sentences.append(f"{service.name} ended ({reason_of_end(code)}); started again.")
        return sentences

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _started(self) -> tuple[Postgres, Valkey]:
        if self._both is None:
            raise ServiceError("The services have not been started.")
        return self._both

    def _start_both(self) -> None:
        self._place.make()
        secret = _secret_of(self.var)
        postgres = Postgres(self._place, password=secret, durable=self._durable)
        valkey = Valkey(self._place, password=secret)
        self._both = (postgres, valkey)
        valkey.start()
        postgres.start()

    def _write_pointer(self) -> None:
        new = self.var / "services.json.new"
        new.touch(mode=0o600)
        new.write_text(json.dumps(self.urls._asdict()), encoding="utf-8")
        new.rename(self.var / "services.json")


def remove(var: Path) -> None:
    """Remove the data folder of stopped services and their data outside it; for folders of one run."""
    place = place_of(var)
    for folder in (place.home, place.socket_folder, var):
        shutil.rmtree(folder, ignore_errors=True)


def _take(lock: IO[bytes], kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _secret_of(var: Path) -> str:
    path = var / "services-secret"
    with contextlib.suppress(FileNotFoundError):
        if secret := path.read_text(encoding="ascii").strip():
            return secret
    path.touch(mode=0o600)
    path.write_text(secrets.token_hex(24), encoding="ascii")
    return path.read_text(encoding="ascii")


def main(argv: list[str] | None = None) -> int:
    """Hold the services until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m cms.run.services", description=__doc__)
    parser.add_argument("--var", type=Path, default=Path(os.environ.get("VAR", "var")))
    arguments = parser.parse_args(argv)
    try:
        with stop_on_signals(), Services(arguments.var) as services:
            say(f"DATABASE_URL='{services.urls.database}'")
            say(f"REDIS_URL='{services.urls.redis}'")
            say("Both services run; Ctrl-C stops them.")
            while True:
                time.sleep(1)
                for sentence in services.restart_the_dead():
                    say(sentence)
    except ServiceError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
