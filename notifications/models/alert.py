"""A fact that a shop's cameras report."""

from django.db import models
from django.utils.translation import gettext_lazy

from accounts.models import ApiKey, Shop
from config import clock
from notifications.models.notification import Severity


class Alert(models.Model):
    """One alert, as accepted. Saving it makes the ``post_save`` signal enqueue its fan-out."""

    class Label(models.TextChoices):
        THEFT = "theft", gettext_lazy("Theft")
        SUSPICIOUS = "suspicious", gettext_lazy("Suspicious")
        NORMAL = "normal", gettext_lazy("Normal")

    alert_uuid = models.UUIDField(primary_key=True)
    url = models.URLField(max_length=2048)
    shop = models.ForeignKey(Shop, on_delete=models.PROTECT, related_name="alerts")
    location = models.CharField(max_length=200, help_text="The shop as the sender named it.")
    label = models.CharField(max_length=16, choices=Label.choices)
    time_spotted = models.DateTimeField()
    received_at = models.DateTimeField(default=clock.now, editable=False)
    received_from = models.ForeignKey(
        ApiKey, null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    fanned_out_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When the last delivery was made for it."
    )
    fanned_out_to = models.UUIDField(
        null=True, blank=True, editable=False, help_text="The last member it has been fanned out to so far."
    )

    grouped_with = models.UUIDField(
        null=True,
        blank=True,
        editable=False,
        help_text="The first alert of its group, which is this one if people were told of it. "
        "Empty if its shop tells each.",
    )

    class Meta:
        ordering = ("-received_at",)
        indexes = [
            models.Index(fields=["-received_at"], name="alert_newest"),
            models.Index(fields=["shop", "-received_at"], name="alert_of_shop"),
            models.Index(
                fields=["received_at"], condition=models.Q(fanned_out_at=None), name="alert_not_fanned_out"
            ),
            models.Index(
                fields=["shop", "label", "-received_at"],
                condition=models.Q(grouped_with__isnull=False),
                name="alert_grouped_of_shop",
            ),
            models.Index(
                fields=["grouped_with"],
                condition=models.Q(grouped_with__isnull=False),
                name="alert_grouped_with",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.label} at {self.location}"

    @property
    def is_grouped(self) -> bool:
        """Whether people were told of another one in its place."""
        return self.grouped_with not in (None, self.pk)

    @property
    def severity(self) -> str:
        return Severity.CRITICAL if self.label == self.Label.THEFT else Severity.STANDARD
