"""What becomes of a bot's accounts as people's accounts change hands."""

from typing import Any

from django.dispatch import receiver

from accounts.models import User
from accounts.signals import account_taken
from dating.models import BotAccount
from dating.services.bot import bot_account_unlink


@receiver(account_taken)
def bot_unlink(user: User, **kwargs: Any) -> None:
    """The bot that spoke for whoever had the account does not speak for its owner."""
    for account in BotAccount.objects.filter(user=user):
        bot_account_unlink(account=account)
