"""What has happened, stored in the transaction that made it happen, and who handles it."""

from django.db import models

from accounts.ids import UUIDv7Field
from accounts.models import ApiKey
from config import clock


class Event(models.Model):
    """One event of the outbox. ``routing_key`` is words with dots between, as in AMQP's topic exchanges."""

    id = UUIDv7Field()
    routing_key = models.CharField(max_length=255)
    source = models.CharField(max_length=100)
    payload = models.JSONField(default=dict)
    occurred_at = models.DateTimeField(help_text="By its publisher's word.")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    published_by = models.ForeignKey(
        ApiKey, null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    is_known = models.BooleanField(default=True, help_text="Someone handles events of this routing key.")

    class Meta:
        # Not by id, which may be the publisher's own and of any kind.
        ordering = ("-created_at", "-id")
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="event_newest"),
            models.Index(fields=["routing_key", "-created_at"], name="event_of_key"),
            models.Index(fields=["-created_at"], condition=models.Q(is_known=False), name="event_unknown"),
        ]

    def __str__(self) -> str:
        return self.routing_key


class HandlerRun(models.Model):
    """One handler's work on one event; a dead letter once its attempts are used up, until it is replayed."""

    class Status(models.TextChoices):
        PENDING = "pending", "Pending"
        DONE = "done", "Done"
        DEAD = "dead", "Dead letter"

    id = UUIDv7Field()
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="runs", db_index=False)
    handler = models.CharField(max_length=100)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING)
    due_at = models.DateTimeField(default=clock.now)
    attempts = models.PositiveSmallIntegerField(default=0)
    replays = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True, help_text="Why the last attempt failed.")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(fields=["event", "handler"], name="handler_run_once"),
            models.CheckConstraint(
                condition=models.Q(status__in=["pending", "done", "dead"]), name="handler_run_status_known"
            ),
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=models.Q(status="pending"), name="handler_run_due"),
            models.Index(fields=["-id"], condition=models.Q(status="dead"), name="handler_run_dead"),
        ]

    def __str__(self) -> str:
        return f"{self.handler}: {self.status}"
