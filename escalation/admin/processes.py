"""Escalations under way and ended: what was told by each, and stopping or acknowledging them."""

from typing import Final

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.decorators import display

from config import clock
from escalation import selectors
from escalation.admin.base import listed
from escalation.models import EscalationProcess
from escalation.services import process_acknowledge, process_stop
from notifications.admin.base import ReadOnlyAdmin
from notifications.admin.deliveries import link
from notifications.explanations import explain

COLOURS: Final = {
    "Active": "danger", "Stopped": "default", "Acknowledged": "success", "Unanswered": "danger",
    "Reached nobody": "danger", "Finished": "warning",
}  # fmt: skip
SHOWN: Final = 200


@admin.register(EscalationProcess)
class EscalationProcessAdmin(ReadOnlyAdmin):
    list_display = ("process_id", "state_label", "started_at", "ended_at", "ended_by", "policy_version")
    list_filter = ("state", "started_at")
    list_select_related = ("policy_version__policy",)
    search_fields = ("process_id",)
    search_help_text = "A process id, or the id of one run."
    ordering = ("-started_at", "-id")
    fields = (
        ("process_id", "state_label", "policy_version"),
        ("started_at", "started_by", "started_by_person"),
        ("ended_at", "ended_by", "ended_via"),
        ("acknowledged_at", "resume_at", "silent_at"),
        ("severity", "details"),
        ("round", "next_round_at", "last_resort_at"),
        "history",
        "id",
    )
    readonly_fields = (
        "id",
        "state_label",
        "started_by",
        "started_by_person",
        "silent_at",
        "round",
        "next_round_at",
        "last_resort_at",
        "history",
    )
    actions = ("stop_chosen", "acknowledge_chosen")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[EscalationProcess], search_term: str
    ) -> tuple[QuerySet[EscalationProcess], bool]:
        term = search_term.strip()
        return (selectors.runs_of(queryset, term) if term else queryset), False

    @display(description="State", label=COLOURS)
    def state_label(self, process: EscalationProcess) -> str:
        return process.get_state_display()

    @display(description="Messages")
    def history(self, process: EscalationProcess) -> SafeString:
        # Staff see all, and nobody else gets here.
        deliveries = selectors.deliveries_of(process).select_related("user", "contact_point")
        rows = (
            (
                f"{row.due_at:%Y-%m-%d %H:%M:%S}",
                link("notifications_delivery", row.pk, row.channel),
                explain(row),
            )
            for row in deliveries.order_by("due_at", "pk")[:SHOWN]
        )
        return listed(rows, line="{} UTC — {}: {}")

    @admin.action(description="Stop")
    def stop_chosen(self, request: HttpRequest, queryset: QuerySet[EscalationProcess]) -> None:
        by, now = str(request.user), clock.now()
        stopped = [
            process_stop(process_id=each.process_id, by=by, via="admin", now=now, run=each.pk)
            for each in queryset
        ]
        messages.success(request, f"{len(stopped) - stopped.count(None)} stopped.")

    @admin.action(description="Acknowledge")
    def acknowledge_chosen(self, request: HttpRequest, queryset: QuerySet[EscalationProcess]) -> None:
        by, now = str(request.user), clock.now()
        count = sum(process_acknowledge(process=each, by=by, via="admin", now=now) for each in queryset)
        messages.success(request, f"{count} acknowledged.")
