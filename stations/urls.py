"""Addresses below /files/: for stations, and for programs that were given a link."""

from django.urls import path

from stations.views import downloads, uploads

urlpatterns = [
    path("uploads/<str:secret>/", uploads.upload_target, name="upload-target"),
    path("uploads/<str:secret>", uploads.upload_target, name="upload-target-bare"),
    path("uploads/<str:secret>/<path:name>", uploads.upload_target, name="upload-target-named"),
    path("firmware/<str:secret>/<str:name>", downloads.firmware_download, name="firmware-download"),
    path("logs/<str:token>/", downloads.log_download, name="log-download"),
]
