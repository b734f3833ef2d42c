"""What lies in a person's inbox, and what orders it."""

from django.conf import settings
from django.db import models

from config import clock
from notifications.models.delivery import Delivery
from notifications.models.notification import Notification


class Inbox(models.Model):
    """The number of the last item in a person's inbox.

    Whoever adds an item raises it in the same transaction. Its row's lock makes the numbers of one inbox
    grow in the order of the commits, so that a reader who has seen number 7 has missed none below it.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE, related_name="inbox"
    )
    last_number = models.BigIntegerField(default=0)

    class Meta:
        verbose_name_plural = "inboxes"

    def __str__(self) -> str:
        return f"{self.user}: {self.last_number}"


class InboxItem(models.Model):
    """What a person sees of a delivery to their inbox.

    It is there exactly if the delivery is ``sent``: one statement makes both (notifications.engine.fanout,
    notifications.engine.inbox_items). Its id is the delivery's.
    """

    delivery = models.OneToOneField(
        Delivery, primary_key=True, on_delete=models.CASCADE, related_name="inbox_item", db_constraint=False
    )
    # These two are the delivery's own. To look for items by them would be to read the whole table: no index
    # has every item.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        related_name="inbox_items",
        db_index=False,
        db_constraint=False,
    )
    notification = models.ForeignKey(
        Notification, on_delete=models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    number = models.BigIntegerField()
    language = models.CharField(max_length=8, default="en", help_text="The person's, when it was made.")
    created_at = models.DateTimeField(default=clock.now, editable=False, help_text="When it appeared.")
    read_at = models.DateTimeField(null=True, blank=True)
    dismissed_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When its person deleted or snoozed it."
    )
    # Kept when it is back, until it is deleted: whoever snoozes something has seen it.
    snoozed_until = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When it comes back, or came back."
    )

    class Meta:
        indexes = [
            # An item is in one of these two until it is deleted. Together they are what an inbox lists,
            # counts and streams.
            models.Index(
                fields=["user", "-number"],
                condition=models.Q(dismissed_at=None, read_at=None),
                name="inboxitem_unread",
            ),
            models.Index(
                fields=["user", "-number"],
                condition=models.Q(dismissed_at=None, read_at__isnull=False),
                name="inboxitem_read",
            ),
            # What is snoozed: by time for the sweep, and one person's.
            models.Index(
                fields=["snoozed_until"],
                condition=models.Q(dismissed_at__isnull=False, snoozed_until__isnull=False),
                name="inboxitem_snoozed",
            ),
            models.Index(
                fields=["user", "snoozed_until"],
                condition=models.Q(dismissed_at__isnull=False, snoozed_until__isnull=False),
                name="inboxitem_snoozed_by",
            ),
        ]

    def __str__(self) -> str:
        return f"item {self.number}"
