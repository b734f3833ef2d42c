"""Evenings, and the rules that make them."""

from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.db import connection
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget

from accounts.admin import StaffViews
from config import clock
from config.zones import local_time
from dating import meetings
from dating.meetings import jitsi
from dating.meetings.registry import LABELS
from dating.models import Event, LogEntry, RecurringRule
from dating.services.events import events_apart
from dating.services.locking import event_lock
from dating.services.moving import MOVABLE, event_move, places_set
from dating.services.places import WITH_PLACE
from notifications.admin.base import NeverEdited

_DECISIONS: Final = (
    ("title", "organiser"),
    ("time_zone", "provider"),
    ("two_pools", "users_limit"),
    ("places", "max_rounds"),
    ("round_s", "break_s"),
    ("confirm_before_s", "close_before_s", "rules_before_s"),
)
#: What can be changed once people may have registered; all else its plan depends on. Its time only as long
#: as there is no plan.
_CHANGEABLE: Final = frozenset({"title", "organiser", "places"})


class _SettingsForm(forms.ModelForm):
    """Offers the meeting providers that there are; one that is in use stays."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "provider" in self.fields:
            offered = {*meetings.offered(), self.instance.provider}
            choices = [(name, LABELS.get(name, name)) for name in sorted(offered)]
            help_text = "Where the calls take place."
            if jitsi.is_public():
                help_text += " JITSI_BASE_URL is the public Jitsi Meet: it requires a log-in."
            self.fields["provider"] = forms.ChoiceField(
                choices=choices, widget=UnfoldAdminSelectWidget, help_text=help_text
            )


class EventForm(_SettingsForm):
    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if late := [name for name in ("starts_at", *sorted(_CHANGEABLE)) if self._is_too_late(name)]:
            names = ", ".join(name.replace("_", " ") for name in late)
            raise forms.ValidationError(f"It is now too late to change: {names}. Nothing was saved.")
        if "starts_at" not in self.changed_data or not cleaned.get("starts_at"):
            return cleaned
        self.instance.starts_at = cleaned["starts_at"]
        if self.instance.number is None:
            self.instance.close_before_s = cleaned.get("close_before_s") or 0
        if self.instance.close_at <= clock.now():
            self.add_error("starts_at", "Registration would already be closed: choose a later start.")
        return cleaned

    def _is_too_late(self, name: str) -> bool:
        """Whether this was changed on a form that was opened while it could be, and can't be any more."""
        if name in self.fields:
            return False
        if name == "starts_at":
            given = [self.data.get(f"{name}_{part}") for part in (0, 1)]
            return None not in given and forms.SplitDateTimeField().has_changed(
                self.instance.starts_at, given
            )
        text, has = self.data.get(name), self.instance.serializable_value(name)
        return text is not None and text.strip() != str("" if has is None else has)


class LogInline(NeverEdited, StaffViews, TabularInline):
    model = LogEntry
    fields = ("what", "round_number", "due_at", "done_at")
    per_page = 50
    extra = 0


@admin.register(Event)
class EventAdmin(StaffViews, ModelAdmin):
    form = EventForm
    list_display = ("title", "starts_at", "step", "people", "number", "run_sheet")
    list_filter = ("step", "starts_at")
    search_fields = ("title",)
    ordering = ("-starts_at",)
    autocomplete_fields = ("organiser",)
    inlines = (LogInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        held = Count("registrations", filter=Q(registrations__state__in=WITH_PLACE))
        return super().get_queryset(request).annotate(people_count=held)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Event | None:
        found = super().get_object(request, object_id, from_field)
        if found is not None and request.method == "POST" and connection.in_atomic_block:
            # What the form may change is decided by the step, which nobody takes until it is saved.
            event_lock(found.pk)
            found.refresh_from_db()
        return found

    def get_fields(self, request: HttpRequest, obj: Event | None = None) -> Any:
        decisions = (*_DECISIONS[:1], "starts_at", *_DECISIONS[1:])
        return (*decisions, ("step", "deadline_at"), "run_sheet") if obj else decisions

    def get_readonly_fields(self, request: HttpRequest, obj: Event | None = None) -> Any:
        if obj is None:
            return ()
        names = {name for row in _DECISIONS for name in row} - _CHANGEABLE
        if obj.is_over:
            names |= _CHANGEABLE
        time = () if obj.step in MOVABLE else ("starts_at",)
        return (*time, *sorted(names), "step", "deadline_at", "run_sheet")

    def save_model(self, request: HttpRequest, obj: Event, form: Any, change: bool) -> None:
        if not change:
            super().save_model(request, obj, form, change)
            return
        now = clock.now()
        if "organiser" in form.changed_data:
            obj.save(update_fields=["organiser"])
        event_move(event=obj, starts_at=obj.starts_at, title=obj.title, now=now)
        if "places" in form.changed_data:
            places_set(event=obj, places=obj.places, now=now)

    def get_inlines(self, request: HttpRequest, obj: Event | None) -> Any:
        return self.inlines if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Event | None = None) -> bool:
        # People have been told of it: it is called off on its run-sheet, and stays.
        return False

    @display(description="People", ordering="people_count")
    def people(self, event: Event) -> int:
        return int(event.people_count)  # type: ignore[attr-defined]

    @display(description="Run-sheet")
    def run_sheet(self, event: Event) -> SafeString:
        url = reverse("dating:runsheet", args=[event.pk])
        return format_html('<a class="underline" href="{}">Run-sheet</a>', url)


@admin.register(RecurringRule)
class RecurringRuleAdmin(StaffViews, ModelAdmin):
    form = _SettingsForm
    list_display = ("title", "rrule", "at", "time_zone", "days_ahead", "is_active")
    list_filter = ("is_active",)
    search_fields = ("title",)
    autocomplete_fields = ("organiser",)
    fields = (("rrule", "at"), "starts_on", ("days_ahead", "is_active"), *_DECISIONS)

    def save_model(self, request: HttpRequest, obj: RecurringRule, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and (apart := events_apart(rule=obj, now=clock.now())):
            times = ", ".join(local_time(event.starts_at, event.time_zone) for event in apart)
            self.message_user(
                request,
                f"People have registered for these evenings, which stay as they are: {times}. "
                "You can move them one by one, or end them from their run-sheets.",
                messages.WARNING,
            )
