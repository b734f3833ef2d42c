"""What becomes of people's evenings, and of a bot's accounts, as accounts and profiles change or end."""

from typing import Any

from django.db.models.signals import post_save, pre_delete
from django.dispatch import receiver

from accounts.models import User
from accounts.signals import account_taken
from config import clock
from dating.models import BotAccount, DatingProfile, RecurringRule
from dating.services.bot import bot_account_unlink
from dating.services.events import events_call_off
from dating.services.handing_over import evenings_hand_over
from dating.services.leaving import person_leaves
from dating.services.places import places_follow_wishes


@receiver(account_taken)
def bot_unlink(user: User, **kwargs: Any) -> None:
    """The bot that spoke for whoever had the account does not speak for its owner."""
    for account in BotAccount.objects.filter(user=user):
        bot_account_unlink(account=account)


@receiver(pre_delete, sender=RecurringRule)
def evenings_go(instance: RecurringRule, **kwargs: Any) -> None:
    """Evenings that nobody has registered for go with their rule."""
    events_call_off(rule=instance, now=clock.now())


@receiver(post_save, sender=DatingProfile)
def wishes_change(instance: DatingProfile, **kwargs: Any) -> None:
    """Whom somebody seeks decides whose place theirs is."""
    places_follow_wishes(user=instance.user, now=clock.now())


@receiver(pre_delete, sender=User)
def deleted_leaves(instance: User, **kwargs: Any) -> None:
    """Whoever deletes their account gives back their places, and the evenings that they run, before that."""
    person_leaves(user=instance, now=clock.now())
    evenings_hand_over(organiser=instance)


@receiver(post_save, sender=User)
def locked_out_leaves(instance: User, **kwargs: Any) -> None:
    """Whoever is locked out can't come, and can't run anything."""
    if not instance.is_active and "is_active" in instance.changed_fields:
        person_leaves(user=instance, now=clock.now())
        evenings_hand_over(organiser=instance)
