"""What the supervisor does with its programs' ends and words."""

import pytest

from cms.run.children import Child, run_to_end


class Clock:
    """Stands still until told otherwise."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def start(clock):
    started = []

    def start(code):
        child = Child("web", ["-c", code], {}, clock=clock)
        started.append(child)
        child.start()
        return child

    yield start
    for child in started:
        child.stop()


def test_running_child_is_left_alone(start, capsys):
    child = start("import time; time.sleep(600)")
    pid = child.process.pid
    child.watch()
    assert child.process.pid == pid
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise SystemExit(3)", "exit code 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "signal SIGKILL"),
    ],
)
def test_end_is_announced_with_its_reason(start, capsys, code, reason):
    child = start(code)
    child.process.wait()
    child.watch()
    assert f"web ended with {reason}; starting it again in 2 s." in capsys.readouterr().out


def test_child_is_started_again_after_the_pause_and_not_before(start, clock):
    child = start("raise SystemExit(1)")
    ended = child.process
    ended.wait()
    child.watch()
    clock.now = 1.9
    child.watch()
    assert child.process is ended
    clock.now = 2.0
    child.watch()
    assert child.process is not ended


def test_pause_grows_to_a_limit_and_shrinks_after_a_good_while(start, clock, capsys):
    child = start("raise SystemExit(1)")
    for _ in range(6):
        child.process.wait()
        child.watch()
        clock.now += 31
        child.watch()
    clock.now += 60
    child.process.wait()
    child.watch()
    words = [line.rpartition(" in ")[2] for line in capsys.readouterr().out.splitlines()]
    assert words == ["2 s.", "4 s.", "8 s.", "16 s.", "30 s.", "30 s.", "1 s."]


def test_output_passes_line_by_line_under_the_name_of_the_child(start, capsys):
    child = start("import sys; print('one'); sys.stderr.write('two')")
    child.process.wait()
    child.stop()
    assert sorted(capsys.readouterr().out.splitlines()) == ["web: one", "web: two"]


def test_program_that_ends_by_itself_gives_its_exit_code_and_lines():
    code, lines = run_to_end(
        "migrate", ["-c", "print('one'); print('two'); raise SystemExit(4)"], {}
    )
    assert code == 4
    assert lines == ["migrate: one", "migrate: two"]


def test_output_cannot_steer_the_terminal():
    printed = r"print('\x1b]0;title\x07 \x1b[31mred\x1b[0m a\x08b')"
    _, lines = run_to_end("web", ["-c", printed], {})
    assert lines == ["web: ]0;title \x1b[31mred\x1b[0m ab"]
