"""Addresses of plans for who charges when and how fast."""

from django.urls import path

from cms.portal.views import charging_profiles, reservations

urlpatterns = [
    path("operator/charging-profiles/", charging_profiles.profile_list, name="charging-profiles"),
    path(
        "operator/new-charging-profile/",
        charging_profiles.profile_new,
        name="new-charging-profile",
    ),
    path(
        "operator/charging-profiles/<str:id>/",
        charging_profiles.profile_edit,
        name="charging-profile",
    ),
    path(
        "operator/charging-profiles/<str:id>/delete/",
        charging_profiles.profile_delete,
        name="delete-charging-profile",
    ),
    path(
        "operator/stations/<str:identity>/smart-charging/",
        charging_profiles.station_smart_charging,
        name="station-smart-charging",
    ),
    path(
        "operator/stations/<str:identity>/reservations/",
        reservations.station_reservations,
        name="station-reservations",
    ),
]
