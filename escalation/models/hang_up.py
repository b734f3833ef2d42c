"""Calls that are to be hung up: their process was stopped or acknowledged while they rang."""

from django.db import models

from config import clock
from notifications.models import Delivery


class HangUp(models.Model):
    """One call to end; the row goes when that is done, so the table is as good as empty."""

    delivery = models.OneToOneField(
        Delivery, primary_key=True, on_delete=models.CASCADE, related_name="hang_up", db_constraint=False
    )
    asked_at = models.DateTimeField(default=clock.now)
    # When it is tried next: at once, after a failure, or once the call's own id is known.
    next_at = models.DateTimeField()
    call_sid = models.CharField(max_length=64, blank=True, help_text="As a report has it.")
    attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ("next_at",)
        indexes = [models.Index(fields=["next_at"], name="hang_up_next")]

    def __str__(self) -> str:
        return f"hang up {self.delivery_id}"
