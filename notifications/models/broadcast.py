"""What is being told to so many that it takes more than one transaction."""

from django.db import models

from config import clock
from notifications.models.notification import Notification


class Broadcast(models.Model):
    """A notification for a whole group, until its last delivery is made. Saving it enqueues its fan-out."""

    class Audience(models.TextChoices):
        STUDENTS = "students", "Every student"

    notification = models.OneToOneField(
        Notification, primary_key=True, on_delete=models.CASCADE, related_name="broadcast"
    )
    audience = models.CharField(max_length=32, choices=Audience.choices)
    as_of = models.DateTimeField(help_text="Who belonged to the audience then is told.")
    fanned_out_to = models.UUIDField(
        null=True, blank=True, help_text="The last person it has been fanned out to so far."
    )
    due_at = models.DateTimeField(default=clock.now, help_text="Later than now after a fault.")

    class Meta:
        indexes = [models.Index(fields=["due_at"], name="broadcast_due")]

    def __str__(self) -> str:
        return f"{self.notification_id} to {self.audience}"
