"""What a person was told, and what is kept of how they want to be (accounts.personal_data)."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

from django.db.models import F, Model, Q, TextField
from django.db.models.functions import Cast

from accounts.models import User
from accounts.personal_data import BATCH, Row, Section, paged, sliced
from notifications import models
from notifications.messages.texts import text_for

_SAYS: Final = ("title", "body", "texts", "kind", "severity")
_DELIVERY: Final = (
    "id", "channel", "address", "language", "status", "reason", "due_at", "expires_at", "revoked_at",
    "replays", "created_at", "sent_at",
)  # fmt: skip
_ATTEMPT: Final = ("number", "started_at", "duration_ms", "outcome", "status_code", "error", "reference")


def contact_points(user: User) -> Iterator[Row]:
    """Those that were removed too; secrets are derived, and not stored."""
    theirs = models.ContactPoint.objects.filter(user=user)
    return paged(
        theirs, "id", "channel", "address", "label", "is_enabled", "batch", "linger_ms", "batch_format",
        "created_at", "deleted_at",
    )  # fmt: skip


def preferences(user: User) -> Iterator[Row]:
    fields = ("level", "quiet_from", "quiet_until", "digest", "steps", "updated_at")
    return paged(models.Preference.objects.filter(user=user), *fields)


def channel_hours(user: User) -> Iterator[Row]:
    theirs = models.ChannelHours.objects.filter(user=user)
    return paged(theirs, "channel", "severity", "told", "begins", "ends", "updated_at")


def subscriptions(user: User) -> Iterator[Row]:
    return paged(models.Subscription.objects.filter(user=user), "channel", "kind", "is_enabled", "updated_at")


def deliveries(user: User) -> Iterator[Row]:
    """What they were told, or not and why, each with its text, its attempts and its place in the inbox."""
    said = {f"says_{name}": F(f"notification__{name}") for name in _SAYS}
    item = {
        f"inbox_{name}": F(f"inbox_item__{name}")
        for name in ("number", "read_at", "dismissed_at", "snoozed_until")
    }
    batch: list[Row] = []
    for row in paged(models.Delivery.objects.filter(user=user), *_DELIVERY, **said, **item):
        batch.append(row)
        if len(batch) == BATCH:
            yield from _with_attempts(batch)
            batch = []
    yield from _with_attempts(batch)


def _with_attempts(rows: list[Row]) -> Iterator[Row]:
    attempts: defaultdict[Any, list[Row]] = defaultdict(list)
    of = models.Attempt.objects.filter(delivery_id__in=[row["id"] for row in rows])
    for attempt in of.order_by("delivery_id", "number").values("delivery_id", *_ATTEMPT):
        attempts[attempt.pop("delivery_id")].append(attempt)
    for row in rows:
        said = {name: row.pop(f"says_{name}") for name in _SAYS}
        if said["kind"] is not None:
            title, body = text_for(
                said["title"], said["body"], said["texts"], language=row["language"], channel=row["channel"]
            )
            row |= {"kind": said["kind"], "severity": said["severity"], "title": title, "body": body}
        yield row | {"attempts": attempts[row["id"]]}


def archive(user: User) -> Iterator[Row]:
    """Months that have left the tables; what is there of them is found by the person's id."""
    for month in models.ArchivedMonth.objects.order_by("month").values_list("month", flat=True).distinct():
        yield {"month": month, "person": user.pk}


def events(user: User) -> Iterator[Row]:
    """What happened to them. Of what concerns others too: when, and nothing that is said of those."""
    profiles = [getattr(user, name, None) for name in ("student", "encadrant")]
    ids = [str(of.pk) for of in (user, *profiles) if of]
    mentions = Q()
    for pk in ids:
        mentions |= Q(payload_text__contains=pk)
    for some in sliced(models.Event):
        found = some.alias(payload_text=Cast("payload", TextField())).filter(mentions).order_by("pk")
        for row in found.values("id", "routing_key", "source", "payload", "occurred_at", "created_at"):
            about = [row["payload"].get(name) for name in ("user_id", "student_id", "encadrant_id")]
            if not any(pk in ids for pk in about):
                del row["payload"]
            yield row


def delivery_actions(user: User) -> Iterator[Row]:
    """What they replayed or cancelled, as staff."""
    return paged(models.DeliveryAction.objects.filter(by=user.email), "action", "via", "at", "count")


def saved_views(user: User) -> Iterator[Row]:
    """What they look at in the history, as staff."""
    return paged(models.SavedView.objects.filter(user=user), "name", "query", "is_shared", "created_at")


def message_templates(user: User) -> Iterator[Row]:
    theirs = models.MessageTemplate.objects.filter(updated_by=user)
    return paged(theirs, "kind", "language", "channel", "updated_at")


_TOLD: Final = (
    models.Delivery, models.Attempt, models.AttemptRow, models.Inbox, models.InboxItem, models.Notification,
)  # fmt: skip
SECTIONS: Final = (
    Section("contact_points", [models.ContactPoint], contact_points),
    Section("preferences", [models.Preference], preferences),
    Section("channel_hours", [models.ChannelHours], channel_hours),
    Section("subscriptions", [models.Subscription], subscriptions),
    Section("deliveries", _TOLD, deliveries),
    Section("archive", [models.ArchivedMonth], archive),
    Section("events", [models.Event], events),
    Section("delivery_actions", [models.DeliveryAction], delivery_actions),
    Section("saved_views", [models.SavedView], saved_views),
    Section("message_templates", [models.MessageTemplate], message_templates),
)
LEFT_OUT: Final[Mapping[type[Model], str]] = {
    models.Outgoing: "The queue's copy of what a delivery says.",
    models.Undelivered: "An index of deliveries that failed.",
    models.HandlerRun: "The product's own work on an event.",
    models.Broadcast: "The product's own work on a notification.",
}
