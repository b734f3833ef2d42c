"""How much a person wants to be told, by which channels, and when not."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext

from accounts.models import User
from notifications.engine import quiet_deliveries
from notifications.models import ChannelHours, Delivery, Preference, Subscription
from notifications.rules import silences

MOST_RULES: Final = 200


def preference_set(*, user: User, **changes: Any) -> Preference:
    """Change what is given of a person's level, quiet hours and digest, and leave the rest.

    What is held already stays held until the time that was set then.

    Raises:
        ValidationError: the quiet hours would have only one end, or two that are the same.
    """
    with transaction.atomic():
        Preference.objects.get_or_create(user=user)
        preference = Preference.objects.select_for_update().get(user=user)
        for field, value in changes.items():
            setattr(preference, field, value)
        preference.clean()
        preference.save()
    return preference


def channel_hours_set(*, user: User, hours: Iterable[Mapping[str, Any]]) -> list[ChannelHours]:
    """Set when a person is told of what is critical, and of all else, by each channel; others have no hours.

    What they never want is stopped, where it is held; else what is held stays until the time that was set
    then.

    Args:
        hours: ``channel``, ``severity`` and ``told``, and where that needs them ``begins`` and ``ends``.

    Raises:
        ValidationError: a channel has none, stands twice for a severity, or lacks its times.
    """
    found = [ChannelHours(user=user, **each) for each in hours]
    for each in found:
        each.clean()
    if len({(each.channel, each.severity) for each in found}) < len(found):
        raise ValidationError({"channel": gettext("Give each channel once for each severity.")})
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        ChannelHours.objects.filter(user=user).delete()
        ChannelHours.objects.bulk_create(found)
        never = {(each.channel, each.severity) for each in found if each.told == ChannelHours.Told.NEVER}
        if never:
            quiet_deliveries.suppress(
                quiet_deliveries.held_for(user.pk),
                reason=Delivery.Reason.SEVERITY,
                where=lambda held: (held.channel, held.notification.severity) in never,
            )
    return found


def subscription_set(
    *, user: User, channel: str, kind: str, is_enabled: bool, most: int | None = MOST_RULES
) -> Subscription:
    """State or change a rule. Switching something off stops what quiet hours hold back of it.

    Args:
        channel: one channel, or empty for any.
        kind: one kind, a group (``stage.*``), or empty for any.
        most: rules that a person may have; no limit for one that answers to what was sent to them.

    Raises:
        ValidationError: there is no such channel, or the kind is none, or one that nobody can switch off,
            or the person has as many rules as they may.
    """
    with transaction.atomic():
        # One at a time, so that nobody gets past the limit.
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        rule = Subscription.objects.filter(user=user, channel=channel, kind=kind).first()
        rule = rule or Subscription(user=user, channel=channel, kind=kind)
        rule.is_enabled = is_enabled
        rule.clean()
        if rule._state.adding and most and Subscription.objects.filter(user=user).count() >= most:
            raise ValidationError(
                gettext("There are already %(most)d rules. Remove one first.") % {"most": most}
            )
        rule.save()
        if not is_enabled:
            held_stop(user=user)
    return rule


def subscription_remove(*, user: User, channel: str, kind: str) -> bool:
    """Take a rule away; returns whether there was one."""
    count, _ = Subscription.objects.filter(user=user, channel=channel, kind=kind).delete()
    return bool(count)


def held_stop(*, user: User) -> None:
    """Stop what quiet hours hold back and their rules say no to."""
    subscriptions = list(Subscription.objects.filter(user=user))

    def is_silenced(delivery: Delivery) -> bool:
        told = delivery.notification
        return silences(subscriptions, channel=delivery.channel, kind=told.kind, severity=told.severity)

    quiet_deliveries.suppress(
        quiet_deliveries.held_for(user.pk), reason=Delivery.Reason.UNSUBSCRIBED, where=is_silenced
    )
