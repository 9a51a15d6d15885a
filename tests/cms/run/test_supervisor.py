"""`make run`: where it listens, what it hands to its programs, when it refuses."""

import socket
from pathlib import Path

import pytest

from cms.run import supervisor
from cms.run.supervisor import CannotRun, Options


def options(host="127.0.0.1", port=8000, fleet=6):
    return Options(host, port, fleet, Path("/data"))


@pytest.mark.parametrize(
    ("host", "address", "public"),
    [
        ("127.0.0.1", "127.0.0.1:8000", False),
        ("localhost", "localhost:8000", False),
        ("::1", "[::1]:8000", False),
        ("0.0.0.0", "127.0.0.1:8000", True),  # noqa: S104
        ("::", "[::1]:8000", True),
        ("192.0.2.7", "192.0.2.7:8000", True),
    ],
)
def test_address_is_one_that_a_browser_here_can_open(host, address, public):
    assert options(host).address == address
    assert options(host).is_public is public


def test_demo_defaults_give_way_to_what_the_person_set():
    environment = supervisor._environment(
        options(), {"LOG_LEVEL": "DEBUG", "BASE_URL": "", "PATH": "/bin"}
    )
    assert environment["LOG_LEVEL"] == "DEBUG"
    assert environment["BASE_URL"] == "http://127.0.0.1:8000", "empty counts as unset"
    assert environment["OCPP_ALLOW_PROFILE_0"] == "1"
    assert environment["VAR"] == "/data"
    assert environment["PATH"] == "/bin"
    assert "ALLOWED_HOSTS" not in environment


def test_public_demo_answers_to_the_name_it_is_reached_by():
    everywhere = options("0.0.0.0")  # noqa: S104
    assert supervisor._environment(everywhere, {})["ALLOWED_HOSTS"] == "*"
    assert supervisor._environment(options("192.0.2.7"), {})["ALLOWED_HOSTS"] == "192.0.2.7"


@pytest.mark.parametrize(
    ("fleet", "names"),
    [(6, ["web", "worker", "beat", "fleet"]), (0, ["web", "worker", "beat"])],
)
def test_fleet_of_none_is_not_started(fleet, names):
    children = supervisor._children(options(fleet=fleet), {"LOG_LEVEL": "INFO"})
    assert [child.name for child in children] == names


def test_taken_port_is_refused_before_anything_starts(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CannotRun, match=f"port {port}.*choose another"):
            supervisor.run(Options("127.0.0.1", port, 0, tmp_path / "var"))
    assert not (tmp_path / "var").exists()
