"""Every address that people's browsers and programs open."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/v1/", include("cms.api.urls")),
    path("files/", include("stations.urls")),
    path("", include("cms.health")),
    path("", include("cms.drivers.urls")),
    path("", include("cms.portal.urls")),
]

handler400 = "cms.portal.views.errors.bad_request"
handler403 = "cms.portal.views.errors.permission_denied"
handler404 = "cms.portal.views.errors.page_not_found"
handler500 = "cms.portal.views.errors.server_error"
