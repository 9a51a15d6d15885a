"""SendLocalList (OCPP 1.6 §5.15) and GetLocalListVersion (§5.10)."""

from collections.abc import Iterator

from django.db import transaction
from django.db.models import QuerySet

from cms.base.errors import Invalid
from stations.choices import CommandStatus
from stations.commands.following import on_ended, on_queued
from stations.maintenance.history import lock_jobs
from stations.models import Command
from stations.ocpp.v16.followers.answers import Answer, answer_to
from stations.ocpp.v16.local_lists import list_from_v16
from stations.services.local_list_rules import Outcome, Sent, Told, state_after
from stations.services.local_lists import NO_ANSWER, NOT_SENT, settle_list

_OLD = "ocpp1.6"
_SEND, _GET = "SendLocalList", "GetLocalListVersion"


@on_queued(_OLD, _SEND)
def follow_send_queued(command: Command) -> None:
    """A full list says of every card what it may do (§5.15); only in a differential a bare one is removed."""
    entries = command.payload.get("localAuthorizationList") or []
    bare = [entry["idTag"] for entry in entries if "idTagInfo" not in entry]
    if command.payload["updateType"] == "Full" and bare:
        sentence = f"In a full list every entry has an idTagInfo; {bare[0]} has none."
        raise Invalid.fields({"payload.localAuthorizationList": [sentence]})


@on_ended(_OLD, _SEND)
@transaction.atomic
def follow_send_ended(command: Command) -> None:
    """The version advances only where the station said Accepted."""
    _settle(command, was_full=command.payload["updateType"] == "Full")


@on_ended(_OLD, _GET)
@transaction.atomic
def follow_version_ended(command: Command) -> None:
    """-1, 0 or the version of a list that is there."""
    _settle(command, was_full=None)


def _settle(command: Command, *, was_full: bool | None) -> None:
    if not lock_jobs(command.station_id):
        return
    ended = Command.objects.filter(
        station_id=command.station_id,
        protocol=_OLD,
        action__in=(_SEND, _GET),
        finished_at__isnull=False,
    ).order_by("-pk")
    settle_list(
        command=command,
        state=state_after(_events(ended)),
        refusal=_refusal(answer_to(command)),
        newest_refusal=_refusal(answer_to(ended[0])),
        was_full=was_full,
    )


def _refusal(answer: Answer) -> str:
    """Why a request did not come to what was asked; empty where it did."""
    if not answer.was_sent:
        return NOT_SENT
    if answer.response is None:
        return answer.error or NO_ANSWER
    return "" if answer.said in ("", "Accepted") else answer.said


def _events(ended: QuerySet[Command]) -> list[Sent | Told]:
    """What happened to a station's list, oldest first, as far back as the last whole one that it took.

    `ended` are the requests about it that are over, newest first.
    """
    told: list[Sent | Told] = []
    for event in _translated(ended.iterator(chunk_size=50)):
        told.append(event)
        if isinstance(event, Sent) and event.is_full and event.outcome is Outcome.TAKEN:
            break
    return told[::-1]


def _translated(commands: Iterator[Command]) -> Iterator[Sent | Told]:
    for command in commands:
        answer = answer_to(command)
        if command.action == _GET:
            version = (answer.response or {}).get("listVersion")
            if isinstance(version, int):
                yield Told(version)
        elif outcome := _outcome(command, answer):
            yield list_from_v16(command.payload, outcome)


def _outcome(command: Command, answer: Answer) -> Outcome | None:
    """None where it never reached the station."""
    if answer.said:
        return Outcome.TAKEN if answer.said == "Accepted" else Outcome.NOT_TAKEN
    if command.status == CommandStatus.TIMED_OUT or answer.error == "invalid_response":
        return Outcome.UNKNOWN
    return None
