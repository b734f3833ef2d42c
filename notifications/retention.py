"""How what is told, and all that comes of it, ends."""

from datetime import timedelta
from typing import Final

from django.conf import settings

from accounts.models import User
from config.ends import Ends
from config.slices import Old, Run, old_end
from notifications import models
from notifications.brokers.retention import (
    dead_messages_expire,
    message_failures_expire,
    outgoing_messages_expire,
    received_messages_expire,
)
from notifications.engine.erasing import addresses_erase
from notifications.events.retention import events_expire

ENDS: Final = (
    Ends(models.Alert, "{days} after the end of its month", setting="HISTORY_RETENTION_DAYS"),
    Ends(models.Notification, "{days} after the end of its month", setting="HISTORY_RETENTION_DAYS"),
    Ends(models.Delivery, "{days} after the end of its month", setting="HISTORY_RETENTION_DAYS"),
    Ends(models.AttemptRow, parent=models.Delivery),
    Ends(models.InboxItem, parent=models.Delivery),
    Ends(models.Undelivered, parent=models.Delivery),
    Ends(models.Outgoing, "When its delivery is sent, fails, is stopped or expires"),
    Ends(models.Broadcast, "When the last of its people has a delivery"),
    Ends(models.Inbox, parent=User),
    Ends(
        models.ContactPoint,
        "When the person is deleted; after it was removed, {days} later, once no delivery names it",
        setting="HISTORY_RETENTION_DAYS",
    ),
    Ends(models.Preference, parent=User),
    Ends(models.Subscription, parent=User),
    Ends(models.ChannelHours, parent=User),
    Ends(models.SavedView, parent=User),
    Ends(models.MessageTemplate, "When the text is deleted, for that of the files"),
    Ends(models.CallerId, "When the caller id is deleted"),
    Ends(models.DeliveryAction, "{days} after what was done", setting="ACTION_RETENTION_DAYS"),
    Ends(
        models.Event,
        "{days} after it came, once no handler has it to do or has given it up lately",
        setting="EVENT_RETENTION_DAYS",
    ),
    Ends(
        models.HandlerRun,
        "With its event, which a dead letter keeps for {days} after it was given up",
        setting="DEAD_LETTER_RETENTION_DAYS",
    ),
    Ends(
        models.DeadMessage,
        "{days} after it came; replayed or discarded, {days} after that",
        setting="DEAD_LETTER_RETENTION_DAYS",
    ),
    Ends(
        models.MessageFailure,
        "When the message takes effect or is dead; at the latest 7 days after the last try",
    ),
    Ends(models.ReceivedMessage, "15 days after the message took effect: no broker has it by then"),
    Ends(
        models.OutgoingMessage,
        "When its broker has confirmed it; {days} after it was made for one configured no more",
        setting="DEAD_LETTER_RETENTION_DAYS",
    ),
    Ends(models.Departure, "When the person is erased, a quarter of an hour after they left or later"),
    Ends(models.Erasure, "Never: it is one row"),
    Ends(models.AuditedDay, "Never: one for each day"),
    Ends(models.ArchivedMonth, "Never: one for each month in the archive"),
)

_ACTIONS: Final = Old(table="notifications_deliveryaction", age="at")
_REMOVED: Final = Old(
    table="notifications_contactpoint",
    age="deleted_at",
    by=("deleted_at", "id"),
    among="it.deleted_at IS NOT NULL",
    unless="""EXISTS (SELECT FROM notifications_delivery AS delivery
        WHERE delivery.user_id = it.user_id AND delivery.contact_point_id = it.id)""",
)
_TO_ERASE: Final = Old(
    table="notifications_contactpoint",
    age="deleted_at",
    by=("deleted_at", "id"),
    among="it.deleted_at IS NOT NULL AND NOT (it.address = '' AND it.label = '')",
    change="address = '', label = ''",
)


def delivery_actions_expire(run: Run) -> int:
    """Delete what is known of who replayed or cancelled what long ago."""
    return old_end(_ACTIONS, before=run.now - timedelta(days=settings.ACTION_RETENTION_DAYS), run=run)


def contact_points_erase(run: Run) -> int:
    """Empty the addresses of contact points that were removed long ago."""
    days = settings.ADDRESS_RETENTION_DAYS
    return old_end(_TO_ERASE, before=run.now - timedelta(days=days), run=run) if days else 0


def contact_points_expire(run: Run) -> int:
    """Delete contact points that were removed before the history begins, once nothing names them."""
    days = settings.HISTORY_RETENTION_DAYS
    return old_end(_REMOVED, before=run.now - timedelta(days=days), run=run) if days else 0


STEPS: Final = (
    addresses_erase,
    contact_points_erase,
    contact_points_expire,
    events_expire,
    dead_messages_expire,
    received_messages_expire,
    message_failures_expire,
    outgoing_messages_expire,
    delivery_actions_expire,
)
