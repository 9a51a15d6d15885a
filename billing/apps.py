from django.apps import AppConfig


class BillingConfig(AppConfig):
    name = "billing"

    def ready(self) -> None:
        from billing.sessions import handlers  # noqa: F401 - registers the outbox topics
