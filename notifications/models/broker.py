"""Messages of brokers: those that could not take effect, those that failed before, those to be published."""

from django.db import models

from accounts.ids import UUIDv7Field, uuid7
from config import clock


class DeadMessage(models.Model):
    """A message that could not take effect, kept until it is replayed or discarded.

    The body is stored as it came, up to settings.MESSAGE_KEPT_BYTES; ``size`` is what it was.
    """

    class State(models.TextChoices):
        DEAD = "dead", "Dead letter"
        REPLAYED = "replayed", "Replayed"
        DISCARDED = "discarded", "Discarded"

    id = UUIDv7Field()
    source = models.CharField(max_length=100)
    state = models.CharField(max_length=16, choices=State.choices, default=State.DEAD)
    reason = models.TextField(help_text="Why it could not take effect.")
    body = models.BinaryField()
    size = models.PositiveIntegerField(help_text="Bytes of the body as it came.")
    is_cut = models.BooleanField(default=False)
    headers = models.JSONField(default=dict)
    wire_headers = models.BinaryField(
        null=True, editable=False, help_text="The headers as they came over AMQP, with their types."
    )
    routing_key = models.CharField(max_length=255, blank=True)
    message_id = models.CharField(max_length=255, blank=True)
    group = models.CharField(max_length=255, blank=True)
    key = models.CharField(max_length=64, editable=False, help_text="As that of a failure.")
    attempts = models.PositiveIntegerField(default=1)
    replays = models.PositiveIntegerField(default=0)
    sent_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField()
    created_at = models.DateTimeField(default=clock.now, editable=False)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=["dead", "replayed", "discarded"]),
                name="dead_message_state_known",
            )
        ]
        indexes = [
            models.Index(fields=["-id"], condition=models.Q(state="dead"), name="dead_message_dead"),
            models.Index(fields=["source", "-id"], name="dead_message_of_source"),
            models.Index(fields=["key"], condition=models.Q(state="dead"), name="dead_message_key"),
        ]

    def __str__(self) -> str:
        return f"{self.source}: {self.reason[:60]}"


class MessageFailure(models.Model):
    """How often a message was tried that is still at its broker, known by what it is: brokers don't count."""

    source = models.CharField(max_length=100)
    key = models.CharField(max_length=64, help_text="SHA-256 of what identifies the message.")
    attempts = models.PositiveIntegerField(default=0)
    last_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "key"], name="message_failure_once")]
        indexes = [models.Index(fields=["last_at"], name="message_failure_age")]

    def __str__(self) -> str:
        return f"{self.source}: {self.attempts}"


class OutgoingMessage(models.Model):
    """A message to be published: stored with what it tells of, deleted once the broker has confirmed it.

    The id is the order: whatever was committed before another was stored comes before it.
    """

    broker = models.CharField(max_length=100, help_text="The source whose broker it goes to.")
    message_id = models.UUIDField(default=uuid7, editable=False)
    exchange = models.CharField(max_length=255, blank=True)
    routing_key = models.CharField(max_length=255, blank=True)
    headers = models.JSONField(default=dict)
    wire_headers = models.BinaryField(
        null=True, help_text="The headers as they came over AMQP, where they go back unchanged."
    )
    body = models.JSONField()
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ("id",)
        indexes = [models.Index(fields=["broker", "id"], name="outgoing_message_order")]

    def __str__(self) -> str:
        return f"{self.exchange or '(default)'} {self.routing_key}"
