"""What people say of those they have met: once per pair and event, and never told to whom it is about."""

from collections import defaultdict
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext

from accounts.models import User
from config.rest.exceptions import Conflict
from dating.evening.results import ReactionRow, matches_of
from dating.models import Date, Event, Reaction, Registration
from dating.services.locking import event_lock, registration_lock

_Kind = Reaction.Kind
_BEGUN: Final = (Date.Status.TOOK_PLACE, Date.Status.NO_SHOW)


@transaction.atomic
def reaction_record(
    *, event: Event, user: User, about_id: UUID, kind: str, text: str = "", now: datetime
) -> tuple[Reaction, bool]:
    """Store an opinion or a report; returns it, and whether it is new. The very same again changes nothing.

    Reports are taken after the end too, and of whoever is said not to have come; opinions are not, since the
    matches have been told by then.

    Raises:
        Conflict: the two have not met, or another opinion was given before, or the event is over.
    """
    event = event_lock(event.pk)
    by = registration_lock(event, user.pk)
    may_speak = had_date if kind == _Kind.REPORT else have_met
    if by is None or not may_speak(by.pk, about_id):
        raise Conflict(gettext("You can only rate or report people you met at this event."))
    kinds = [kind] if kind == _Kind.REPORT else [_Kind.LIKE, _Kind.DISLIKE]
    known = Reaction.objects.filter(by=by, about=about_id, kind__in=kinds).first()
    if known is not None:
        if (known.kind, known.text) != (kind, text):
            raise Conflict(gettext("You have already said something else about this person."))
        return known, False
    if event.is_over and kind != _Kind.REPORT:
        raise Conflict(gettext("The event is over."))
    made = Reaction.objects.create(
        event=event, by=by, about_id=about_id, kind=kind, text=text, created_at=now
    )
    return made, True


def have_met(one: UUID, other: UUID) -> bool:
    """Whether two have been sent into one call, and nobody is known to have stayed away."""
    return _dates_of(one, other).filter(status=Date.Status.TOOK_PLACE).exists()


def had_date(one: UUID, other: UUID) -> bool:
    """Whether two have been sent into one call, whoever is known to have come: enough for a report.

    Not all that happens between two happens where the product sees it.
    """
    return _dates_of(one, other).filter(status__in=_BEGUN).exists()


def _dates_of(one: UUID, other: UUID) -> QuerySet[Date]:
    return Date.objects.filter(Q(first=one, second=other) | Q(first=other, second=one))


def matches_of_event(event: Event) -> dict[UUID, set[UUID]]:
    """Return whom each registration matched: both liked the other, and neither reported the other."""
    return _matches_by(event.reactions.all())


def matches_of_person(registration: UUID) -> set[UUID]:
    """Return whom somebody matched. What others said does not leave this function."""
    said = Reaction.objects.filter(Q(by=registration) | Q(about=registration))
    return _matches_by(said)[registration]


def _matches_by(said: QuerySet[Reaction]) -> dict[UUID, set[UUID]]:
    matches: dict[UUID, set[UUID]] = defaultdict(set)
    rows = said.order_by("id").values_list("by_id", "about_id", "kind")
    for one, other in matches_of(ReactionRow(*row) for row in rows):
        matches[one].add(other)
        matches[other].add(one)
    return matches


class Partners(NamedTuple):
    """Whom somebody has met, and with whom they had a date to which one of the two did not come."""

    met: list[Registration]
    missed: list[Registration]


def partners_of(registration: Registration) -> Partners:
    """Return both in the order of the rounds."""
    dates = Date.objects.filter(Q(first=registration) | Q(second=registration), status__in=_BEGUN)
    partners = Partners([], [])
    for date in dates.select_related("first__user", "second__user", "round").order_by("round__number"):
        partner = date.partner_of(registration.pk)
        (partners.met if date.status == Date.Status.TOOK_PLACE else partners.missed).append(partner)
    return partners


def people_met(registration: Registration) -> list[Registration]:
    """Return those whom somebody has met, in the order of the rounds."""
    return partners_of(registration).met
