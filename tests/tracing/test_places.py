"""Real contacts of a school and a lycée, disturbed as phones disturb them: found as the reference says."""

import gzip
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from random import Random

import pytest
from rest_framework.test import APIClient

from config import clock
from tests.tracing.test_ward import as_exposures
from tests.tracing.ward import LYCEE, SCHOOL, contacts_in
from tracing import packing
from tracing.models import PackedDay
from tracing.reference import Meetings, Record, Rule, backward, exposures
from tracing.search import Seed, search
from tracing.search.engine import LAST_S

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

SKEW_S = 300
PEOPLE = 24
AT_ONCE = 20_000
RULES = (
    Rule(3, 300, distance_max=2.0),
    Rule(2, 900),
    Rule(3, 0, time_max=600, distance_min=1.0),
)
NAMES = "my_id,other_id,timestamp_start,timestamp_end,distance"


def disturbed(contacts: Sequence[Record], chance: Random, now: datetime) -> list[Record]:
    """Have it end now. One phone or both record a contact, each by a clock of its own, and some twice."""
    people = {record.my_id for record in contacts} | {record.other_id for record in contacts}
    ahead = {person: chance.randint(-SKEW_S, SKEW_S) for person in sorted(people)}
    shift = int(now.timestamp()) - max(record.end for record in contacts)
    seen = []
    for record in contacts:
        sides = chance.choice([[False], [True], [False, True], [False, True]])
        for is_other in sides:
            mine, other = (record.other_id, record.my_id) if is_other else (record.my_id, record.other_id)
            by = shift + ahead[mine]
            metres = round(record.distance + is_other * chance.randint(0, 40) / 100, 2)
            seen.append(Record(mine, other, record.start + by, record.end + by, metres))
    seen += chance.sample(seen, len(seen) // 10)
    chance.shuffle(seen)
    return seen


def upload(phone: APIClient, records: Sequence[Record]) -> int:
    rows = [f"{each.my_id},{each.other_id},{each.start},{each.end},{each.distance}" for each in records]
    body = gzip.compress("\n".join([NAMES, *rows]).encode(), compresslevel=1)
    answer = phone.generic("POST", "/api/v1/tracing/interactions/", body, content_type="text/csv")
    assert answer.status_code in (200, 201), answer.content[:500]
    new: int = answer.json()["new"]
    return new


def upload_all(phone: APIClient, records: Sequence[Record]) -> int:
    return sum(upload(phone, records[at : at + AT_ONCE]) for at in range(0, len(records), AT_ONCE))


def seed_of(case: tuple[int, int], since: datetime) -> Seed:
    person, rule = case[0], RULES[case[1]]
    limits = rule.time_min, rule.time_max, rule.distance_min, rule.distance_max
    return Seed(case, person, since, rule.rounds, *limits)


@pytest.mark.parametrize("place", [SCHOOL, LYCEE])
def test_shuffled_late_repeated_one_sided_and_skewed_contacts_are_found_as_the_reference_says(
    as_machine: Callable[..., APIClient], place: str
) -> None:
    chance, now = Random(place), clock.now()
    records = disturbed(contacts_in(place), chance, now)
    phone, half = as_machine("tracing:write"), len(records) // 2
    stored = upload_all(phone, records[:half])
    packing.pack(now)
    assert PackedDay.objects.exists()
    stored += upload_all(phone, records[half:])
    assert stored == len(set(records))

    # From some hours on, so that contacts are cut off there.
    since = min(record.start for record in records) + 4 * 3600
    everyone = sorted({record.my_id for record in records})
    cases = [(person, rule) for person in chance.sample(everyone, PEOPLE) for rule in range(len(RULES))]
    seeds = [seed_of(case, datetime.fromtimestamp(since, UTC)) for case in cases]
    meetings = Meetings(records)
    sizes = set()
    for reverse, reference in ((False, exposures), (True, backward)):
        found = search(seeds, backward=reverse)
        for person, rule in cases:
            expected = reference(meetings, person, RULES[rule], since, LAST_S)
            assert as_exposures(found[person, rule]) == expected
            sizes.add(len(expected))
    assert len(sizes) > 10  # people and rules do differ
