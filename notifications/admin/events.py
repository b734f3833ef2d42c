"""Events, what their handlers made of them, and starting dead letters again."""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.admin import TabularInline
from unfold.decorators import display

from accounts.admin import StaffViews
from notifications.admin.base import ByValue, NeverEdited, ReadOnlyAdmin
from notifications.admin.deliveries import link
from notifications.events import registry, selectors, topics
from notifications.events.replay import dead_letters_replay, event_replay
from notifications.models import Event, HandlerRun

SEARCH_HELP: Final = "The id of an event, or a routing key; * stands for one word, # for any number."
RUN_COLOURS: Final = {"Pending": "info", "Done": "success", "Dead letter": "danger"}


def events_found(term: str) -> QuerySet[Event] | None:
    """Return the events of an id, or of the routing keys that match; None where nothing is asked for."""
    term, events = term.strip(), Event.objects.order_by()
    if not term:
        return None
    try:
        return events.filter(pk=UUID(term))
    except ValueError:
        return selectors.of_keys(events, term) if topics.is_pattern(term) else events.none()


class HandlerFilter(ByValue):
    title = parameter_name = "handler"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(name, name) for name in registry.names()]


class RunInline(NeverEdited, StaffViews, TabularInline):
    model = HandlerRun
    extra = 0
    fields = ("handler", "status", "attempts", "replays", "error", "due_at", "finished_at")
    readonly_fields = fields
    ordering = ("handler",)
    verbose_name_plural = "Handlers and their results"
    show_change_link = True


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("routing_key", "source", "is_known", "occurred_at", "created_at", "id")
    list_filter = ("is_known", "created_at")
    search_fields = ("pk",)
    search_help_text = SEARCH_HELP
    ordering = ("-created_at", "-id")
    fields = (
        ("routing_key", "source", "is_known"),
        ("occurred_at", "created_at", "published_by"),
        "payload",
        "id",
    )
    readonly_fields = ("id", "created_at", "published_by")
    inlines = (RunInline,)
    actions = ("replay_chosen",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Event], search_term: str
    ) -> tuple[QuerySet[Event], bool]:
        found = events_found(search_term)
        return (queryset if found is None else queryset.filter(pk__in=found)), False

    @admin.action(description="Replay dead letters and run new handlers")
    def replay_chosen(self, request: HttpRequest, queryset: QuerySet[Event]) -> None:
        count = sum(event_replay(event_id=pk) for pk in queryset.values_list("pk", flat=True))
        messages.success(request, f"{count} will run now.")


@admin.register(HandlerRun)
class HandlerRunAdmin(ReadOnlyAdmin):
    list_display = ("handler", "event_link", "status_label", "attempts", "error", "due_at", "finished_at")
    list_filter = ("status", HandlerFilter, "created_at")
    list_select_related = ("event",)
    search_fields = ("pk",)
    search_help_text = SEARCH_HELP
    ordering = ("-id",)
    fields = (
        ("handler", "event_link", "status_label"),
        "error",
        ("attempts", "replays"),
        ("due_at", "created_at", "finished_at"),
        "id",
    )
    readonly_fields = ("id", "event_link", "status_label", "created_at")
    actions = ("replay_chosen",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[HandlerRun], search_term: str
    ) -> tuple[QuerySet[HandlerRun], bool]:
        found = events_found(search_term)
        return (queryset if found is None else queryset.filter(event__in=found)), False

    @display(description="Event")
    def event_link(self, run: HandlerRun) -> SafeString:
        return link("notifications_event", run.event_id, run.event.routing_key)

    @display(description="Status", label=RUN_COLOURS)
    def status_label(self, run: HandlerRun) -> str:
        return run.get_status_display()

    @admin.action(description="Replay dead letters")
    def replay_chosen(self, request: HttpRequest, queryset: QuerySet[HandlerRun]) -> None:
        messages.success(request, f"{dead_letters_replay(queryset)} will run now.")
