"""People whose account is deleted, and of whom not everything is erased yet."""

from django.db import models

from config import clock


class Departure(models.Model):
    """One person who left: see notifications.departures. Its row goes when the last of them is erased.

    The id is the person's, which stands for them from then on. ``words`` is what they were known by, for as
    long as it is looked for; ``step`` and ``place`` say how far that has come.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    words = models.JSONField(default=dict)
    step = models.PositiveSmallIntegerField(default=0)
    place = models.JSONField(null=True, help_text="The last row that was looked at.")
    due_at = models.DateTimeField(default=clock.now)
    left_at = models.DateTimeField(default=clock.now)

    class Meta:
        indexes = [models.Index(fields=["due_at"], name="departure_due")]

    def __str__(self) -> str:
        return f"departure of {self.pk}"
