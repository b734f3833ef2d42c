"""What people and machines did to deliveries by hand."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils.translation import gettext_lazy

from accounts.ids import UUIDv7Field
from config import clock


class DeliveryAction(models.Model):
    """One replay, cancelling or test: who did it, when, from where, and to how many; never changed."""

    #: Ids that are kept of one action; ``count`` says how many there were.
    MOST = 1000

    class Action(models.TextChoices):
        REPLAY = "replay", gettext_lazy("Replayed")
        CANCEL = "cancel", gettext_lazy("Cancelled")
        TEST = "test", gettext_lazy("Sent as a test")

    class Via(models.TextChoices):
        ADMIN = "admin", gettext_lazy("Admin")
        API = "api", gettext_lazy("API")
        WEB = "web", gettext_lazy("Console")

    id = UUIDv7Field()
    action = models.CharField(max_length=16, choices=Action.choices)
    # Words, not keys: what was done stays known when the person or the API key is gone.
    by = models.CharField(max_length=300)
    via = models.CharField(max_length=16, choices=Via.choices)
    at = models.DateTimeField(default=clock.now)
    count = models.PositiveIntegerField()
    left_out = models.PositiveIntegerField(default=0)
    deliveries = ArrayField(models.UUIDField(), help_text="The first thousand of them.")

    class Meta:
        ordering = ("-id",)
        indexes = [GinIndex(fields=["deliveries"], name="delivery_action_deliveries")]

    def __str__(self) -> str:
        return f"{self.get_action_display()} by {self.by}"
