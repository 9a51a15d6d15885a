from django.apps import AppConfig


class DriversConfig(AppConfig):
    name = "cms.drivers"
    label = "drivers"

    def ready(self) -> None:
        from cms.drivers import mail  # noqa: F401 - registers what the outbox sends
