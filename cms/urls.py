"""Every address that people's browsers and programs open."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/v1/", include("cms.api.urls")),
    path("", include("cms.health")),
    path("", include("cms.portal.urls")),
]
