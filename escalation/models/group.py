"""What is wrong right now, by key: opened once, told once, closed by the same key."""

from typing import Final

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy

from accounts.ids import UUIDv7Field
from accounts.models import Shop
from config import clock
from config.recurrence import BadRule, rule_check
from config.zones import is_zone, zone_of
from escalation.models.integration import IntakeRequest, Integration
from escalation.models.policy import Policy
from escalation.models.process import EscalationProcess
from notifications.models import Severity

#: How a matcher compares: equal, not equal, or like a value in which * stands for any characters.
OPS: Final = ("=", "!=", "~")
MAX_MATCHERS: Final = 32


def check(matchers: object) -> None:
    """Raise ValidationError unless these are matchers: a list of ``{"label", "op", "value"}``."""
    if not isinstance(matchers, list) or len(matchers) > MAX_MATCHERS:
        raise ValidationError({"matchers": f"Expected a list of at most {MAX_MATCHERS} matchers."})
    for each in matchers:
        is_one = isinstance(each, dict) and each.keys() == {"label", "op", "value"} and each["op"] in OPS
        if not is_one or not all(isinstance(value, str) and len(value) <= 500 for value in each.values()):
            raise ValidationError({"matchers": 'Expected {"label": …, "op": "=", "!=" or "~", "value": …}.'})


class Route(models.Model):
    """Where an occurrence leads: the first by position counts whose matchers all match.

    ``matchers`` are ``{"label": …, "op": "=", "!=" or "~", "value": …}``; ``~`` takes * for any characters.
    Without matchers it takes everything: the catch-all.
    """

    id = UUIDv7Field()
    name = models.CharField(max_length=100, unique=True)
    position = models.PositiveIntegerField(help_text="The lowest is asked first.")
    matchers = models.JSONField(default=list, blank=True)
    policy = models.ForeignKey(
        Policy,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Who is told; empty: nobody, it is only kept.",
    )
    group_by = ArrayField(
        models.CharField(max_length=100),
        default=list,
        blank=True,
        help_text="Labels: alerts that have the same values are one group. Empty: each key is its own.",
    )
    group_wait_s = models.PositiveIntegerField(
        default=0, help_text="How long a new group waits for more before anybody is told."
    )
    group_interval_s = models.PositiveIntegerField(
        default=300, help_text="How long until those told of a group are told of alerts new in it."
    )
    repeat_interval_s = models.PositiveIntegerField(
        default=0, help_text="How long until an open group that nobody took is told again; 0: never."
    )
    is_shadow = models.BooleanField(
        default=False, help_text="Shows what it would do, and tells nobody; the routes behind it go on."
    )
    is_enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ("position", "id")

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        super().clean()
        check(self.matchers)


class Silence(models.Model):
    """What isn't told for a while: once, or again and again by a rule (a maintenance window)."""

    id = UUIDv7Field()
    reason = models.CharField(max_length=200)
    matchers = models.JSONField(default=list, blank=True, help_text="As those of routes; empty: everything.")
    starts_at = models.DateTimeField(default=clock.now)
    ends_at = models.DateTimeField(help_text="With a rule: of the first time.")
    rule = models.CharField(max_length=300, blank=True, help_text="RRULE (RFC 5545), such as FREQ=WEEKLY.")
    time_zone = models.CharField(max_length=64, default="UTC", help_text="Of the rule's hours.")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    cancelled_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ("-starts_at",)
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("starts_at")), name="silence_ends_after_start"
            )
        ]

    def __str__(self) -> str:
        return self.reason

    def clean(self) -> None:
        super().clean()
        check(self.matchers)
        if not is_zone(self.time_zone):
            raise ValidationError({"time_zone": "There is no such time zone."})
        if self.rule:
            begins = self.starts_at.astimezone(zone_of(self.time_zone))
            try:
                rule_check(self.rule, starts_on=begins.date(), at=begins.time(), time_zone=self.time_zone)
            except BadRule as error:
                raise ValidationError({"rule": str(error)}) from error


class AlertGroup(models.Model):
    """What is told as one, until it is resolved. At most one of an integration's key is open.

    ``key`` is the dedup key, or made of the values of the route's ``group_by``. ``quiet`` says why nobody is
    told of it, or not yet; ``rings_at`` when that is looked at again.
    """

    class State(models.TextChoices):
        OPEN = "open", gettext_lazy("Open")
        ACKNOWLEDGED = "acknowledged", gettext_lazy("Acknowledged")
        RESOLVED = "resolved", gettext_lazy("Resolved")

    class Quiet(models.TextChoices):
        NO = "", gettext_lazy("Told")
        WAITING = "waiting", gettext_lazy("Waiting for more of its group")
        SILENCED = "silenced", gettext_lazy("Silenced")
        SNOOZED = "snoozed", gettext_lazy("Snoozed")
        FLAPPING = "flapping", gettext_lazy("Flapping: opened and closed again and again")
        STORM = "storm", gettext_lazy("Told in the summary of a storm")
        UNROUTED = "unrouted", gettext_lazy("No route, and no policy of its integration")
        NOBODY = "nobody", gettext_lazy("Its policy would tell nobody")

    id = UUIDv7Field()
    # A storm opens thousands of groups. So of the references, only those that are there are in an index, and
    # the integration is checked once a body, by its request's (escalation.receiving.keeping).
    integration = models.ForeignKey(
        Integration,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="groups",
        db_constraint=False,
        db_index=False,
    )
    shop = models.ForeignKey(
        Shop, null=True, blank=True, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    key = models.CharField(max_length=255)
    state = models.CharField(max_length=16, choices=State.choices, default=State.OPEN)
    quiet = models.CharField(max_length=16, choices=Quiet.choices, blank=True, default=Quiet.NO)
    title = models.CharField(max_length=200)
    severity = models.CharField(max_length=16, choices=Severity.choices)
    labels = models.JSONField(default=dict)
    link = models.CharField(max_length=2048, blank=True)
    occurrences = models.PositiveIntegerField(default=0)
    opened_at = models.DateTimeField()
    last_at = models.DateTimeField()
    rings_at = models.DateTimeField(null=True, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=200, blank=True, help_text="Who acknowledged or resolved it.")
    ended_via = models.CharField(max_length=32, blank=True)
    route = models.ForeignKey(
        Route, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    policy = models.ForeignKey(
        Policy, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    why = models.JSONField(default=list, help_text="Sentences: which routes were asked, and what came of it.")
    silence = models.ForeignKey(
        Silence, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    storm = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="stormed", db_index=False
    )
    is_storm = models.BooleanField(default=False, editable=False)
    process = models.ForeignKey(
        EscalationProcess,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="groups",
        db_index=False,
        help_text="The run by which it was last told.",
    )
    told_at = models.DateTimeField(null=True, blank=True, help_text="When it was last begun to be told.")

    class Meta:
        ordering = ("-opened_at", "-id")
        verbose_name = "alert group"
        constraints = [
            models.UniqueConstraint(
                fields=["integration", "key"],
                condition=~models.Q(state="resolved"),
                nulls_distinct=False,
                name="group_open_once",
            ),
            models.CheckConstraint(
                condition=models.Q(state="resolved") ^ models.Q(resolved_at=None), name="group_resolved_at"
            ),
        ]
        indexes = [
            models.Index(fields=["-opened_at", "-id"], name="group_newest"),
            models.Index(fields=["rings_at"], condition=models.Q(rings_at__isnull=False), name="group_rings"),
            models.Index(fields=["policy", "-told_at"], name="group_of_policy"),
            models.Index(fields=["integration", "key", "-opened_at"], name="group_of_key"),
            *(
                models.Index(
                    fields=[name], condition=models.Q((f"{name}__isnull", False)), name=f"group_of_{name}"
                )
                for name in ("process", "shop", "route", "silence", "storm")
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def ran_out(self) -> bool:
        """Whether nobody took it, and everybody was told whom its escalation tells."""
        return self.state == self.State.OPEN and self.process is not None and self.process.ran_out


class GroupedAlert(models.Model):
    """One dedup key within a group: firing until it is resolved. A group ends with the last of them."""

    id = UUIDv7Field()
    # Stored with its group, or while that is locked.
    group = models.ForeignKey(
        AlertGroup, on_delete=models.CASCADE, related_name="alerts", db_constraint=False
    )
    integration = models.ForeignKey(
        Integration,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    key = models.CharField(max_length=255)
    title = models.CharField(max_length=200)
    link = models.CharField(max_length=2048, blank=True)
    occurrences = models.PositiveIntegerField(default=0)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    began_at = models.DateTimeField(null=True, blank=True, help_text="By the source, where it says so.")
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("first_at", "id")
        constraints = [
            models.UniqueConstraint(
                fields=["integration", "key"],
                condition=models.Q(ended_at=None),
                nulls_distinct=False,
                name="grouped_alert_firing_once",
            )
        ]
        indexes = [models.Index(fields=["integration", "key", "-ended_at"], name="grouped_alert_of_key")]

    def __str__(self) -> str:
        return self.title


class AlertOccurrence(models.Model):
    """One thing that was said of an alert; nothing that was answered with 2xx is without one."""

    class Act(models.TextChoices):
        TRIGGER = "trigger", gettext_lazy("Trigger")
        ACKNOWLEDGE = "acknowledge", gettext_lazy("Acknowledge")
        RESOLVE = "resolve", gettext_lazy("Resolve")
        NOTE = "note", gettext_lazy("Note")

    id = UUIDv7Field()
    integration = models.ForeignKey(
        Integration, null=True, blank=True, on_delete=models.CASCADE, related_name="+", db_constraint=False
    )
    # Empty where it was about something that isn't open: kept, and of no effect.
    alert = models.ForeignKey(
        GroupedAlert,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="said",
        db_constraint=False,
        db_index=False,
    )
    # Goes before this one does.
    request = models.ForeignKey(
        IntakeRequest,
        null=True,
        blank=True,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    key = models.CharField(max_length=255)
    act = models.CharField(max_length=16, choices=Act.choices)
    details = models.TextField(blank=True)
    by = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField(null=True, blank=True, help_text="By the source.")
    received_at = models.DateTimeField()

    class Meta:
        ordering = ("-id",)
        indexes = [
            models.Index(fields=["alert", "-id"], name="occurrence_of_alert"),
            models.Index(fields=["received_at", "id"], name="occurrence_age"),
        ]

    def __str__(self) -> str:
        return f"{self.act} {self.key}"
