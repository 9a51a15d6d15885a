"""Which tariff prices a session: the narrowest, in force, at its start."""

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from django.utils import timezone

from accounts.models import IdToken, IdTokenGroup, Operator
from accounts.services.actors import Actor
from billing.models import Tariff, TariffAssignment, TariffVersion
from billing.tariffs.selectors import tariff_version_for
from billing.tariffs.services import change_tariff, remove_assignment
from stations.models import ChargingStation, Location
from tests.billing.factories import assign, component, hours_ago, make_tariff
from tests.factories import (
    make_id_token,
    make_id_token_group,
    make_location,
    make_operator,
    make_station,
)


@pytest.fixture
def location(operator: Operator) -> Location:
    return make_location(operator)


@pytest.fixture
def station(operator: Operator, location: Location) -> ChargingStation:
    return make_station(operator, location=location)


@pytest.fixture
def group(operator: Operator) -> IdTokenGroup:
    return make_id_token_group(operator)


@pytest.fixture
def token(operator: Operator, group: IdTokenGroup) -> IdToken:
    return make_id_token(operator, group=group)


def chosen(
    station: ChargingStation,
    *,
    evse_id: int | None = 1,
    token: IdToken | None = None,
    at: datetime | None = None,
) -> Tariff | None:
    version = version_chosen(station, evse_id=evse_id, token=token, at=at)
    return version.tariff if version else None


def version_chosen(
    station: ChargingStation,
    *,
    evse_id: int | None = 1,
    token: IdToken | None = None,
    at: datetime | None = None,
) -> TariffVersion | None:
    return tariff_version_for(
        station_id=station.pk,
        evse_id=evse_id,
        id_token_id=token.pk if token else None,
        at=at or timezone.now(),
    )


def test_the_narrowest_wins(
    operator: Operator,
    station: ChargingStation,
    location: Location,
    group: IdTokenGroup,
    token: IdToken,
) -> None:
    targets = [{}, {"location": location}, {"station": station}, {"station": station, "evse_id": 1}]
    targets.append({"group": group})
    tariffs = [make_tariff(operator) for _ in targets]
    # Made from the narrowest to the widest, so that the newest is never the narrowest.
    assignments = [
        assign(tariff, **target)
        for tariff, target in reversed(list(zip(tariffs, targets, strict=True)))
    ]
    for wider, narrower in pairwise(reversed(tariffs)):
        assert chosen(station, token=token) == wider
        remove_assignment(actor=Actor.system(operator), assignment=assignments.pop(0))
        assert chosen(station, token=token) == narrower
    remove_assignment(actor=Actor.system(operator), assignment=assignments.pop(0))
    assert chosen(station, token=token) is None


def test_each_target_reaches_no_further(
    operator: Operator,
    station: ChargingStation,
    location: Location,
    group: IdTokenGroup,
    token: IdToken,
) -> None:
    tariff = make_tariff(operator)
    elsewhere = make_station(operator)
    beside = make_station(operator, location=location)

    def reach(**target: object) -> list[bool]:
        assignment = assign(tariff, **target)
        found = [
            chosen(station, evse_id=1) == tariff,
            chosen(station, evse_id=2) == tariff,
            chosen(beside) == tariff,
            chosen(elsewhere) == tariff,
            chosen(elsewhere, token=token) == tariff,
            chosen(station, evse_id=None) == tariff,
        ]
        remove_assignment(actor=Actor.system(operator), assignment=assignment)
        return found

    assert reach(station=station, evse_id=1) == [True, False, False, False, False, False]
    assert reach(station=station) == [True, True, False, False, False, True]
    assert reach(location=location) == [True, True, True, False, False, True]
    assert reach(group=group) == [False, False, False, False, True, False]
    assert reach() == [True, True, True, True, True, True]


def test_another_operators_assignment_reaches_nothing(station: ChargingStation) -> None:
    assign(make_tariff(make_operator()))
    assert chosen(station) is None


def test_another_operators_token_brings_no_group(
    operator: Operator, station: ChargingStation, group: IdTokenGroup
) -> None:
    assign(make_tariff(operator), group=group)
    foreign = make_id_token(make_operator(), group=group)
    assert chosen(station, token=foreign) is None


def test_the_newest_of_one_level_wins(operator: Operator, station: ChargingStation) -> None:
    assign(make_tariff(operator), station=station, created_at=hours_ago(2))
    newer = make_tariff(operator)
    assign(newer, station=station, created_at=hours_ago(1))
    assert chosen(station) == newer


def test_a_session_charged_offline_takes_what_was_in_force_then(
    operator: Operator, station: ChargingStation
) -> None:
    older, newer = make_tariff(operator), make_tariff(operator)
    first = assign(older, station=station, created_at=hours_ago(10))
    assign(newer, station=station, created_at=hours_ago(2))
    assert chosen(station, at=hours_ago(5)) == older
    assert chosen(station, at=hours_ago(1)) == newer
    remove_assignment(actor=Actor.system(operator), assignment=first)
    assert chosen(station, at=hours_ago(5)) == older


def test_a_tariff_applies_to_sessions_older_than_its_row(
    operator: Operator, station: ChargingStation
) -> None:
    assign(make_tariff(operator))
    newest = make_tariff(operator)
    assign(newest)
    assert chosen(station, at=hours_ago(24 * 30)) == newest


def test_the_narrower_wins_also_where_only_the_wider_was_in_force(
    operator: Operator, station: ChargingStation
) -> None:
    assign(make_tariff(operator), created_at=hours_ago(10))
    narrow = make_tariff(operator)
    assign(narrow, station=station)
    assert chosen(station, at=hours_ago(5)) == narrow


def test_a_removed_assignment_reaches_nothing_older_than_itself(
    operator: Operator, station: ChargingStation
) -> None:
    assignment = assign(make_tariff(operator))
    remove_assignment(actor=Actor.system(operator), assignment=assignment)
    assert chosen(station, at=hours_ago(5)) is None
    assert TariffAssignment.objects.filter(pk=assignment.pk).exists()


def test_only_inside_its_dates(operator: Operator, station: ChargingStation) -> None:
    start, end = hours_ago(3), hours_ago(1)
    dated = make_tariff(operator, start_date_time=start.isoformat(), end_date_time=end.isoformat())
    wide = make_tariff(operator)
    assign(wide)
    assign(dated, station=station)
    second = timedelta(seconds=1)
    assert chosen(station, at=start - second) == wide
    assert chosen(station, at=start) == dated
    assert chosen(station, at=end - second) == dated
    assert chosen(station, at=end) == wide


def test_drafts_and_retired_tariffs_apply_to_nothing(
    operator: Operator, station: ChargingStation
) -> None:
    tariff = make_tariff(operator)
    assign(tariff)
    change_tariff(actor=Actor.system(operator), tariff=tariff, data={"status": "retired"})
    assert chosen(station) is None
    change_tariff(actor=Actor.system(operator), tariff=tariff, data={"status": "active"})
    assert chosen(station) == tariff


def test_the_version_of_its_time(operator: Operator, station: ChargingStation) -> None:
    tariff = make_tariff(operator)
    assign(tariff)
    change_tariff(
        actor=Actor.system(operator),
        tariff=tariff,
        data={"elements": [{"price_components": [component("ENERGY", "0.50")]}]},
    )
    first, second = TariffVersion.objects.filter(tariff=tariff).order_by("version")
    just_before = second.created_at - timedelta(microseconds=1)
    assert first.created_at <= just_before
    assert version_chosen(station, at=first.created_at) == first
    assert version_chosen(station, at=just_before) == first
    assert version_chosen(station, at=second.created_at) == second
    assert version_chosen(station, at=first.created_at - timedelta(days=1)) == second


def test_dates_go_by_the_start_and_versions_by_the_moment_asked_about(
    operator: Operator, station: ChargingStation
) -> None:
    tariff = make_tariff(operator)
    assign(tariff)
    change_tariff(
        actor=Actor.system(operator),
        tariff=tariff,
        data={"start_date_time": hours_ago(2).isoformat()},
    )
    first, second = TariffVersion.objects.filter(tariff=tariff).order_by("version")

    def version(at: datetime, as_of: datetime) -> TariffVersion | None:
        return tariff_version_for(
            station_id=station.pk, evse_id=1, id_token_id=None, at=at, as_of=as_of
        )

    assert version(hours_ago(1), second.created_at) == second
    assert version(hours_ago(3), second.created_at) is None
    assert version(hours_ago(3), first.created_at) == first


def test_asks_few_questions(
    operator: Operator,
    station: ChargingStation,
    token: IdToken,
    django_assert_max_num_queries: object,
) -> None:
    for _ in range(5):
        assign(make_tariff(operator), station=station)
    with django_assert_max_num_queries(4):  # type: ignore[operator]
        assert chosen(station, token=token) is not None
