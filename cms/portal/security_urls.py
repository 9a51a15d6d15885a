"""Addresses of what concerns a station's security."""

from django.urls import path

from cms.portal.views import security

urlpatterns = [
    path(
        "operator/stations/<str:identity>/security/",
        security.station_security,
        name="station-security",
    ),
    path(
        "operator/stations/<str:identity>/certificates/<str:id>/revoke/",
        security.revoke,
        name="revoke-certificate",
    ),
    path(
        "operator/security-events/<str:id>/acknowledge/",
        security.acknowledge,
        name="acknowledge-security-event",
    ),
]
