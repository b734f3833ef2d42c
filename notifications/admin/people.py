"""A person's page: how and how much they want to be told, and what they were or were not told and why."""

from typing import Any, Final

from django.contrib import admin
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from unfold.admin import StackedInline, TabularInline
from unfold.decorators import display

from accounts.admin import StaffViews, UserAdmin
from accounts.models import User
from notifications.admin.base import NeverEdited
from notifications.admin.contact_points import shown_address
from notifications.explanations import explain
from notifications.models import ContactPoint, Delivery, Preference, Subscription
from notifications.services.preferences import held_stop

NEWEST: Final = 100

# accounts knows nothing of what people are told: its page is replaced by one that does.
admin.site.unregister(User)


class PreferenceInline(StaffViews, StackedInline):
    model = Preference
    fields = ("level", ("quiet_from", "quiet_until", "digest"))


class SubscriptionInline(StaffViews, TabularInline):
    model = Subscription
    extra = 0
    fields = ("channel", "kind", "is_enabled")


class ContactPointInline(NeverEdited, StaffViews, TabularInline):
    model = ContactPoint
    extra = 0
    fields = ("channel", "where", "label", "is_enabled", "confirmed_at", "created_at", "deleted_at")
    readonly_fields = fields
    ordering = ("-created_at",)
    show_change_link = True

    @display(description="Address", empty_value="—")
    def where(self, contact_point: ContactPoint) -> str:
        return shown_address(contact_point)


@admin.register(User)
class PersonAdmin(UserAdmin):
    inlines = (PreferenceInline, SubscriptionInline, ContactPointInline, *UserAdmin.inlines)
    readonly_fields = (*UserAdmin.readonly_fields, "told")
    fieldsets = (
        UserAdmin.fieldsets[0],
        ("Deliveries, and why", {"fields": ("told",)}),
        *UserAdmin.fieldsets[1:],
    )

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if change:
            held_stop(user=form.instance)

    @display(description="")
    def told(self, user: User) -> SafeString:
        newest = (
            Delivery.objects.filter(user=user)
            .select_related("notification", "outgoing")
            .order_by("-id")[: NEWEST + 1]
        )
        rows = [{"delivery": delivery, "why": explain(delivery)} for delivery in newest]
        context = {"rows": rows[:NEWEST], "user": user, "more": len(rows) > NEWEST}
        return render_to_string("notifications/admin/told.html", context)
