"""What the bar of each page shows."""

from functools import cached_property
from typing import Any

from django.http import HttpRequest

from notifications.inbox import selectors
from notifications.models import Inbox


class Bell:
    """How many items of somebody's inbox are unread, and the number of its last one.

    Asked for when a template shows them: this is made for the admin's pages too.
    """

    def __init__(self, user: Any) -> None:
        self._user = user

    # The number first: what comes between the two questions is told by the stream, which goes on from it.
    @cached_property
    def last_number(self) -> int:
        found = Inbox.objects.filter(user=self._user).values_list("last_number", flat=True).first()
        return found or 0

    @cached_property
    def unread(self) -> int:
        return selectors.unread_of(self._user).count() if self._user.is_authenticated else 0


def bell(request: HttpRequest) -> dict[str, Bell]:
    return {"bell": Bell(request.user)} if hasattr(request, "user") else {}
