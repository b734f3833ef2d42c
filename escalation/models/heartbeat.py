"""What has to report again and again, when it last did, and the secrets by which it does."""

import secrets
import uuid
from datetime import datetime
from typing import Final

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy

from accounts.ids import UUIDv7Field
from accounts.models import Shop
from accounts.validators import validate_time_zone
from config import clock
from config.cron import BadLine, line_check
from escalation.models.policy import Policy
from notifications.models import Severity

#: A year: the longest period, and the longest grace.
MAX_S: Final = 366 * 86_400
MAX_TAGS: Final = 20
NO_TAG: Final = "A tag has neither spaces nor slashes."
#: So many of a heartbeat's pings are kept.
PINGS_KEPT: Final = 100

_SECONDS: Final = (MinValueValidator(1), MaxValueValidator(MAX_S))


def ping_key() -> str:
    """Return a new key: 22 characters that no path has to escape."""
    return secrets.token_urlsafe(16)


class PingKey(models.Model):
    """The secret by which the heartbeats of a shop, or those of none, are pinged by their slugs."""

    id = UUIDv7Field()
    shop = models.ForeignKey(Shop, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=22, unique=True, default=ping_key)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        verbose_name = "ping key"
        constraints = [
            models.UniqueConstraint(fields=["shop"], nulls_distinct=False, name="ping_key_once_a_shop")
        ]

    def __str__(self) -> str:
        return f"Ping key of {self.shop or 'no shop'}"


class Heartbeat(models.Model):
    """Something that pings every ``period_s``, or at each turn of ``cron``.

    Past that it is late, and after ``grace_s`` more it is down: ``policy`` tells of it, unless a route says
    otherwise.

    ``expected_at`` is when the next ping should come, ``due_at`` when the heartbeat goes down without it;
    ``due_at`` is empty while nothing is waited for. What is late is up, and past ``expected_at``.
    """

    class State(models.TextChoices):
        NEW = "new", gettext_lazy("New")
        UP = "up", gettext_lazy("Up")
        DOWN = "down", gettext_lazy("Down")
        PAUSED = "paused", gettext_lazy("Paused")

    #: What is shown of one that is up, and whose ping should have come.
    LATE: Final = "late"

    id = UUIDv7Field()
    name = models.CharField(max_length=100)
    slug = models.SlugField(
        max_length=100, db_index=False, help_text="Its name in ping addresses with a ping key."
    )
    ping_uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    # Each index is one more that every ping writes to. That of slugs begins with the shop.
    shop = models.ForeignKey(
        Shop, null=True, blank=True, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    policy = models.ForeignKey(
        Policy,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Who is told where no route says otherwise.",
    )
    severity = models.CharField(max_length=16, choices=Severity.choices, default=Severity.CRITICAL)
    tags = ArrayField(
        models.CharField(max_length=50, validators=[RegexValidator(r"\A[^\s/]+\Z", NO_TAG)]),
        default=list,
        blank=True,
        size=MAX_TAGS,
    )
    period_s = models.PositiveIntegerField(
        default=86_400, validators=_SECONDS, verbose_name="period in seconds"
    )
    grace_s = models.PositiveIntegerField(
        default=3_600,
        validators=_SECONDS,
        verbose_name="grace in seconds",
        help_text="After its time, and from a start to its end.",
    )
    cron = models.CharField(
        max_length=100,
        blank=True,
        verbose_name="cron line",
        help_text="In place of a period: minute, hour, day, month, weekday.",
    )
    time_zone = models.CharField(
        max_length=64, default="UTC", validators=[validate_time_zone], help_text="Of the cron line."
    )
    state = models.CharField(max_length=8, choices=State.choices, default=State.NEW, editable=False)
    pings = models.BigIntegerField(default=0, editable=False)
    last_ping_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Of the run that has started and not ended.
    last_start_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_rid = models.UUIDField(null=True, blank=True, editable=False)
    last_duration_s = models.FloatField(null=True, blank=True, editable=False)
    expected_at = models.DateTimeField(null=True, blank=True, editable=False)
    due_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ("name", "id")
        constraints = [
            models.UniqueConstraint(
                fields=["shop", "slug"], nulls_distinct=False, name="heartbeat_slug_once"
            ),
            models.CheckConstraint(
                condition=models.Q(due_at=None) | models.Q(state__in=("new", "up")), name="heartbeat_due"
            ),
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=models.Q(due_at__isnull=False), name="heartbeat_due_at")
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Check the cron line.

        Raises:
            ValidationError: it is none, or its time never comes.
        """
        if self.cron:
            try:
                line_check(self.cron)
            except BadLine as error:
                raise ValidationError({"cron": str(error)}) from None

    def state_at(self, now: datetime) -> str:
        """Return its state as it is shown, which may be late."""
        is_late = self.state == self.State.UP and self.expected_at is not None and self.expected_at <= now
        return self.LATE if is_late else self.state


class HeartbeatWatch(models.Model):
    """The one row of it: when heartbeats were last looked after, to within seconds."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    looked_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="heartbeat_watch_once")]

    def __str__(self) -> str:
        return f"looked after at {self.looked_at:%Y-%m-%d %H:%M:%S}"


class HeartbeatPing(models.Model):
    """One of the last pings of a heartbeat: the hundredth after it takes its place."""

    class Kind(models.TextChoices):
        SUCCESS = "success", gettext_lazy("Success")
        START = "start", gettext_lazy("Start")
        FAIL = "fail", gettext_lazy("Failure")
        LOG = "log", gettext_lazy("Log")

    id = UUIDv7Field()
    heartbeat = models.ForeignKey(
        Heartbeat, on_delete=models.CASCADE, related_name="last_pings", db_index=False
    )
    place = models.PositiveSmallIntegerField()
    number = models.BigIntegerField()
    kind = models.CharField(max_length=8, choices=Kind.choices)
    at = models.DateTimeField()
    method = models.CharField(max_length=8)
    exit_status = models.PositiveSmallIntegerField(null=True, blank=True)
    rid = models.UUIDField(null=True, blank=True)
    duration_s = models.FloatField(null=True, blank=True)
    body = models.TextField(blank=True, help_text="Its beginning.")

    class Meta:
        ordering = ("-number",)
        verbose_name = "ping"
        constraints = [models.UniqueConstraint(fields=["heartbeat", "place"], name="heartbeat_ping_place")]

    def __str__(self) -> str:
        return f"{self.kind} {self.at:%Y-%m-%d %H:%M:%S}"
