"""Users, shops and API keys in the admin."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from accounts.models import ApiKey, Membership, Scope, Shop, User

admin.site.unregister(Group)


class StaffViews:
    """Staff see all; changing things takes Django's permissions."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_staff)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(request.user.is_staff)


class MembershipInline(StaffViews, TabularInline):
    model = Membership
    extra = 0
    # A shop may have thousands of members.
    per_page = 20
    autocomplete_fields = ("user", "shop")
    ordering = ("pk",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return super().get_queryset(request).select_related("user", "shop")


@admin.register(User)
class UserAdmin(StaffViews, DjangoUserAdmin, ModelAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("email", "first_name", "last_name", "phone", "language", "is_active", "is_staff")
    list_filter = ("is_active", "is_staff", "language")
    search_fields = ("email", "first_name", "last_name", "phone", "uuid")
    ordering = ("email",)
    show_full_result_count = False
    readonly_fields: ClassVar[Any] = ("uuid", "created_at", "last_login")
    inlines: ClassVar[Any] = (MembershipInline,)
    fieldsets: ClassVar[Any] = (
        (
            None,
            {
                "fields": (
                    ("first_name", "last_name"),
                    ("email", "phone"),
                    ("language", "time_zone"),
                    ("uuid", "created_at"),
                )
            },
        ),
        (
            "Access",
            {
                "classes": ("collapse",),
                "fields": (
                    "password",
                    "is_active",
                    "is_staff",
                    "is_superuser",
                    "user_permissions",
                    "last_login",
                ),
            },
        ),
    )
    add_fieldsets = ((None, {"fields": ("email", "first_name", "last_name", "password1", "password2")}),)
    filter_horizontal = ("user_permissions",)

    def get_inlines(self, request: HttpRequest, obj: User | None) -> Any:
        return self.inlines if obj else ()


@admin.register(Shop)
class ShopAdmin(StaffViews, ModelAdmin):
    list_display = ("name", "slug")
    search_fields = ("name", "slug")
    inlines = (MembershipInline,)


class ApiKeyForm(forms.ModelForm):
    scopes = forms.MultipleChoiceField(choices=Scope.choices, widget=forms.CheckboxSelectMultiple)

    class Meta:
        model = ApiKey
        fields = ("name", "scopes", "expires_at")


@admin.register(ApiKey)
class ApiKeyAdmin(StaffViews, ModelAdmin):
    """A key is made, and revoked; it is never shown again and never deleted, so that its history stays."""

    form = ApiKeyForm
    list_display = ("name", "hint", "state", "scope_list", "created_at", "last_used_at")
    search_fields = ("name", "hint")
    ordering = ("-created_at",)
    readonly_fields = ("hint", "created_at", "last_used_at", "revoked_at")
    actions = ("revoke",)

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        return ("name", "scopes", "expires_at", *(self.readonly_fields if obj else ()))

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    @display(description="State", label={"active": "success", "expired": "warning", "revoked": "danger"})
    def state(self, api_key: ApiKey) -> str:
        if api_key.revoked_at:
            return "revoked"
        expired = api_key.expires_at is not None and api_key.expires_at <= timezone.now()
        return "expired" if expired else "active"

    @display(description="Scopes")
    def scope_list(self, api_key: ApiKey) -> str:
        return ", ".join(api_key.scopes)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        key = "" if change else obj.set_new_key()
        super().save_model(request, obj, form, change)
        if key:
            messages.warning(request, f"Keep this key safe, it is not shown again: {key}")

    @admin.action(description="Revoke", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        count = queryset.filter(revoked_at=None).update(revoked_at=timezone.now())
        messages.success(request, f"{count} revoked: they stopped working at once.")
