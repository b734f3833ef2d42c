"""What a person was told: deliveries stay, without their address; texts go, or lose the person's words."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from django.db.models import Q

from config import sql
from config.statements import named
from notifications.departures import abouts, tables
from notifications.departures.words import Words
from notifications.engine import stop
from notifications.engine.erasing import MASKS, masked
from notifications.models import AttemptRow, Delivery, InboxItem, Notification

#: The title of what only they were told.
ERASED: Final = "Erased"

# Nobody else was told of these.
_THEIRS: Final = """
SELECT id FROM notifications_notification AS told
 WHERE id = ANY (%(ids)s) AND source_type <> ALL (%(facts)s)
   AND NOT EXISTS (SELECT FROM notifications_delivery
                    WHERE notification_id = told.id AND user_id IS DISTINCT FROM %(person)s)
   AND NOT EXISTS (SELECT FROM notifications_broadcast WHERE notification_id = told.id)
"""
named("departures.theirs", "Find the notifications that nobody but a person was told of.", _THEIRS)
_MASK_ERRORS: Final = """
UPDATE notifications_attempt SET error = {masked}
 WHERE delivery_id = ANY (%(ids)s) AND error <> '' AND error <> {masked}
"""


def deliveries_erase(ids: Sequence[UUID], words: Words) -> None:
    """Erase the addresses of a person's deliveries, their items, and the texts that only they were told."""
    chosen = Delivery.objects.filter(pk__in=ids)
    stop.close(chosen, reason=Delivery.Reason.PERSON_LEFT)
    chosen.exclude(address="").update(address="")
    InboxItem.objects.filter(pk__in=ids).delete()
    masks = [*MASKS, *([(words.pattern, words.stand_in)] if words.pattern else [])]
    without, parameters = masked("error", masks, flags="gi")
    sql.execute(_MASK_ERRORS.format(masked=without), {"ids": list(ids), **parameters})
    told = chosen.order_by().values_list("notification_id", flat=True).distinct()
    notifications_erase(list(told), words)


def notifications_erase(ids: Sequence[UUID], words: Words) -> None:
    """Empty those that nobody else was told of, and take the words out of the others.

    Of what happened, only addresses are taken out: a name can be a word of it.
    """
    theirs = sql.column(_THEIRS, {"ids": list(ids), "person": words.person, "facts": list(abouts.facts)})
    empty(Notification.objects.filter(pk__in=theirs))
    others = Notification.objects.filter(pk__in=set(ids) - set(theirs))
    for each in tables.mentioning(others.exclude(source_type__in=abouts.facts), words):
        tables.mask(each, words)
    addresses = words.without_names()
    for each in tables.mentioning(others.filter(source_type__in=abouts.facts), addresses):
        tables.mask(each, addresses)


def empty(notifications: Any) -> None:
    notifications.exclude(title=ERASED).update(title=ERASED, body="", texts={}, data={})


def addresses_erase(after: UUID, last: UUID, addresses: Words, words: Words) -> None:
    """Erase what was sent to their addresses by themselves, and what providers said of it."""
    ended = Delivery.objects.filter(pk__gt=after, pk__lte=last).exclude(status=Delivery.Status.PENDING)
    theirs = ended.filter(Q(user_id=None) | Q(user_id=words.person), address__iregex=addresses.pattern)
    told = dict(theirs.values_list("pk", "notification_id"))
    Delivery.objects.filter(pk__in=list(told)).update(address="")
    notifications_erase(list(told.values()), words)
    attempts = AttemptRow.objects.filter(delivery_id__gt=after, delivery_id__lte=last)
    for attempt in tables.mentioning(attempts, addresses):
        tables.mask(attempt, addresses)
