"""Error pages: a sentence, a next step, a reference that the log knows."""

import logging
import re

import pytest
import redis
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError, ProgrammingError
from django.http import Http404
from django.template import loader
from django.test import Client, RequestFactory

from cms.portal.views import errors


@pytest.mark.parametrize(
    ("view", "status"),
    [
        (lambda request: errors.bad_request(request, ValueError()), 400),
        (lambda request: errors.permission_denied(request, PermissionDenied()), 403),
        (lambda request: errors.page_not_found(request, Http404()), 404),
        (lambda request: errors.csrf_failure(request, "CSRF cookie not set."), 403),
        (errors.server_error, 500),
    ],
)
def test_an_error_page_needs_no_database_and_names_its_reference(
    view: object, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """No `db` fixture: a query would fail the test."""
    with caplog.at_level(logging.INFO, logger="magetsi.errors"):
        response = view(RequestFactory().get("/somewhere/"))  # type: ignore[operator]
    assert response.status_code == status
    reference = re.search(r"Reference ([0-9A-F]{8})", response.content.decode())
    assert reference is not None
    assert reference[1] in caplog.text
    assert response.headers["X-Reference"] == reference[1]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (OperationalError("the database system is starting up"), 503),
        (InterfaceError("connection already closed"), 503),
        (redis.ConnectionError(), 503),
        (ProgrammingError("no such column"), 500),
        (ValueError(), 500),
    ],
)
def test_what_passes_by_itself_asks_to_come_back(
    error: Exception, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through Django's own machinery: the view fails, the handler of `cms.urls` answers."""

    def fail(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr("django.contrib.auth.views.LoginView.dispatch", fail)
    response = Client(raise_request_exception=False).get("/login/")
    assert response.status_code == status
    assert ("Retry-After" in response.headers) is (status == 503)
    assert "Try again" in response.content.decode()
    assert str(error) not in response.content.decode() or not str(error)


@pytest.mark.parametrize("name", ["500.html", "503.html"])
def test_the_gravest_pages_need_no_context(name: str) -> None:
    """Nor a database: there is no `db` fixture."""
    page = loader.get_template(name).render()
    assert "Try again" in page
    assert "Reference" not in page


def test_an_error_page_that_fails_itself_still_names_the_reference(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(name: str) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr("django.template.loader.get_template", fail)
    response = errors.server_error(RequestFactory().get("/somewhere/"))
    assert response.status_code == 500
    assert response.headers["X-Reference"] in response.content.decode()
    assert "the disk is gone" in caplog.text


def test_each_kind_of_error_has_a_next_step() -> None:
    operators = errors.page_not_found(RequestFactory().get("/operator/nowhere/"))
    drivers = errors.page_not_found(RequestFactory().get("/c/nowhere"))
    assert 'href="/operator/"' in operators.content.decode()
    assert 'href="/operator/"' not in drivers.content.decode()


def test_a_refusal_says_what_the_domain_function_said() -> None:
    refusal = PermissionDenied("The role viewer may not do this.")
    response = errors.permission_denied(RequestFactory().get("/"), refusal)
    assert "The role viewer may not do this." in response.content.decode()


@pytest.mark.django_db
def test_an_address_that_is_nobodys_has_a_friendly_page() -> None:
    response = Client().get("/no/such/page/")
    assert response.status_code == 404
    assert "There is nothing at this address" in response.content.decode()


@pytest.mark.django_db
def test_a_form_without_its_token_is_told_apart() -> None:
    response = Client(enforce_csrf_checks=True).post("/login/", {"username": "a", "password": "b"})
    assert response.status_code == 403
    assert "this form was not accepted" in response.content.decode()
    assert response.headers["X-Reference"] in response.content.decode()
