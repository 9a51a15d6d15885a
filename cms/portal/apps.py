from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "cms.portal"
    label = "portal"

    def ready(self) -> None:
        from cms.portal import (
            invitations,  # noqa: F401 - registers its outbox handler
            live,
        )

        live.register()
