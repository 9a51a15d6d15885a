"""Addresses of the pages."""

from django.contrib.auth.views import LogoutView
from django.urls import path
from django.views.i18n import set_language

from cms.portal.views import attention, design, overview, people, sessions, stations

urlpatterns = [
    path("", people.home, name="home"),
    path("login/", people.SignIn.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("language/", set_language, name="set-language"),
    path("operator/design/", design.design_page, name="design"),
    path("operator/", overview.overview, name="operator"),
    path("operator/switch/", people.switch_operator, name="switch-operator"),
    path("operator/stations/<str:identity>/", stations.station_detail, name="station"),
    path(
        "operator/stations/<str:identity>/ask/<slug:kind>/",
        stations.station_question,
        name="station-question",
    ),
    path("operator/sessions/", sessions.session_list, name="sessions"),
    path("operator/sessions/<str:id>/", sessions.session_detail, name="session"),
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
]
