"""The plan of an evening: who is in which group, and the dates of each of its rounds."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from dating.pairing.best import best_dates
from dating.pairing.filling import filled_up
from dating.pairing.grouping import groups
from dating.pairing.people import Person
from dating.pairing.rounds import coloured_rounds, complete_rounds


@dataclass(frozen=True, slots=True)
class Plan:
    """One group: the people in it, and who meets whom in each round."""

    people: list[UUID]
    rounds: list[list[tuple[UUID, UUID]]]


def plans(
    people: Sequence[Person[UUID]], *, users_limit: int, max_rounds: int | None, two_pools: bool
) -> list[Plan]:
    """Divide people into groups, and lay their dates out in rounds; who is in no group takes no part.

    Everyone in a group meets everyone (of the other pool), or, with ``max_rounds``, at most that many: those
    of the best set of dates in the group, and for whoever is in none of these the least bad. Where not all
    can take part, those who come first do.
    """
    made = []
    for group in groups(people, users_limit=users_limit, two_pools=two_pools):
        if max_rounds is None:
            rounds = complete_rounds(group, two_pools=two_pools)
        else:
            dates = best_dates(group, max_rounds=max_rounds, two_pools=two_pools)
            dates = filled_up(group, dates, max_rounds=max_rounds, two_pools=two_pools)
            rounds = coloured_rounds(dates)
        meeting = {person for round_ in rounds for date in round_ for person in date}
        if meeting:
            made.append(Plan([person.key for person in group if person.key in meeting], rounds))
    return made
