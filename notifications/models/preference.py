"""How much a person wants to be told, by which channels, and when not."""

from django.conf import settings
from django.db import models


class Preference(models.Model):
    """One person's level; whoever has none is told of everything."""

    class Level(models.TextChoices):
        STANDARD = "STANDARD", "Everything"
        CRITICAL = "CRITICAL", "Only what is critical"

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE, related_name="preference"
    )
    level = models.CharField(max_length=16, choices=Level.choices, default=Level.STANDARD)
    quiet_from = models.TimeField(null=True, blank=True, help_text="In the person's own time zone.")
    quiet_until = models.TimeField(null=True, blank=True, help_text="What was held is sent then.")
    digest = models.BooleanField(
        default=False, help_text="Send what quiet hours held back as one message per contact point."
    )
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

    def __str__(self) -> str:
        return f"{self.user}: {self.level}"


class Subscription(models.Model):
    """Whether a person wants a kind of notification by a channel. Empty means any; the narrowest rule wins.

    ``kind`` is a notification's kind (``stage.accepted``), a group of them (``stage.*``), or empty.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="subscriptions")
    channel = models.CharField(max_length=32, blank=True)
    kind = models.CharField(max_length=64, blank=True)
    is_enabled = models.BooleanField()
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("channel", "kind")
        constraints = [models.UniqueConstraint(fields=["user", "channel", "kind"], name="subscription_once")]

    def __str__(self) -> str:
        answer = "yes" if self.is_enabled else "no"
        return f"{self.user}: {self.kind or 'anything'} by {self.channel or 'any channel'}: {answer}"
