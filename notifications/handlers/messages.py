"""Events that people are told of: what is told are their kind's texts, and to whom is in their payload."""

from typing import Any, Final
from uuid import UUID

import structlog
from django.db.models import Q

from accounts import services
from accounts.models import Encadrant, Student, User
from notifications.engine.fanout import Audience, broadcast, notify, people
from notifications.events import people as of_people
from notifications.events.outbox import SOURCE
from notifications.events.registry import handles
from notifications.events.signals import told_elsewhere
from notifications.messages.compose import has_texts, notification_of
from notifications.models import Broadcast, Event

log = structlog.get_logger(__name__)


#: Events that tell of a new profile, which may be one of another service: with its id, and whose it is.
PROFILES: Final[dict[str, type[Student] | type[Encadrant]]] = {
    of_people.STUDENT_CREATED: Student,
    of_people.ENCADRANT_CREATED: Encadrant,
}


class Unaddressed(Exception):
    """Nobody can be told of an event; says why. Tried again: who it names may be made a moment later."""


@handles(
    "student.*",
    "encadrant.*",
    "stage.*",
    "evaluation.created",
    "grade.assigned",
    "offer.created",
    knows=has_texts,
)
def people_tell(event: Event) -> None:
    """Tell the people whom an event is about, in their inbox and at their contact points."""
    kind = event.routing_key
    if not has_texts(kind):  # they were there when it came
        log.warning("event_without_texts", event_id=str(event.pk), routing_key=kind)
        return
    if not _adopt(event):
        return  # they were welcomed as what they became here
    audience = audience_of(event)
    if audience is None:
        log.info("event_person_gone", event_id=str(event.pk), routing_key=kind)
        return
    notification = notification_of(
        kind=kind,
        # Not the payload alone: its names could be those of the message itself. Who else is told is left out.
        data={
            "event": kind,
            "event_id": str(event.pk),
            "payload": {
                name: value
                for name, value in event.payload.items()
                if name not in ("user_ids", "student_ids")
            },
        },
        context=event.payload,
        source_type="event",
        source_id=str(event.pk),
        dedup_key=f"event:{event.pk}",
    )
    if isinstance(audience, Broadcast.Audience):
        broadcast(notification, audience, as_of=event.created_at)
    else:
        notify(notification, audience, inbox=True)


def _adopt(event: Event) -> bool:
    """Learn the id of a profile that another service made; False where the person has one of ours already."""
    kind = PROFILES.get(event.routing_key)
    if kind is None or event.source == SOURCE:
        return True
    try:
        user_id = UUID(event.payload["user_id"])
        external_id = UUID(event.payload[f"{kind.__name__.lower()}_id"])
    except (KeyError, ValueError, TypeError, AttributeError):
        return True
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        return True
    with told_elsewhere():
        return services.profile_adopt(kind=kind, user=user, external_id=external_id)


def audience_of(event: Event) -> Audience | Broadcast.Audience | None:
    """Return whom an event is about; None where it tells of their end, and they are gone.

    Raises:
        Unaddressed: it names nobody, or nobody that there is.
    """
    name, values = _named(event)
    if name is None:
        return Broadcast.Audience.STUDENTS
    wanted = _ids(name, values)
    if name.startswith("user"):
        found = list(User.objects.filter(pk__in=wanted).values_list("pk", flat=True))
    else:
        kind: type[Student] | type[Encadrant] = Encadrant if name.startswith("encadrant") else Student
        known = kind.objects.filter(Q(pk__in=wanted) | Q(external_id__in=wanted))
        found = list(known.values_list("user_id", flat=True))
    if not found:
        if event.routing_key.endswith(".deleted"):
            return None
        shown = ", ".join(map(str, wanted[:3])) + ("…" if len(wanted) > 3 else "")
        raise Unaddressed(f"There is no one with this {name.removesuffix('s')}: {shown}.")
    if len(found) < len(wanted):
        # A list may name somebody who has left; the others are told all the same.
        log.warning("event_people_missing", event_id=str(event.pk), count=len(wanted) - len(found))
    return people(found, as_of=event.created_at)


def _named(event: Event) -> tuple[str | None, Any]:
    """Return the field that says whom an event is about, and what it holds; no field means every student."""
    profile = "encadrant_id" if event.routing_key.startswith("encadrant.") else "student_id"
    names = ("user_id", profile, "user_ids", "student_ids")
    for name in names:
        if event.payload.get(name) not in (None, ""):
            return name, event.payload[name]
    if event.routing_key == "offer.created":
        return None, None
    raise Unaddressed(f"The payload names nobody: expected one of {', '.join(names)}.")


def _ids(name: str, values: Any) -> list[UUID]:
    listed = values if name.endswith("_ids") else [values]
    if not isinstance(listed, list):
        raise Unaddressed(f"{name} must be a list of ids.")
    try:
        return list(dict.fromkeys(UUID(value) for value in listed))
    except (ValueError, TypeError, AttributeError):
        raise Unaddressed(f"{name} must be {'ids' if listed is values else 'an id'} (UUID).")
