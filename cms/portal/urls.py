"""Addresses of the pages."""

from django.contrib.auth.views import LogoutView
from django.urls import path
from django.views.i18n import set_language

from cms.portal import planning_urls, security_urls, trade_urls, upkeep_urls
from cms.portal.views import (
    attention,
    design,
    locations,
    overview,
    people,
    station_list,
    station_settings,
    station_tabs,
    stations,
)

urlpatterns = [
    path("", people.home, name="home"),
    path("login/", people.SignIn.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("language/", set_language, name="set-language"),
    path("operator/design/", design.design_page, name="design"),
    path("operator/", overview.overview, name="operator"),
    path("operator/switch/", people.switch_operator, name="switch-operator"),
    path("operator/map/", locations.station_map, name="map"),
    path("operator/locations/", locations.location_list, name="locations"),
    path("operator/locations/<str:id>/", locations.location_detail, name="location"),
    path("operator/new-location/", locations.new_location, name="new-location"),
    # Not below stations/, where any word can be an identity.
    path("operator/new-station/", station_settings.new_station, name="new-station"),
    path("operator/stations.csv", station_list.station_export, name="stations-export"),
    path("operator/stations/", station_list.station_list, name="stations"),
    path("operator/stations/<str:identity>/", stations.station_detail, name="station"),
    path(
        "operator/stations/<str:identity>/sessions/",
        station_tabs.station_sessions,
        name="station-sessions",
    ),
    path(
        "operator/stations/<str:identity>/trace/",
        station_tabs.station_trace,
        name="station-trace",
    ),
    path(
        "operator/stations/<str:identity>/commands/",
        station_tabs.station_commands,
        name="station-commands",
    ),
    path(
        "operator/stations/<str:identity>/configuration/",
        station_tabs.station_configuration,
        name="station-configuration",
    ),
    path(
        "operator/stations/<str:identity>/settings/",
        station_settings.station_settings,
        name="station-settings",
    ),
    path(
        "operator/stations/<str:identity>/labels/",
        station_tabs.station_labels,
        name="station-labels",
    ),
    path(
        "operator/stations/<str:identity>/new-password/",
        station_settings.new_password,
        name="station-new-password",
    ),
    path("operator/commands/<str:id>/cancel/", station_tabs.cancel, name="cancel-command"),
    path(
        "operator/stations/<str:identity>/ask/<slug:kind>/",
        stations.station_question,
        name="station-question",
    ),
    path("operator/handshakes/<str:id>/", attention.handshake, name="handshake"),
    path("operator/handshakes/<str:id>/mend/", attention.mend_handshake, name="mend-handshake"),
    path(
        "operator/handshakes/<str:id>/dismiss/",
        attention.dismiss_handshake,
        name="dismiss-handshake",
    ),
    path(
        "operator/unknown-id-tokens/<str:id>/",
        attention.unknown_id_token,
        name="unknown-id-token",
    ),
    *planning_urls.urlpatterns,
    *security_urls.urlpatterns,
    *trade_urls.urlpatterns,
    *upkeep_urls.urlpatterns,
]
