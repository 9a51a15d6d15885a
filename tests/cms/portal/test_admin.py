"""Django admin of accounts and stations."""

import pytest
from django.contrib import admin
from django.contrib.auth import authenticate
from django.test import Client
from django.urls import reverse

from accounts.models import ApiKey, IdToken, Operator, User
from stations.models import MeterValue, OcppMessage
from tests.cms.portal.conftest import World
from tests.factories import make_api_key, make_user

READ_ONLY = {
    "accounts.auditentry",
    "accounts.chargingright",
    "accounts.unknownidtoken",
    "stations.command",
    "stations.connection",
    "stations.connectorstatus",
    "stations.gateway",
    "stations.handshakefailure",
    "stations.quarantinedfact",
    "stations.stationstate",
    "stations.transaction",
}


@pytest.fixture
def admin_client(db: None) -> Client:
    client = Client()
    client.force_login(make_user(is_staff=True, is_superuser=True))
    return client


def _models() -> list[type]:
    return [m for m in admin.site._registry if m._meta.app_label in ("accounts", "stations")]


def test_every_list_and_row_can_be_looked_at_and_searched(
    world: World, admin_client: Client
) -> None:
    make_api_key(world.operator)
    for model in _models():
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        assert admin_client.get(reverse(f"{name}_changelist")).status_code == 200, name
        if admin.site._registry[model].search_fields:
            page = admin_client.get(reverse(f"{name}_changelist"), {"q": "x"})
            assert page.status_code == 200, name
        row = model._default_manager.first()
        if row is not None:
            assert admin_client.get(reverse(f"{name}_change", args=[row.pk])).status_code == 200


def test_what_the_system_writes_cannot_be_changed_by_hand(
    world: World, admin_client: Client
) -> None:
    seen = set()
    for model in _models():
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        if model._meta.label_lower not in READ_ONLY:
            continue
        seen.add(model._meta.label_lower)
        assert admin_client.get(reverse(f"{name}_add")).status_code == 403
        row = model._default_manager.first()
        if row is not None:
            assert admin_client.post(reverse(f"{name}_change", args=[row.pk])).status_code == 403
            assert admin_client.post(reverse(f"{name}_delete", args=[row.pk])).status_code == 403
    assert seen == READ_ONLY


def test_time_series_have_no_admin() -> None:
    assert MeterValue not in admin.site._registry
    assert OcppMessage not in admin.site._registry


def test_a_user_is_made_with_a_password_that_is_stored_hashed(admin_client: Client) -> None:
    admin_client.post(
        reverse("admin:accounts_user_add"),
        {
            "email": "new@example.org",
            "usable_password": "true",
            "password1": "a-long-enough-pass-1",
            "password2": "a-long-enough-pass-1",
        },
    )
    user = User.objects.get(email="new@example.org")
    assert authenticate(username=user.email, password="a-long-enough-pass-1") == user
    page = admin_client.get(reverse("admin:accounts_user_change", args=[user.pk])).content.decode()
    assert user.password not in page


def test_uids_are_masked_in_lists(world: World, admin_client: Client) -> None:
    token = IdToken.objects.filter(operator=world.operator).first()
    assert token is not None
    page = admin_client.get(reverse("admin:accounts_idtoken_changelist")).content.decode()
    assert token.uid not in page
    assert token.masked_uid in page
    row = admin_client.get(reverse("admin:accounts_idtoken_change", args=[token.pk]))
    assert token.uid in row.content.decode()


def test_neither_key_hashes_nor_station_passwords_are_shown(
    world: World, admin_client: Client
) -> None:
    make_api_key(Operator.objects.get(pk=world.operator.pk))
    key = ApiKey.objects.get(operator=world.operator)
    page = admin_client.get(reverse("admin:accounts_apikey_change", args=[key.pk]))
    assert key.key_hash not in page.content.decode()
    page = admin_client.get(
        reverse("admin:stations_chargingstation_change", args=[world.station.pk])
    )
    assert world.station.password_hash not in page.content.decode()
