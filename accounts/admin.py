"""Who is who, for platform admins. Changes by an operator's own people go through the portal and REST."""

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as BaseUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.db.models import Model
from django.http import HttpRequest

from accounts.models import (
    ApiKey,
    AuditEntry,
    ChargingRight,
    Driver,
    IdToken,
    IdTokenGroup,
    Membership,
    Operator,
    UnknownIdToken,
    User,
)

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
    TabularInline = admin.TabularInline[Any, Any]
    DjangoUserAdmin = BaseUserAdmin[User]
    BaseNewUserForm = AdminUserCreationForm[User]
    BaseUserForm = UserChangeForm[User]
else:
    ModelAdmin = admin.ModelAdmin
    TabularInline = admin.TabularInline
    DjangoUserAdmin = BaseUserAdmin
    BaseNewUserForm = AdminUserCreationForm
    BaseUserForm = UserChangeForm

admin.site.site_header = "Magetsi"
admin.site.site_title = "Magetsi"
admin.site.index_title = "Administration"


class ReadOnlyAdmin(ModelAdmin):
    """Rows that only the system writes: to be looked at."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class NewUserForm(BaseNewUserForm):
    """Signing in is by e-mail address."""

    class Meta:
        model = User
        fields = ("email",)


class UserForm(BaseUserForm):
    """The password appears as a link to its own form."""

    class Meta:
        model = User
        fields = "__all__"


class MembershipInline(TabularInline):
    model = Membership
    extra = 0
    autocomplete_fields = ("user", "operator")


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    form = UserForm
    add_form = NewUserForm
    list_display = ("email", "name", "is_staff", "is_active", "last_login")
    list_filter = ("is_staff", "is_superuser", "is_active")
    search_fields = ("email", "name")
    ordering = ("email",)
    readonly_fields = ("last_login", "joined_at")
    inlines = [MembershipInline]
    fieldsets = (
        (None, {"fields": ("email", "password")}),
        ("Person", {"fields": ("name", "language")}),
        ("Rights", {"fields": ("is_active", "is_staff", "is_superuser", "groups")}),
        ("Times", {"fields": ("last_login", "joined_at")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "usable_password", "password1", "password2")}),)

    def get_inlines(self, request: HttpRequest, obj: Model | None) -> list[Any]:
        return list(self.inlines) if obj else []


@admin.register(Operator)
class OperatorAdmin(ModelAdmin):
    list_display = ("slug", "name", "country", "currency", "time_zone", "created_at")
    list_filter = ("country", "currency")
    search_fields = ("slug", "name")
    readonly_fields = ("created_at",)
    inlines: ClassVar = [MembershipInline]


@admin.register(Membership)
class MembershipAdmin(ModelAdmin):
    list_display = ("user", "operator", "role", "created_at")
    list_filter = ("role", "operator")
    list_select_related = ("user", "operator")
    search_fields = ("user__email", "user__name", "operator__slug", "operator__name")
    autocomplete_fields = ("user", "operator")
    readonly_fields = ("created_at",)


@admin.register(ApiKey)
class ApiKeyAdmin(ModelAdmin):
    """Keys are made by `manage.py api_key`; here they are looked at and revoked. The hash is never shown."""

    list_display = (
        "prefix",
        "name",
        "operator",
        "role",
        "created_at",
        "last_used_at",
        "revoked_at",
    )
    list_filter = ("role", ("revoked_at", admin.EmptyFieldListFilter), "operator")
    list_select_related = ("operator",)
    search_fields = ("prefix", "name")
    fields = (
        "prefix",
        "operator",
        "role",
        "name",
        "created_at",
        "last_used_at",
        "revoked_at",
    )
    readonly_fields = ("prefix", "operator", "role", "created_at", "last_used_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Driver)
class DriverAdmin(ModelAdmin):
    list_display = ("__str__", "email", "user", "created_at")
    list_select_related = ("user",)
    search_fields = ("name", "email", "user__email")
    autocomplete_fields = ("user",)
    readonly_fields = ("created_at",)


@admin.register(IdTokenGroup)
class IdTokenGroupAdmin(ModelAdmin):
    list_display = ("name", "operator", "master")
    list_filter = ("master", "operator")
    list_select_related = ("operator",)
    search_fields = ("name",)
    autocomplete_fields = ("operator",)


@admin.register(IdToken)
class IdTokenAdmin(ModelAdmin):
    """The list masks the uid, which is enough to charge with; the row itself shows it whole."""

    list_display = ("masked_uid", "operator", "type", "status", "driver", "group", "last_used_at")
    list_filter = ("status", "type", "operator")
    list_select_related = ("operator", "driver", "group")
    search_fields = ("uid", "driver__name", "driver__email")
    autocomplete_fields = ("operator", "driver", "group")
    readonly_fields = ("created_at", "last_used_at")


@admin.register(UnknownIdToken)
class UnknownIdTokenAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "operator", "station_identity", "times_seen", "last_seen_at")
    list_filter = ("operator",)
    list_select_related = ("operator",)
    search_fields = ("uid", "station_identity")


@admin.register(ChargingRight)
class ChargingRightAdmin(ReadOnlyAdmin):
    list_display = ("id_token", "allowed", "reason", "limit_minor", "valid_until")
    list_filter = ("allowed",)
    list_select_related = ("id_token",)
    search_fields = ("id_token__uid", "reason")


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ("at", "action", "object_type", "object_id", "operator", "user", "api_key")
    list_filter = ("object_type", "operator")
    list_select_related = ("operator", "user", "api_key")
    search_fields = ("action", "object_id", "user__email")
    date_hierarchy = "at"
