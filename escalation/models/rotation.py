"""Rotations: who is on call when."""

from datetime import time

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from accounts.ids import UUIDv7Field
from accounts.validators import validate_time_zone
from config import clock

#: Hours of the shifts of each kind; a custom one has its own.
HOURS = {"daily": 24, "weekly": 168}
MAX_SHIFT_H = 24 * 56


class Rotation(models.Model):
    """People who take turns. The first begins at ``handoff_at`` on ``starts_on``, by the clock on the wall.

    Removing it sets ``deleted_at``: policies that name it tell nobody by it any more.
    """

    class Kind(models.TextChoices):
        DAILY = "daily", "Daily"
        WEEKLY = "weekly", "Weekly"
        CUSTOM = "custom", "Custom"

    id = UUIDv7Field()
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.WEEKLY)
    shift_h = models.PositiveIntegerField(
        default=168,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_SHIFT_H)],
        verbose_name="shift in hours",
        help_text="For custom ones: by the clock on the wall, so that 12 stay 08:00 and 20:00 all the year.",
    )
    time_zone = models.CharField(max_length=64, default="UTC", validators=[validate_time_zone])
    starts_on = models.DateField(help_text="The day of the first shift; for weekly ones it sets the weekday.")
    handoff_at = models.TimeField(default=time(8), help_text="In the rotation's time zone.")
    # Part of the calendar's secret link: a new number ends the links that were given out.
    link_version = models.PositiveIntegerField(default=1, editable=False)
    members = models.ManyToManyField(
        settings.AUTH_USER_MODEL, through="RotationMember", related_name="rotations"
    )
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ("name",)
        constraints = [
            models.UniqueConstraint(
                fields=["name"], condition=models.Q(deleted_at=None), name="rotation_name_once"
            ),
            models.CheckConstraint(
                condition=models.Q(shift_h__gte=1, shift_h__lte=MAX_SHIFT_H), name="rotation_shift_in_bounds"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Set the length that daily and weekly shifts have."""
        self.shift_h = HOURS.get(self.kind, self.shift_h)


class RotationMember(models.Model):
    """Somebody's place in the order of a rotation; one person may have several.

    It stays when their account is deleted: everybody else keeps their turns, as when it is switched off.
    """

    rotation = models.ForeignKey(Rotation, on_delete=models.CASCADE, related_name="places", db_index=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    position = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ("rotation", "position", "pk")
        # Not unique: two that change places would be in each other's way.
        indexes = [models.Index(fields=["rotation", "position"], name="rotation_places")]

    def __str__(self) -> str:
        return f"{self.position}. {self.user or 'somebody who left'}"

    def clean(self) -> None:
        if self._state.adding and self.user_id is None:
            raise ValidationError({"user": "Choose who takes this turn."})


class RotationOverride(models.Model):
    """Somebody stands in from one time until another. Where two overlap, the one made last counts."""

    id = UUIDv7Field()
    rotation = models.ForeignKey(Rotation, on_delete=models.CASCADE, related_name="overrides", db_index=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ("starts_at", "id")
        indexes = [models.Index(fields=["rotation", "ends_at"], name="rotation_override_of")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("starts_at")), name="rotation_override_forward"
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} from {self.starts_at:%Y-%m-%d %H:%M} UTC"

    def clean(self) -> None:
        if self.starts_at and self.ends_at and self.ends_at <= self.starts_at:
            raise ValidationError({"ends_at": "It has to end after it starts."})
