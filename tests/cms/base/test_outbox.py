"""A worker at its outbox: how long it stays, and what one bad row means for the others."""

from datetime import timedelta

import pytest
from django.utils import timezone

from cms.base import outbox
from cms.base.models import OutboxItem

pytestmark = pytest.mark.django_db

TOPIC = "test.outbox"
LONG_AGO = timezone.now() - timedelta(days=400)


class Clock:
    """Stands still unless told otherwise."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(outbox, "time", clock)
    return clock


@pytest.fixture
def handled(monkeypatch) -> list[str]:
    """Keys in the order in which their turn came."""
    keys: list[str] = []
    monkeypatch.setitem(outbox._handlers, TOPIC, [lambda key, payload: keys.append(key)])
    return keys


def put(*keys: str) -> None:
    """Rows that come before all others."""
    for number, key in enumerate(keys):
        OutboxItem.objects.create(
            topic=TOPIC, key=key, payload={}, due_at=LONG_AGO + timedelta(seconds=number)
        )


def test_no_row_is_begun_when_the_time_is_over(clock, monkeypatch, handled):
    """A worker that is asked to end finishes the task that it has, and somebody waits for that."""

    def work_slowly(key, payload):
        handled.append(key)
        clock.now += 2

    monkeypatch.setitem(outbox._handlers, TOPIC, [work_slowly])
    put("a", "b", "c", "d")
    assert outbox.work(budget_s=3) == 2
    assert handled == ["a", "b"]
    assert outbox.work(limit=2, budget_s=3) == 2
    assert handled == ["a", "b", "c", "d"]


def test_a_row_that_fails_is_put_off_and_stops_no_other(monkeypatch, handled):
    def fail_once(key, payload):
        handled.append(key)
        if key == "bad":
            raise ValueError("not today")

    monkeypatch.setitem(outbox._handlers, TOPIC, [fail_once])
    put("bad", "good")
    assert outbox.work(limit=2) == 1
    assert handled == ["bad", "good"]
    bad = OutboxItem.objects.get(topic=TOPIC, key="bad")
    assert (bad.attempts, bad.done_at, bad.error) == (1, None, "ValueError: not today")
    assert bad.due_at > timezone.now()
