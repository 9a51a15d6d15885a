"""The websocket of open pages, through the whole ASGI application."""

import json
from typing import Any

import pytest
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator
from django.conf import settings as django_settings
from django.test import Client
from pytest_django import Settings

from accounts.models import Membership
from tests.factories import make_membership, make_user
from tests.stations.ocpp.conftest import in_db

HOST = "magetsi.test"
PATIENCE_S = 20


# What the consumer is to see is committed in threads of its own (`in_db`) and left behind.
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("closed_connections")]


@pytest.fixture
async def membership() -> Membership:
    return await in_db(make_membership)


def _cookie(user: Any) -> str:
    client = Client()
    client.force_login(user)
    return f"sessionid={client.cookies[django_settings.SESSION_COOKIE_NAME].value}"


def _connection(
    cookie: str = "", origin: str = f"http://{HOST}", query: str = ""
) -> WebsocketCommunicator:
    from cms.application import Application

    async def no_http(*args: Any) -> None:
        raise AssertionError("this is about websockets")

    headers = [(b"host", HOST.encode()), (b"origin", origin.encode())]
    if cookie:
        headers.append((b"cookie", cookie.encode()))
    return WebsocketCommunicator(Application(no_http), f"/ws/operator/{query}", headers=headers)


@pytest.mark.parametrize(
    ("query", "logged"), [("?lost=7F3A21C0", True), ("?lost=7f3a", False), ("", False)]
)
async def test_the_reference_of_a_lost_connection_is_in_the_log(
    membership: Membership, caplog: pytest.LogCaptureFixture, query: str, logged: bool
) -> None:
    with caplog.at_level("INFO", logger="magetsi.errors"):
        page = _connection(await in_db(lambda: _cookie(membership.user)), query=query)
        assert (await page.connect(timeout=PATIENCE_S))[0]
        await page.receive_json_from(timeout=PATIENCE_S)
        await page.disconnect()
    assert ("ref 7F3A21C0" in caplog.text) is logged


async def test_a_page_hears_of_its_own_operators_stations_only(membership: Membership) -> None:
    page = _connection(await in_db(lambda: _cookie(membership.user)))
    assert (await page.connect(timeout=PATIENCE_S))[0]
    # The page may have missed something before: it is told to look.
    assert await page.receive_json_from(timeout=PATIENCE_S) == {"changed": []}
    layer = get_channel_layer()
    changed = {"type": "stations.changed", "stations": [3, 7]}
    await layer.group_send(f"operator.{membership.operator_id + 1_000_000}", changed)
    await layer.group_send(f"operator.{membership.operator_id}", changed | {"stations": [8]})
    assert await page.receive_json_from(timeout=PATIENCE_S) == {"changed": [8]}
    await page.disconnect()


async def test_whatever_a_page_sends_is_ignored(membership: Membership) -> None:
    page = _connection(await in_db(lambda: _cookie(membership.user)))
    assert (await page.connect(timeout=PATIENCE_S))[0]
    await page.receive_json_from(timeout=PATIENCE_S)
    await page.send_to(text_data="not json")
    await page.send_to(bytes_data=b"\x00")
    message = {"type": "stations.changed", "stations": [1]}
    await get_channel_layer().group_send(f"operator.{membership.operator_id}", message)
    assert json.loads(await page.receive_from(timeout=PATIENCE_S)) == {"changed": [1]}
    await page.disconnect()


async def test_nobody_listens_without_being_signed_in(membership: Membership) -> None:
    assert not (await _connection().connect(timeout=PATIENCE_S))[0]
    assert not (await _connection("sessionid=made-up").connect(timeout=PATIENCE_S))[0]


async def test_nobody_listens_without_a_team() -> None:
    cookie = await in_db(lambda: _cookie(make_user()))
    assert not (await _connection(cookie).connect(timeout=PATIENCE_S))[0]


@pytest.mark.parametrize("origin", ["http://elsewhere.example", "null", "", f"http://{HOST}:81"])
async def test_a_foreign_page_does_not_listen_with_somebodys_cookie(
    membership: Membership, origin: str, settings: Settings
) -> None:
    settings.ALLOWED_HOSTS = ["*"]  # The check must not lean on it.
    cookie = await in_db(lambda: _cookie(membership.user))
    assert not (await _connection(cookie, origin).connect(timeout=PATIENCE_S))[0]
