"""Asking others to stand in."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy

from accounts.ids import UUIDv7Field
from config import clock
from escalation.models.schedule import Schedule


class CoverRequest(models.Model):
    """Somebody asks another to take over a time on call: as a favour, or for one of the other's (a swap).

    Accepting it makes overrides. The ``return_`` times are what whoever asks takes in return.
    """

    class State(models.TextChoices):
        OPEN = "open", gettext_lazy("Open")
        ACCEPTED = "accepted", gettext_lazy("Accepted")
        DECLINED = "declined", gettext_lazy("Declined")
        WITHDRAWN = "withdrawn", gettext_lazy("Withdrawn")

    id = UUIDv7Field()
    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="covers", db_index=False)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    asked = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="+",
        help_text="Empty: everybody else in the schedule.",
    )
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    return_starts_at = models.DateTimeField(null=True, blank=True)
    return_ends_at = models.DateTimeField(null=True, blank=True)
    note = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.OPEN, editable=False)
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    answered_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ("-id",)
        indexes = [models.Index(fields=["schedule", "ends_at"], name="cover_of_schedule")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("starts_at")), name="cover_forward"
            ),
            models.CheckConstraint(
                condition=models.Q(return_starts_at=None, return_ends_at=None)
                | models.Q(return_ends_at__gt=models.F("return_starts_at"), asked__isnull=False),
                name="cover_returns_of_one",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.asked_by}, {self.starts_at:%Y-%m-%d %H:%M} UTC"

    @property
    def is_swap(self) -> bool:
        return self.return_starts_at is not None
