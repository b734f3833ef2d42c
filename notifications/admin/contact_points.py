"""Contact points: where people want to be told."""

from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.decorators import display

from accounts.admin import ActsOnPeople, SavesChanges, StaffViews
from accounts.models import User
from accounts.ranks import people_below
from config import clock
from config.rest.exceptions import Conflict, TooMany
from notifications.channels import registry
from notifications.engine import quiet_deliveries
from notifications.models import ContactPoint
from notifications.services.confirmations import contact_point_admit, contact_point_vouch
from notifications.services.contact_points import contact_point_remove
from notifications.services.delivery_actions import contact_point_try

#: Test messages that one action sends.
TESTS_MOST: Final = 20
CHOICES = [(name, name) for name, channel in sorted(registry.CHANNELS.items()) if channel.for_contacts]


def shown_address(contact_point: ContactPoint) -> str:
    """Return the address as the staff may see it."""
    if contact_point.address_is_erased:
        return "erased"
    return registry.shown(contact_point.channel, contact_point.address)


class ContactPointForm(forms.ModelForm):
    channel = forms.ChoiceField(choices=CHOICES)
    vouch = forms.BooleanField(
        required=False,
        label="I vouch for it",
        help_text="They can read what is sent there and don't need a code.",
    )

    class Meta:
        model = ContactPoint
        fields = ("user", "channel", "address", "label", "is_enabled", "batch", "linger_ms", "batch_format")


@admin.register(ContactPoint)
class ContactPointAdmin(StaffViews, ActsOnPeople, SavesChanges, ModelAdmin):
    form = ContactPointForm
    list_display = ("user", "channel", "where", "label", "state", "confirmed_at", "created_at")
    list_select_related = ("user",)
    list_filter = (
        "is_enabled",
        ("confirmed_at", admin.EmptyFieldListFilter),
        ("deleted_at", admin.EmptyFieldListFilter),
    )
    search_fields = ("user__email", "address")
    autocomplete_fields = ("user",)
    ordering = ("-created_at",)
    show_full_result_count = False
    fields = (
        ("user", "channel"),
        ("address", "vouch"),
        ("label", "is_enabled"),
        ("batch", "linger_ms", "batch_format"),
        ("confirmed_at", "is_vouched"),
        ("lane", "created_at", "deleted_at"),
    )
    readonly_fields = ("lane", "confirmed_at", "is_vouched", "created_at", "deleted_at")
    actions = ("test_send", "vouch_for", "remove")

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        # Removed ones stay, marked, so that their history does; see the action.
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: ContactPoint | None = None) -> Any:
        return (*self.readonly_fields, "user", "channel", "where") if obj else self.readonly_fields

    def get_fields(self, request: HttpRequest, obj: ContactPoint | None = None) -> Any:
        is_secret = obj is not None and registry.sendable(obj.channel).address_is_secret
        return [("where", "vouch") if is_secret and "address" in each else each for each in self.fields]

    @display(description="Address", empty_value="—", ordering="address")
    def where(self, contact_point: ContactPoint) -> str:
        return shown_address(contact_point)

    @display(
        description="State",
        label={"on": "success", "off": "warning", "not confirmed": "warning", "removed": "danger"},
    )
    def state(self, contact_point: ContactPoint) -> str:
        if contact_point.deleted_at:
            return "removed"
        if contact_point.confirmed_at is None:
            return "not confirmed"
        return "on" if contact_point.is_enabled else "off"

    def save_model(
        self, request: HttpRequest, obj: ContactPoint, form: ContactPointForm, change: bool
    ) -> None:
        with transaction.atomic():
            super().save_model(request, obj, form, change)
            if form.cleaned_data["vouch"]:
                contact_point_vouch(contact_point=obj, now=clock.now())
            elif obj.confirmed_at is None and "address" in form.changed_data:
                # Have it confirmed; where no code can be sent now, its owner can ask for one later.
                try:
                    contact_point_admit(contact_point=obj, vouched=False, now=clock.now())
                except (Conflict, TooMany) as error:
                    messages.warning(request, f"It is not confirmed, and we couldn't send a code. {error}")
            if {"address", "is_enabled"}.intersection(form.changed_data):
                quiet_deliveries.follow(obj)

    def _theirs_to_change(
        self, request: HttpRequest, queryset: QuerySet[ContactPoint]
    ) -> QuerySet[ContactPoint]:
        by: User = request.user  # type: ignore[assignment]
        return queryset.filter(deleted_at=None, user__in=people_below(by))

    @admin.action(description="Vouch for the address", permissions=["change"])
    def vouch_for(self, request: HttpRequest, queryset: QuerySet[ContactPoint]) -> None:
        chosen = list(self._theirs_to_change(request, queryset).filter(confirmed_at=None))
        count = sum(contact_point_vouch(contact_point=each, now=clock.now()) for each in chosen)
        messages.success(request, f"{count} confirmed.")

    @admin.action(description="Send a test message", permissions=["change"])
    def test_send(self, request: HttpRequest, queryset: QuerySet[ContactPoint]) -> None:
        chosen = list(self._theirs_to_change(request, queryset).filter(confirmed_at__isnull=False))
        for contact_point in chosen[:TESTS_MOST]:
            contact_point_try(contact_point=contact_point, by=request.user, via="admin")
        sent, left = len(chosen[:TESTS_MOST]), len(chosen[TESTS_MOST:])
        messages.success(request, f"{sent} test messages are on their way; see the deliveries.")
        if left:
            messages.warning(request, f"Left out: {left} more. At most {TESTS_MOST} are sent at once.")
        if queryset.filter(deleted_at=None, confirmed_at=None).exists():
            messages.warning(request, "Only confirmed contact points get a test message.")

    @admin.action(description="Remove, but keep their history", permissions=["change"])
    def remove(self, request: HttpRequest, queryset: QuerySet[ContactPoint]) -> None:
        chosen = list(self._theirs_to_change(request, queryset))
        for contact_point in chosen:
            contact_point_remove(contact_point=contact_point)
        messages.success(request, f"{len(chosen)} removed.")
