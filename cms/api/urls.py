"""Everything below /api/v1/."""

from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView

from cms.api import audit, schema, transactions, views
from cms.api.docs import api_docs
from stations.api.transactions import TransactionMeterValues

app_name = "api"
urlpatterns = [
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", api_docs, name="api-docs"),
    path("", include("accounts.api.urls")),
    path("", include("stations.api.urls")),
    path("transactions/", transactions.TransactionList.as_view(), name="transactions"),
    path("transactions/<str:id>/", transactions.TransactionDetail.as_view(), name="transaction"),
    path(
        "transactions/<str:id>/meter-values/",
        TransactionMeterValues.as_view(),
        name="transaction-meter-values",
    ),
    path("", include("billing.api.urls")),
    path("audit/", audit.AuditLog.as_view(), name="audit"),
    re_path(r"", views.Nowhere.as_view(), name="nowhere"),
]

# Imported for what it registers with drf-spectacular.
__all__ = ["schema", "urlpatterns"]
