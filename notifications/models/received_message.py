"""Messages that have taken effect, by the ids that their broker gave them."""

from django.db import models

from config import clock


class ReceivedMessage(models.Model):
    """Written with a message's effect: what is delivered once more after that changes nothing."""

    source = models.CharField(max_length=100)
    message_id = models.CharField(max_length=255)
    received_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "message_id"], name="received_message_once")]
        indexes = [models.Index(fields=["received_at"], name="received_message_age")]

    def __str__(self) -> str:
        return f"{self.source}: {self.message_id}"
