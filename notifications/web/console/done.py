"""Who did what: apps register what they note, as they do panels."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Final, NamedTuple

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.db.models import Model
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext, ngettext

from accounts.models import User
from notifications.models import DeliveryAction

#: So many of each source are read for a page, and shown on it.
PAGE_SIZE: Final = 50


class Done(NamedTuple):
    """Something that a person or a machine did; ``url`` leads to what it was done to, if that has a page."""

    at: datetime
    who: str
    what: str
    url: str = ""


#: Returns what was done before a time by whoever is called so (empty: by anybody), the newest first.
Source = Callable[[User, str, datetime], Iterable[Done]]
_registered: list[Source] = []


def register(source: Source) -> None:
    if source not in _registered:
        _registered.append(source)


def done(person: User, who: str, before: datetime) -> list[Done]:
    """Return one more than a page of what was done, the newest first."""
    found = (source(person, who, before) for source in _registered)
    return list(islice(merge(*found, key=lambda each: each.at, reverse=True), PAGE_SIZE + 1))


def note(
    person: User, *things: Model, is_new: bool = False, is_gone: bool = False, changed: Sequence[str] = ()
) -> None:
    """Note that somebody made, changed or deleted things on a page, as the admin notes what is done there."""
    flag = ADDITION if is_new else DELETION if is_gone else CHANGE
    said = [{"added": {}} if is_new else {"changed": {"fields": list(changed)}}]
    LogEntry.objects.log_actions(
        user_id=person.pk, queryset=things, action_flag=flag, change_message="" if is_gone else said
    )


def deliveries(person: User, who: str, before: datetime) -> Iterator[Done]:
    """Replays, cancellings and tests."""
    actions = DeliveryAction.objects.filter(at__lt=before, by__icontains=who).order_by("-at", "-pk")
    for action in actions[: PAGE_SIZE + 1]:
        match action.action:
            case DeliveryAction.Action.REPLAY:
                said = ngettext("Replayed %(count)d delivery", "Replayed %(count)d deliveries", action.count)
            case DeliveryAction.Action.TEST:
                said = gettext("Sent a test message")
                if action.count > 1:
                    said = ngettext(
                        "Sent %(count)d test message", "Sent %(count)d test messages", action.count
                    )
            case _:
                said = ngettext(
                    "Cancelled %(count)d delivery", "Cancelled %(count)d deliveries", action.count
                )
        only = action.deliveries[0] if len(action.deliveries) == 1 else None
        url = reverse("web:delivery", args=[only]) if only else ""
        yield Done(action.at, action.by, said % {"count": action.count}, url)


def in_admin(person: User, who: str, before: datetime) -> Iterator[Done]:
    """What was added, changed and deleted in the admin, to whoever may see that there."""
    if not person.has_perm("admin.view_logentry"):
        return
    entries = LogEntry.objects.filter(action_time__lt=before, user__email__icontains=who)
    rows = entries.select_related("user", "content_type").order_by("-action_time", "-pk")
    for entry in rows[: PAGE_SIZE + 1]:
        model = capfirst(entry.content_type.name) if entry.content_type else ""
        change = entry.get_change_message()
        said = gettext("%(model)s “%(name)s”: %(change)s") % {
            "model": model,
            "name": entry.object_repr,
            "change": change or entry.get_action_flag_display(),
        }
        path = entry.get_admin_url() if not entry.is_deletion() else None
        yield Done(entry.action_time, str(entry.user), said, path or "")
