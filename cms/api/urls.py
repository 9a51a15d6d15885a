"""Everything below /api/v1/."""

from importlib.util import find_spec

from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView

from cms.api import audit, schema, transactions, views
from stations.api.transactions import TransactionMeterValues

urlpatterns = [
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("", include("accounts.api.urls")),
    path("", include("stations.api.urls")),
    path("transactions/", transactions.TransactionList.as_view(), name="transactions"),
    path("transactions/<str:id>/", transactions.TransactionDetail.as_view(), name="transaction"),
    path(
        "transactions/<str:id>/meter-values/",
        TransactionMeterValues.as_view(),
        name="transaction-meter-values",
    ),
    path("audit/", audit.AuditLog.as_view(), name="audit"),
    *([path("", include("billing.api.urls"))] if find_spec("billing.api.urls") else []),
    re_path(r"", views.Nowhere.as_view(), name="nowhere"),
]

__all__ = ["schema", "urlpatterns"]
