"""How much a person wants to be told."""

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
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.user}: {self.level}"
