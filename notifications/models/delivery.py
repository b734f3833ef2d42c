"""One telling of one thing to one person by one channel, and each attempt at it."""

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy

from accounts.ids import UUIDv7Field
from accounts.models import Shop
from config import clock
from notifications import reasons
from notifications.channels import registry
from notifications.models.contact_point import ContactPoint
from notifications.models.notification import Notification

if TYPE_CHECKING:
    from notifications.models.outgoing import Outgoing


class Delivery(models.Model):
    """What was done, or is to be: written by the fan-out, and finished by an update that touches no index.

    ``status`` goes pending → sent | failed | cancelled | expired, or is suppressed from the start; while it
    is pending there is a row in ``Outgoing``, which says when it is due and whether it is being sent
    (``state``). ``reason`` says why: a ``Reason``, or empty. ``attempts`` counts those whose outcome is on
    record.

    ``duration_ms`` and ``status_code`` are those of the last attempt, begun at ``sent_at``, where it was sent
    and there is no more to say: nearly all are, and have no row of their own (``Attempt``).

    The id follows from the fact, the person and the contact point (notifications.ids), so that each is made
    once. It begins with the fact's time, which divides the table into months (docs/adr/0026).
    """

    Reason = reasons.Reason

    class Status(models.TextChoices):
        PENDING = "pending", gettext_lazy("Pending")
        SENDING = "sending", gettext_lazy("Sending")
        SENT = "sent", gettext_lazy("Sent")
        FAILED = "failed", gettext_lazy("Failed")
        CANCELLED = "cancelled", gettext_lazy("Cancelled")
        SUPPRESSED = "suppressed", gettext_lazy("Suppressed")
        EXPIRED = "expired", gettext_lazy("Expired")

    id = UUIDv7Field()
    shop = models.ForeignKey(
        Shop,
        null=True,
        blank=True,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    # A fan-out makes or locks the notification in the statement that makes its deliveries: looking it up
    # again for each would be a sixth of its cost.
    notification = models.ForeignKey(
        Notification, on_delete=models.CASCADE, related_name="deliveries", db_constraint=False
    )
    # Whoever deletes their account is known by the id alone from then on, and the row stays: it is proof of
    # what was done (docs/adr/0037). So this may name nobody.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.DO_NOTHING,
        related_name="deliveries",
        db_index=False,
        db_constraint=False,
    )
    # Contact points are only marked as deleted, and go with their user. The database need not look each of
    # them up again for each row that the fan-out has just read them for.
    contact_point = models.ForeignKey(
        ContactPoint,
        null=True,
        blank=True,
        on_delete=models.DO_NOTHING,
        related_name="deliveries",
        db_index=False,
        db_constraint=False,
    )
    channel = models.CharField(max_length=32)
    address = models.CharField(max_length=2048, blank=True)
    language = models.CharField(max_length=8, default="en", help_text="The person's, when it was made.")
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING)
    reason = models.CharField(max_length=64, blank=True)
    revocable = models.BooleanField(default=False)
    due_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    replays = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    sent_at = models.DateTimeField(null=True, blank=True)
    duration_ms = models.FloatField(null=True, editable=False)
    # No check, for which PostgreSQL would read the whole table when the column is made.
    status_code = models.IntegerField(null=True, editable=False)
    # The message in which it was told with others, for what is suppressed with the reason DIGEST.
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

    class Meta:
        ordering = ("-id",)
        verbose_name_plural = "deliveries"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(
                    status__in=["pending", "sent", "failed", "cancelled", "suppressed", "expired"]
                ),
                name="delivery_status_known",
            )
        ]
        indexes = [models.Index(fields=["user", "-id"], name="delivery_of_user")]

    def __str__(self) -> str:
        return f"{self.channel} delivery, {self.status}"

    @property
    def queued(self) -> "Outgoing | None":
        """Its row in the queue while it has not ended; lists load it with ``select_related("outgoing")``."""
        if self._state.adding or self.status != self.Status.PENDING:
            return None
        return getattr(self, "outgoing", None)

    @property
    def address_is_erased(self) -> bool:
        """Whether it had an address, for which its time was over (notifications.engine.erasing)."""
        return (
            not self.address and self.status != self.Status.PENDING and registry.has_addresses(self.channel)
        )

    @property
    def state(self) -> str:
        """The status, with ``sending`` for what is pending and has a worker."""
        queued = self.queued
        return self.Status.SENDING if queued and queued.lease_until else self.status


class _Tried(models.Model):
    """What is known of one try at a delivery."""

    class Outcome(models.TextChoices):
        SENT = "sent", gettext_lazy("Sent")
        UNAVAILABLE = "unavailable", gettext_lazy("Failed, may pass")
        REJECTED = "rejected", gettext_lazy("Refused for good")
        LOST = "lost", gettext_lazy("Worker lost")

    pk = models.CompositePrimaryKey("delivery_id", "number")
    number = models.PositiveSmallIntegerField()
    shop = models.ForeignKey(
        Shop, null=True, on_delete=models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
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
        abstract = True

    def __str__(self) -> str:
        return f"attempt {self.number}: {self.outcome}"


class AttemptRow(_Tried):
    """An attempt that has a row of its own: it was not sent, or there is more to say of it."""

    # Inserted only for a row that the same statement has found (notifications.engine.finalise).
    delivery = models.ForeignKey(
        Delivery, on_delete=models.CASCADE, related_name="attempt_rows", db_index=False, db_constraint=False
    )

    class Meta:
        db_table = "notifications_attempt"


class Attempt(_Tried):
    """One try at a delivery, wherever it is stored. A view, to be read only: see ``AttemptRow``."""

    delivery = models.ForeignKey(
        Delivery, on_delete=models.DO_NOTHING, related_name="attempt_set", db_constraint=False
    )

    class Meta:
        managed = False
        db_table = "notifications_attempts"
        ordering = ("number",)
