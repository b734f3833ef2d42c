"""What orders a person's inbox."""

from django.conf import settings
from django.db import models


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
