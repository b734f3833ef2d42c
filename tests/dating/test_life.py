"""What an event's life is made of: its times, who counts as present, the plan. Pure, without a database."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from dating.evening.presence import EndedDate, Signs, evidence
from dating.evening.timeline import Position, following
from dating.links import join_of, join_token
from dating.models import Step
from dating.pairing import Person
from dating.pairing.plan import plans

T = datetime(2026, 2, 6, 19, tzinfo=UTC)


@dataclass
class Times:
    starts_at: datetime = T
    round_s: int = 300
    break_s: int = 60
    close_at: datetime = T - timedelta(hours=1)
    rules_at: datetime = T - timedelta(minutes=5)


def after(seconds: float) -> datetime:
    return T + timedelta(seconds=seconds)


def test_each_step_follows_from_the_deadline_before_however_late_it_is_taken() -> None:
    here, seen = Position(Step.OPEN, T - timedelta(days=1)), []
    while here.deadline_at is not None:
        here = following(
            Times(), here, now=here.deadline_at + timedelta(seconds=40), more_rounds=here.round < 2
        )
        seen.append((here.step, here.round, here.deadline_at and (here.deadline_at - T).total_seconds()))
    assert seen == [
        ("confirming", 0, -3600),
        ("closed", 0, -300),
        ("ready_check", 0, 0),
        ("round", 1, 300),
        ("break", 1, 360),
        ("round", 2, 660),
        ("break", 2, 720),
        ("finished", 2, None),
    ]


def test_where_nobody_can_meet_it_is_skipped_when_registration_closes() -> None:
    here = Position(Step.CONFIRMING, T - timedelta(hours=1))
    assert following(Times(), here, now=T, takes_place=False) == Position(Step.SKIPPED, None)


def test_the_last_break_leaves_time_to_rate_even_where_its_own_has_passed() -> None:
    here = Position(Step.ROUND, after(300), 1)
    assert following(Times(), here, now=after(4000), more_rounds=False).deadline_at == after(4060)
    assert following(Times(), here, now=after(4000), more_rounds=True).deadline_at == after(360)
    assert following(Times(), here, now=after(301), more_rounds=False).deadline_at == after(360)


@pytest.mark.parametrize(
    ("round_s", "break_s", "ends"),
    [(300, 0, 360), (300, 5, 360), (300, 90, 390), (20, 0, 40), (20, 10, 40)],
)
def test_the_last_break_is_long_enough_to_rate_however_short_the_others_are(
    round_s: int, break_s: int, ends: int
) -> None:
    times = Times(round_s=round_s, break_s=break_s)
    here = Position(Step.ROUND, after(round_s), 1)
    assert following(times, here, now=after(round_s), more_rounds=False).deadline_at == after(ends)
    next_round = following(times, here, now=after(round_s), more_rounds=True).deadline_at
    assert next_round == after(round_s + break_s)


ANA, BOB, EVE, TOM = (uuid4() for _ in range(4))


def signs(**seen: datetime | None) -> dict[UUID, Signs]:
    names = {"ana": ANA, "bob": BOB, "eve": EVE, "tom": TOM}
    return {key: Signs(seen.get(name), None) for name, key in names.items()}


def held(joined: set[UUID], people: tuple[UUID, UUID] = (ANA, BOB)) -> EndedDate:
    return EndedDate(uuid4(), people, frozenset(joined))


@pytest.mark.parametrize(
    ("joined", "seen", "absent"),
    [
        ({ANA, BOB}, {"ana": T, "bob": T}, set()),
        ({ANA}, {"ana": T}, {BOB}),
        ({ANA}, {"ana": T, "bob": T}, {BOB}),
        (set(), {"ana": T}, {BOB}),
        (set(), {"ana": T, "bob": T}, set()),
        (set(), {"eve": T}, {ANA, BOB}),
        (set(), {}, set()),
    ],
    ids=["both", "one", "one was ready", "one was silent", "both were ready", "neither", "unknown"],
)
def test_who_did_not_come_is_known_by_signs(
    joined: set[UUID], seen: dict[str, datetime], absent: set[UUID]
) -> None:
    date = held(joined)
    found = evidence([date], signs(**seen))
    assert found.absent == absent
    assert found.failed == ({date.date} if absent else set())


def test_whoever_was_missing_is_back_with_any_later_sign() -> None:
    assert Signs(None, None).is_present
    assert not Signs(None, T).is_present
    assert not Signs(after(-60), T).is_present
    assert Signs(after(1), T).is_present


def people(count: int, pools: int) -> list[Person[UUID]]:
    return [
        Person(key=uuid4(), pool=n % pools, age=20 + n % 7, city="Paris", manual_score=2)
        for n in range(count)
    ]


@pytest.mark.parametrize("max_rounds", [None, 2])
@pytest.mark.parametrize(("count", "pools"), [(0, 2), (1, 1), (2, 1), (7, 1), (9, 2), (23, 2)])
def test_a_plan_seats_nobody_twice_in_a_round_nor_with_the_same_partner(
    count: int, pools: int, max_rounds: int | None
) -> None:
    made = plans(people(count, pools), users_limit=6, max_rounds=max_rounds, two_pools=pools == 2)
    everybody = [person for group in made for person in group.people]
    assert len(everybody) == len(set(everybody))
    for group in made:
        pairs = [frozenset(date) for laid in group.rounds for date in laid]
        assert len(pairs) == len(set(pairs))
        assert {person for pair in pairs for person in pair} == set(group.people)
        for laid in group.rounds:
            seated = [person for date in laid for person in date]
            assert len(seated) == len(set(seated))
    assert bool(made) == (count > 1)


def test_a_link_into_a_call_is_somebodys_own_and_cannot_be_made_up() -> None:
    one, other = uuid4(), uuid4()
    token = join_token(one, other)
    assert join_of(token) == (one, other)
    assert join_of(join_token(one, one)[:64] + token[64:]) is None
    for bad in ("", "x", token[:-1], token + "0", token.upper(), "é" * len(token)):
        assert join_of(bad) is None
