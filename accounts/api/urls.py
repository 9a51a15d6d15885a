"""Addresses below /api/v1/ of people and their tokens."""

from django.urls import path

from accounts.api import views

urlpatterns = [
    path("operators/me/", views.OwnOperator.as_view(), name="operator"),
    path("id-tokens/", views.IdTokenList.as_view(), name="id-tokens"),
    path("id-tokens/<str:id>/", views.IdTokenDetail.as_view(), name="id-token"),
    path("id-token-groups/", views.IdTokenGroupList.as_view(), name="id-token-groups"),
    path("id-token-groups/<str:id>/", views.IdTokenGroupDetail.as_view(), name="id-token-group"),
    path("unknown-id-tokens/", views.UnknownIdTokenList.as_view(), name="unknown-id-tokens"),
    path(
        "unknown-id-tokens/<str:id>/adopt/",
        views.UnknownIdTokenAdoption.as_view(),
        name="unknown-id-token-adopt",
    ),
]
