"""The Celery application: `celery -A cms worker`, `celery -A cms beat`."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cms.settings.dev")

app = Celery("magetsi")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["cms.base", "accounts", "stations", "billing"])
