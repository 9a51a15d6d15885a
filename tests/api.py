"""A program that talks to the REST API."""

import json
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.http import HttpResponse
from django.test import Client

BASE = "/api/v1"


class Api:
    """Sends one key's requests; addresses are below /api/v1/, or absolute as `next` gives them."""

    def __init__(self, key: str | None) -> None:
        self.client = Client(headers={"Authorization": f"Bearer {key}"} if key else None)

    def get(self, path: str, **parameters: Any) -> HttpResponse:
        return self.client.get(self.address(path, parameters))

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> HttpResponse:
        """`key` is an Idempotency-Key."""
        return self.send("POST", path, body, {"Idempotency-Key": key} if key is not None else {})

    def patch(self, path: str, body: Any) -> HttpResponse:
        return self.send("PATCH", path, body)

    def send(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> HttpResponse:
        """`body` is JSON, or the bytes as they go over the wire."""
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body)
        return self.client.generic(
            method, self.address(path), raw, content_type="application/json", headers=headers
        )

    def results(self, path: str, **parameters: Any) -> list[dict[str, Any]]:
        """The rows of a list's one page; asserts that it is a page."""
        response = self.get(path, **parameters)
        assert response.status_code == 200, response.content
        page = response.json()
        assert set(page) == {"next", "previous", "results"}
        rows: list[dict[str, Any]] = page["results"]
        return rows

    @staticmethod
    def address(path: str, parameters: dict[str, Any] | None = None) -> str:
        parts = urlsplit(path)
        query = parts.query or urlencode(parameters or {})
        route = parts.path if parts.path.startswith(BASE) else f"{BASE}{parts.path}"
        return f"{route}?{query}" if query else route


def fields_of(response: HttpResponse) -> dict[str, list[str]]:
    """The complaints of a 400; asserts that it is one, in the shape of every refusal."""
    assert response.status_code == 400, (response.status_code, response.content)
    body = response.json()
    assert set(body) == {"code", "message", "data"}
    assert body["code"] == "invalid"
    assert body["message"].endswith(".")
    fields: dict[str, list[str]] = body["data"]["fields"]
    return fields
