"""Whom the dating bot means by its own number of them."""

from django.conf import settings
from django.db import models

from accounts.ids import UUIDv7Field
from config import clock


class BotAccount(models.Model):
    """Somebody as the bot knows them. It speaks for them by this number, so each is one person's only."""

    id = UUIDv7Field()
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="bot_account"
    )
    number = models.PositiveBigIntegerField(
        unique=True, help_text="The bot's user_id of them (Telegram's, for a Telegram bot)."
    )
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ("-created_at",)
        constraints = [
            models.CheckConstraint(condition=models.Q(number__gt=0), name="bot_account_number_positive")
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.number})"
