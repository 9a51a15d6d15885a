"""Addresses of firmware, diagnostics and logs."""

from django.urls import path

from cms.portal.views import upkeep

urlpatterns = [
    path("operator/firmware/", upkeep.firmware_files, name="firmware"),
    path("operator/log-uploads/<str:id>/", upkeep.log_upload, name="log-upload"),
    path("operator/log-uploads/<str:id>/file/", upkeep.log_file, name="log-file"),
    path("operator/stations/<str:identity>/upkeep/", upkeep.station_upkeep, name="station-upkeep"),
]
