"""Storing entries of timelines: each in the transaction of the act that it is about."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import translation
from django.utils.translation import gettext

from accounts.models import User
from config.rest.exceptions import Conflict
from escalation.models import AlertGroup, Entry, EscalationProcess
from escalation.policies.words import explanation_of
from notifications.engine.recipients import Recipient

Kind = Entry.Kind
#: Characters of a note.
NOTE_MAX_LENGTH: Final = 4_000
#: Notes on one process or group.
MOST_NOTES: Final = 500


def entry_add(
    *,
    kind: Kind,
    at: datetime,
    process: EscalationProcess | None = None,
    group: AlertGroup | None = None,
    by: str = "",
    **more: Any,
) -> Entry:
    """Store what was done to a process or a group.

    Args:
        by: who, as people will read it.
        more: other fields of the entry.
    """
    return Entry.objects.create(kind=kind, at=at, process=process, group=group, by=by[:200], **more)


def held_add(groups: Iterable[AlertGroup], *, by: str = "", now: datetime) -> None:
    """Store which of these groups are held back now, by a silence or since they flap, and until when."""
    kinds = {AlertGroup.Quiet.SILENCED: Kind.SILENCED, AlertGroup.Quiet.FLAPPING: Kind.FLAPPING}
    Entry.objects.bulk_create(
        Entry(
            kind=kinds[AlertGroup.Quiet(group.quiet)],
            at=now,
            group=group,
            until=group.rings_at,
            text=group.silence.reason if group.silence else "",
            by=by[:200],
        )
        for group in groups
        if group.quiet in kinds and group.rings_at is not None and group.rings_at > now
    )


def left_out_add(process: EscalationProcess, left_out: Iterable[Recipient]) -> None:
    """Store which steps and targets of a policy tell nobody in a round, and why; in English, whoever acts."""
    with translation.override(settings.LANGUAGE_CODE):
        entries = [
            Entry(
                kind=Kind.LEFT_OUT,
                at=recipient.at or process.started_at,
                process=process,
                user=recipient.user,
                text=" ".join(filter(None, (_step_of(recipient), explanation_of(recipient)))),
            )
            for recipient in left_out
        ]
    Entry.objects.bulk_create(entries)


def _step_of(recipient: Recipient) -> str:
    told = recipient.data
    again = f", round {told['round']}" if told["round"] > 1 else ""
    via = f" by “{recipient.via}”" if recipient.via else ""
    return f"Step {told['step']}{again}{via}:"


def note_add(
    *,
    about: EscalationProcess | AlertGroup,
    text: str,
    by: str,
    via: str,
    user: User | None,
    now: datetime,
) -> Entry:
    """Note something on a process or a group, for good.

    Args:
        user: who writes; None for a machine.

    Raises:
        ValidationError: it says nothing, or too much.
        Conflict: there are as many notes as there can be.
    """
    text = text.replace("\r\n", "\n").strip()
    if not text or len(text) > NOTE_MAX_LENGTH:
        raise ValidationError(
            {
                "text": gettext("Expected 1 to %(most)d characters, not only spaces.")
                % {"most": NOTE_MAX_LENGTH}
            }
        )
    if about.entries.filter(kind=Kind.NOTE).count() >= MOST_NOTES:
        raise Conflict(
            gettext("There are %(count)d notes already, which is as many as there can be.")
            % {"count": MOST_NOTES}
        )
    place: dict[str, Any] = {"process" if isinstance(about, EscalationProcess) else "group": about}
    return entry_add(kind=Kind.NOTE, at=now, text=text, by=by, via=via, user=user, **place)
