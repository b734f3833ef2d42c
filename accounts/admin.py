"""Users with their profiles, shops and API keys in the admin."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters, InlineModelAdmin
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.text import capfirst
from rest_framework_simplejwt.token_blacklist import admin as _token_admin  # noqa: F401  (registers them)
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from accounts.admin_site import SavesPassword
from accounts.models import ApiKey, Encadrant, Invitation, Membership, Role, Scope, Shop, Student, User
from accounts.ranks import Rank, may_act_on, people_below, rank_of
from accounts.rights import scopes_of
from accounts.services.api_keys import api_key_revoke
from accounts.services.invitations import HAS_ACCOUNT, invitation_make
from config import clock
from config.rest.exceptions import Conflict

admin.site.unregister(Group)
# Rows for machines, to be searched by a field that our users don't have.
admin.site.unregister((OutstandingToken, BlacklistedToken))


class InvitationForm(forms.ModelForm):
    class Meta:
        model = Invitation
        fields = ("email", "role")

    def clean_email(self) -> str:
        email = str(self.cleaned_data["email"]).lower()
        if User.objects.filter(email=email).exists():
            raise ValidationError(HAS_ACCOUNT)
        return email


class StaffViews:
    """Staff see all; changing things takes Django's permissions."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_staff)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(request.user.is_staff)

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        # Django looks for it in the search box only, and would ask PostgreSQL, which has no text with it.
        if any("\0" in value for _, values in request.GET.lists() for value in values):
            raise IncorrectLookupParameters("U+0000")
        return super().get_changelist_instance(request)  # type: ignore[misc]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **options)  # type: ignore[misc]
        if field is not None and isinstance(self, InlineModelAdmin):
            # Above a column, and so beside no field, stands what it is.
            field.widget.attrs.setdefault("aria-label", capfirst(field.label or db_field.verbose_name))
        return field


class ActsOnPeople:
    """Rows that are a person's: nobody changes those of somebody who has more rights (accounts.ranks)."""

    #: The field that says whose a row is; empty: the row is the person.
    whose = "user"

    def is_below(self, request: HttpRequest, obj: Any) -> bool:
        by: User = request.user  # type: ignore[assignment]
        return obj is None or may_act_on(by, getattr(obj, self.whose) if self.whose else obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may: bool = super().has_change_permission(request, obj)  # type: ignore[misc]
        return may and self.is_below(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may: bool = super().has_delete_permission(request, obj)  # type: ignore[misc]
        return may and self.is_below(request, obj)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == self.whose:
            kwargs["queryset"] = people_below(request.user)  # type: ignore[arg-type]
        return super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[misc]

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        deleted, counts, lacking, protected = super().get_deleted_objects(objs, request)  # type: ignore[misc]
        if not all(self.is_below(request, obj) for obj in objs):
            lacking = {*lacking, "people on the staff"}
        return deleted, counts, lacking, protected


class SavesChanges:
    """Rows of which others change parts too: what a form leaves as it was is not written back."""

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        obj = super().get_object(request, object_id, from_field)  # type: ignore[misc]
        if obj is not None:
            obj.as_read = dict(vars(obj))
        return obj

    def saved_fields(self, obj: Any) -> set[str]:
        """Return what is not as it was read, whether the form had it or its cleaning has set it."""
        fields = obj._meta.concrete_fields
        changed = {
            each.name for each in fields if vars(obj).get(each.attname) != obj.as_read.get(each.attname)
        }
        return changed | {each.name for each in fields if getattr(each, "auto_now", False)}

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change:
            super().save_model(request, obj, form, change)  # type: ignore[misc]
        elif fields := self.saved_fields(obj):
            obj.save(update_fields=fields)


class MembershipInline(StaffViews, TabularInline):
    model = Membership
    extra = 0
    # A shop may have thousands of members.
    per_page = 20
    autocomplete_fields = ("user", "shop")
    ordering = ("pk",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return super().get_queryset(request).select_related("user", "shop")


#: What makes somebody more than they are: a superuser's alone to give.
RISING = ("role", "is_staff", "is_superuser", "user_permissions")


class PasswordForm(SavesPassword, AdminPasswordChangeForm):
    pass


class CascadingAdmin(DjangoUserAdmin, ModelAdmin):
    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        # What is theirs goes with them, that which nobody may delete by itself too.
        deleted, counts, _, protected = super().get_deleted_objects(objs, request)
        return deleted, counts, set(), protected


@admin.register(User)
class UserAdmin(StaffViews, ActsOnPeople, SavesChanges, CascadingAdmin):
    whose = ""
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = PasswordForm
    list_display = (
        "email", "first_name", "last_name", "role", "verified", "phone", "language", "is_active", "is_staff",
    )  # fmt: skip
    list_filter = ("role", "is_active", "is_staff", "language")
    search_fields = ("email", "first_name", "last_name", "phone", "uuid")
    ordering = ("email",)
    show_full_result_count = False
    readonly_fields: ClassVar[Any] = (
        "uuid", "created_at", "last_login", "email_verified_at", "phone_verified_at", "profile",
    )  # fmt: skip
    inlines: ClassVar[Any] = (MembershipInline,)
    fieldsets: ClassVar[Any] = (
        (
            None,
            {
                "fields": (
                    ("first_name", "last_name"),
                    ("email", "phone"),
                    ("email_verified_at", "phone_verified_at"),
                    ("role", "profile"),
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
    add_fieldsets = (
        (None, {"fields": ("email", "first_name", "last_name", "role", "password1", "password2")}),
    )
    filter_horizontal = ("user_permissions",)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        # One by one: the model's own way of deleting locks each.
        for user in queryset:
            user.delete()

    def saved_fields(self, obj: User) -> set[str]:
        fields = super().saved_fields(obj)
        # An administrator is staff (User.clean), whatever somebody else has said meanwhile.
        return fields | {"is_staff"} if "role" in fields else fields

    def get_inlines(self, request: HttpRequest, obj: User | None) -> Any:
        return self.inlines if obj else ()

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        fixed = () if obj is None or rank_of(request.user) is Rank.SUPERUSER else RISING
        return (*super().get_readonly_fields(request, obj), *fixed)

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "role" and rank_of(request.user) is not Rank.SUPERUSER:
            given = [choice for choice in Role.choices if choice[0] != Role.ADMIN]
            kwargs["choices"] = [("", "---------"), *given]
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    @display(description="Verified")
    def verified(self, user: User) -> str:
        """Which of their addresses they have shown to be theirs."""
        addresses = (("email", user.email_verified_at), ("phone", user.phone_verified_at))
        return ", ".join(name for name, verified_at in addresses if verified_at) or "–"

    @display(description="Profile")
    def profile(self, user: User) -> str:
        links = [
            (reverse(f"admin:accounts_{model._meta.model_name}_change", args=[profile.pk]), model.__name__)
            for model in (Student, Encadrant)
            for profile in model.objects.filter(user=user)
        ]
        return format_html_join(", ", '<a href="{}">{}</a>', links) or "–"


@admin.register(Invitation)
class InvitationAdmin(StaffViews, ModelAdmin):
    """An invitation is sent, and can be taken back; its link is in the mail alone."""

    list_display = ("email", "role", "shop", "state", "invited_by", "created_at", "expires_at")
    list_select_related = ("invited_by", "shop")
    search_fields = ("email",)
    ordering = ("-id",)
    show_full_result_count = False
    fields = ("email", "role")

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    @display(description="State", label={"open": "success", "expired": "warning", "used": "info"})
    def state(self, invitation: Invitation) -> str:
        if invitation.used_at:
            return "used"
        return "expired" if invitation.expires_at <= clock.now() else "open"

    def save_model(self, request: HttpRequest, obj: Invitation, form: Any, change: bool) -> None:
        assert isinstance(request.user, User)
        made = invitation_make(email=obj.email, role=obj.role, by=request.user)
        obj.pk = made.pk

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except Conflict as error:  # with which all of it was undone
            messages.error(request, str(error))
            return HttpResponseRedirect(request.get_full_path())

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, form=InvitationForm, **kwargs)


class ProfileAdmin(StaffViews, SavesChanges, ModelAdmin):
    """Made for a user by their role, and gone with them."""

    search_fields: tuple[str, ...] = ("user__email", "user__first_name", "user__last_name")
    list_select_related = ("user",)
    readonly_fields = ("account", "created_at")
    ordering = ("-id",)
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    @display(description="Name")
    def name(self, profile: Student | Encadrant) -> str:
        return f"{profile.user.first_name} {profile.user.last_name}".strip() or "–"

    @display(description="Account", ordering="user__email")
    def account(self, profile: Student | Encadrant) -> str:
        url = reverse("admin:accounts_user_change", args=[profile.user_id])
        return format_html('<a href="{}">{}</a>', url, profile.user.email)


@admin.register(Student)
class StudentAdmin(ProfileAdmin):
    list_display = ("__str__", "name", "account", "created_at")
    fields = ("account", "created_at")


@admin.register(Encadrant)
class EncadrantAdmin(ProfileAdmin):
    list_display = ("__str__", "name", "specialization", "account", "created_at")
    search_fields = (*ProfileAdmin.search_fields, "specialization")
    fields = ("account", "specialization", "created_at")


@admin.register(Shop)
class ShopAdmin(StaffViews, ModelAdmin):
    list_display = ("name", "slug", "group_alerts_s")
    search_fields = ("name", "slug")
    inlines = (MembershipInline,)


class ApiKeyForm(forms.ModelForm):
    scopes = forms.MultipleChoiceField(choices=Scope.choices, widget=forms.CheckboxSelectMultiple)

    class Meta:
        model = ApiKey
        fields = ("name", "scopes", "expires_at")

    #: Whoever makes or changes the key.
    by: User

    def clean_scopes(self) -> list[str]:
        scopes: list[str] = self.cleaned_data["scopes"]
        if above := sorted(set(scopes) - scopes_of(self.by)):
            raise forms.ValidationError(
                f"You can't grant permissions that you don't have: {', '.join(above)}."
            )
        return scopes


@admin.register(ApiKey)
class ApiKeyAdmin(StaffViews, SavesChanges, ModelAdmin):
    """A key is made, and revoked; it is never shown again and never deleted, so that its history stays."""

    form = ApiKeyForm
    list_display = ("name", "hint", "state", "scope_list", "created_at", "last_used_at")
    search_fields = ("name", "hint")
    ordering = ("-created_at",)
    readonly_fields = ("hint", "created_at", "last_used_at", "revoked_at")
    actions = ("revoke",)

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        return ("name", "scopes", "expires_at", *(self.readonly_fields if obj else ()))

    def get_form(self, request: HttpRequest, obj: ApiKey | None = None, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, **kwargs)
        return type(form.__name__, (form,), {"by": request.user})

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        by: User = request.user  # type: ignore[assignment]
        return super().has_change_permission(request, obj) and (
            obj is None or scopes_of(by).issuperset(obj.scopes)
        )

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    @display(description="State", label={"active": "success", "expired": "warning", "revoked": "danger"})
    def state(self, api_key: ApiKey) -> str:
        if api_key.revoked_at:
            return "revoked"
        expired = api_key.expires_at is not None and api_key.expires_at <= clock.now()
        return "expired" if expired else "active"

    @display(description="Scopes")
    def scope_list(self, api_key: ApiKey) -> str:
        return ", ".join(api_key.scopes)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        key = "" if change else obj.set_new_key()
        super().save_model(request, obj, form, change)
        if key:
            messages.warning(request, f"Keep this key safe, it won't be shown again: {key}")

    @admin.action(description="Revoke", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        now = clock.now()
        count = sum(api_key_revoke(api_key=each, now=now) for each in queryset)
        messages.success(request, f"{count} revoked. They no longer work.")
