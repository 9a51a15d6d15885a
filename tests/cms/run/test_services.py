"""PostgreSQL and Valkey from wheels: beside others, after crashes, and gone when they should be.

Each test starts and stops real servers in a data folder below a folder that only its owner may enter.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time

import psutil
import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from cms.run import place as place_module
from cms.run.children import ROOT
from cms.run.place import ServiceError, place_of
from cms.run.services import AlreadyRunning, Services, remove, running_urls


@pytest.fixture(scope="module")
def kept_var(tmp_path_factory):
    """One data folder for the module: making a cluster takes a second, starting one does not."""
    private = tmp_path_factory.mktemp("home of somebody")
    private.chmod(0o700)
    var = private / "var"
    yield var
    remove(var)


@pytest.fixture
def var(kept_var):
    yield kept_var
    assert running_urls(kept_var) is None, "a test left its services running"


def ask_postgres(urls, sql):
    with psycopg.connect(urls.database, autocommit=True) as connection:
        cursor = connection.execute(sql)
        return cursor.fetchone() if cursor.description else None


def server_processes(var):
    """Every process that runs one of the programs of this data folder, or works in it."""
    home = str(place_of(var).home)
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cwd().startswith(home) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def wait_until_gone(var):
    deadline = time.monotonic() + 20
    while left := server_processes(var):
        assert time.monotonic() < deadline, f"still running: {left}"
        time.sleep(0.02)


@contextlib.contextmanager
def held_by_another_process(var):
    """`python -m cms.run.services`, ready."""
    command = [sys.executable, "-m", "cms.run.services", "--var", str(var)]
    with subprocess.Popen(  # noqa: S603 - this Python
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as holder:
        lines = []
        for line in holder.stdout:
            lines.append(line)
            if line.startswith("Both services run"):
                break
        else:
            pytest.fail("".join(lines))
        try:
            yield holder
        finally:
            holder.kill()


def test_both_answer_beside_servers_on_the_usual_ports(var):
    with contextlib.ExitStack() as stack:
        for port in (5432, 6379):
            listener = stack.enter_context(socket.socket())
            # Taken already is just as good.
            with contextlib.suppress(OSError):
                listener.bind(("127.0.0.1", port))
                listener.listen()
        with Services(var, durable=False) as services:
            assert ask_postgres(services.urls, "SELECT current_database()") == ("magetsi",)
            with redis.Redis.from_url(services.urls.redis) as client:
                assert client.ping()
            assert running_urls(var) == services.urls
    assert running_urls(var) is None
    assert server_processes(var) == []


def test_two_data_folders_run_side_by_side(var, tmp_path):
    other = tmp_path / "var"
    try:
        with Services(var, durable=False) as first, Services(other, durable=False) as second:
            ask_postgres(first.urls, "CREATE TABLE only_here ()")
            assert ask_postgres(second.urls, "SELECT to_regclass('only_here')") == (None,)
            ask_postgres(first.urls, "DROP TABLE only_here")
    finally:
        remove(other)
    assert not place_of(other).home.exists()


def test_second_start_of_a_running_pair_is_refused(var):
    with held_by_another_process(var):
        urls = running_urls(var)
        with pytest.raises(AlreadyRunning, match="already running"):
            Services(var).start()
        assert ask_postgres(urls, "SELECT 1") == (1,), "the refusal must not disturb them"
        assert running_urls(var) == urls
    wait_until_gone(var)


def test_only_those_with_the_password_get_in(var):
    with Services(var, durable=False) as services:
        host = services.urls.database.partition("host=")[2]
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(f"postgresql://magetsi:wrong@/magetsi?host={host}")
        port = services.urls.redis.rpartition(":")[2].partition("/")[0]
        with (
            redis.Redis(port=int(port), retry=Retry(NoBackoff(), 0)) as client,
            pytest.raises(redis.exceptions.AuthenticationError),
        ):
            client.ping()
    assert (var / "services-secret").stat().st_mode & 0o077 == 0


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_nothing_outlives_a_killed_holder_and_the_data_stays(var):
    with held_by_another_process(var) as holder:
        ask_postgres(running_urls(var), "CREATE TABLE kept AS SELECT 42 AS answer")
        assert server_processes(var)
        holder.kill()
        holder.wait()
        assert running_urls(var) is None
        # At once, while the servers may still be shutting down.
        with Services(var, durable=False) as services:
            assert ask_postgres(services.urls, "SELECT answer FROM kept") == (42,)
            ask_postgres(services.urls, "DROP TABLE kept")
    assert server_processes(var) == []


def test_ctrl_c_leaves_nothing_behind(var):
    with held_by_another_process(var) as holder:
        holder.send_signal(2)
        assert holder.wait(30) == 0
        assert server_processes(var) == []
        assert not (var / "services.json").exists()


def test_stale_pid_file_with_the_number_of_a_stranger_is_no_hindrance(var):
    with Services(var, durable=False) as services:
        data = services.postgres.data
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n{data}\n1\n5432\n\n\n0 0\nready\n")
    with Services(var, durable=False) as services:
        assert ask_postgres(services.urls, "SELECT 1") == (1,)


def test_pointer_of_a_killed_holder_counts_for_nothing(var):
    var.mkdir(exist_ok=True)
    (var / "services.json").write_text(json.dumps({"database": "postgresql://", "redis": "r"}))
    assert running_urls(var) is None
    (var / "services.json").unlink()


def test_what_died_is_started_again_under_the_same_address(var):
    with Services(var, durable=False) as services:
        before = services.urls
        ask_postgres(before, "CREATE TABLE kept AS SELECT 7 AS answer")
        assert services.restart_the_dead() == []
        services.postgres.kill()
        services.valkey.kill()
        assert services.restart_the_dead() == [
            "PostgreSQL ended (signal SIGKILL); started again.",
            "Valkey ended (signal SIGKILL); started again.",
        ]
        assert services.urls == before
        assert ask_postgres(before, "SELECT answer FROM kept") == (7,)
        ask_postgres(before, "DROP TABLE kept")


def test_removed_data_folder_begins_anew(tmp_path):
    var = tmp_path / "var"
    try:
        with Services(var, durable=False) as services:
            ask_postgres(services.urls, "CREATE TABLE old ()")
        shutil.rmtree(var)
        with Services(var, durable=False) as services:
            assert ask_postgres(services.urls, "SELECT to_regclass('old')") == (None,)
    finally:
        remove(var)


def test_nothing_runs_in_a_folder_without_services(tmp_path):
    assert running_urls(tmp_path) is None
    assert running_urls(tmp_path / "missing") is None
    assert list(tmp_path.iterdir()) == []


def test_ordinary_user_keeps_everything_in_the_data_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(place_module.os, "geteuid", lambda: 1000)
    place = place_of(tmp_path)
    assert place.owner is None
    assert place.home == tmp_path / "services"


def test_path_of_the_socket_stays_short(tmp_path, monkeypatch):
    monkeypatch.setattr(place_module.os, "geteuid", lambda: 1000)
    deep = place_of(tmp_path / ("long-" * 30))
    assert len(str(deep.socket_folder / ".s.PGSQL.5432")) < 100
    assert deep.socket_folder != place_of(tmp_path / ("long-" * 31)).socket_folder


@pytest.mark.skipif(os.geteuid() != 0, reason="only root uses another account")
def test_root_runs_them_as_nobody_outside_the_data_folder(var):
    with Services(var, durable=False):
        users = {process.username() for process in server_processes(var)}
    assert users == {"nobody"}
    home = place_of(var).home
    assert home.parent == place_module.Path("/var/tmp")  # noqa: S108
    assert home.stat().st_mode & 0o777 == 0o700


def test_folder_of_somebody_else_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr(place_module.os, "geteuid", lambda: 1000)
    place = place_of(tmp_path)
    place.home.symlink_to("/")
    with pytest.raises(ServiceError, match="in the way"):
        place.make()
