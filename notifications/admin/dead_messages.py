"""Messages of brokers that could not take effect, and starting them again."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from notifications.admin.base import NotesReadings, ReadOnlyAdmin
from notifications.brokers import dead_letters
from notifications.disclosure import dead_messages_read
from notifications.models import DeadMessage

STATE_COLOURS = {"Dead letter": "danger", "Replayed": "success", "Discarded": "default"}
SHOWN_CHARACTERS = 20_000


@admin.register(DeadMessage)
class DeadMessageAdmin(NotesReadings, ReadOnlyAdmin):
    list_display = ("source", "state_label", "reason", "routing_key", "attempts", "created_at")
    list_filter = ("state", "source", "created_at")
    ordering = ("-id",)
    fields = (
        ("source", "state_label", "routing_key"),
        "reason",
        "text",
        "headers",
        ("size", "message_id", "group"),
        ("attempts", "replays"),
        ("sent_at", "delivered_at", "created_at", "ended_at"),
        "id",
    )
    readonly_fields = ("id", "text", "state_label", "created_at")
    actions = ("replay_chosen", "discard_chosen")

    def note_reading(self, request: HttpRequest, rows: list[Any]) -> None:
        dead_messages_read(rows, user=request.user)

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeadMessage]:
        found = super().get_queryset(request)
        # Bodies are shown on a message's own page only.
        is_page = request.resolver_match is not None and "object_id" in request.resolver_match.kwargs
        return found if is_page else found.defer("body", "wire_headers")

    @display(description="State", label=STATE_COLOURS)
    def state_label(self, dead: DeadMessage) -> str:
        return dead.get_state_display()

    @display(description="Body")
    def text(self, dead: DeadMessage) -> str:
        return bytes(dead.body).decode(errors="replace")[:SHOWN_CHARACTERS]

    @admin.action(description="Replay dead letters")
    def replay_chosen(self, request: HttpRequest, queryset: QuerySet[DeadMessage]) -> None:
        replayed, failed = dead_letters.dead_messages_replay(queryset)
        messages.success(request, f"{replayed} took effect.")
        if failed:
            messages.warning(request, f"{failed} failed again; open each to see why.")
        left = queryset.filter(state=DeadMessage.State.DEAD)
        if cut := left.filter(is_cut=True).count():
            messages.warning(request, f"{cut} can't be replayed: they were too large to keep whole.")
        if (more := left.filter(is_cut=False).count() - failed) > 0:
            messages.warning(request, f"Not replayed yet: {more}. Replay them too.")

    @admin.action(description="Discard dead letters")
    def discard_chosen(self, request: HttpRequest, queryset: QuerySet[DeadMessage]) -> None:
        messages.success(request, f"{dead_letters.dead_messages_discard(queryset)} discarded.")
