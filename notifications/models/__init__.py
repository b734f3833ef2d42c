"""What is told, to whom, and what came of it."""

from notifications.models.alert import Alert
from notifications.models.contact_point import ContactPoint
from notifications.models.delivery import Attempt, Delivery
from notifications.models.notification import Notification, Severity
from notifications.models.preference import Preference

__all__ = ["Alert", "Attempt", "ContactPoint", "Delivery", "Notification", "Preference", "Severity"]
