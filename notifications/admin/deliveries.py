"""Deliveries: each with its attempts, why it is as it is, and buttons to start it again or stop it."""

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin import SimpleListFilter
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.decorators import display

from accounts.models import User
from notifications import selectors
from notifications.admin.base import STATUS_COLOURS, ReadOnlyAdmin
from notifications.channels import registry
from notifications.engine import replay
from notifications.explanations import CANCELLED, FAILED, SUPPRESSED, explain
from notifications.models import Delivery, Notification

STOPPABLE = (Delivery.Status.PENDING, Delivery.Status.SENDING)
CANCEL_REASON = "cancelled_by_operator"


class ChannelFilter(SimpleListFilter):
    """Django's own filter would ask the whole table for the channels that there are."""

    title = parameter_name = "channel"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(name, name) for name in sorted(registry.CHANNELS)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        return queryset.filter(channel=self.value()) if self.value() else queryset


class ReasonFilter(SimpleListFilter):
    title = parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        reasons = [*SUPPRESSED, *FAILED, *CANCELLED, "too_old", "retry", "too_fast"]
        return [(reason, reason.replace("_", " ")) for reason in sorted(reasons)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        return queryset.filter(reason=self.value()) if self.value() else queryset


def moment(field: str, title: str) -> Callable[[Any, Delivery], str]:
    """A time to the second, in UTC: the admin's own form has minutes only."""

    @display(description=title, empty_value="—")
    def shown(admin_page: Any, delivery: Delivery) -> str:
        at = getattr(delivery, field)
        return f"{at:%Y-%m-%d %H:%M:%S}" if at else ""

    return shown


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    list_display = ("title", "person", "channel", "status_label", "explanation", "attempts", "created")
    list_filter = ("status", ChannelFilter, ReasonFilter, "created_at")
    search_fields = ("pk",)
    search_help_text = "A person's email, or the id of an alert, a person or a delivery."
    ordering = ("-id",)
    actions = ("replay_chosen", "cancel_chosen")
    change_form_outer_before_template = "notifications/admin/delivery_buttons.html"
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "explanation",
                    ("status_label", "reason"),
                    ("person", "what"),
                    ("channel", "address"),
                )
            },
        ),
        ("Attempts", {"fields": ("attempt_table",)}),
        (
            "The engine's view",
            {
                "fields": (
                    ("created", "due", "expires"),
                    ("sent", "read", "leased_until"),
                    ("attempts", "failures", "replays", "lost_leases"),
                    ("lane", "revocable"),
                    "id",
                )
            },
        ),
    )
    readonly_fields = (
        "explanation", "status_label", "person", "what", "attempt_table",
        "created", "due", "expires", "sent", "read", "leased_until",
    )  # fmt: skip
    created = moment("created_at", "Created")
    due = moment("due_at", "Due")
    expires = moment("expires_at", "Expires")
    sent = moment("sent_at", "Sent")
    read = moment("read_at", "Read")
    leased_until = moment("lease_until", "Leased until")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        return selectors.deliveries_visible_to(request.user).order_by("-id")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Delivery], search_term: str
    ) -> tuple[QuerySet[Delivery], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            found = UUID(term)
        except ValueError:
            return queryset.filter(user__in=User.objects.filter(email__icontains=term)), False
        of_alert = Notification.objects.filter(source_type="alert", source_id=str(found))
        return queryset.filter(Q(notification__in=of_alert) | Q(user=found) | Q(pk=found)), False

    @display(description="What", ordering="-id")
    def title(self, delivery: Delivery) -> str:
        return delivery.notification.title

    @display(description="Person", empty_value="—")
    def person(self, delivery: Delivery) -> SafeString | None:
        user = delivery.user
        return link("accounts_user", user.pk, str(user)) if user else None

    @display(description="What")
    def what(self, delivery: Delivery) -> SafeString | str:
        told = delivery.notification
        page = {"alert": "notifications_alert", "contact_point": "notifications_contactpoint"}.get(
            told.source_type
        )
        return link(page, told.source_id, told.title) if page else told.title

    @display(description="Status", label=STATUS_COLOURS)
    def status_label(self, delivery: Delivery) -> str:
        return delivery.get_status_display()

    @display(description="Why")
    def explanation(self, delivery: Delivery) -> str:
        return explain(delivery)

    @display(description="")
    def attempt_table(self, delivery: Delivery) -> SafeString:
        attempts = delivery.attempt_set.order_by("number")
        return render_to_string("notifications/admin/attempts.html", {"attempts": attempts})

    @admin.action(description="Replay what failed or expired")
    def replay_chosen(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        messages.success(request, f"{replay.replay(queryset)} will be tried again now.")

    @admin.action(description="Cancel what has not been sent")
    def cancel_chosen(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        messages.success(
            request, f"{replay.cancel(queryset, reason=CANCEL_REASON)} stopped before they began."
        )

    def get_urls(self) -> list[URLPattern]:
        def post(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
            return self.admin_site.admin_view(require_POST(view))

        return [
            path("<uuid:pk>/replay/", post(self.replay_one), name="notifications_delivery_replay"),
            path("<uuid:pk>/cancel/", post(self.cancel_one), name="notifications_delivery_cancel"),
            *super().get_urls(),
        ]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        chosen = Delivery.objects.filter(pk=_uuid(object_id)) if object_id else Delivery.objects.none()
        buttons = {
            "can_replay": replay.replayable(chosen).exists(),
            "can_cancel": chosen.filter(status__in=STOPPABLE).exists(),
        }
        return super().changeform_view(request, object_id, form_url, {**(extra_context or {}), **buttons})

    def replay_one(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        get_object_or_404(Delivery, pk=pk)
        if replay.replay(Delivery.objects.filter(pk=pk)):
            messages.success(request, "It is tried again now.")
        else:
            left_out = replay.left_out(Delivery.objects.filter(pk=pk))
            why = f" Left out: {left_out}." if str(left_out) else ""
            messages.error(request, f"Only what failed or expired can be replayed.{why}")
        return redirect("admin:notifications_delivery_change", pk)

    def cancel_one(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        delivery = get_object_or_404(Delivery, pk=pk)
        if delivery.status in STOPPABLE:
            replay.cancel(Delivery.objects.filter(pk=pk), reason=CANCEL_REASON)
            messages.success(request, "Stopped: no further attempt begins.")
        else:
            messages.error(request, "Only what has not been sent can be cancelled.")
        return redirect("admin:notifications_delivery_change", pk)


def link(page: str, pk: object, text: str) -> SafeString:
    return format_html(
        '<a class="underline" href="{}">{}</a>', reverse(f"admin:{page}_change", args=[pk]), text
    )


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Http404
