"""What is known of days that were audited, and of months that left for the archive."""

from django.db import models

from config import clock


class AuditedDay(models.Model):
    """A day that was over, settled and free of gaps when it was audited, with what there was of it."""

    day = models.DateField(primary_key=True)
    alerts = models.PositiveIntegerField()
    # [[status, reason, count], …] of the deliveries.
    counts = models.JSONField(default=list)
    audited_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ("day",)

    def __str__(self) -> str:
        return self.day.isoformat()


class ArchivedMonth(models.Model):
    """A manifest of the archive as it was written. Of a month that is archived again, the last one counts."""

    number = models.PositiveIntegerField(primary_key=True, help_text="Its place in the chain.")
    month = models.DateField(help_text="The first day of the month.")
    revision = models.PositiveSmallIntegerField(default=1)
    sha256 = models.CharField(max_length=64, help_text="Of its manifest.")
    alerts = models.PositiveIntegerField()
    counts = models.JSONField(default=list)
    archived_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ("number",)
        constraints = [models.UniqueConstraint(fields=["month", "revision"], name="archived_month_once")]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"
