from django.apps import AppConfig


class StationsConfig(AppConfig):
    name = "stations"

    def ready(self) -> None:
        # Registers what follows commands and facts.
        from stations.ocpp.v16 import followers  # noqa: F401
