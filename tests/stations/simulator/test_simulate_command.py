"""`manage.py simulate` as a person runs it: another process, a real socket, a signal to end it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from stations.management.commands.simulate import Command
from stations.simulator import all_personalities

MANAGE = Path(__file__).parents[3] / "manage.py"


@pytest.fixture
def simulate(central, tmp_path):
    async def start(*arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            str(MANAGE),
            "simulate",
            "--url",
            central.url,
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "VAR": str(tmp_path)},
        )

    return start


async def finish(process):
    async with asyncio.timeout(60):
        output, errors = await process.communicate()
    return process.returncode, output.decode(), errors.decode()


async def test_runs_cycles_and_sums_up(central, simulate, tmp_path):
    journal = tmp_path / "journal.jsonl"
    process = await simulate(
        *("--identities", "X-1,X-2", "--id-tags", "T1,T2,T3,T4", "--speed", "3600"),
        *("--cycles", "1", "--seed", "2", "--password", "secret", "--journal", str(journal)),
    )
    code, output, errors = await finish(process)

    assert (code, errors) == (0, "")
    sessions = len(central.of("StopTransaction"))
    assert sessions >= 2
    assert output.splitlines()[-1].startswith(
        f"In all: 2 of 2 stations online, {sessions} sessions"
    )
    assert "X-1: boot accepted" in output
    assert set(central.authorizations) == {"Basic WC0xOnNlY3JldA==", "Basic WC0yOnNlY3JldA=="}
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    frames = [line for line in lines if line["kind"] == "frame" and line["direction"] == "sent"]
    assert len(frames) == len(central.seen)
    assert len([line for line in lines if line["kind"] == "answer"]) == len(central.seen)


async def test_demo_ends_cleanly_on_sigterm_and_remembers(central, simulate, tmp_path):
    process = await simulate("--demo", "--stations", "2", "--quiet")
    await central.wait_for(lambda: central.of("StartTransaction"), 60)
    process.send_signal(signal.SIGTERM)
    code, output, errors = await finish(process)

    assert (code, errors) == (0, "")
    assert output.startswith("In all: 2 of 2 stations online")
    start = central.payloads("StartTransaction")[0]
    assert start["idTag"] == "DEMO-CARD-01"
    memory = json.loads((tmp_path / "simulator" / "DEMO-001.json").read_text())
    assert [tx["id_tag"] for tx in memory["transactions"]] == ["DEMO-CARD-01"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--version", "2.0.1"], "does not speak OCPP 2.0.1 yet"),
        (["--version", "2.1"], "does not speak OCPP 2.1 yet"),
        (["--speed", "0"], "between 1 and 3600"),
        (["--personality", "grumpy"], "no personality 'grumpy'"),
    ],
)
def test_what_it_cannot_do_it_says(arguments, sentence):
    with pytest.raises(CommandError, match=sentence) as caught:
        call_command(Command(), "--url", "ws://127.0.0.1:1/ocpp", *arguments)
    assert caught.value.returncode == 2


def test_never_accepted_is_a_failure():
    """Nobody listens on port 1."""
    output = StringIO()
    with pytest.raises(CommandError, match="no station was ever accepted") as caught:
        call_command(Command(stdout=output), "--url", "ws://127.0.0.1:1/ocpp", "--duration", "0.1")
    assert caught.value.returncode == 1
    lines = output.getvalue().splitlines()
    assert "SIM-001: cannot stay connected" in lines[0]
    assert lines[-1].startswith("In all: 0 of 1 stations online")


def test_lists_the_personalities():
    output = StringIO()
    call_command(Command(stdout=output), "--url", "ws://x", "--personality", "list")
    assert len(output.getvalue().splitlines()) == len(all_personalities())
