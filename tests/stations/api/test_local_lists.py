"""Local lists over REST: what is sent, what the station has then, and what follows by itself."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import ChargingRight, IdToken, Operator
from cms.base.models import OutboxItem
from cms.base.time import rfc3339
from stations.commands.following import follow_ended
from stations.models import ChargingStation, Command, StationVariable
from stations.services.local_list_rules import (
    ListState,
    Outcome,
    Sent,
    Told,
    difference,
    state_after,
)
from stations.services.local_lists import on_id_token_changed, on_listed_token_changed
from tests.api import Api, fields_of
from tests.factories import (
    make_id_token,
    make_id_token_group,
    make_operator,
    make_state,
    make_station,
)

Row = dict[str, Any]
OK = {"status": "Accepted"}


@pytest.fixture
def station(operator: Operator) -> ChargingStation:
    station = make_station(operator)
    make_state(station)
    return station


def path(station: ChargingStation) -> str:
    return f"/stations/{station.identity}/local-list/"


def entry(token: IdToken | str, **info: Any) -> Row:
    uid = token if isinstance(token, str) else token.uid
    return {"idTag": uid, "idTagInfo": {"status": "Accepted", **info}}


def send(api: Api, station: ChargingStation, kind: str = "full", **fields: Any) -> Command:
    answer = api.post(path(station), {"type": kind, **fields})
    assert answer.status_code == 202, answer.content
    return Command.objects.get(pk=answer.json()["id"])


def refused(api: Api, station: ChargingStation, kind: str) -> str:
    answer = api.post(path(station), {"type": kind})
    assert answer.status_code == 409, answer.content
    return str(answer.json()["code"])


def raw(api: Api, station: ChargingStation, action: str, **payload: Any) -> Command:
    made = api.post(
        f"/stations/{station.identity}/commands/", {"action": action, "payload": payload}
    )
    assert made.status_code == 202, made.content
    return Command.objects.get(pk=made.json()["id"])


def end(
    command: Command, said: str | None = "Accepted", status: str | None = None, **fields: Any
) -> None:
    """The command's outcome, worked off as the outbox does, twice."""
    fields.setdefault("response", None if said is None else {"status": said})
    Command.objects.filter(pk=command.pk).update(
        status=status or ("accepted" if said == "Accepted" else "rejected"),
        finished_at=timezone.now(),
        **fields,
    )
    for _ in range(2):
        follow_ended(str(command.pk), {})


def lost(command: Command) -> None:
    end(command, None, "timed_out", error={"code": "no_answer"})


def tell_version(api: Api, station: ChargingStation, version: int) -> None:
    command = raw(api, station, "GetLocalListVersion")
    end(command, None, "accepted", response={"listVersion": version})


def shown(api: Api, station: ChargingStation) -> tuple[int | None, list[str] | None, str | None]:
    now = api.get(path(station)).json()
    entries = now["entries"]
    return (
        now["version"],
        None if entries is None else [item["idTag"] for item in entries],
        now["refusal"],
    )


def waiting(station: ChargingStation) -> list[Command]:
    return list(Command.objects.filter(station=station, status="queued").order_by("pk"))


def told(topic: str) -> list[OutboxItem]:
    return list(OutboxItem.objects.filter(topic=topic).order_by("pk"))


def work_off() -> None:
    """What a token's change set off, as the outbox does, twice."""
    for topic, handler in (
        ("id_token.changed", on_id_token_changed),
        ("local_list.token_changed", on_listed_token_changed),
    ):
        for item in told(topic):
            for _ in range(2):
                handler(item.key, item.payload)


def limit(station: ChargingStation, **values: object) -> None:
    for name, value in values.items():
        StationVariable.objects.update_or_create(
            station=station,
            component="",
            variable=name,
            defaults={"value": str(value), "at": timezone.now()},
        )


# --- what a station has, calculated --------------------------------------------------------------

A, B, C = entry("A"), entry("B"), entry("C")
BLOCKED_B = entry("b", status="Blocked")


def full(version: int, *entries: Row, outcome: Outcome = Outcome.TAKEN) -> Sent:
    return Sent(version, True, entries, outcome)


def change(version: int, *entries: Row, outcome: Outcome = Outcome.TAKEN) -> Sent:
    return Sent(version, False, entries, outcome)


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([], ListState()),
        ([full(1, A, B)], ListState(1, [A, B])),
        ([full(1, A), full(2)], ListState(2, [])),
        ([full(1, A), change(2, B)], ListState(2, [A, B])),
        ([full(1, A, B), change(2, {"idTag": "a"}, BLOCKED_B)], ListState(2, [BLOCKED_B])),
        ([full(1, A), full(2, B, outcome=Outcome.NOT_TAKEN)], ListState(1, [A])),
        ([change(7, A)], ListState(7, None)),
        ([Told(-1)], ListState(-1, [])),
        ([full(3, A), Told(0)], ListState(0, [])),
        ([full(3, A), Told(3)], ListState(3, [A])),
        ([full(3, A), Told(9)], ListState(9, None)),
        ([Told(9), change(10, A)], ListState(10, None)),
        # An answer that got lost: what the station tells next decides.
        ([full(1, A), change(2, B, outcome=Outcome.UNKNOWN)], ListState(1, [A])),
        ([full(1, A), change(2, B, outcome=Outcome.UNKNOWN), Told(2)], ListState(2, [A, B])),
        ([full(1, A), change(2, B, outcome=Outcome.UNKNOWN), Told(1)], ListState(1, [A])),
        ([full(2, A, outcome=Outcome.UNKNOWN), Told(2)], ListState(2, [A])),
    ],
)
def test_what_a_station_has_follows_from_what_happened(
    events: list[Sent | Told], state: ListState
) -> None:
    assert state_after(events) == state


def test_a_difference_holds_what_changed_and_nothing_else() -> None:
    assert difference([A, B, C], [A, BLOCKED_B, entry("D")]) == [
        BLOCKED_B,
        entry("D"),
        {"idTag": "C"},
    ]
    assert difference([A], [entry("a")]) == []


# --- sending -------------------------------------------------------------------------------------


def test_a_full_list_holds_everybody_who_may_charge(
    api: Api, operator: Operator, station: ChargingStation
) -> None:
    ends = timezone.now() + timedelta(days=1)
    group = make_id_token_group(operator, name="crew")
    plain = make_id_token(operator, uid="A-PLAIN")
    named = make_id_token(operator, uid="B-CREW", group=group, expires_at=ends)
    make_id_token(operator, status="blocked")
    make_id_token(operator, status="invalid")
    make_id_token(operator, expires_at=timezone.now() - timedelta(days=1))
    make_id_token(operator, uid="X" * 21)
    ChargingRight.objects.create(id_token=make_id_token(operator), allowed=False)
    make_id_token(make_operator())
    command = send(api, station)
    assert command.payload == {
        "listVersion": 1,
        "updateType": "Full",
        "localAuthorizationList": [
            entry(plain),
            entry(named, expiryDate=rfc3339(ends), parentIdTag="crew"),
        ],
    }
    assert shown(api, station) == (None, None, None)
    assert api.get(path(station)).json()["command"] == str(command.pk)
    end(command)
    assert api.get(path(station)).json()["entries"] == command.payload["localAuthorizationList"]
    assert shown(api, station) == (1, ["A-PLAIN", "B-CREW"], None)
    only = send(api, station, group="crew").payload
    assert [item["idTag"] for item in only["localAuthorizationList"]] == ["B-CREW"]
    assert only["listVersion"] == 2


def test_a_differential_holds_what_changed_since(
    api: Api, operator: Operator, station: ChargingStation
) -> None:
    stays, falls, goes = (make_id_token(operator, uid=uid) for uid in ("STAYS", "FALLS", "GOES"))
    end(send(api, station))
    assert refused(api, station, "differential") == "nothing_changed"
    IdToken.objects.filter(pk=falls.pk).update(status="blocked")
    goes.delete()
    new = make_id_token(operator, uid="NEW")
    command = send(api, station, "differential")
    assert command.payload == {
        "listVersion": 2,
        "updateType": "Differential",
        "localAuthorizationList": [
            entry(falls, status="Blocked"),
            entry(new),
            {"idTag": goes.uid},
        ],
    }
    end(command)
    version, uids, refusal = shown(api, station)
    assert (version, sorted(uids or ()), refusal) == (2, ["FALLS", "NEW", stays.uid], None)
    assert refused(api, station, "differential") == "nothing_changed"


@pytest.mark.parametrize("word", ["Failed", "NotSupported", "VersionMismatch"])
def test_a_refused_list_moves_nothing(
    api: Api, operator: Operator, station: ChargingStation, word: str
) -> None:
    token = make_id_token(operator)
    end(send(api, station))
    make_id_token(operator)
    end(send(api, station), word)
    assert shown(api, station) == (1, [token.uid], word)
    assert waiting(station) == []


def test_a_differential_that_is_not_taken_is_followed_by_the_whole_list_once(
    api: Api, operator: Operator, station: ChargingStation
) -> None:
    make_id_token(operator)
    end(send(api, station))
    make_id_token(operator)
    end(send(api, station, "differential"), "VersionMismatch")
    [whole] = waiting(station)
    assert whole.payload["updateType"] == "Full"
    assert len(whole.payload["localAuthorizationList"]) == 2
    end(whole, "Failed")
    assert waiting(station) == []
    assert shown(api, station)[2] == "Failed"


def test_after_silence_the_station_is_asked_what_it_has(
    api: Api, operator: Operator, station: ChargingStation
) -> None:
    token = make_id_token(operator)
    command = send(api, station)
    lost(command)
    assert shown(api, station) == (None, None, "NoAnswer")
    [question] = waiting(station)
    assert question.action == "GetLocalListVersion"
    end(question, None, "accepted", response={"listVersion": 1})
    assert shown(api, station) == (1, [token.uid], None)


def test_a_late_yes_is_a_yes_and_silence_gives_no_version_away(
    api: Api, operator: Operator, station: ChargingStation
) -> None:
    token = make_id_token(operator)
    first = raw(api, station, "SendLocalList", updateType="Full", localAuthorizationList=[A])
    lost(first)
    assert waiting(station) == []
    second = raw(api, station, "SendLocalList", updateType="Differential")
    assert [first.payload["listVersion"], second.payload["listVersion"]] == [1, 2]
    end(first, "Accepted", "timed_out")
    assert shown(api, station) == (1, ["A"], None)
    end(second, "VersionMismatch")
    assert shown(api, station) == (1, ["A"], "VersionMismatch")
    assert token.uid not in str(waiting(station))


def test_a_list_that_is_too_long_is_refused_and_a_long_one_goes_in_parts(
    api: Api, operator: Operator, station: ChargingStation
) -> None:
    uids = [make_id_token(operator, uid=f"CARD-{number}").uid for number in range(5)]
    limit(station, LocalAuthListMaxLength=4)
    assert refused(api, station, "full") == "list_too_long"
    limit(station, LocalAuthListMaxLength=5, SendLocalListMaxLength=2)
    parts = [send(api, station)]
    assert refused(api, station, "full") == "list_under_way"
    while not parts[-1].finished_at:
        end(parts[-1])
        parts += waiting(station)
        parts[-1].refresh_from_db()
    assert [(part.payload["updateType"], part.payload["listVersion"]) for part in parts] == [
        ("Full", 1),
        ("Differential", 2),
        ("Differential", 3),
    ]
    assert [len(part.payload["localAuthorizationList"]) for part in parts] == [2, 2, 1]
    assert shown(api, station) == (3, uids, None)
    assert api.get(path(station)).json()["command"] is None


def test_a_part_that_is_refused_ends_the_sending(
    api: Api, operator: Operator, station: ChargingStation
) -> None:
    for number in range(3):
        make_id_token(operator, uid=f"CARD-{number}")
    limit(station, SendLocalListMaxLength=1)
    end(send(api, station))
    [second] = waiting(station)
    end(second, "NotSupported")
    assert waiting(station) == []
    assert shown(api, station) == (1, ["CARD-0"], "NotSupported")


def test_what_nobody_knows_cannot_be_changed_by_its_differences(
    api: Api, operator: Operator, station: ChargingStation
) -> None:
    make_id_token(operator)
    assert refused(api, station, "differential") == "list_unknown"
    end(send(api, station))
    tell_version(api, station, 9)
    assert shown(api, station) == (9, None, None)
    assert refused(api, station, "differential") == "list_unknown"
    assert send(api, station).payload["listVersion"] == 10


@pytest.mark.parametrize(("version", "entries"), [(-1, []), (0, [])])
def test_the_stations_own_version_is_kept(
    api: Api, station: ChargingStation, version: int, entries: list[str]
) -> None:
    tell_version(api, station, version)
    assert shown(api, station) == (version, entries, None)
    assert raw(api, station, "SendLocalList", updateType="Full").payload["listVersion"] == 1


def test_a_question_that_is_refused_is_told(api: Api, station: ChargingStation) -> None:
    command = raw(api, station, "GetLocalListVersion")
    end(command, None, "error", error={"code": "NotImplemented"})
    assert shown(api, station) == (None, None, "NotImplemented")


def test_a_raw_list_counts_as_any_other_and_is_worked_off_in_any_order(
    api: Api, station: ChargingStation
) -> None:
    first = raw(
        api,
        station,
        "SendLocalList",
        listVersion=5,
        updateType="Full",
        localAuthorizationList=[A, B],
    )
    bare = [{"idTag": "a"}, C]
    second = raw(
        api, station, "SendLocalList", updateType="Differential", localAuthorizationList=bare
    )
    assert second.payload["listVersion"] == 6
    Command.objects.filter(pk=first.pk).update(
        status="accepted", response=OK, finished_at=timezone.now()
    )
    end(second)
    follow_ended(str(first.pk), {})
    assert shown(api, station) == (6, ["B", "C"], None)


def test_a_full_list_says_of_every_card_what_it_may_do(api: Api, station: ChargingStation) -> None:
    payload = {"updateType": "Full", "localAuthorizationList": [A, {"idTag": "B"}]}
    answer = api.post(
        f"/stations/{station.identity}/commands/", {"action": "SendLocalList", "payload": payload}
    )
    assert list(fields_of(answer)) == ["payload.localAuthorizationList"]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"type": "some"}, "type"), ({}, "type"), ({"type": "full", "group": "nobody"}, "group")],
)
def test_what_cannot_be_sent_names_its_field(
    api: Api, station: ChargingStation, wrong: Row, field: str
) -> None:
    assert list(fields_of(api.post(path(station), wrong))) == [field]


# --- what follows by itself ----------------------------------------------------------------------


@pytest.mark.parametrize("way", ["api", "sql", "delete"])
def test_a_token_that_falls_is_told_to_the_stations_that_hold_it(
    api: Api, operator: Operator, station: ChargingStation, way: str
) -> None:
    kept, falls = make_id_token(operator, uid="KEPT"), make_id_token(operator, uid="Falls")
    holds, holds_not, knows_nothing = station, make_station(operator), make_station(operator)
    make_state(holds_not)
    make_state(knows_nothing)
    end(send(api, holds))
    end(raw(api, holds_not, "SendLocalList", updateType="Full", localAuthorizationList=[A]))
    if way == "delete":
        falls.delete()
    elif way == "sql":
        IdToken.objects.filter(pk=falls.pk).update(status="blocked")
    else:
        assert api.patch(f"/id-tokens/{falls.pk}/", {"status": "blocked"}).status_code == 200
    work_off()
    [command] = waiting(holds)
    gone = {"idTag": "Falls"}
    assert command.payload == {
        "listVersion": 2,
        "updateType": "Differential",
        "localAuthorizationList": [gone if way == "delete" else entry(falls, status="Blocked")],
    }
    assert waiting(holds_not) == waiting(knows_nothing) == []
    end(command)
    uids = [kept.uid] if way == "delete" else [falls.uid, kept.uid]
    assert shown(api, holds) == (2, uids, None)
    work_off()
    assert waiting(holds) == []


def test_use_of_a_token_changes_no_list(
    api: Api, operator: Operator, station: ChargingStation
) -> None:
    token = make_id_token(operator)
    end(send(api, station))
    IdToken.objects.filter(pk=token.pk).update(last_used_at=timezone.now(), max_concurrent=2)
    assert [item for item in told("id_token.changed") if item.key == str(token.pk)] == []


def test_a_change_waits_for_the_list_that_is_on_its_way(
    api: Api, operator: Operator, station: ChargingStation
) -> None:
    token = make_id_token(operator)
    end(send(api, station))
    make_id_token(operator)
    out = send(api, station, "differential")
    IdToken.objects.filter(pk=token.pk).update(status="blocked")
    work_off()
    assert waiting(station) == [out]
    end(out)
    work_off()
    [command] = waiting(station)
    assert command.payload["localAuthorizationList"] == [entry(token, status="Blocked")]
    assert command.payload["listVersion"] == 3


def test_what_others_put_on_a_list_stays_on_it(
    api: Api, operator: Operator, station: ChargingStation
) -> None:
    token = make_id_token(operator)
    listed = [entry("FOREIGN"), entry(token.uid.lower())]
    end(raw(api, station, "SendLocalList", updateType="Full", localAuthorizationList=listed))
    token.delete()
    work_off()
    [command] = waiting(station)
    assert command.payload["localAuthorizationList"] == [{"idTag": token.uid.lower()}]
    end(command, "Failed")
    [whole] = waiting(station)
    assert whole.payload["updateType"] == "Full"
    assert whole.payload["localAuthorizationList"] == [entry("FOREIGN")]
