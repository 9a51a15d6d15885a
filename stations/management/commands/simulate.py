"""`manage.py simulate`: virtual charging stations against any OCPP 1.6J central system."""

from __future__ import annotations

import asyncio
import os
import signal
from argparse import ArgumentParser
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from stations.simulator.fleet import (
    DEMO_TAGS,
    Fleet,
    Plan,
    demo_members,
    plain_members,
    report_every,
)
from stations.simulator.journal import Journal
from stations.simulator.personalities import all_personalities, personality

# With more stations than this, a line per event helps nobody.
TALKATIVE_STATIONS = 20
SUMMARY_INTERVAL_S = 10


class Command(BaseCommand):
    help = "Run virtual charging stations that plug in, charge and stop at random moments."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("--url", required=True, help="endpoint without the identity, e.g. ws://host:8000/ocpp")
        add("--stations", type=int, default=1, metavar="N", help="how many (default 1)")
        add("--version", dest="ocpp_version", default="1.6", help="OCPP version: 1.6")
        add("--prefix", default="SIM-", help="identities are PREFIX001, PREFIX002, …")
        add("--identities", metavar="A,B,C", help="these stations instead of --stations")
        add("--password", help="Basic password of every station")
        add("--id-tags", metavar="T1,T2", help="cards in use (default SIM-CARD-1)")
        add("--personality", default="honest", help="a name, mixed, or list to see them all")
        add(
            "--speed", type=float, default=1.0, help="cars and meters run this much faster, 1..3600"
        )
        add("--duration", type=float, metavar="S", help="end after so many seconds")
        add("--cycles", type=int, metavar="N", help="end after N visits at each connector")
        add("--seed", type=int, help="the same seed plays the same people")
        add("--state", type=Path, metavar="DIR", help="stations remember queue and meters here")
        add(
            "--journal",
            type=Path,
            metavar="FILE",
            help="write every frame and answer as JSON lines",
        )
        add("--demo", action="store_true", help="the demo site: DEMO-001…, cards DEMO-CARD-01…06")
        add("--quiet", action="store_true", help="print the summary at the end only")

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        # --version is ours here: the OCPP version, as the public interface has it.
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **kwargs)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["personality"] == "list":
            for name, kind in all_personalities().items():
                self.stdout.write(f"{name}: {kind.does()} [{kind.source}]")
            return
        plan = self._plan(options)
        with ExitStack() as stack:
            sink = None
            if options["journal"]:
                sink = stack.enter_context(options["journal"].open("a", encoding="utf-8"))
            fleet = Fleet(
                plan,
                journal=Journal(keep=1_000, sink=sink),
                note=self._say if self._talks(plan, options) else None,
            )
            asyncio.run(self._run(fleet, options))
        if not fleet.ever_online:
            raise CommandError("no station was ever accepted", returncode=1)

    def _talks(self, plan: Plan, options: dict[str, Any]) -> bool:
        return not options["quiet"] and len(plan.members) <= TALKATIVE_STATIONS

    def _plan(self, options: dict[str, Any]) -> Plan:
        if options["ocpp_version"] in ("2.0.1", "2.1"):
            raise CommandError(
                f"The virtual charging station does not speak OCPP {options['ocpp_version']} yet; "
                "use --version 1.6.",
                returncode=2,
            )
        if options["ocpp_version"] != "1.6":
            raise CommandError(f"There is no OCPP {options['ocpp_version']}.", returncode=2)
        if not 1 <= options["speed"] <= 3600:
            raise CommandError("--speed must be between 1 and 3600", returncode=2)
        if options["stations"] < 1:
            raise CommandError("--stations must be at least 1", returncode=2)
        try:
            personality(options["personality"])
        except ValueError as exc:
            raise CommandError(str(exc), returncode=2) from exc
        demo, seed = options["demo"], options["seed"]
        names = _split(options["identities"])
        names = names or [f"{options['prefix']}{n:03d}" for n in range(1, options["stations"] + 1)]
        tags = _split(options["id_tags"]) or (list(DEMO_TAGS) if demo else ["SIM-CARD-1"])
        state_dir = options["state"]
        if demo and state_dir is None:
            state_dir = Path(os.environ.get("VAR", "var")) / "simulator"
        return Plan(
            url=options["url"],
            members=demo_members(options["stations"]) if demo else plain_members(names, seed),
            id_tags=tags,
            password=options["password"],
            character=options["personality"],
            speed=options["speed"],
            seed=seed,
            cycles=options["cycles"],
            reserve_first_tag=demo,
            state_dir=state_dir,
            configuration={"MeterValueSampleInterval": "10"} if demo else {},
        )

    def _say(self, identity: str, sentence: str) -> None:
        self._print(f"{datetime.now(UTC):%H:%M:%S} {identity}: {sentence}")

    def _print(self, line: str) -> None:
        """At once, into pipes too."""
        self.stdout.write(line)
        self.stdout.flush()

    async def _run(self, fleet: Fleet, options: dict[str, Any]) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        if options["duration"]:
            loop.call_later(options["duration"], stop.set)
        reporter = None
        if not options["quiet"] and not self._talks(fleet.plan, options):
            reporter = asyncio.create_task(report_every(fleet, SUMMARY_INTERVAL_S, self._print))
        try:
            await fleet.run(stop)
        finally:
            if reporter is not None:
                reporter.cancel()
            self._print(f"In all: {fleet.summary()}")


def _split(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]
