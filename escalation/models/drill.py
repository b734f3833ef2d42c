"""Drills: whether everybody who is on call hears it, and answers."""

from django.conf import settings
from django.db import models

from accounts.ids import UUIDv7Field
from config import clock
from escalation.models.process import EscalationProcess
from escalation.models.schedule import Schedule


class Drill(models.Model):
    """A test escalation by a schedule: each person is rung by a process of their own.

    It is over once everybody has answered, or at ``due_at``; then it is reported.
    """

    id = UUIDv7Field()
    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="drills")
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="Empty: the schedule asks for it every so many days.",
    )
    is_for_everyone = models.BooleanField(
        default=False, help_text="Everybody in the schedule, and not whoever is on call alone."
    )
    started_at = models.DateTimeField(default=clock.now)
    due_at = models.DateTimeField()
    reported_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-started_at", "-id")
        constraints = [
            models.UniqueConstraint(
                fields=["schedule"], condition=models.Q(reported_at=None), name="drill_one_at_a_time"
            ),
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=models.Q(reported_at=None), name="drill_due"),
        ]

    def __str__(self) -> str:
        return f"{self.schedule}, {self.started_at:%Y-%m-%d %H:%M} UTC"


class DrillAnswer(models.Model):
    """One person in a drill; what became of it is their process's to say."""

    id = UUIDv7Field()
    drill = models.ForeignKey(Drill, on_delete=models.CASCADE, related_name="answers", db_index=False)
    # Whoever deletes their account takes no part any more.
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    process = models.OneToOneField(EscalationProcess, on_delete=models.CASCADE, related_name="drill_answer")

    class Meta:
        ordering = ("id",)
        constraints = [models.UniqueConstraint(fields=["drill", "user"], name="drill_each_once")]

    def __str__(self) -> str:
        return str(self.user)
