"""What becomes of where people are told, and of what waits for them, as their accounts change."""

from contextlib import suppress
from datetime import datetime
from typing import Any

from django.db.models.signals import post_save
from django.dispatch import receiver

from accounts.models import User
from accounts.signals import account_taken, address_verified, invitation_taken
from config import clock
from config.rest.exceptions import Conflict
from notifications.channels import registry
from notifications.engine import stop
from notifications.models import ChannelHours, ContactPoint, Delivery, Preference, Subscription
from notifications.services.account_messages import owner_tell
from notifications.services.confirmations import is_own, own_confirm
from notifications.services.contact_points import contact_point_create, contact_point_remove


@receiver(address_verified)
def own_points_confirm(user: User, field: str, address: str, now: datetime, **kwargs: Any) -> None:
    own_confirm(user=user, field=field, address=address, now=now)


@receiver(invitation_taken)
def mail_tells(user: User, **kwargs: Any) -> None:
    """Have whoever comes to a shop told by mail, which they have just shown to read; they may change that."""
    mails = ContactPoint.objects.filter(user=user, channel="email", deleted_at=None)
    if registry.is_offered("email") and not mails.exists():
        # With as many contact points as anybody may have, they are told already.
        with suppress(Conflict):
            contact_point_create(user=user, channel="email", address=user.email)


@receiver(post_save, sender=User)
def locked_out_stop(instance: User, **kwargs: Any) -> None:
    """Whoever is locked out is told nothing that was still to come: a digest, a later round, another try."""
    if not instance.is_active and "is_active" in instance.changed_fields:
        stop.cancel_of(instance.pk, reason=Delivery.Reason.LOCKED_OUT)


@receiver(account_taken)
def ways_remove(user: User, **kwargs: Any) -> None:
    """Remove where and how whoever had the account wanted to be told; what staff vouch for stays."""
    points = ContactPoint.objects.filter(user=user, is_vouched=False, deleted_at=None)
    for point in points.select_related("user"):
        if not is_own(point):
            contact_point_remove(contact_point=point)
    Subscription.objects.filter(user=user).delete()
    ChannelHours.objects.filter(user=user).delete()
    Preference.objects.filter(user=user).delete()
    once = f"account_taken:{user.pk}:{clock.now().isoformat()}"
    owner_tell(user, "account.taken", address=user.email, once=once, failed="account_taken_not_told")
