"""Alerts and notifications, with what became of them."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from notifications import selectors, withheld
from notifications.admin.base import NotesReadings, ReadOnlyAdmin
from notifications.disclosure import notices_read
from notifications.models import Alert, Delivery, Notification


def counts_table(deliveries: QuerySet[Delivery], search: str) -> SafeString:
    rows = selectors.deliveries_by_status(deliveries)
    found = f"{reverse('admin:notifications_delivery_changelist')}?q={search}"
    return render_to_string("notifications/admin/counts.html", {"rows": rows, "deliveries_url": found})


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    list_display = (
        "label_display", "shop", "location", "time_spotted", "received_at", "is_grouped", "alert_uuid",
    )  # fmt: skip
    list_select_related = ("shop",)
    list_filter = ("label", "received_at")
    search_fields = ("alert_uuid__exact", "shop__name", "shop__slug")
    search_help_text = "The id of an alert, or a shop."
    ordering = ("-received_at",)
    fields = (
        ("label_display", "severity"),
        ("shop", "location"),
        ("time_spotted", "received_at", "fanned_out_at"),
        ("clip", "received_from", "alert_uuid"),
        "group",
        "deliveries",
    )
    readonly_fields = ("label_display", "severity", "clip", "group", "deliveries")

    @display(description="Label", label={"Theft": "danger", "Suspicious": "warning", "Normal": "info"})
    def label_display(self, alert: Alert) -> str:
        return alert.get_label_display()

    @display(description="Clip")
    def clip(self, alert: Alert) -> SafeString:
        return format_html('<a class="underline" href="{0}" rel="noopener noreferrer">{0}</a>', alert.url)

    @display(description="Grouped", boolean=True)
    def is_grouped(self, alert: Alert) -> bool:
        return alert.is_grouped

    @display(description="Group")
    def group(self, alert: Alert) -> str:
        if alert.grouped_with is None:
            return "–"
        if not alert.is_grouped:
            return f"The first of {selectors.group_size(alert)}: people were told of this one."
        url = reverse("admin:notifications_alert_change", args=[alert.grouped_with])
        return format_html(
            '<a class="underline" href="{}">Grouped with {}</a>, of which people were told.',
            url,
            alert.grouped_with,
        )

    @display(description="Deliveries")
    def deliveries(self, alert: Alert) -> SafeString:
        return counts_table(selectors.of_alert(Delivery.objects.all(), alert.pk), str(alert.pk))


@admin.register(Notification)
class NotificationAdmin(NotesReadings, ReadOnlyAdmin):
    list_display = ("title", "kind", "severity", "created_at")
    list_filter = ("severity", "created_at")
    search_fields = ("source_id__exact",)
    search_help_text = "The id of what it is about."
    ordering = ("-created_at",)
    fields = (
        "title",
        "text",
        ("kind", "severity"),
        ("source_type", "source_id"),
        "values",
        "created_at",
        "deliveries",
    )
    readonly_fields = ("text", "values", "deliveries")

    def note_reading(self, request: HttpRequest, rows: list[Any]) -> None:
        notices_read(rows, user=request.user)

    @display(description="Body")
    def text(self, notification: Notification) -> str:
        return str(withheld.shown(notification.body))

    @display(description="Data")
    def values(self, notification: Notification) -> str:
        return json.dumps(withheld.shown(notification.data), ensure_ascii=False)

    @display(description="Deliveries")
    def deliveries(self, notification: Notification) -> SafeString:
        return counts_table(Delivery.objects.filter(notification=notification), notification.source_id)
