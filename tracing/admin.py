"""Tracing in the admin: filters are set here, cases are looked at, and who looked at them."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from accounts.admin import SavesChanges, StaffViews
from config import clock
from notifications.admin.base import NeverEdited, NotesReadings, ReadOnlyAdmin
from tracing import selectors
from tracing.models import Case, CaseReading, Device, DeviceContact, Filter, FilterVersion, StatusMark
from tracing.services.devices import untold_tell
from tracing.services.filters import filter_save
from tracing.services.readings import reading_log


class FilterForm(forms.ModelForm):
    class Meta:
        model = Filter
        fields = ("name", "is_active", *Filter.CRITERIA)
        widgets = {"content": UnfoldAdminTextareaWidget(attrs={"rows": 12, "spellcheck": "false"})}


class FilterVersionInline(NeverEdited, StaffViews, TabularInline):
    model = FilterVersion
    fields = ("number", "created_at", "status", "time_min_s", "time_max_s", "distance_max_m", "rounds")
    readonly_fields = fields
    extra = 0
    ordering = ("-number",)


@admin.register(Filter)
class FilterAdmin(StaffViews, ModelAdmin):
    """Saving makes a new version, if it says anything new; filters are switched off and never deleted."""

    form = FilterForm
    list_display = ("name", "is_active", "status", "time_min_s", "distance_max_m", "rounds", "version")
    list_filter = ("is_active",)
    fields = (
        ("name", "is_active"),
        ("status", "rounds"),
        ("time_min_s", "time_max_s"),
        ("distance_min_m", "distance_max_m"),
        "language",
        "content",
        "what_if",
    )
    readonly_fields = ("what_if",)
    inlines = (FilterVersionInline,)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Filter, form: Any, change: bool) -> None:
        filter_save(filter=obj)

    @display(description="What if")
    def what_if(self, filter: Filter) -> SafeString | str:
        if filter.version == 0:
            return "Once it is saved."
        url = reverse("tracing:what-if", args=[filter.pk])
        return format_html('<a class="underline" href="{}">Try other values before you save them</a>', url)


@admin.register(Case)
class CaseAdmin(ReadOnlyAdmin):
    """The page with the tree explains a case; here it is found. Looking is noted, as there."""

    list_display = ("device_id", "state_display", "opened_at", "closed_at")
    list_filter = ("state", "opened_at")
    search_fields = ("=device__id", "id__exact")
    search_help_text = "The number of a device, or the id of a case."
    fields = (("device", "state_display"), ("since", "opened_at", "closed_at"), "degrees", "tree")
    readonly_fields = ("state_display", "degrees", "tree")
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Case]:
        return super().get_queryset(request).select_related("device")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        reading_log(what=CaseReading.What.LIST, user=request.user, now=clock.now())
        return super().changelist_view(request, extra_context)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Case | None:
        case: Case | None = super().get_object(request, object_id, from_field)
        if case is not None:
            reading_log(
                what=CaseReading.What.CASE,
                user=request.user,
                now=clock.now(),
                case_id=case.pk,
                device_id=case.device_id,
            )
        return case

    @display(description="State", label={"Open": "danger", "Healed": "success"})
    def state_display(self, case: Case) -> str:
        return case.get_state_display()

    @display(description="Exposed")
    def degrees(self, case: Case) -> str:
        rows = selectors.exposures_by_degree(case)
        parts = (
            f"{row['filter__name']}, degree {row['degree']}: {row['exposed']} ({row['told']} told)"
            for row in rows
        )
        return "; ".join(parts) or "Nobody."

    @display(description="Tree")
    def tree(self, case: Case) -> SafeString:
        url = reverse("tracing:case", args=[case.pk])
        return format_html('<a class="underline" href="{}">Who was exposed, and by whom</a>', url)


@admin.register(CaseReading)
class CaseReadingAdmin(ReadOnlyAdmin):
    list_display = ("read_at", "what", "device_id", "user", "api_key")
    list_filter = ("what", "read_at")
    list_select_related = ("user", "api_key")
    search_fields = ("case_id__exact", "=device_id", "user__email")
    search_help_text = "A case, a device, or who looked."
    ordering = ("-id",)


def device_read(request: HttpRequest, device_ids: list[int]) -> None:
    """Note that statuses of these devices were shown; which, where it is one alone."""
    if device_ids:
        one = device_ids[0] if len(set(device_ids)) == 1 else None
        reading_log(what=CaseReading.What.DEVICE, user=request.user, now=clock.now(), device_id=one)


class DeviceForm(forms.ModelForm):
    new_push_token = forms.CharField(
        max_length=512, required=False, help_text="Replaces the current one, if any."
    )

    class Meta:
        model = Device
        fields = ("id", "platform", "language")

    def save(self, commit: bool = True) -> Device:
        if token := self.cleaned_data.get("new_push_token"):
            self.instance.push_token = token
        device: Device = super().save(commit)
        return device


class DeviceContactInline(StaffViews, TabularInline):
    model = DeviceContact
    extra = 0


@admin.register(Device)
class DeviceAdmin(NotesReadings, StaffViews, SavesChanges, ModelAdmin):
    """What a device is comes from its owner; its status from a health service, by the API.

    Looking at statuses is noted. The push token is set here, and never shown.
    """

    form = DeviceForm

    list_display = ("id", "status", "platform", "language", "updated_at")
    list_filter = ("status", "platform")
    search_fields = ("=id",)
    fields = ("id", "new_push_token", "has_push_token", ("platform", "language"), "status")
    readonly_fields = ("has_push_token", "status")
    inlines = (DeviceContactInline,)
    show_full_result_count = False

    def get_readonly_fields(self, request: HttpRequest, obj: Device | None = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "id") if obj else self.readonly_fields

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        untold_tell(device_id=form.instance.pk, now=clock.now())

    def note_reading(self, request: HttpRequest, rows: list[Device]) -> None:
        device_read(request, [row.pk for row in rows])

    @display(description="Has a push token", boolean=True)
    def has_push_token(self, device: Device) -> bool:
        return bool(device.push_token)


@admin.register(StatusMark)
class StatusMarkAdmin(NotesReadings, ReadOnlyAdmin):
    list_display = ("marked_at", "device_id", "status", "api_key", "user")
    list_filter = ("status", "marked_at")
    list_select_related = ("api_key", "user")
    search_fields = ("=device__id",)
    ordering = ("-id",)

    def note_reading(self, request: HttpRequest, rows: list[StatusMark]) -> None:
        device_read(request, [row.device_id for row in rows])
