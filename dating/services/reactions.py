"""What people say of those they have met: once per pair and event, and never told to whom it is about."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from accounts.models import User
from config.exceptions import Conflict
from dating.models import Date, Event, Reaction, Registration
from dating.services.locking import event_hold, registration_hold

_Kind = Reaction.Kind


@transaction.atomic
def reaction_record(
    *, event: Event, user: User, about_id: UUID, kind: str, text: str = "", now: datetime
) -> tuple[Reaction, bool]:
    """Store an opinion or a report; returns it, and whether it is new. The very same again changes nothing.

    Reports are taken after the end too; opinions are not, since the matches have been told by then.

    Raises:
        Conflict: the two have not met, or another opinion was given before, or the event is over.
    """
    event = event_hold(event.pk)
    by = registration_hold(event, user.pk)
    if by is None or not have_met(by.pk, about_id):
        raise Conflict("You can only say something of somebody whom you met at this event.")
    kinds = [kind] if kind == _Kind.REPORT else [_Kind.LIKE, _Kind.DISLIKE]
    known = Reaction.objects.filter(by=by, about=about_id, kind__in=kinds).first()
    if known is not None:
        if (known.kind, known.text) != (kind, text):
            raise Conflict("You have said something else of this person before.")
        return known, False
    if event.is_over and kind != _Kind.REPORT:
        raise Conflict("The event is over.")
    made = Reaction.objects.create(
        event=event, by=by, about_id=about_id, kind=kind, text=text, created_at=now
    )
    return made, True


def have_met(one: UUID, other: UUID) -> bool:
    """Whether two have been sent into one call, and nobody is known to have stayed away."""
    return Date.objects.filter(
        Q(first=one, second=other) | Q(first=other, second=one), status=Date.Status.HELD
    ).exists()


def people_met(registration: Registration) -> list[Registration]:
    """Return those whom somebody has met, in the order of the rounds."""
    dates = Date.objects.filter(
        Q(first=registration) | Q(second=registration), status=Date.Status.HELD
    ).select_related("first__user", "second__user", "round")
    return [
        each.second if each.first_id == registration.pk else each.first
        for each in dates.order_by("round__number")
    ]
