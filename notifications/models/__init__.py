"""What is told, to whom, and what came of it."""

from notifications.models.alert import Alert
from notifications.models.archive import ArchivedMonth, AuditedDay
from notifications.models.broadcast import Broadcast
from notifications.models.broker import DeadMessage, MessageFailure, OutgoingMessage
from notifications.models.caller_id import CallerId
from notifications.models.contact_point import ContactPoint
from notifications.models.delivery import Attempt, AttemptRow, Delivery
from notifications.models.delivery_action import DeliveryAction
from notifications.models.departure import Departure
from notifications.models.erasure import Erasure
from notifications.models.event import Event, HandlerRun
from notifications.models.inbox import Inbox, InboxItem
from notifications.models.message_template import MessageTemplate
from notifications.models.notification import Notification, Severity
from notifications.models.outgoing import BEHIND, LEVELS, PRIORITIES, Outgoing, Undelivered, priority_of
from notifications.models.preference import ChannelHours, Preference, Subscription
from notifications.models.received_message import ReceivedMessage
from notifications.models.saved_view import SavedView

__all__ = [
    "BEHIND", "LEVELS", "PRIORITIES", "Alert", "ArchivedMonth", "Attempt", "AttemptRow", "AuditedDay",
    "Broadcast", "CallerId", "ChannelHours", "ContactPoint", "DeadMessage", "Delivery", "DeliveryAction",
    "Departure", "Erasure", "Event", "HandlerRun", "Inbox", "InboxItem", "MessageFailure", "MessageTemplate",
    "Notification", "Outgoing", "OutgoingMessage", "Preference", "ReceivedMessage", "SavedView",
    "Severity", "Subscription", "Undelivered", "priority_of",
]  # fmt: skip
