"""Deliveries: each with its attempts, why it is as it is, and buttons to start it again or stop it."""

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin import SimpleListFilter
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.decorators import display

from accounts.models import User
from notifications import selectors
from notifications.admin.base import STATUS_COLOURS, ByValue, NotesReadings, ReadOnlyAdmin
from notifications.channels import registry
from notifications.disclosure import notices_read
from notifications.engine import replay
from notifications.engine.replay import Foreseen
from notifications.explanations import explain
from notifications.models import Delivery, DeliveryAction, Notification
from notifications.reasons import HELD
from notifications.services.delivery_actions import (
    STOPPABLE,
    deliveries_cancel,
    deliveries_replay,
    delivery_cancel,
    delivery_replay,
)


class ChannelFilter(ByValue):
    title = parameter_name = "channel"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(name, name) for name in sorted(registry.CHANNELS)]


class StateFilter(SimpleListFilter):
    title, parameter_name = "status", "status__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(value, str(label)) for value, label in Delivery.Status.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        return selectors.in_states(queryset, [self.value() or ""]) if self.value() else queryset


# Nobody looks for these: what was told, or will be.
_NO_TROUBLE = (
    *HELD,
    Delivery.Reason.LEASE_LOST,
    Delivery.Reason.DELIVERED,
    Delivery.Reason.ANSWERED,
    Delivery.Reason.VOICEMAIL,
    Delivery.Reason.HUNG_UP,
)


class ReasonFilter(ByValue):
    title = parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        reasons = sorted(reason.value for reason in Delivery.Reason if reason not in _NO_TROUBLE)
        return [(reason, reason.replace("_", " ")) for reason in reasons]


def moment(field: str, title: str) -> Callable[[Any, Delivery], str]:
    """A time to the second, in UTC: the admin's own form has minutes only."""

    @display(description=title, empty_value="—")
    def shown(admin_page: Any, delivery: Delivery) -> str:
        try:
            at = attrgetter(field)(delivery)
        except ObjectDoesNotExist:  # of an item that is not in its inbox, say
            return ""
        return f"{at:%Y-%m-%d %H:%M:%S}" if at else ""

    return shown


@admin.register(Delivery)
class DeliveryAdmin(NotesReadings, ReadOnlyAdmin):
    list_display = ("title", "person", "channel", "status_label", "explanation", "attempts", "created")
    list_filter = (StateFilter, ChannelFilter, ReasonFilter, "created_at")
    search_fields = ("pk",)
    search_help_text = "A person's email, or the id of an alert, a person or a delivery."
    ordering = ("-id",)
    actions = ("replay_chosen", "cancel_chosen")
    change_form_outer_before_template = "notifications/admin/delivery_buttons.html"
    fieldsets = (
        (
            None,
            {"fields": ("explanation", ("status_label", "reason"), ("person", "what"), ("channel", "where"))},
        ),
        ("Attempts", {"fields": ("attempt_table",)}),
        ("Actions by hand", {"fields": ("action_table",)}),
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
        "explanation", "status_label", "person", "what", "where", "attempt_table", "action_table",
        "created", "due", "expires", "sent", "read", "leased_until", "failures", "lost_leases", "lane",
    )  # fmt: skip
    created = moment("created_at", "Created")
    due = moment("due_at", "Due")
    expires = moment("expires_at", "Expires")
    sent = moment("sent_at", "Sent")
    read = moment("inbox_item.read_at", "Read")
    leased_until = moment("outgoing.lease_until", "Leased until")

    @display(description="Failures")
    def failures(self, delivery: Delivery) -> int:
        return delivery.queued.failures if delivery.queued else 0

    @display(description="Lost leases")
    def lost_leases(self, delivery: Delivery) -> int:
        return delivery.queued.lost_leases if delivery.queued else 0

    @display(description="Lane", empty_value="—")
    def lane(self, delivery: Delivery) -> str:
        erased = delivery.address_is_erased
        return "" if erased else registry.get(delivery.channel).lane(delivery.address)

    def note_reading(self, request: HttpRequest, rows: list[Any]) -> None:
        notices_read([each.notification for each in rows], user=request.user)

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

    @display(description="Address", empty_value="—")
    def where(self, delivery: Delivery) -> str:
        if delivery.address_is_erased:
            return "erased"
        return registry.shown(delivery.channel, delivery.address)

    @display(description="Status", label=STATUS_COLOURS)
    def status_label(self, delivery: Delivery) -> str:
        return str(Delivery.Status(delivery.state).label)

    @display(description="Why")
    def explanation(self, delivery: Delivery) -> str:
        return explain(delivery)

    @display(description="")
    def attempt_table(self, delivery: Delivery) -> SafeString:
        attempts = delivery.attempt_set.order_by("number")
        return render_to_string("notifications/admin/attempts.html", {"attempts": attempts})

    @admin.action(description="Replay failed or expired deliveries")
    def replay_chosen(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> HttpResponse | None:
        confirmed = _confirmed(request, queryset)
        if confirmed is None:
            foreseen = replay.foresee(replay.replayable(queryset))
            left_out = replay.left_out(queryset)
            return self._ask(request, queryset, foreseen, verb="Replay", left_out=left_out)
        done = deliveries_replay(deliveries=confirmed, by=request.user, via="admin")
        messages.success(request, str(done))
        return None

    @admin.action(description="Cancel unsent deliveries")
    def cancel_chosen(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> HttpResponse | None:
        confirmed = _confirmed(request, queryset)
        if confirmed is None:
            foreseen = replay.foresee(queryset.filter(status__in=STOPPABLE))
            return self._ask(request, queryset, foreseen, verb="Cancel", left_out="")
        count = deliveries_cancel(deliveries=confirmed, by=request.user, via="admin")
        messages.success(request, f"{count} cancelled before they were sent.")
        return None

    def _ask(
        self, request: HttpRequest, queryset: QuerySet[Delivery], foreseen: Foreseen, **context: Any
    ) -> HttpResponse:
        """Show what an action would do, before it is done."""
        context |= self.admin_site.each_context(request)
        context |= {
            "title": f"{context['verb']} {foreseen.count} deliveries?",
            "foreseen": foreseen,
            # What is made after the question is not part of the answer.
            "newest": queryset.order_by("-pk").values_list("pk", flat=True).first(),
            "opts": self.opts,
            "action": request.POST["action"],
            "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
            "select_across": request.POST.get("select_across", "0"),
        }
        return TemplateResponse(request, "notifications/admin/confirm_deliveries.html", context)

    @display(description="")
    def action_table(self, delivery: Delivery) -> SafeString:
        actions = DeliveryAction.objects.filter(deliveries__contains=[delivery.pk])
        return render_to_string("notifications/admin/delivery_actions.html", {"actions": actions[:100]})

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show what was done to it by hand; nothing else ever is."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return redirect(f"{reverse('admin:notifications_deliveryaction_changelist')}?q={_uuid(object_id)}")

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
            "can_cancel": chosen.filter(status=Delivery.Status.PENDING).exists(),
        }
        return super().changeform_view(request, object_id, form_url, {**(extra_context or {}), **buttons})

    def replay_one(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        get_object_or_404(Delivery, pk=pk)
        messages.add_message(request, *delivery_replay(delivery_id=pk, by=request.user, via="admin"))
        return redirect("admin:notifications_delivery_change", pk)

    def cancel_one(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        get_object_or_404(Delivery, pk=pk)
        messages.add_message(request, *delivery_cancel(delivery_id=pk, by=request.user, via="admin"))
        return redirect("admin:notifications_delivery_change", pk)


def link(page: str, pk: object, text: str) -> SafeString:
    return format_html(
        '<a class="underline" href="{}">{}</a>', reverse(f"admin:{page}_change", args=[pk]), text
    )


def _confirmed(request: HttpRequest, chosen: QuerySet[Delivery]) -> QuerySet[Delivery] | None:
    """Return what was confirmed, of what an action is for: not what came after its page was shown."""
    if "newest" not in request.POST:
        return None
    return chosen.filter(pk__lte=_uuid(request.POST["newest"]))


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Http404
