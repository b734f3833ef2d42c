"""Items of an inbox as pages show them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from django.template.loader import render_to_string

from accounts.models import User
from notifications.inbox.items import item_of
from notifications.models import InboxItem, Severity
from notifications.web.tabs import Narrowed

#: From so many on, items that say what the one before them says are folded.
FOLDED_FROM: Final = 2


@dataclass(frozen=True, slots=True)
class Notice:
    pk: UUID
    number: int
    kind: str
    title: str
    body: str
    language: str
    is_critical: bool
    created_at: datetime
    is_read: bool
    #: When it comes back, or came back.
    snoozed_until: datetime | None


Folded = list[tuple[Notice, list[Notice]]]


def notice_of(item: InboxItem, *, person: User) -> Notice:
    shown, told = item_of(item, time_zone=person.time_zone), item.notification
    # What is not there in a person's language is there in the default one.
    language = item.language if item.language in told.texts else settings.LANGUAGE_CODE
    return Notice(
        pk=item.pk,
        number=shown["number"],
        kind=told.kind,
        title=shown["title"],
        body=shown["body"],
        language=language,
        is_critical=told.severity == Severity.CRITICAL,
        created_at=item.created_at,
        is_read=item.read_at is not None,
        snoozed_until=item.snoozed_until,
    )


def folded(notices: Iterable[Notice]) -> Folded:
    """Return them with those behind each that say the same once more, if there are a few."""
    shown: Folded = []
    for _, alike in groupby(notices, key=lambda each: (each.kind, each.title, each.body, each.is_read)):
        first, *others = alike
        if len(others) >= FOLDED_FROM:
            shown.append((first, others))
        else:
            shown += [(each, []) for each in (first, *others)]
    return shown


def rendered(request: HttpRequest, items: Iterable[InboxItem], *, person: User, narrowed: Narrowed) -> str:
    """Return these items as the list items of a page."""
    notices: Folded = [(notice_of(each, person=person), []) for each in items]
    context: dict[str, Any] = {"notices": notices, "narrowed": narrowed}
    return render_to_string("web/_notice_list.html", context, request).strip()
