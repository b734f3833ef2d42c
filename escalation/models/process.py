"""An escalation under way or ended: one run of a process id."""

from typing import Final
from uuid import UUID

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils.translation import gettext_lazy

from accounts.ids import UUIDv7Field
from accounts.models import ApiKey
from config import clock
from notifications.models import Severity


class EscalationProcess(models.Model):
    """One run of a process: its notifications are deliveries of the engine, found by ``SOURCE`` and its id.

    A process id names at most one active run; each earlier one is a row of its own. It ends when it is
    stopped or acknowledged, or when it has nothing left to send: *unanswered* if somebody was told, and
    otherwise as one that *reached nobody*.
    """

    #: The ``source_type`` of its notifications.
    SOURCE = "escalation"
    #: In the ``data`` of those that tell its last resort.
    LAST_RESORT = "last_resort"

    class State(models.TextChoices):
        ACTIVE = "active", gettext_lazy("Active")
        STOPPED = "stopped", gettext_lazy("Stopped")
        ACKNOWLEDGED = "acknowledged", gettext_lazy("Acknowledged")
        UNANSWERED = "unanswered", gettext_lazy("Unanswered")
        REACHED_NOBODY = "reached_nobody", gettext_lazy("Reached nobody")
        # One of those two, before there were states for them.
        FINISHED = "finished", gettext_lazy("Finished")

    #: Nobody stopped or acknowledged it, and nothing was left to send.
    RAN_OUT: Final = (State.UNANSWERED, State.REACHED_NOBODY, State.FINISHED)

    id = UUIDv7Field()
    process_id = models.CharField(max_length=200)
    state = models.CharField(max_length=16, choices=State.choices, default=State.ACTIVE)
    started_at = models.DateTimeField(default=clock.now)
    started_by = models.ForeignKey(
        ApiKey, null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    started_by_person = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    ended_at = models.DateTimeField(null=True, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True, help_text="The last time it was.")
    ended_by = models.CharField(max_length=200, blank=True, help_text="Who stopped or acknowledged it.")
    ended_via = models.CharField(max_length=32, blank=True, help_text="How: api, web, phone, link.")
    policy_version = models.ForeignKey(
        "escalation.PolicyVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="processes"
    )
    severity = models.CharField(
        max_length=16, choices=Severity.choices, default=Severity.CRITICAL, db_default=Severity.CRITICAL
    )
    details = models.TextField(
        blank=True, default="", db_default="", help_text="What its messages say besides."
    )
    # Whose turn it is in it, by the id of the schedule of which it tells the next.
    turns = models.JSONField(default=dict, db_default={}, editable=False)
    is_drill = models.BooleanField(
        default=False, db_default=False, editable=False, help_text="Nothing has happened: it is a test."
    )
    # How many notifications it has had so far: they are numbered on when it resumes.
    told = models.PositiveIntegerField(default=0, editable=False)
    # Of the people who are told: it is theirs to see and to acknowledge.
    told_users = ArrayField(models.UUIDField(), default=list, editable=False)
    resume_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When it goes on, if nobody stops it: its acknowledgement has a limit.",
    )
    round = models.PositiveIntegerField(
        default=1, db_default=1, editable=False, help_text="The last round that was begun."
    )
    next_round_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When the next round begins; empty: there is none."
    )
    last_resort_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When its last resort was told: once."
    )
    # When the last resort of one that ran out is to be told, or what came of that is to be looked at. No
    # constraint holds the two to their states: a worker of an earlier version may end a process.
    last_resort_look_at = models.DateTimeField(null=True, blank=True, editable=False)
    # When an active one may have nothing left to send: the sweep looks then, and not before.
    look_at = models.DateTimeField(editable=False)
    # When the last of its sends had ended, for one that was stopped or acknowledged.
    silent_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ("-started_at", "-id")
        verbose_name = "process"
        verbose_name_plural = "processes"
        constraints = [
            models.UniqueConstraint(
                fields=["process_id"], condition=models.Q(state="active"), name="escalation_active_once"
            ),
            models.CheckConstraint(
                condition=models.Q(
                    state__in=[
                        "active",
                        "stopped",
                        "acknowledged",
                        "unanswered",
                        "reached_nobody",
                        "finished",
                    ]
                ),
                name="escalation_state_known",
            ),
            models.CheckConstraint(
                condition=models.Q(state="active") ^ models.Q(ended_at__isnull=False),
                name="escalation_ended_when_over",
            ),
            models.CheckConstraint(
                condition=models.Q(resume_at=None) | models.Q(state="acknowledged"),
                name="escalation_resumes_acknowledged",
            ),
        ]
        indexes = [
            models.Index(fields=["-started_at", "-id"], name="escalation_newest"),
            models.Index(fields=["process_id", "-started_at"], name="escalation_runs"),
            models.Index(fields=["look_at"], condition=models.Q(state="active"), name="escalation_look"),
            models.Index(
                fields=["resume_at"], condition=models.Q(resume_at__isnull=False), name="escalation_resume"
            ),
            models.Index(
                fields=["next_round_at"],
                condition=models.Q(next_round_at__isnull=False),
                name="escalation_next_round",
            ),
            models.Index(
                fields=["last_resort_look_at"],
                condition=models.Q(last_resort_look_at__isnull=False),
                name="escalation_last_resort",
            ),
            models.Index(
                fields=["ended_at"],
                condition=models.Q(silent_at=None, ended_at__isnull=False),
                name="escalation_not_silent",
            ),
            GinIndex(fields=["told_users"], name="escalation_told_users"),
        ]

    def __str__(self) -> str:
        return self.process_id

    def turns_by_id(self) -> dict[UUID, UUID]:
        """Return whose turn it is in it, by schedule."""
        return {UUID(schedule): UUID(user) for schedule, user in self.turns.items()}

    @property
    def is_active(self) -> bool:
        return self.state == self.State.ACTIVE

    @property
    def ran_out(self) -> bool:
        """Whether it ended without anybody's stop or acknowledgement."""
        return self.state in self.RAN_OUT
