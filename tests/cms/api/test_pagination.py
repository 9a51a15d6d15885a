"""Lists: complete, stable, and no dearer at the end than at the start."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.utils import timezone

from accounts.models import IdToken, Operator
from tests.api import Api
from tests.factories import (
    make_id_token,
    make_message,
    make_meter_value,
    make_station,
    make_transaction,
)


def walk(api: Api, path: str, link: str = "next") -> list[list[dict[str, Any]]]:
    """The pages from `path` on."""
    pages = []
    address: str | None = path
    while address is not None:
        page = api.get(address).json()
        pages.append(page["results"])
        address = page[link]
    return pages


def test_pages_together_are_the_list_newest_first(api: Api, operator: Operator) -> None:
    tokens = [make_id_token(operator) for _ in range(5)]
    pages = walk(api, "/id-tokens/?limit=2")
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [row["id"] for page in pages for row in page] == [
        str(token.pk) for token in reversed(tokens)
    ]


def test_a_full_last_page_has_no_next(api: Api, operator: Operator) -> None:
    for _ in range(4):
        make_id_token(operator)
    assert [len(page) for page in walk(api, "/id-tokens/?limit=2")] == [2, 2]


def test_previous_leads_back_to_the_same_pages(api: Api, operator: Operator) -> None:
    for _ in range(5):
        make_id_token(operator)
    first = api.get("/id-tokens/?limit=2").json()
    second = api.get(first["next"]).json()
    third = api.get(second["next"]).json()
    assert first["previous"] is None
    assert third["next"] is None
    assert api.get(third["previous"]).json()["results"] == second["results"]
    back = api.get(second["previous"]).json()
    assert (back["results"], back["previous"]) == (first["results"], None)
    assert api.get(back["next"]).json()["results"] == second["results"]


def test_links_are_absolute_and_keep_limit_filters_and_ordering(
    api: Api, operator: Operator
) -> None:
    for _ in range(2):
        make_id_token(operator)
    page = api.get("/id-tokens/?limit=1&status=accepted&ordering=uid").json()
    link = urlsplit(page["next"])
    assert (link.scheme, link.netloc, link.path) == ("http", "testserver", "/api/v1/id-tokens/")
    query = parse_qs(link.query)
    assert (query["limit"], query["status"], query["ordering"]) == (["1"], ["accepted"], ["uid"])


def test_a_row_that_comes_meanwhile_shifts_no_page(api: Api, operator: Operator) -> None:
    tokens = [make_id_token(operator) for _ in range(4)]
    first = api.get("/id-tokens/?limit=2").json()
    newest = make_id_token(operator)
    second = api.get(first["next"]).json()
    assert [row["id"] for row in second["results"]] == [str(tokens[1].pk), str(tokens[0].pk)]
    before_first = api.get(api.get(second["previous"]).json()["previous"]).json()
    assert [row["id"] for row in before_first["results"]] == [str(newest.pk)]


@pytest.mark.parametrize("gone", [[0], [0, 1], [0, 1, 2]])
def test_who_runs_off_the_end_of_a_shrunken_list_is_led_back(
    api: Api, operator: Operator, gone: list[int]
) -> None:
    tokens = [make_id_token(operator) for _ in range(3)]
    first = api.get("/id-tokens/?limit=2").json()
    IdToken.objects.filter(pk__in=[tokens[n].pk for n in gone]).delete()
    beyond = api.get(first["next"]).json()
    assert (beyond["results"], beyond["next"]) == ([], None)
    left = [str(tokens[n].pk) for n in (2, 1, 0) if n not in gone]
    back = api.get(beyond["previous"]).json()
    assert [row["id"] for row in back["results"]] == left


@pytest.mark.parametrize("ordering", ["uid", "-uid", "created_at", "-created_at", "id", "-id"])
def test_every_ordering_reaches_every_row_once(api: Api, operator: Operator, ordering: str) -> None:
    for uid in ("b", "A", "c", "D", "ä"):
        make_id_token(operator, uid=uid)
    # All in one transaction, hence with one created_at: the key breaks the tie.
    rows = [row for page in walk(api, f"/id-tokens/?limit=2&ordering={ordering}") for row in page]
    column = ordering.lstrip("-")
    expected = IdToken.objects.filter(operator=operator).order_by(
        *(
            f"{'-' * ordering.startswith('-')}{name}"
            for name in ({"uid": "uid_folded"}.get(column, column), "pk")
        )
    )
    assert [row["id"] for row in rows] == [str(token.pk) for token in expected]


def test_rows_of_one_instant_are_paged_by_key(api: Api, operator: Operator) -> None:
    station = make_station(operator)
    now = timezone.now()
    rows = [make_message(station, at=now + timedelta(seconds=second)) for second in (0, 0, 0, 1, 1)]
    pages = walk(api, f"/stations/{station.identity}/messages/?limit=2")
    assert [row["message_id"] for page in pages for row in page] == [r.message_id for r in rows]


def test_readings_come_oldest_first(api: Api, operator: Operator) -> None:
    tx = make_transaction(make_station(operator))
    now = timezone.now()
    for minute in (3, 1, 2):
        make_meter_value(tx, at=now + timedelta(minutes=minute))
    pages = walk(api, f"/transactions/{tx.pk}/meter-values/?limit=2")
    times = [row["at"] for page in pages for row in page]
    assert len(times) == 3
    assert times == sorted(times)


def test_the_default_page_has_fifty_rows_and_the_largest_two_hundred(
    api: Api, operator: Operator
) -> None:
    IdToken.objects.bulk_create(
        [IdToken(operator=operator, uid=str(n), uid_folded=str(n)) for n in range(201)]
    )
    assert len(api.results("/id-tokens/")) == 50
    assert len(api.results("/id-tokens/", limit=200)) == 200
