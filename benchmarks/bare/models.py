"""One table with the columns of an alert as it is posted."""

from django.db import models
from django.utils import timezone


class BareAlert(models.Model):
    alert_uuid = models.UUIDField(primary_key=True)
    url = models.URLField(max_length=2048)
    location = models.CharField(max_length=200)
    label = models.CharField(max_length=16)
    time_spotted = models.DateTimeField()
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        app_label = "bare"

    def __str__(self) -> str:
        return f"{self.label} at {self.location}"
