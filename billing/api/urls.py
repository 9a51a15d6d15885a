"""Addresses below /api/v1/ of what charging costs."""

from django.urls import path

from billing.api import ledger, sessions, tariffs

urlpatterns = [
    path("sessions/", sessions.SessionList.as_view(), name="sessions"),
    path("sessions/<str:id>/", sessions.SessionDetail.as_view(), name="session"),
    path("sessions/<str:id>/waive/", sessions.SessionWaive.as_view(), name="session-waive"),
    path("sessions/<str:id>/join/", sessions.SessionJoin.as_view(), name="session-join"),
    path("sessions/<str:id>/release/", sessions.SessionRelease.as_view(), name="session-release"),
    path("cdrs/", sessions.CDRList.as_view(), name="cdrs"),
    path("cdrs/<str:id>/", sessions.CDRDetail.as_view(), name="cdr"),
    path("ledger/", ledger.LedgerList.as_view(), name="ledger"),
    path("ledger/balances/", ledger.LedgerBalances.as_view(), name="ledger-balances"),
    path("ledger/<str:id>/", ledger.LedgerDetail.as_view(), name="ledger-transaction"),
    path("quotes/", sessions.QuoteList.as_view(), name="quotes"),
    path("tariffs/", tariffs.TariffList.as_view(), name="tariffs"),
    path("tariffs/<str:id>/", tariffs.TariffDetail.as_view(), name="tariff"),
    path("tariff-assignments/", tariffs.AssignmentList.as_view(), name="tariff-assignments"),
    path(
        "tariff-assignments/<str:id>/",
        tariffs.AssignmentDetail.as_view(),
        name="tariff-assignment",
    ),
]
