"""One telling of one thing to one person by one channel, and each attempt at it."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from accounts.ids import UUIDv7Field
from notifications.models.contact_point import ContactPoint
from notifications.models.notification import Notification


class Delivery(models.Model):
    """A row of the engine: the row is the truth, the queue is a hint.

    ``status`` goes pending → sending → sent | failed | cancelled | expired, or is suppressed from the
    start. ``reason`` says why in one word. ``attempts`` counts claims and numbers the attempts;
    ``failures`` counts those that used up the channel's retry budget since the (re)start.
    """

    class Status(models.TextChoices):
        PENDING = "pending", "Pending"
        SENDING = "sending", "Sending"
        SENT = "sent", "Sent"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"
        SUPPRESSED = "suppressed", "Suppressed"
        EXPIRED = "expired", "Expired"

    id = UUIDv7Field()
    # Every change of status writes each index anew, so the foreign keys have none of their own: the
    # unique constraint serves the first, delivery_of_user the second. A fan-out makes or locks the
    # notification in the statement that makes its deliveries: looking it up again for each would be a sixth
    # of its cost.
    notification = models.ForeignKey(
        Notification,
        on_delete=models.CASCADE,
        related_name="deliveries",
        db_index=False,
        db_constraint=False,
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="deliveries",
        db_index=False,
    )
    # Contact points are never deleted, only marked so; with their user they go together with this row. So
    # the database need not look each of them up again for each row that the fan-out has just read them for.
    contact_point = models.ForeignKey(
        ContactPoint,
        null=True,
        blank=True,
        on_delete=models.RESTRICT,
        related_name="deliveries",
        db_index=False,
        db_constraint=False,
    )
    channel = models.CharField(max_length=32)
    address = models.CharField(max_length=2048, blank=True)
    language = models.CharField(max_length=8, default="en", help_text="The person's, when it was made.")
    lane = models.CharField(max_length=300)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING)
    reason = models.CharField(max_length=64, blank=True)
    revocable = models.BooleanField(default=False)
    due_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    failures = models.PositiveSmallIntegerField(default=0)
    lost_leases = models.PositiveSmallIntegerField(default=0)
    replays = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    sent_at = models.DateTimeField(null=True, blank=True)
    # For the inbox only: its place in the person's inbox, when it was read, and when they deleted it.
    number = models.BigIntegerField(null=True, blank=True, editable=False)
    read_at = models.DateTimeField(null=True, blank=True)
    # The message in which it was told with others, for what is suppressed with the reason "digest".
    digest = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        editable=False,
        on_delete=models.DO_NOTHING,
        related_name="digested",
        db_index=False,
        db_constraint=False,
    )
    dismissed_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ("-id",)
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(
                fields=["notification", "user", "contact_point"],
                nulls_distinct=False,
                name="delivery_once",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    status__in=["pending", "sending", "sent", "failed", "cancelled", "suppressed", "expired"]
                ),
                name="delivery_status_known",
            ),
            models.CheckConstraint(
                condition=models.Q(status="sending") ^ models.Q(lease_until=None),
                name="delivery_lease_while_sending",
            ),
        ]
        indexes = [
            models.Index(fields=["user", "-id"], name="delivery_of_user"),
            # An item is in one of these two. Together they are what an inbox lists, counts and streams.
            models.Index(
                fields=["user", "-number"],
                condition=models.Q(channel="inbox", status="sent", dismissed_at=None, read_at=None),
                name="delivery_inbox_unread",
            ),
            models.Index(
                fields=["user", "-number"],
                condition=models.Q(channel="inbox", status="sent", dismissed_at=None, read_at__isnull=False),
                name="delivery_inbox_read",
            ),
            # The claim walks the first two lane by lane, in due order.
            models.Index(
                fields=["lane", "due_at"],
                condition=models.Q(status="pending", revocable=False),
                name="delivery_due",
            ),
            models.Index(
                fields=["lane", "due_at"],
                condition=models.Q(status="pending", revocable=True),
                name="delivery_due_revocable",
            ),
            # Whether anything revocable is due, or will be in a moment, at the cost of a seek.
            models.Index(
                fields=["due_at"],
                condition=models.Q(status="pending", revocable=True),
                name="delivery_revocable_next",
            ),
            models.Index(
                fields=["lease_until"], condition=models.Q(status="sending"), name="delivery_leased"
            ),
            models.Index(
                fields=["-id"], condition=models.Q(status__in=["failed", "expired"]), name="delivery_failed"
            ),
            models.Index(
                fields=["due_at"],
                condition=models.Q(status="pending", reason="digest"),
                name="delivery_for_digest",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} delivery, {self.status}"


class Attempt(models.Model):
    """One try at a delivery."""

    class Outcome(models.TextChoices):
        SENT = "sent", "Sent"
        UNAVAILABLE = "unavailable", "Failed, may pass"
        REJECTED = "rejected", "Refused for good"
        LOST = "lost", "Worker lost"

    pk = models.CompositePrimaryKey("delivery_id", "number")
    # Inserted only for a row that the same statement has found (notifications.engine.finalise).
    delivery = models.ForeignKey(
        Delivery, on_delete=models.CASCADE, related_name="attempt_set", db_index=False, db_constraint=False
    )
    number = models.PositiveSmallIntegerField()
    started_at = models.DateTimeField()
    duration_ms = models.FloatField()
    outcome = models.CharField(max_length=16, choices=Outcome.choices)
    status_code = models.PositiveIntegerField(null=True, blank=True)
    error = models.TextField(blank=True)
    # The database's default too: the sweep's statement for lost attempts names no reference.
    reference = models.CharField(
        max_length=128, blank=True, default="", db_default="", help_text="The provider's own id of it."
    )

    class Meta:
        ordering = ("number",)

    def __str__(self) -> str:
        return f"attempt {self.number}: {self.outcome}"
