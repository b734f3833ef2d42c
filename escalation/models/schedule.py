"""Schedules: who is on call when."""

from datetime import time

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from accounts.ids import UUIDv7Field
from accounts.validators import validate_time_zone
from config import clock
from escalation import ical_addresses as addresses

MAX_SHIFT_H = 24 * 56
MAX_PER_TURN = 10
MAX_DRILL_DAYS = 366


class Schedule(models.Model):
    """Layers of people who take turns, and overrides over them; see ``escalation.schedules.row``.

    Removing it sets ``deleted_at``: policies that name it tell nobody by it any more.
    """

    id = UUIDv7Field()
    name = models.CharField(max_length=100)
    may_have_gaps = models.BooleanField(
        default=False,
        db_default=False,
        verbose_name="nobody on call now and then is meant",
        help_text="Times in which nobody is on call are then no holes.",
    )
    drill_every_days = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_DRILL_DAYS)],
        help_text="Whoever is on call is rung for a test every so many days; empty: never.",
    )
    drill_at = models.TimeField(
        default=time(10),
        db_default=time(10),
        help_text="When, by the clock of the lowest layer.",
    )
    # Part of the calendar's secret link: a new number ends the links that were given out.
    link_version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ("name",)
        constraints = [
            models.UniqueConstraint(
                fields=["name"], condition=models.Q(deleted_at=None), name="schedule_name_once"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Layer(models.Model):
    """People who take turns. The first begins at ``handoff_at`` on ``starts_on``, by the clock.

    ``restrictions`` are written as escalation.schedules.restrictions says. Where there is an ``ical_url``,
    the events of that calendar say who is on call instead, and nobody takes turns.
    """

    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="layers", db_index=False)
    position = models.PositiveSmallIntegerField(
        default=1, help_text="A higher one lies over the lower ones wherever it has somebody on call."
    )
    name = models.CharField(max_length=100, blank=True)
    shift_h = models.PositiveIntegerField(
        default=168,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_SHIFT_H)],
        verbose_name="shift in hours",
        help_text="By the clock on the wall, so that 12 stay 08:00 and 20:00 all the year; 168 is a week.",
    )
    time_zone = models.CharField(max_length=64, default="UTC", validators=[validate_time_zone])
    starts_on = models.DateField(
        null=True,
        blank=True,
        help_text="The day of the first shift; for weekly ones it sets the weekday. Empty with a calendar.",
    )
    handoff_at = models.TimeField(default=time(8), help_text="In the layer's time zone.")
    per_turn = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_PER_TURN)],
        verbose_name="people a turn",
        help_text="So many are on call together.",
    )
    restrictions = models.JSONField(
        default=list,
        blank=True,
        help_text='When anybody is on call at all, such as [{"weekdays": ["sat", "sun"], "begin": "08:00", '
        '"end": "20:00"}], in the layer\'s time zone; [] is always.',
    )
    # Whoever has it can read the calendar, so it is told to nobody who can't change the schedule.
    ical_url = models.CharField(
        max_length=2048,
        blank=True,
        default="",
        db_default="",
        verbose_name="iCalendar address",
        help_text="Of a calendar whose events say who is on call, in place of turns: https://….ics",
    )
    members = models.ManyToManyField(
        settings.AUTH_USER_MODEL, through="LayerMember", related_name="schedule_layers"
    )

    class Meta:
        ordering = ("schedule", "position", "pk")
        # Not unique: two that change places would be in each other's way.
        indexes = [models.Index(fields=["schedule", "position"], name="layers_of_schedule")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(shift_h__gte=1, shift_h__lte=MAX_SHIFT_H), name="layer_shift_in_bounds"
            ),
            models.CheckConstraint(condition=models.Q(per_turn__gte=1), name="layer_somebody_a_turn"),
            models.CheckConstraint(
                condition=models.Q(starts_on__isnull=False) | ~models.Q(ical_url=""),
                name="layer_turns_or_calendar",
            ),
        ]

    def __str__(self) -> str:
        return self.name or f"Layer {self.position}"

    def clean(self) -> None:
        if self.ical_url:
            try:
                self.ical_url = addresses.normalised(self.ical_url)
            except ValidationError as error:
                raise ValidationError({"ical_url": error.messages})
        elif self.starts_on is None:
            raise ValidationError({"starts_on": "Enter a day, or the address of a calendar."})


class LayerMember(models.Model):
    """Somebody's place in the order of a layer; one person may have several.

    It stays when their account is deleted: everybody else keeps their turns, as when it is switched off.
    """

    layer = models.ForeignKey(Layer, on_delete=models.CASCADE, related_name="places", db_index=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    position = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ("layer", "position", "pk")
        # Not unique: two that change places would be in each other's way.
        indexes = [models.Index(fields=["layer", "position"], name="layer_places")]

    def __str__(self) -> str:
        return f"{self.position}. {self.user or 'somebody who left'}"

    def clean(self) -> None:
        if self._state.adding and self.user_id is None:
            raise ValidationError({"user": "Choose who takes this turn."})


class ScheduleOverride(models.Model):
    """Somebody stands in from one time until another. Where two overlap, the one made last counts."""

    id = UUIDv7Field()
    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="overrides", db_index=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    instead_of = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="+",
        help_text="Only in this person's place; empty: in everybody's.",
    )
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ("starts_at", "id")
        indexes = [models.Index(fields=["schedule", "ends_at"], name="schedule_override_of")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("starts_at")), name="schedule_override_forward"
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} from {self.starts_at:%Y-%m-%d %H:%M} UTC"

    def clean(self) -> None:
        if self.starts_at and self.ends_at and self.ends_at <= self.starts_at:
            raise ValidationError({"ends_at": "It has to end after it starts."})
