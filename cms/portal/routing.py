"""Websocket addresses of live pages."""

from django.urls import path

from cms.portal.consumers import OperatorConsumer

websocket_urlpatterns = [path("ws/operator/", OperatorConsumer.as_asgi())]
