"""What is to be told."""

from django.db import models
from django.utils.translation import gettext_lazy

from accounts.ids import UUIDv7Field
from accounts.models import Shop
from config import clock


class Severity(models.TextChoices):
    CRITICAL = "critical", gettext_lazy("Critical")
    STANDARD = "standard", gettext_lazy("Standard")


class Notification(models.Model):
    """One thing to tell, whoever it is told to. ``source_type`` and ``source_id`` name the fact behind it."""

    id = UUIDv7Field()
    # Whose it is. An alert keeps its shop from being deleted, and with it whatever this stands in.
    shop = models.ForeignKey(
        Shop,
        null=True,
        blank=True,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    kind = models.CharField(max_length=64)
    title = models.CharField(max_length=200)
    body = models.TextField(blank=True)
    # {language: {channel, or "" for all others: [title, body]}}; who finds nothing there gets title and body.
    texts = models.JSONField(default=dict, editable=False)
    data = models.JSONField(default=dict)
    severity = models.CharField(max_length=16, choices=Severity.choices, default=Severity.STANDARD)
    source_type = models.CharField(max_length=64)
    source_id = models.CharField(max_length=64)
    dedup_key = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ("-created_at",)
        indexes = [models.Index(fields=["source_type", "source_id"], name="notification_source")]
        # Not unique=True, with which Django makes a second index for searches by how a key begins.
        constraints = [models.UniqueConstraint(fields=["dedup_key"], name="notification_once")]

    def __str__(self) -> str:
        return self.title
