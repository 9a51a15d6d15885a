"""Addresses below /api/v1/ of stations and what belongs to them.

An identity may hold blanks and `*_=+|@.-`, never a slash: percent-encoded it is one path segment.
Transactions are registered by `cms.api`, which knows their sessions.
"""

from django.urls import include, path

from stations.api import (
    charging_profiles,
    commands,
    planning,
    repairs,
    security,
    upkeep,
    views,
)

_of_station = [
    path("", views.StationDetail.as_view(), name="station"),
    path("messages/", views.StationMessages.as_view(), name="station-messages"),
    path(
        "handshake-failures/",
        views.StationHandshakeFailures.as_view(),
        name="station-handshake-failures",
    ),
    path("certificates/", security.StationCertificates.as_view(), name="station-certificates"),
    path(
        "certificates/<str:id>/revoke/",
        security.StationCertificateRevocation.as_view(),
        name="station-certificate-revoke",
    ),
    path("commands/", commands.StationCommandList.as_view(), name="station-commands"),
    path("start/", commands.StationStart.as_view(), name="station-start"),
    path("stop/", commands.StationStop.as_view(), name="station-stop"),
    path("unlock/", commands.StationUnlock.as_view(), name="station-unlock"),
    path("reset/", commands.StationReset.as_view(), name="station-reset"),
    path("availability/", commands.StationAvailability.as_view(), name="station-availability"),
    path(
        "charging-profiles/",
        charging_profiles.StationChargingProfileList.as_view(),
        name="station-charging-profiles",
    ),
    path(
        "charging-profiles/<str:id>/",
        charging_profiles.StationChargingProfileDetail.as_view(),
        name="station-charging-profile",
    ),
    path("local-list/", planning.StationLocalList.as_view(), name="station-local-list"),
    path("repairs/", repairs.StationRepairs.as_view(), name="station-repairs"),
    path("variables/", planning.StationVariables.as_view(), name="station-variables"),
    path(
        "firmware-updates/",
        upkeep.StationFirmwareUpdateList.as_view(),
        name="station-firmware-updates",
    ),
    path(
        "firmware-updates/<str:id>/",
        upkeep.StationFirmwareUpdateDetail.as_view(),
        name="station-firmware-update",
    ),
]

urlpatterns = [
    path("stations/", views.StationList.as_view(), name="stations"),
    path("stations/<str:identity>/", include(_of_station)),
    path("handshake-failures/", views.HandshakeFailureList.as_view(), name="handshake-failures"),
    path(
        "handshake-failures/<str:id>/adopt/",
        views.HandshakeFailureAdoption.as_view(),
        name="handshake-failure-adopt",
    ),
    path("commands/", commands.CommandList.as_view(), name="commands"),
    path("commands/<str:id>/", commands.CommandDetail.as_view(), name="command"),
    path(
        "commands/<str:id>/cancel/", commands.CommandCancellation.as_view(), name="command-cancel"
    ),
    path(
        "charging-profiles/",
        charging_profiles.ChargingProfileList.as_view(),
        name="charging-profiles",
    ),
    path(
        "charging-profiles/<str:id>/",
        charging_profiles.ChargingProfileDetail.as_view(),
        name="charging-profile",
    ),
    path("reservations/", planning.ReservationList.as_view(), name="reservations"),
    path("reservations/<str:id>/", planning.ReservationDetail.as_view(), name="reservation"),
    path("firmware/", upkeep.FirmwareList.as_view(), name="firmware"),
    path("firmware/<str:id>/", upkeep.FirmwareDetail.as_view(), name="firmware-file"),
    path("log-uploads/", upkeep.LogUploadList.as_view(), name="log-uploads"),
    path("log-uploads/<str:id>/", upkeep.LogUploadDetail.as_view(), name="log-upload"),
    path("ca/", security.OwnCA.as_view(), name="ca"),
    path("trusted-cas/", security.TrustedCAList.as_view(), name="trusted-cas"),
    path("trusted-cas/<str:id>/", security.TrustedCADetail.as_view(), name="trusted-ca"),
    path("security-events/", security.SecurityEventList.as_view(), name="security-events"),
    path(
        "security-events/<str:id>/acknowledge/",
        security.SecurityEventAcknowledgement.as_view(),
        name="security-event-acknowledge",
    ),
    path("locations/", views.LocationList.as_view(), name="locations"),
    path("locations/<str:id>/", views.LocationDetail.as_view(), name="location"),
]
