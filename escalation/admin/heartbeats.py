"""Heartbeats for the operators, with where they are pinged and what they last reported."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display

from accounts.admin import StaffViews
from config import clock
from escalation.admin.base import DeletesEach
from escalation.heartbeats import badges, changing, links
from escalation.models import Heartbeat, HeartbeatPing, PingKey


class PingInline(StaffViews, TabularInline):
    model = HeartbeatPing
    extra = 0
    can_delete = False
    per_page = 20
    verbose_name_plural = "Last pings (times in UTC)"
    fields = ("at", "kind", "exit_status", "duration_s", "body")
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Heartbeat)
class HeartbeatAdmin(DeletesEach, StaffViews, ModelAdmin):
    fields = (
        "name", "slug", "shop", "policy", "severity", "tags", ("period_s", "grace_s"), ("cron", "time_zone"),
        "shown_state", ("last_ping_at", "expected_at", "due_at"), "ping_url", "slug_url", "badge",
    )  # fmt: skip
    readonly_fields = (
        "shown_state", "last_ping_at", "expected_at", "due_at", "ping_url", "slug_url", "badge",
    )  # fmt: skip
    list_display = ("name", "shop", "policy", "shown_state", "last_ping_at", "expected_at")
    list_filter = ("state",)
    search_fields = ("name", "slug")
    autocomplete_fields = ("shop",)
    inlines = (PingInline,)
    actions = ("pause",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Heartbeat]:
        return super().get_queryset(request).select_related("shop", "policy")

    @display(description="State")
    def shown_state(self, heartbeat: Heartbeat) -> str:
        return heartbeat.state_at(clock.now())

    @display(description="Ping address")
    def ping_url(self, heartbeat: Heartbeat) -> str:
        return "–" if heartbeat._state.adding else links.url_of(heartbeat)

    @display(description="By key and slug")
    def slug_url(self, heartbeat: Heartbeat) -> str:
        if heartbeat._state.adding:
            return "–"
        return links.slug_url_of(heartbeat, links.keys_of([heartbeat])[heartbeat.shop_id])

    @display(description="Badge")
    def badge(self, heartbeat: Heartbeat) -> str:
        if heartbeat._state.adding:
            return "–"
        url = f"{badges.url_of('heartbeat', str(heartbeat.pk))}.svg"
        return format_html('<a class="break-all underline" href="{}">{}</a>', url, url)

    @admin.action(description="Pause until the next ping", permissions=["change"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Heartbeat]) -> None:
        for heartbeat in queryset:
            changing.heartbeat_pause(heartbeat=heartbeat, now=clock.now())

    def save_model(self, request: HttpRequest, obj: Heartbeat, form: Any, change: bool) -> None:
        if not change:
            obj.save()
            return
        # What the form has, and no more: it may have been pinged meanwhile.
        changed = {name: getattr(obj, name) for name in form.changed_data}
        changing.heartbeat_update(heartbeat=obj, **changed)

    def delete_model(self, request: HttpRequest, obj: Heartbeat) -> None:
        changing.heartbeat_remove(heartbeat=obj, now=clock.now())


@admin.register(PingKey)
class PingKeyAdmin(StaffViews, ModelAdmin):
    """To delete one is to end it: the next that is asked for is new."""

    fields = ("shop", "key", "created_at")
    readonly_fields = fields
    list_display = ("__str__", "created_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
