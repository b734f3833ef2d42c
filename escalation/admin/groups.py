"""Alert groups and silences for the operators."""

from collections.abc import Callable
from typing import Any, Final

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.decorators import display

from accounts.admin import StaffViews
from accounts.models import User
from config import clock
from escalation.admin.base import DeletesEach, listed
from escalation.groups import ending, selectors, silencing
from escalation.models import AlertGroup, Silence
from notifications.admin.base import ReadOnlyAdmin
from notifications.admin.deliveries import link

COLOURS: Final = {"Open": "danger", "Acknowledged": "success", "Resolved": "default"}


@admin.register(AlertGroup)
class AlertGroupAdmin(ReadOnlyAdmin):
    list_display = ("title", "state_label", "quiet", "opened_at", "occurrences", "integration", "policy")
    list_filter = ("state", "quiet", "opened_at")
    list_select_related = ("integration", "policy")
    search_fields = ("key__exact", "title")
    search_help_text = "A key, or words of the title."
    ordering = ("-opened_at", "-id")
    fields = (
        ("title", "state_label", "quiet"),
        ("integration", "key", "severity"),
        ("opened_at", "last_at", "occurrences"),
        ("told_at", "rings_at", "told_by"),
        ("acknowledged_at", "resolved_at", "ended_by", "ended_via"),
        ("route", "policy", "silence", "storm"),
        "reasons",
        "alerts",
        "said",
        ("labels", "link"),
        "id",
    )
    readonly_fields = ("id", "state_label", "told_by", "reasons", "alerts", "said")
    actions = ("acknowledge_chosen", "resolve_chosen")

    @display(description="State", label=COLOURS)
    def state_label(self, group: AlertGroup) -> str:
        return group.get_state_display()

    @display(description="Told by")
    def told_by(self, group: AlertGroup) -> str:
        process = group.process
        if process is None:
            return "–"
        name = f"{process.process_id} ({process.get_state_display().lower()})"
        return link("escalation_escalationprocess", process.pk, name)

    @display(description="Why")
    def reasons(self, group: AlertGroup) -> str:
        return listed((each,) for each in group.why)

    @display(description="Alerts")
    def alerts(self, group: AlertGroup) -> str:
        rows = (
            (
                f"{each.title} ({each.key})",
                each.occurrences,
                f"over at {each.ended_at:%Y-%m-%d %H:%M:%S} UTC" if each.ended_at else "firing",
            )
            for each in selectors.alerts_of(group)
        )
        return listed(rows, line="{}: {} times, {}")

    @display(description="What was said, newest first")
    def said(self, group: AlertGroup) -> str:
        rows = (
            (
                f"{each.received_at:%Y-%m-%d %H:%M:%S} UTC: {each.get_act_display()} {each.key}",
                f" by {each.by}" if each.by else "",
                f": {each.details[:300]}" if each.details else "",
            )
            for each in selectors.said_of(group)
        )
        return listed(rows, line="{}{}{}")

    @admin.action(description="Acknowledge")
    def acknowledge_chosen(self, request: HttpRequest, queryset: QuerySet[AlertGroup]) -> None:
        self._each(request, queryset, ending.group_acknowledge, "acknowledged")

    @admin.action(description="Resolve")
    def resolve_chosen(self, request: HttpRequest, queryset: QuerySet[AlertGroup]) -> None:
        self._each(request, queryset, ending.group_resolve, "resolved")

    def _each(
        self, request: HttpRequest, queryset: QuerySet[AlertGroup], work: Callable[..., bool], done: str
    ) -> None:
        by, now = str(request.user), clock.now()
        count = sum(work(group=group, by=by, via="admin", now=now) for group in queryset)
        messages.success(request, f"{count} {done}.")


@admin.register(Silence)
class SilenceAdmin(DeletesEach, StaffViews, ModelAdmin):
    """Made here or through the API, and cancelled; not changed, so that it stays known what held when."""

    fields = (
        "reason",
        "matchers",
        "starts_at",
        "ends_at",
        ("rule", "time_zone"),
        ("created_by", "cancelled_at"),
    )
    readonly_fields = ("created_by", "cancelled_at")
    list_display = ("reason", "starts_at", "ends_at", "rule", "created_by", "cancelled_at")
    list_select_related = ("created_by",)
    list_filter = ("starts_at",)
    search_fields = ("reason",)
    actions = ("cancel_chosen",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Silence, form: Any, change: bool) -> None:
        by = request.user if isinstance(request.user, User) else None
        given = {name: form.cleaned_data[name] for name in form.fields}
        made = silencing.silence_create(**given, by=by, now=clock.now())
        obj.pk, obj._state.adding = made.pk, False

    def delete_model(self, request: HttpRequest, obj: Silence) -> None:
        silencing.silence_cancel(silence=obj, now=clock.now())
        obj.delete()

    @admin.action(description="Cancel", permissions=["delete"])
    def cancel_chosen(self, request: HttpRequest, queryset: QuerySet[Silence]) -> None:
        for silence in queryset:
            silencing.silence_cancel(silence=silence, now=clock.now())
        messages.success(request, f"{len(queryset)} cancelled.")
