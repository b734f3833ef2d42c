"""Policies: who is told after how long, under a name; each change is a version of its own."""

from django.conf import settings
from django.db import models

from accounts.ids import UUIDv7Field
from accounts.validators import validate_time_zone
from config import clock
from notifications.models import Severity


class Policy(models.Model):
    """A named way of escalating. What it says is in its versions, of which the newest counts.

    Removing it sets ``deleted_at``: the history of what was started by it stays.
    """

    id = UUIDv7Field()
    name = models.CharField(max_length=100, help_text="Escalations are started by it.")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ("name",)
        verbose_name_plural = "policies"
        constraints = [
            models.UniqueConstraint(
                fields=["name"], condition=models.Q(deleted_at=None), name="policy_name_once"
            )
        ]

    def __str__(self) -> str:
        return self.name


class PolicyVersion(models.Model):
    """What a policy said from one change to the next; written once, and never changed.

    ``steps`` is in the form that escalation.policies.definition gives it, ``last_resort`` in that of a step's
    targets. A round is all steps once; there are ``repeats`` more of them, or as many as begin within a day,
    each ``repeat_every_s`` after the one before.
    """

    id = UUIDv7Field()
    policy = models.ForeignKey(Policy, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    steps = models.JSONField()
    repeats = models.PositiveSmallIntegerField(default=0)
    repeat_every_s = models.PositiveIntegerField(default=0)
    acknowledge_timeout_s = models.PositiveIntegerField(
        null=True, blank=True, help_text="An acknowledged process resumes so long afterwards; empty: never."
    )
    severity = models.CharField(max_length=16, choices=Severity.choices, default=Severity.CRITICAL)
    time_zone = models.CharField(
        max_length=64,
        default="UTC",
        db_default="UTC",
        validators=[validate_time_zone],
        help_text="Of conditions.",
    )
    repeat_until_acknowledged = models.BooleanField(default=False, db_default=False)
    last_resort = models.JSONField(
        default=list, db_default=[], blank=True, help_text="Who is told where nobody took it."
    )
    created_at = models.DateTimeField(default=clock.now, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ("-number",)
        constraints = [
            models.UniqueConstraint(fields=["policy", "number"], name="policy_version_once"),
            models.CheckConstraint(
                condition=models.Q(repeats=0, repeat_until_acknowledged=False)
                | models.Q(repeat_every_s__gt=0),
                name="policy_rounds_apart",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.policy}, version {self.number}"
