"""The test suite runs against real servers, never against a stand-in."""

import os

import pytest
import redis
from django.conf import settings
from django.db import connection


@pytest.mark.django_db
def test_the_suite_runs_on_postgresql():
    assert connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        assert int(cursor.fetchone()[0]) >= 150000


def test_the_suite_runs_on_a_server_with_redis_protocol():
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        assert client.ping()


def test_settings_took_the_addresses_that_the_plugin_chose():
    assert os.environ["DATABASE_URL"] == settings.DATABASE_URL
    assert os.environ["REDIS_URL"] == settings.REDIS_URL
