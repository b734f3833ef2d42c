"""How much a person wants to be told, by which channels, and when not."""

from datetime import time

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext, gettext_lazy

from notifications import rules
from notifications.channels import registry
from notifications.models.notification import Severity

KIND_MESSAGE = "Expected a kind, such as stage.accepted, or a group of them, such as stage.*; empty for any."


class Preference(models.Model):
    """One person's level; whoever has none is told of everything."""

    class Level(models.TextChoices):
        STANDARD = "STANDARD", gettext_lazy("Everything")
        CRITICAL = "CRITICAL", gettext_lazy("Only what is critical")

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE, related_name="preference"
    )
    level = models.CharField(max_length=16, choices=Level.choices, default=Level.STANDARD)
    quiet_from = models.TimeField(null=True, blank=True, help_text="In the person's own time zone.")
    quiet_until = models.TimeField(null=True, blank=True, help_text="What was held is sent then.")
    digest = models.BooleanField(
        default=False, help_text="Send what quiet hours held back as one message per contact point."
    )
    # By severity, as notifications.own_steps has them.
    steps = models.JSONField(default=dict, db_default={}, blank=True, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(quiet_from=None, quiet_until=None)
                | models.Q(quiet_from__isnull=False, quiet_until__isnull=False)
                & ~models.Q(quiet_from=models.F("quiet_until")),
                name="preference_quiet_hours_whole",
            )
        ]
        # Whether anybody has quiet hours, and who of an audience does.
        indexes = [
            models.Index(
                fields=["user"], condition=models.Q(quiet_from__isnull=False), name="preference_quiet"
            )
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.level}"

    def clean(self) -> None:
        """Check that quiet hours have a beginning and an end."""
        if (self.quiet_from is None) != (self.quiet_until is None):
            missing = "quiet_from" if self.quiet_from is None else "quiet_until"
            raise ValidationError(
                {missing: gettext("Quiet hours need a beginning and an end: give both, or neither.")}
            )
        if self.quiet_from is not None and self.quiet_from == self.quiet_until:
            raise ValidationError({"quiet_until": gettext("Quiet hours can't end when they begin.")})


class Subscription(models.Model):
    """Whether a person wants a kind of notification by a channel. Empty means any; the narrowest rule wins.

    ``kind`` is a notification's kind (``stage.accepted``), a group of them (``stage.*``), or empty.
    See notifications.rules.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="subscriptions")
    channel = models.CharField(max_length=32, blank=True)
    kind = models.CharField(max_length=64, blank=True)
    is_enabled = models.BooleanField()
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("channel", "kind")
        constraints = [models.UniqueConstraint(fields=["user", "channel", "kind"], name="subscription_once")]
        # Whether anybody has a rule for a kind, and who does.
        indexes = [models.Index(fields=["kind", "user"], name="subscription_of_kind")]

    def __str__(self) -> str:
        answer = "yes" if self.is_enabled else "no"
        return f"{self.user}: {self.kind or 'anything'} by {self.channel or 'any channel'}: {answer}"

    def clean(self) -> None:
        """Check that there is such a channel, and that the kind is one that can be switched off."""
        if self.channel and self.channel not in registry.CHANNELS:
            channels = ", ".join(sorted(registry.CHANNELS))
            raise ValidationError({"channel": f"Choose one of: {channels}; or leave it empty for any."})
        if not self.kind:
            return
        if not rules.KIND.fullmatch(self.kind):
            raise ValidationError({"kind": KIND_MESSAGE})
        if not rules.can_be_switched_off(self.kind):  # it would be a rule without effect
            raise ValidationError({"kind": "You can't switch this off: it is always sent."})


class ChannelHours(models.Model):
    """When a person is told of what is critical, or of all else, by one channel.

    It stands in place of their quiet hours, for this channel and severity alone.
    """

    class Told(models.TextChoices):
        ALWAYS = "always", gettext_lazy("At once, always")
        HOURS = "hours", gettext_lazy("Only between")
        DIGEST = "digest", gettext_lazy("Together, once a day at")
        NEVER = "never", gettext_lazy("Never")

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="channel_hours")
    channel = models.CharField(max_length=32)
    severity = models.CharField(max_length=16, choices=Severity.choices)
    told = models.CharField(max_length=16, choices=Told.choices)
    begins = models.TimeField(null=True, blank=True, help_text="In the person's own time zone.")
    ends = models.TimeField(null=True, blank=True, help_text="What comes later waits until it begins again.")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("channel", "severity")
        constraints = [
            models.UniqueConstraint(fields=["user", "channel", "severity"], name="channel_hours_once"),
            models.CheckConstraint(
                condition=models.Q(told__in=("always", "never"), begins=None, ends=None)
                | models.Q(told="hours", begins__isnull=False, ends__isnull=False)
                & ~models.Q(begins=models.F("ends"))
                | models.Q(told="digest", begins__isnull=False, ends=models.F("begins")),
                name="channel_hours_whole",
            ),
        ]

    def __str__(self) -> str:
        span = f" {self.begins:%H:%M} to {self.ends:%H:%M}" if self.begins and self.ends else ""
        return f"{self.user}: {self.severity} by {self.channel}: {self.told}{span}"

    @property
    def held(self) -> tuple[time, time] | None:
        """From when until when it is held, as quiet hours are; a whole day, where both are the same."""
        return (self.ends, self.begins) if self.begins and self.ends else None

    def clean(self) -> None:
        """Check that the channel can be late, and that the times are those that are needed."""
        way = registry.CHANNELS.get(self.channel)
        if way is None or not way.for_contacts or way.instant:
            raise ValidationError({"channel": gettext("There are no hours for this channel.")})
        match self.told:
            case self.Told.HOURS:
                if self.begins is None or self.ends is None or self.begins == self.ends:
                    raise ValidationError(
                        {"begins": gettext("Hours need a beginning and an end that are not the same.")}
                    )
            case self.Told.DIGEST:
                if self.begins is None:
                    raise ValidationError({"begins": gettext("Say at which time of the day.")})
                self.ends = self.begins
            case _:
                self.begins = self.ends = None
