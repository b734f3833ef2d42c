"""What the bar of each page shows."""

from functools import cached_property, partial
from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from accounts.rights import may_use
from notifications.inbox import selectors
from notifications.models import Inbox
from notifications.web import undoing
from notifications.web.concerns import does_concern


class Bell:
    """How many items are unread, and the number of the last one; asked for when a template shows them."""

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


class Places:
    """Where the bar leads somebody beside what everybody has; asked for when a template shows it."""

    def __init__(self, user: Any) -> None:
        self._user = user

    @cached_property
    def escalations(self) -> bool:
        return bool(self._user.is_staff) or does_concern("escalation", self._user)

    @cached_property
    def shops(self) -> bool:
        """Whether they manage one; the staff find them all in the menu."""
        return bool(
            not self._user.is_staff and self._user.memberships.filter(left_at=None, manages=True).exists()
        )

    @cached_property
    def tracing(self) -> bool:
        return may_use(self._user, "tracing", "GET")


def bar(request: HttpRequest) -> dict[str, Any]:
    if not hasattr(request, "user"):
        return {}
    return {
        "bell": Bell(request.user),
        "places": Places(request.user),
        "undo": SimpleLazyObject(partial(undoing.take, request)),
    }
