"""Is it alive, is it ready: for supervisors, load balancers and people.

`/healthz` answers while the process runs. `/readyz` is 503 only when PostgreSQL or the migrations are missing;
Redis and the worker appear as `degraded`, with 200, since stations and bills do not need them at once.
"""

from datetime import timedelta

from django.core.cache import cache
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_GET
from redis.exceptions import RedisError

from cms.base.models import OutboxItem

# The outbox is worked off every second; older than this means that no worker runs.
WORKER_LAG = timedelta(seconds=30)


@require_GET
def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"status": "ok"})


@require_GET
def readyz(request: HttpRequest) -> JsonResponse:
    """Whether requests can be served, and what runs less well than it should."""
    checks = {"database": _database(), "redis": _redis()}
    if checks["database"] == "ok":
        checks["worker"] = _worker()
    ready = checks["database"] == "ok"
    status = "ok" if all(value == "ok" for value in checks.values()) else "degraded"
    return JsonResponse(
        {"status": status if ready else "unavailable", "checks": checks},
        status=200 if ready else 503,
    )


def _database() -> str:
    connection = connections[DEFAULT_DB_ALIAS]
    try:
        executor = MigrationExecutor(connection)
        pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return "unreachable"
    return "migrations_missing" if pending else "ok"


def _redis() -> str:
    try:
        cache.set("readyz", 1, 5)
    except (RedisError, OSError):
        return "degraded"
    return "ok"


def _worker() -> str:
    late = OutboxItem.objects.filter(
        done_at__isnull=True, attempts=0, due_at__lt=timezone.now() - WORKER_LAG
    )
    return "degraded" if late.exists() else "ok"


urlpatterns = [path("healthz", healthz), path("readyz", readyz)]
