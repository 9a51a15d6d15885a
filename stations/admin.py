"""Stations and what they reported, for platform admins.

What stations say is read-only. The time series (`MeterValue`, `OcppMessage`) have pages in the portal
instead: they are too long for lists that count.
"""

from typing import ClassVar

from django.contrib import admin

from accounts.admin import ModelAdmin, ReadOnlyAdmin, TabularInline
from stations.models import (
    EVSE,
    ChargingStation,
    Command,
    Connection,
    Connector,
    ConnectorStatus,
    Gateway,
    HandshakeFailure,
    Location,
    QuarantinedFact,
    StationState,
    Transaction,
)


@admin.register(Location)
class LocationAdmin(ModelAdmin):
    list_display = ("name", "operator", "city", "country", "time_zone")
    list_filter = ("country", "operator")
    list_select_related = ("operator",)
    search_fields = ("name", "address", "city", "postal_code")
    autocomplete_fields = ("operator",)
    readonly_fields = ("created_at",)


class EVSEInline(TabularInline):
    model = EVSE
    extra = 0
    show_change_link = True


class ConnectorInline(TabularInline):
    model = Connector
    extra = 0


@admin.register(ChargingStation)
class ChargingStationAdmin(ModelAdmin):
    """Passwords are set in the portal or over REST, where they are shown once."""

    list_display = (
        "identity",
        "name",
        "operator",
        "location",
        "registration_status",
        "security_profile",
    )
    list_filter = ("registration_status", "security_profile", "operator")
    list_select_related = ("operator", "location")
    search_fields = ("identity", "name")
    autocomplete_fields = ("operator", "location")
    readonly_fields = ("created_at",)
    inlines: ClassVar = [EVSEInline]


@admin.register(EVSE)
class EVSEAdmin(ModelAdmin):
    list_display = ("station", "evse_id")
    list_select_related = ("station",)
    search_fields = ("station__identity", "station__name")
    autocomplete_fields = ("station",)
    inlines: ClassVar = [ConnectorInline]


@admin.register(StationState)
class StationStateAdmin(ReadOnlyAdmin):
    list_display = (
        "station",
        "connected",
        "protocol",
        "vendor",
        "model",
        "firmware_version",
        "last_seen_at",
    )
    list_filter = ("connected", "protocol", "vendor")
    list_select_related = ("station",)
    search_fields = ("station__identity", "serial_number", "vendor", "model")


@admin.register(ConnectorStatus)
class ConnectorStatusAdmin(ReadOnlyAdmin):
    list_display = ("station", "evse_id", "connector_id", "status", "error_code", "status_at")
    list_filter = ("status",)
    list_select_related = ("station",)
    search_fields = ("station__identity", "error_code", "vendor_error_code")


@admin.register(Connection)
class ConnectionAdmin(ReadOnlyAdmin):
    list_display = (
        "station",
        "generation",
        "protocol",
        "remote_address",
        "opened_at",
        "closed_at",
        "close_reason",
    )
    list_filter = ("protocol", "close_reason", ("closed_at", admin.EmptyFieldListFilter))
    list_select_related = ("station",)
    search_fields = ("station__identity", "remote_address")
    show_full_result_count = False


@admin.register(Gateway)
class GatewayAdmin(ReadOnlyAdmin):
    list_display = ("id", "host", "pid", "started_at", "lease_until")


@admin.register(HandshakeFailure)
class HandshakeFailureAdmin(ReadOnlyAdmin):
    list_display = (
        "identity",
        "reason",
        "remote_address",
        "times",
        "last_at",
        "operator",
        "resolved_at",
    )
    list_filter = ("reason", ("resolved_at", admin.EmptyFieldListFilter), "operator")
    list_select_related = ("operator",)
    search_fields = ("identity", "remote_address")


@admin.register(Transaction)
class TransactionAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "station",
        "evse_id",
        "status",
        "started_at",
        "ended_at",
        "energy_wh",
        "review_reasons",
    )
    list_filter = ("status", "authorization_status", "stop_reason", "operator")
    list_select_related = ("station",)
    search_fields = ("station__identity", "ocpp_transaction_id", "id_token_uid")
    date_hierarchy = "started_at"
    show_full_result_count = False


@admin.register(Command)
class CommandAdmin(ReadOnlyAdmin):
    """`payload` may hold a station's password, so it is not shown here; the portal masks it."""

    list_display = ("id", "station", "action", "status", "created_by", "created_at", "finished_at")
    list_filter = ("status", "action", "operator")
    list_select_related = ("station", "created_by")
    search_fields = ("station__identity", "action", "message_id")
    exclude = ("payload", "response")
    show_full_result_count = False


@admin.register(QuarantinedFact)
class QuarantinedFactAdmin(ReadOnlyAdmin):
    list_display = ("at", "station", "action", "message_id")
    list_filter = ("action",)
    list_select_related = ("station",)
    search_fields = ("station__identity", "message_id", "error")
