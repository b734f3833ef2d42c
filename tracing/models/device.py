"""A phone that sees other phones, and what is known of it."""

from django.db import models
from django.utils.translation import gettext_lazy

from config import clock


class Device(models.Model):
    """Known by the number that its owners gave it. Interactions may name devices that are not here."""

    class Status(models.IntegerChoices):
        NORMAL = 0, gettext_lazy("Normal")
        INFECTED = 1, gettext_lazy("Infected")
        SUSPECT = 2, gettext_lazy("Suspect")
        HEALED = 3, gettext_lazy("Healed")
        QUARANTINE_LIGHT = 4, gettext_lazy("Quarantine, light")
        QUARANTINE_WARNING = 5, gettext_lazy("Quarantine, warning")
        QUARANTINE_ALERT = 6, gettext_lazy("Quarantine, alert")

    class Platform(models.TextChoices):
        IOS = "ios", gettext_lazy("iOS")
        ANDROID = "android", gettext_lazy("Android")
        UNKNOWN = "", gettext_lazy("Unknown")

    id = models.IntegerField(primary_key=True)
    push_token = models.CharField(max_length=512, blank=True)
    platform = models.CharField(max_length=8, choices=Platform.choices, blank=True)
    language = models.CharField(max_length=8, blank=True, help_text="Empty: the filter's.")
    status = models.PositiveSmallIntegerField(choices=Status.choices, default=Status.NORMAL)
    status_at = models.DateTimeField(
        null=True, editable=False, help_text="When its status was last said. What was said before is late."
    )
    turned_at = models.DateTimeField(
        null=True, editable=False, help_text="When it was last said to be infected, or healed."
    )
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(name="tracing_device_id_positive", condition=models.Q(id__gt=0)),
            models.CheckConstraint(
                name="tracing_device_status_known", condition=models.Q(status__range=(0, 6))
            ),
        )

    def __str__(self) -> str:
        return f"device {self.pk}"
