"""An evening, where it is in its life, what it has gone through, and the rule that makes new ones."""

from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models import F, Q

from accounts.ids import UUIDv7Field
from accounts.validators import validate_time_zone
from config import clock, sql
from config.recurrence import BadRule, rule_check
from dating.evening.steps import OVER, STATE_OF, State, Step
from dating.meetings.registry import LABELS, ends_calls

# Any number: only those who number events take this lock.
_NUMBERING: Final = 0x7D_A7E5
_DAY_S: Final = 86_400
_LONGEST_S: Final = 30 * _DAY_S
#: Of providers whose calls are ended by asking them. Jobs do that, which may have to wait for their turn.
_LEAST_BREAK_S: Final = 15
#: What can be set of a single evening once people may have registered; on all else its plan depends.
BY_HAND: Final = frozenset({"title", "organiser_id", "places"})


def _up_to(largest: int, smallest: int = 0) -> list[Any]:
    return [MinValueValidator(smallest), MaxValueValidator(largest)]


class EventSettings(models.Model):
    """What an organiser decides about an event; a recurring rule hands it to each event that it makes."""

    title = models.CharField(max_length=200)
    organiser = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    time_zone = models.CharField(max_length=64, default="UTC", validators=[validate_time_zone])
    two_pools = models.BooleanField(
        default=False, help_text="Two pools, by what each person seeks: only people of different pools meet."
    )
    users_limit = models.PositiveSmallIntegerField(
        default=20, validators=_up_to(200, 2), help_text="People in a group, at most."
    )
    places = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=_up_to(10_000, 2),
        help_text="People who can register; more go to the waiting list. Of two pools, neither gets more "
        "than half of the places. Empty: no limit.",
    )
    max_rounds = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=_up_to(200, 1),
        help_text="Dates that each person has, at most. Empty: everyone meets everyone of the group.",
    )
    confirm_before_s = models.PositiveIntegerField(
        default=_DAY_S, validators=_up_to(_LONGEST_S), help_text="When people are asked to confirm."
    )
    close_before_s = models.PositiveIntegerField(
        default=3600, validators=_up_to(_LONGEST_S), help_text="When groups and rounds are made."
    )
    rules_before_s = models.PositiveIntegerField(
        default=300,
        validators=_up_to(_LONGEST_S),
        help_text="When the rules are sent, and who is ready asked.",
    )
    round_s = models.PositiveIntegerField(default=300, validators=_up_to(_DAY_S, 1))
    break_s = models.PositiveIntegerField(default=60, validators=_up_to(_DAY_S))
    provider = models.CharField(max_length=32, default="built_in", help_text="Where the calls take place.")

    class Meta:
        abstract = True

    def clean(self) -> None:
        super().clean()
        if not self.confirm_before_s >= self.close_before_s >= self.rules_before_s:
            raise ValidationError(
                {"confirm_before_s": "Confirmation comes before closing, and closing before the rules."}
            )
        self._check_break()

    def _check_break(self) -> None:
        """Where calls are ended by asking the provider, the next pair must not be in the room by then."""
        if self.break_s < _LEAST_BREAK_S and ends_calls(self.provider):
            label = LABELS.get(self.provider, self.provider)
            text = f"Calls of {label} are ended in the breaks: make them {_LEAST_BREAK_S} seconds at least."
            raise ValidationError({"break_s": text})


class Event(EventSettings):
    """One evening.

    ``step`` and ``deadline_at`` are all that its life hangs on: whoever finds the deadline passed does what
    is due, by compare-and-set on the two (dating.evening).
    """

    id = UUIDv7Field()
    number = models.PositiveBigIntegerField(
        unique=True, editable=False, help_text="A short name for it in chats; from 1."
    )
    starts_at = models.DateTimeField()
    state = models.PositiveSmallIntegerField(choices=State.choices, default=State.NOT_STARTED, editable=False)
    step = models.CharField(max_length=16, choices=Step.choices, default=Step.OPEN, editable=False)
    deadline_at = models.DateTimeField(null=True, blank=True, editable=False)
    # After a step that failed: until then nobody tries it again.
    retry_at = models.DateTimeField(null=True, blank=True, editable=False)
    current_round = models.PositiveSmallIntegerField(default=0, editable=False)
    paused_at = models.DateTimeField(null=True, blank=True, editable=False)
    # What its UID ends with in calendars, wherever the product moves. "": an earlier version made it.
    uid_host = models.CharField(max_length=255, default="tocsin", db_default="", blank=True, editable=False)
    # Grows when the time or the title changes, so that calendars take note (RFC 5545, 3.8.7.4).
    version = models.PositiveIntegerField(default=0, editable=False)
    # As its places were last set: nobody loses one by there being fewer, so it may take as long as they need.
    places_held = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    is_ending = models.BooleanField(default=False, editable=False, help_text="No further round is held.")
    skipped_reason = models.CharField(max_length=32, blank=True, editable=False)
    rule = models.ForeignKey(
        "dating.RecurringRule",
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="events",
    )
    # The time of the rule that it is for; it may be held at another.
    occurrence_at = models.DateTimeField(null=True, blank=True, editable=False)
    # What its rule said as it last followed it: where it differs from that, somebody has set it by hand.
    rule_settings = models.JSONField(null=True, blank=True, editable=False)
    results = models.JSONField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    over_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ("starts_at",)
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    *(Q(step=step, state=state) for step, state in STATE_OF.items()), _connector=Q.OR
                ),
                name="event_step_of_state",
            ),
            # Never stuck: whatever is not over has a time at which it goes on.
            models.CheckConstraint(
                condition=Q(step__in=OVER, deadline_at=None)
                | (~Q(step__in=OVER) & Q(deadline_at__isnull=False)),
                name="event_has_deadline",
            ),
            models.CheckConstraint(
                condition=Q(confirm_before_s__gte=F("close_before_s"))
                & Q(close_before_s__gte=F("rules_before_s")),
                name="event_times_in_order",
            ),
            # One event for each occurrence of a rule, however many make it at once.
            models.UniqueConstraint(
                fields=["rule", "occurrence_at"],
                condition=Q(rule__isnull=False),
                name="event_once_per_rule",
                nulls_distinct=False,
            ),
        ]
        indexes = [
            models.Index(
                fields=["deadline_at"],
                condition=Q(deadline_at__isnull=False, paused_at=None),
                name="event_due",
            ),
            models.Index(fields=["paused_at"], condition=Q(paused_at__isnull=False), name="event_paused"),
            models.Index(fields=["starts_at"], name="event_starts"),
        ]

    def __str__(self) -> str:
        return f"{self.title}, {self.starts_at:%Y-%m-%d %H:%M}"

    def save(self, *args: Any, **options: Any) -> None:
        if self._state.adding and self.step == Step.OPEN and self.deadline_at is None:
            self.deadline_at = self.confirm_at
        if self.number is not None:
            super().save(*args, **options)
            return
        with transaction.atomic():
            sql.lock(_NUMBERING)
            self.number = (Event.objects.aggregate(last=models.Max("number"))["last"] or 0) + 1
            super().save(*args, **options)

    def _check_break(self) -> None:
        # It can't be changed afterwards.
        if self._state.adding:
            super()._check_break()

    @property
    def confirm_at(self) -> datetime:
        return self.starts_at - timedelta(seconds=self.confirm_before_s)

    @property
    def close_at(self) -> datetime:
        return self.starts_at - timedelta(seconds=self.close_before_s)

    @property
    def rules_at(self) -> datetime:
        return self.starts_at - timedelta(seconds=self.rules_before_s)

    @property
    def is_over(self) -> bool:
        return self.step in OVER


class RecurringRule(EventSettings):
    """Makes events by itself: every Friday at eight, in its own time zone, so many days ahead."""

    id = UUIDv7Field()
    rrule = models.CharField(
        max_length=200,
        default="FREQ=WEEKLY;BYDAY=FR",
        help_text="How often, as in RFC 5545: FREQ=WEEKLY;BYDAY=FR is every Friday.",
    )
    starts_on = models.DateField(help_text="The first day that counts.")
    at = models.TimeField(help_text="By the clocks of the time zone.")
    days_ahead = models.PositiveSmallIntegerField(default=14, validators=_up_to(366, 2))
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ("title",)

    def __str__(self) -> str:
        return f"{self.title}: {self.rrule} at {self.at:%H:%M}"

    def clean(self) -> None:
        super().clean()
        if self.rrule and self.starts_on and self.at:
            try:
                rule_check(self.rrule, starts_on=self.starts_on, at=self.at, time_zone=self.time_zone)
            except BadRule as error:
                raise ValidationError({"rrule": str(error)}) from error


class LogEntry(models.Model):
    """One thing that an event went through: what was due when, and when it was done."""

    id = UUIDv7Field()
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="log")
    what = models.CharField(max_length=32)
    round_number = models.PositiveSmallIntegerField(null=True, blank=True)
    due_at = models.DateTimeField()
    done_at = models.DateTimeField()
    details = models.JSONField(default=dict)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return self.what
