"""Making, changing, pausing and removing heartbeats."""

from datetime import datetime
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.text import slugify

from config.rest.exceptions import Conflict
from escalation.heartbeats import telling
from escalation.heartbeats.due import when_due
from escalation.models import Heartbeat
from escalation.saving import made_once, unless_taken

State = Heartbeat.State
#: What somebody sets of a heartbeat.
SET: Final = (
    "name", "slug", "shop_id", "policy_id", "severity", "tags", "period_s", "grace_s", "cron", "time_zone",
)  # fmt: skip

NO_SLUG = "Give it a slug: letters, digits, - and _. The name has none of them."
SLUG_TAKEN = "There is already a heartbeat with that slug."
REMOVED = "The heartbeat has been removed in the meantime."


def heartbeat_create(*, name: str, slug: str = "", **fields: Any) -> tuple[Heartbeat, bool]:
    """Make a heartbeat; nothing is waited for until its first ping.

    The second value is False where the same is there already, by its slug, which is made of the name.

    Raises:
        ValidationError: a field is not as it should be.
        Conflict: the slug is taken by another one.
    """
    heartbeat = Heartbeat(name=name, slug=slug or slugify(name)[:100], **fields)
    _check(heartbeat)
    named = Heartbeat.objects.filter(shop=heartbeat.shop, slug=heartbeat.slug)
    return made_once(heartbeat, _saved, named, SET)


def heartbeat_update(*, heartbeat: Heartbeat, **changes: Any) -> Heartbeat:
    """Change a heartbeat; a new period or line counts from its last ping on.

    Raises:
        ValidationError: a field is not as it should be.
        Conflict: the slug is taken, or it was removed meanwhile.
    """
    with transaction.atomic():
        locked = _locked(heartbeat)
        before = when_due(locked)
        for name, value in changes.items():
            setattr(locked, name, value)
        _check(locked)
        # What was postponed stays so, unless other times were set.
        if (after := when_due(locked)) != before:
            locked.expected_at, locked.due_at = after
        return _saved(locked)


def heartbeat_pause(*, heartbeat: Heartbeat, now: datetime) -> Heartbeat:
    """Wait for nothing until the next ping; what was told of it is over."""
    with transaction.atomic():
        locked = _told_over(heartbeat, now)
        locked.state, locked.expected_at, locked.due_at, locked.last_start_at = State.PAUSED, None, None, None
        locked.save(update_fields=["state", "expected_at", "due_at", "last_start_at"])
    return locked


def heartbeat_remove(*, heartbeat: Heartbeat, now: datetime) -> None:
    """Delete a heartbeat with its pings; what was told of it is over."""
    with transaction.atomic():
        _told_over(heartbeat, now).delete()


def _locked(heartbeat: Heartbeat) -> Heartbeat:
    there = Heartbeat.objects.select_for_update(of=("self",)).select_related("policy", "shop")
    found = there.filter(pk=heartbeat.pk).first()
    if found is None:
        raise Conflict(REMOVED)
    return found


def _told_over(heartbeat: Heartbeat, now: datetime) -> Heartbeat:
    """Return a heartbeat, locked, of which nothing that was told is open any more."""
    locked = _locked(heartbeat)
    if locked.state == State.DOWN:
        telling.up_tell([locked], now=now)
    return locked


def _check(heartbeat: Heartbeat) -> None:
    if not heartbeat.slug:
        raise ValidationError({"slug": NO_SLUG})
    heartbeat.full_clean(validate_constraints=False)


def _saved(heartbeat: Heartbeat) -> Heartbeat:
    with unless_taken(SLUG_TAKEN):
        heartbeat.save()
    return heartbeat
