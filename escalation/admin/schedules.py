"""Schedules for the operators: their layers, who takes turns, who stands in, who is on call."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.forms import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin, StackedInline, TabularInline
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from accounts.admin import SavesChanges, StaffViews
from config import clock
from escalation import ical_addresses as addresses
from escalation.admin.base import TakesAway
from escalation.calendars.facts import REASONS
from escalation.holes.finding import AHEAD, said_of
from escalation.holes.reading import holes_of_schedules
from escalation.models import Layer, LayerMember, Schedule, ScheduleOverride
from escalation.policies.words import name_of
from escalation.schedules import links, selectors
from escalation.schedules.restrictions import as_json, restrictions_of
from escalation.schedules.row import on_call
from escalation.services import schedules as services

CHANGE = "escalation.change_schedule"


class OfSchedule(StaffViews):
    """Parts of a schedule: whoever may change that may change them."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm(CHANGE)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm(CHANGE)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm(CHANGE)


class RestrictionsFormField(forms.JSONField):
    """Restrictions as JSON."""

    def clean(self, value: Any) -> list[dict[str, Any]]:
        return as_json(restrictions_of(super().clean(value) or []))


class LayerForm(forms.ModelForm):
    restrictions = RestrictionsFormField(
        required=False,
        initial=list,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "spellcheck": "false"}),
        help_text=Layer._meta.get_field("restrictions").help_text,
    )


class MemberFormSet(BaseInlineFormSet):
    def clean(self) -> None:
        """Refuse what leaves nobody who could be on call: a hole that is certain."""
        super().clean()
        kept = [each.instance for each in self.forms if each not in self.deleted_forms]
        if (
            self.forms
            and not self.instance.ical_url
            and not any(self.errors)
            and not any(place.user and place.user.is_active for place in kept)
        ):
            raise forms.ValidationError(f"{services.NEVER}.")


class OfLayer(OfSchedule):
    """A layer, with how its calendar was last read. Its address is a secret of those who may change it."""

    readonly_fields: tuple[str, ...] = ("ical_shown", "calendar_read")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_fields(request, obj)  # type: ignore[misc]
        if request.user.has_perm(CHANGE):
            return fields
        return ["ical_shown" if each == "ical_url" else each for each in fields]

    @display(description="iCalendar address")
    def ical_shown(self, layer: Layer) -> str:
        return addresses.masked(layer.ical_url) or "–"

    @display(description="Calendar")
    def calendar_read(self, layer: Layer) -> str:
        """How it was last read, and what is wrong with it, a line for each."""
        calendar = getattr(layer, "calendar", None)
        if not layer.ical_url or calendar is None or calendar.url != layer.ical_url:
            return "not fetched yet" if layer.ical_url else "–"
        fetched_at = f"{calendar.fetched_at:%Y-%m-%d %H:%M} UTC" if calendar.fetched_at else "never"
        lines = [f"Fetched: {fetched_at}."]
        if calendar.failing_since:
            lines.append(f"Failing since {calendar.failing_since:%Y-%m-%d %H:%M} UTC: {calendar.error}.")
        for each in calendar.problems:
            named = f" ({each['email']})" if each["email"] else ""
            lines.append(f"“{each['summary']}”: {REASONS[each['reason']]}{named}")
        if more := calendar.problems_count - len(calendar.problems):
            lines.append(f"And {more} more.")
        return format_html_join(mark_safe("<br>"), "{}", ((line,) for line in lines))


class MemberInline(OfSchedule, TabularInline):
    model = LayerMember
    formset = MemberFormSet
    extra = 0
    verbose_name_plural = "People, in the order of their turns"
    autocomplete_fields = ("user",)
    ordering = ("position", "pk")

    def get_queryset(self, request: HttpRequest) -> QuerySet[LayerMember]:
        return super().get_queryset(request).select_related("user")


class LayerInline(OfLayer, StackedInline):
    model = Layer
    form = LayerForm
    extra = 0
    fields = (
        ("position", "name"), ("shift_h", "per_turn"), "time_zone", ("starts_on", "handoff_at"),
        "restrictions", "ical_url", "calendar_read",
    )  # fmt: skip
    verbose_name_plural = "Layers, from the lowest; open one to change its people"
    show_change_link = True
    ordering = ("position", "pk")


class OverrideInline(StaffViews, TabularInline):
    model = ScheduleOverride
    extra = 0
    verbose_name_plural = "Who stands in (times in UTC)"
    autocomplete_fields = ("user",)
    ordering = ("-starts_at",)
    per_page = 20

    def get_queryset(self, request: HttpRequest) -> QuerySet[ScheduleOverride]:
        return super().get_queryset(request).select_related("user")


@admin.register(Layer)
class LayerAdmin(OfLayer, SavesChanges, ModelAdmin):
    """Reached from its schedule, which has everything but its people."""

    form = LayerForm
    fields = ("schedule", *LayerInline.fields)
    readonly_fields = ("schedule", *OfLayer.readonly_fields)
    list_display = ("schedule", "position", "name", "time_zone")
    list_select_related = ("schedule",)
    search_fields = ("schedule__name", "name")
    ordering = ("schedule__name", "position", "pk")
    inlines = (MemberInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Layer]:
        return super().get_queryset(request).filter(schedule__deleted_at=None)

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Schedule)
class ScheduleAdmin(TakesAway, StaffViews, SavesChanges, ModelAdmin):
    """To delete one is to take it away: policies that name it tell nobody by it any more."""

    fields = ("name", "may_have_gaps", ("drill_every_days", "drill_at"), "now_on_call", "holes", "calendar")
    readonly_fields = ("now_on_call", "holes", "calendar")
    list_display = ("name", "now_on_call")
    search_fields = ("name",)
    inlines = (LayerInline, OverrideInline)
    change_form_outer_before_template = "escalation/admin/renew_link.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.renew_link))
        return [
            path("<uuid:pk>/renew-link/", view, name="escalation_schedule_renew_link"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Schedule]:
        schedules = Schedule.objects.filter(deleted_at=None).order_by("name")
        return selectors.with_layers(schedules, since=clock.now())

    @display(description="On call now")
    def now_on_call(self, schedule: Any) -> str:
        if not hasattr(schedule, "in_layers"):  # a new one
            return "–"
        duty = on_call(selectors.roster_of(schedule), clock.now())
        if duty is None:
            return "nobody"
        people = selectors.people_by_id(schedule)
        who = ", ".join(name_of(people.get(user_id)) for user_id in duty.user_ids)
        return f"{who} until {duty.ends_at:%Y-%m-%d %H:%M} UTC{' (stands in)' if duty.override else ''}"

    @display(description="Holes")
    def holes(self, schedule: Any) -> str:
        if not hasattr(schedule, "in_layers"):  # a new one
            return "–"
        (found,) = holes_of_schedules([schedule], now=clock.now())
        said = [(said_of(each, "UTC"),) for each in found.holes or ()]
        return format_html_join(mark_safe("<br>"), "{}", said) or f"none in the next {AHEAD.days} days"

    @display(description="Calendar")
    def calendar(self, schedule: Schedule) -> str:
        if schedule._state.adding:
            return "–"
        url = links.url_of(links.Target(schedule.pk, schedule.link_version))
        return format_html('<a class="break-all underline" href="{}">{}</a>', url, url)

    def renew_link(self, request: HttpRequest, pk: Any) -> HttpResponse:
        schedule = get_object_or_404(Schedule, pk=pk, deleted_at=None)
        if not self.has_change_permission(request, schedule):
            messages.error(request, "You need the permission to change schedules.")
        else:
            services.schedule_renew_link(schedule=schedule)
            messages.success(request, "There is a new link. Earlier links no longer work.")
        return redirect("admin:escalation_schedule_change", pk)

    def delete_model(self, request: HttpRequest, obj: Schedule) -> None:
        services.schedule_remove(schedule=obj)
