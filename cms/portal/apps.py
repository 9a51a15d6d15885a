from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "cms.portal"
    label = "portal"

    def ready(self) -> None:
        from cms.portal import live

        live.register()
