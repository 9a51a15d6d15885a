"""Django admin shows billing and changes nothing."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from billing.models import CDR, ChargingSession, Tariff, TariffAssignment
from stations.models import ChargingStation
from tests.billing.factories import make_ended, tell
from tests.factories import unique


@pytest.fixture
def admin_client(db: None) -> Client:
    user = User.objects.create_superuser(f"{unique('admin')}@example.org", "let-me-in-9")
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize("model", [CDR, ChargingSession, Tariff, TariffAssignment])
def test_shows_and_never_changes(
    admin_client: Client, station: ChargingStation, model: type
) -> None:
    tell("transaction.ended", make_ended(station))
    row = model.objects.filter(operator=station.operator).get()
    name = f"admin:billing_{model._meta.model_name}"
    before = model.objects.filter(pk=row.pk).values().get()
    assert admin_client.get(reverse(f"{name}_changelist")).status_code == 200
    change = reverse(f"{name}_change", args=[row.pk])
    assert admin_client.get(change).status_code == 200
    assert admin_client.post(change, {"status": "cancelled"}).status_code == 403
    assert admin_client.post(reverse(f"{name}_delete", args=[row.pk])).status_code == 403
    assert admin_client.get(reverse(f"{name}_add")).status_code == 403
    assert model.objects.filter(pk=row.pk).values().get() == before
