"""Where partners were told the name of whoever leaves: at the evenings that they took part in."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from accounts.models import User
from dating.models import Round
from dating.services.breaks import BREAK
from dating.services.reminding import SOURCE as PAUSE
from dating.services.rounds import SOURCE as ROUND
from dating.services.telling import SOURCE as EVENT


def sources_of(user: User) -> Iterator[tuple[str, str]]:
    """Yield what notifications about their evenings, rounds and breaks name as their source."""
    return sources_of_evenings(list(user.dating_registrations.order_by().values_list("event_id", flat=True)))


def sources_of_evenings(evenings: Sequence[UUID]) -> Iterator[tuple[str, str]]:
    """Yield what notifications about these evenings, by their ids, name as their source."""
    for pk in evenings:
        yield EVENT, str(pk)
        yield PAUSE, str(pk)
    for pk in Round.objects.filter(event__in=evenings).values_list("pk", flat=True):
        yield ROUND, str(pk)
        yield BREAK, str(pk)
