"""On real contacts the fast search says what the reference says, for everyone as the case."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from tests.tracing.storing import store
from tests.tracing.ward import span, ward_contacts
from tracing import packing
from tracing.reference import Exposure, Meetings, Record, Rule, backward, exposures
from tracing.search import Reached, Seed, search

__all__ = ["ward_contacts"]
pytestmark = pytest.mark.django_db

ROUNDS = (1, 2, 3)
TIMES = (0, 60, 300, 900)


def as_exposures(found: Sequence[Reached]) -> list[Exposure]:
    return [
        Exposure(
            each.device_id,
            each.degree,
            each.via_device_id,
            int(each.onset.timestamp()),
            each.seconds,
            each.distance_m,
        )
        for each in found
    ]


@pytest.mark.slow
@pytest.mark.parametrize("packed_share", [0, 0.5], ids=["loose", "half packed"])
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "backward"])
def test_everyone_of_the_ward_as_the_case_exposes_whom_the_reference_says(
    ward_contacts: list[Record], reverse: bool, packed_share: float
) -> None:
    late = round(len(ward_contacts) * packed_share)
    store(ward_contacts[:late])
    assert bool(packing.pack(datetime.now(UTC))) == bool(late)
    store(ward_contacts[late:])
    since, until = span(ward_contacts)
    people = sorted(
        {record.my_id for record in ward_contacts} | {record.other_id for record in ward_contacts}
    )
    seeds = [
        Seed((person, rounds, time), person, since, rounds, time_min_s=time)
        for person in people
        for rounds in ROUNDS
        for time in TIMES
    ]

    found = search(seeds, until=until, backward=reverse)

    reference, meetings = backward if reverse else exposures, Meetings(ward_contacts)
    bounds = int(since.timestamp()), int(until.timestamp())
    sizes = set()
    for time in TIMES:
        for person in people:
            expected = reference(meetings, person, Rule(max(ROUNDS), time), *bounds)
            sizes.add(len(expected))
            for rounds in ROUNDS:
                of_rounds = [each for each in expected if each.degree <= rounds]
                assert as_exposures(found[person, rounds, time]) == of_rounds
    assert len(sizes) > 5  # the filters and people do differ
