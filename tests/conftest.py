"""Personas and services that tests of every app share."""

from collections.abc import Callable

import pytest

from accounts.choices import Role
from accounts.models import Operator
from cms.run.translations import compile_messages
from tests.api import Api
from tests.factories import make_api_key, make_operator


def pytest_configure() -> None:
    """Pages are tested in every language, by catalogues as they are now."""
    compile_messages()


@pytest.fixture
def operator(db: None) -> Operator:
    """The operator whose eyes the test looks through."""
    return make_operator()


@pytest.fixture
def stranger(db: None) -> Operator:
    """Another operator on the same platform."""
    return make_operator()


@pytest.fixture
def api_as(operator: Operator) -> Callable[[Role], Api]:
    """The operator's program in a role of the test's choice."""
    return lambda role: Api(make_api_key(operator, role))


@pytest.fixture
def api(api_as: Callable[[Role], Api]) -> Api:
    """The operator's program, with the role that `manage.py api_key` gives."""
    return api_as(Role.MANAGER)


@pytest.fixture
def owner_api(api_as: Callable[[Role], Api]) -> Api:
    return api_as(Role.OWNER)


@pytest.fixture
def stranger_api(stranger: Operator) -> Api:
    """The other operator's program."""
    return Api(make_api_key(stranger, Role.OWNER))


@pytest.fixture
def nobody_api(db: None) -> Api:
    """A program without a key."""
    return Api(None)
