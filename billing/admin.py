"""Django admin of billing: to look at. What is billed is changed by new documents, never by hand."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest

from billing.models import (
    CDR,
    ChargingSession,
    LedgerEntry,
    LedgerTransaction,
    Tariff,
    TariffAssignment,
    TariffVersion,
)

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
    _TabularInline = admin.TabularInline[Any, Any]
else:
    _ModelAdmin = admin.ModelAdmin
    _TabularInline = admin.TabularInline


class ReadOnlyAdmin(_ModelAdmin):
    """Shows everything and changes nothing: prices, versions and bills have services of their own."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyInline(_TabularInline):
    """Rows that belong to the one shown; they change as little as it does."""

    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class TariffVersionInline(ReadOnlyInline):
    model = TariffVersion


@admin.register(Tariff)
class TariffAdmin(ReadOnlyAdmin):
    list_display = ("ocpi_id", "name", "operator", "currency", "status", "created_at")
    list_filter = ("operator", "status", "currency")
    search_fields = ("ocpi_id", "name")
    list_select_related = ("operator",)
    inlines = (TariffVersionInline,)


@admin.register(TariffAssignment)
class TariffAssignmentAdmin(ReadOnlyAdmin):
    list_display = ("tariff", "target", "operator", "created_at", "removed_at")
    list_filter = ("operator",)
    list_select_related = ("tariff", "operator", "group", "station", "location")


@admin.register(ChargingSession)
class ChargingSessionAdmin(ReadOnlyAdmin):
    list_display = ("id", "operator", "station", "transaction", "status", "created_at")
    list_filter = ("operator", "status")
    search_fields = ("=id", "station__identity")
    list_select_related = ("operator", "station", "transaction")
    show_full_result_count = False


@admin.register(CDR)
class CDRAdmin(ReadOnlyAdmin):
    list_display = (
        "number",
        "operator",
        "station_identity",
        "started_at",
        "energy_wh",
        "gross_minor",
        "currency",
    )
    list_filter = ("operator", "currency")
    search_fields = ("number", "station_identity")
    list_select_related = ("operator",)
    date_hierarchy = "created_at"
    show_full_result_count = False


class LedgerEntryInline(ReadOnlyInline):
    model = LedgerEntry


@admin.register(LedgerTransaction)
class LedgerTransactionAdmin(ReadOnlyAdmin):
    list_display = ("key", "kind", "operator", "currency", "at")
    list_filter = ("operator", "kind", "currency")
    search_fields = ("key",)
    list_select_related = ("operator",)
    date_hierarchy = "at"
    show_full_result_count = False
    inlines = (LedgerEntryInline,)
