"""Silencing what is open and what comes, and ending that early."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.models import User
from config.rows import rows_update
from escalation.groups import ending, jobs
from escalation.groups.ringing import hold_silenced, one_decides
from escalation.models import AlertGroup, Silence
from escalation.timelines.entries import held_add

State, Quiet = AlertGroup.State, AlertGroup.Quiet


def silence_create(*, now: datetime, by: User | None = None, **fields: Any) -> Silence:
    """Silence what matches. Once this is committed, no send of an open group begins that it silences now.

    Raises:
        ValidationError: it ends before it starts, or its rule is none; by field.
    """
    silence = Silence(created_by=by, **fields)
    silence.full_clean()
    with transaction.atomic():
        one_decides()  # what is told meanwhile is hushed here, or sees this silence
        silence.save()
        silence_apply([silence], by=str(by or ""), now=now)
    return silence


def silence_apply(silences: Sequence[Silence], *, by: str, now: datetime) -> None:
    """Hush the open groups that these silences hold now."""
    groups = AlertGroup.objects.exclude(state=State.RESOLVED).order_by("pk").select_for_update(of=("self",))
    hushed = [
        group
        for group in groups.select_related("integration", "shop", "process")
        if group.state == State.OPEN and hold_silenced(group, silences, by=by, now=now)
    ]
    rows_update(AlertGroup, hushed, ending.CHANGED)
    held_add(hushed, by=by, now=now)


def silence_cancel(*, silence: Silence, now: datetime) -> None:
    """End a silence: what it held back and is still open is told now."""
    with transaction.atomic():
        one_decides()  # what it holds back meanwhile is seen here
        Silence.objects.filter(pk=silence.pk, cancelled_at=None).update(cancelled_at=now)
        held = AlertGroup.objects.filter(silence=silence, quiet=Quiet.SILENCED).exclude(state=State.RESOLVED)
        if held.update(rings_at=now):
            transaction.on_commit(jobs.ring_soon, robust=True)
