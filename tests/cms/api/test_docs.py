"""The schema and the page that shows it, to whoever wants to know."""

import re

from django.contrib.staticfiles import finders
from django.test import Client

from cms.api.docs import operations_of_the_api


def test_the_schema_is_served_without_a_key(client: Client) -> None:
    response = client.get("/api/v1/schema/?format=json")
    assert response.status_code == 200
    assert response.json()["openapi"].startswith("3.")


def test_the_page_names_every_operation_and_needs_no_script(client: Client) -> None:
    response = client.get("/api/v1/docs/")
    assert response.status_code == 200
    html = response.content.decode()
    for operation in operations_of_the_api():
        assert f'id="{operation.id}"' in html
        assert operation.path in html
    assert "<script" not in html
    assert " style=" not in html
    assert "<style" not in html


def test_the_page_loads_nothing_from_elsewhere(client: Client) -> None:
    """Under `default-src 'self'` anything else would be refused by the browser."""
    response = client.get("/api/v1/docs/")
    assert "default-src 'self'" in response.headers["Content-Security-Policy"]
    html = response.content.decode()
    loaded = re.findall(r'(?:src|<link[^>]*href)="([^"]+)"', html)
    assert loaded
    for address in loaded:
        assert address.startswith("/static/")
        assert finders.find(address.removeprefix("/static/")), address


def test_the_page_tells_what_is_taken_and_what_is_answered() -> None:
    post = next(o for o in operations_of_the_api() if o.id == "stations_create")
    assert (post.method, post.path, post.status) == ("POST", "/api/v1/stations/", "201")
    sent = {field.name: field for field in post.sent}
    assert "required" in sent["identity"].notes
    assert "evses[].connectors[].max_power_w" in sent
    assert "online" not in sent
    answered = {field.name: field for field in post.answered}
    assert "AC_3_PHASE" in answered["evses[].connectors[].power_type"].type
    assert answered["last_seen_at"].type == "time"
    assert "password_hex" not in answered
    assert [p.name for p in post.parameters] == ["Idempotency-Key"]
