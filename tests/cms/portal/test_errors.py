"""Error pages: a sentence, a next step, a reference that the log knows."""

import logging
import re

import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.test import Client, RequestFactory

from cms.portal.views import errors


@pytest.mark.parametrize(
    ("view", "status"),
    [
        (lambda request: errors.bad_request(request, ValueError()), 400),
        (lambda request: errors.permission_denied(request, PermissionDenied()), 403),
        (lambda request: errors.page_not_found(request, Http404()), 404),
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


def test_a_refusal_says_what_the_domain_function_said() -> None:
    refusal = PermissionDenied("The role viewer may not do this.")
    response = errors.permission_denied(RequestFactory().get("/"), refusal)
    assert "The role viewer may not do this." in response.content.decode()


@pytest.mark.django_db
def test_an_address_that_is_nobodys_has_a_friendly_page() -> None:
    response = Client().get("/no/such/page/")
    assert response.status_code == 404
    assert "There is nothing at this address" in response.content.decode()
