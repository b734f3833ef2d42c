"""External calendars: what was read of them, and how that went."""

from django.conf import settings
from django.db import models

from accounts.ids import UUIDv7Field
from config import clock
from escalation.models.schedule import Layer


class LayerCalendar(models.Model):
    """The external calendar of a layer, as it was last fetched and read.

    ``url`` and ``time_zone`` are what the layer had then: its spells count only as long as it has that
    address. ``problems`` are what of it nobody is on call by, as escalation.calendars.meaning says.
    """

    id = UUIDv7Field()
    layer = models.OneToOneField(Layer, on_delete=models.CASCADE, related_name="calendar")
    url = models.CharField(max_length=2048)
    time_zone = models.CharField(max_length=64)
    due_at = models.DateTimeField(default=clock.now)
    #: When it was last there, changed or not; and when all of it was last read.
    fetched_at = models.DateTimeField(null=True)
    read_at = models.DateTimeField(null=True)
    # What the server knows this version by.
    etag = models.CharField(max_length=300, blank=True)
    last_modified = models.CharField(max_length=100, blank=True)
    failing_since = models.DateTimeField(null=True)
    error = models.CharField(max_length=200, blank=True)
    told_at = models.DateTimeField(null=True)
    problems = models.JSONField(default=list)
    problems_count = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ("layer",)
        indexes = [models.Index(fields=["due_at"], name="layer_calendar_due")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(failing_since=None) | ~models.Q(error=""), name="layer_calendar_error_said"
            )
        ]

    def __str__(self) -> str:
        return f"The calendar of {self.layer}"


class CalendarSpell(models.Model):
    """Somebody is on call by an event of an external calendar. Those of one event follow each other."""

    calendar = models.ForeignKey(
        LayerCalendar, on_delete=models.CASCADE, related_name="spells", db_index=False
    )
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    #: Of those that overlap, only those with the highest count.
    priority = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ("calendar", "pk")
        indexes = [models.Index(fields=["calendar", "ends_at"], name="calendar_spells")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("starts_at")), name="calendar_spell_forward"
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} from {self.starts_at:%Y-%m-%d %H:%M} UTC"
