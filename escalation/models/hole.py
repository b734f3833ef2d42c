"""Holes that are known, so that each is told once."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy

from accounts.ids import UUIDv7Field
from config import clock
from escalation.models.policy import Policy
from escalation.models.schedule import Schedule


class Hole(models.Model):
    """A time in which nobody would be reached, or a step that reaches nobody; see ``escalation.holes``.

    The row is there as long as each look finds it. ``key`` tells the holes of one schedule or policy apart,
    and stays the same while a hole comes again each week.
    """

    class Kind(models.TextChoices):
        NOBODY = "nobody", gettext_lazy("Nobody is on call")
        UNREACHED = "unreached", gettext_lazy("Somebody is on call whom nothing reaches")
        STEP = "step", gettext_lazy("A step reaches nobody")

    id = UUIDv7Field()
    schedule = models.ForeignKey(
        Schedule, null=True, on_delete=models.CASCADE, related_name="holes", db_index=False
    )
    policy = models.ForeignKey(Policy, null=True, on_delete=models.CASCADE, related_name="holes")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    key = models.CharField(max_length=100)
    starts_at = models.DateTimeField(null=True)
    found_at = models.DateTimeField(default=clock.now)
    told_at = models.DateTimeField(null=True)
    reminded_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("starts_at", "id")
        constraints = [
            models.UniqueConstraint(
                fields=["schedule", "policy", "kind", "key"], name="hole_once", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=models.Q(schedule=None) ^ models.Q(policy=None), name="hole_of_one"
            ),
            models.CheckConstraint(
                condition=models.Q(reminded_at=None) | models.Q(told_at__isnull=False),
                name="hole_told_before_reminded",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.key})"
