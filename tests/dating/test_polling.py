"""Who is in a call by what its provider says: Google's own client against a local server."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import django_rq
import pytest
from django.utils import timezone
from redis import Redis

from dating import jobs
from dating.evening.presence import seen_in_call
from dating.evening.timeline import next_poll
from dating.models import Room, Seat
from dating.services.calls import calls_end, rooms_make
from dating.services.polling import rooms_poll
from tests.dating.cast import EIGHT, HOUR, MINUTE, SECOND, Evening, event, person, told
from tests.servers.meet import Meet

HALF, LATE = EIGHT + 150 * SECOND, EIGHT + 270 * SECOND


@pytest.fixture
def meet(settings: Any, tmp_path: Path, redis: Redis) -> Iterator[Meet]:
    with Meet() as server:
        for name, value in server.settings.items():
            setattr(settings, name, value)
        settings.GOOGLE_MEET_TOKEN_FILE = server.token_file(tmp_path)
        yield server


@pytest.fixture
def evening(db: None, meet: Meet) -> Evening:
    """Four in two calls of Google's; Ana has come by her link."""
    crowd = [person(name) for name in ("Ana", "Bob", "Eve", "Tom")]
    made = Evening(event(provider="google_meet")).registered(*crowd).confirmed()
    made.at(EIGHT - HOUR)
    rooms_make(now=made.now)
    made.at(EIGHT - 5 * MINUTE)
    made.at(EIGHT)
    made.join(made.people[0])
    return made


def enter(meet: Meet, evening: Evening, *names: str) -> None:
    """Let people enter their calls by the calls' own addresses, and not by the product's links."""
    for name in names:
        seat = Seat.objects.get(
            round__event=evening.event, round__number=1, registration__user__first_name=name
        )
        assert seat.date.room is not None
        meet.join(seat.date.room.reference, name)


def joined(evening: Evening) -> set[str]:
    seats = Seat.objects.filter(round__event=evening.event, round__number=1, joined_at__isnull=False)
    return set(seats.values_list("registration__user__first_name", flat=True))


@pytest.mark.slow
def test_whoever_the_provider_sees_in_the_call_has_come_and_who_is_nowhere_has_not(
    evening: Evening, meet: Meet
) -> None:
    (partner,) = next(pair - {"Ana"} for pair in evening.pairs(1) if "Ana" in pair)
    there, missing = sorted({"Bob", "Eve", "Tom"} - {partner})
    enter(meet, evening, "Ana", partner, there)
    assert rooms_poll(now=HALF - SECOND) == 0
    assert rooms_poll(now=HALF) == 2
    assert joined(evening) == {"Ana", partner, there}
    assert rooms_poll(now=HALF) == 0
    evening.at(EIGHT + 5 * MINUTE)
    no_shows = {each.first_name: evening.member(each).no_shows for each in evening.people}
    assert no_shows == {name: int(name == missing) for name in no_shows}
    assert told(evening.people[0]).count("rate") == 1


@pytest.mark.slow
def test_it_looks_again_shortly_before_the_end_where_somebody_is_missing(
    evening: Evening, meet: Meet
) -> None:
    rooms_poll(now=HALF)
    assert joined(evening) == {"Ana"}
    assert set(Room.objects.values_list("look_at", flat=True)) == {LATE}
    enter(meet, evening, "Ana", "Bob", "Eve", "Tom")
    assert rooms_poll(now=LATE) == 2
    assert joined(evening) == {"Ana", "Bob", "Eve", "Tom"}
    assert set(Room.objects.values_list("look_at", flat=True)) == {None}


@pytest.mark.slow
@pytest.mark.parametrize(("behaviour", "again"), [("status:503", HALF + 5 * SECOND), ("status:403", LATE)])
def test_a_provider_that_does_not_answer_harms_nobody(
    evening: Evening, meet: Meet, behaviour: str, again: object
) -> None:
    meet.behave(behaviour)
    rooms_poll(now=HALF)
    assert joined(evening) == {"Ana"}
    assert set(Room.objects.values_list("look_at", flat=True)) == {again}
    assert evening.at(EIGHT + 5 * MINUTE) == ["break"]


@pytest.mark.slow
def test_a_provider_that_hangs_keeps_a_worker_for_a_slice_of_time_only(
    evening: Evening, meet: Meet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dating.meetings.google_meet._TIMEOUT_S", 0.2)
    monkeypatch.setattr("dating.services.calls.SLICE_S", 0.1)
    meet.behave("hang")
    assert [rooms_poll(now=HALF), rooms_poll(now=HALF)] == [1, 1]
    evening.at(EIGHT + 5 * MINUTE)
    ended = EIGHT + 5 * MINUTE
    assert calls_end(now=ended) == 1
    assert Room.objects.filter(end_at=ended).count() == 2


@pytest.mark.slow
def test_no_room_is_looked_into_once_its_round_is_over(evening: Evening, meet: Meet) -> None:
    before = len(meet.calls)
    rooms_poll(now=EIGHT + 5 * MINUTE)  # whether or not anybody has taken note of its end
    assert len(meet.calls) == before
    assert set(Room.objects.values_list("look_at", flat=True)) == {None}


@pytest.mark.slow
@pytest.mark.django_db
def test_where_the_provider_cannot_know_nobody_asks() -> None:
    made = Evening(event()).registered(person("Ana"), person("Bob")).confirmed()
    made.at(EIGHT - HOUR)
    made.at(EIGHT)
    assert set(Room.objects.values_list("look_at", flat=True)) == {None}


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_tick_has_rooms_looked_into(redis: Redis) -> None:
    made = Evening(event()).registered(person("Ana"), person("Bob")).confirmed()
    made.at(EIGHT - HOUR)
    Room.objects.update(try_at=None, look_at=timezone.now())
    redis.flushdb()
    jobs.tick(timezone.now())
    assert [each.func_name for each in django_rq.get_queue("default").jobs] == ["dating.jobs.looks"]
    jobs.looks()
    assert Room.objects.get().look_at is None


@pytest.mark.parametrize(
    ("shown", "seen"),
    [
        ([], ""),
        (["somebody"], ""),
        (["ANA "], "a"),
        (["Ana Lima"], "a"),
        (["x", "y"], "ab"),
        (["Bob", "Bob", "Eve"], "ab"),
    ],
)
def test_who_is_in_a_call_is_told_by_number_or_by_name(shown: list[str], seen: str) -> None:
    people = {"a": {"Ana", "Ana Lima"}, "b": {"Bob"}}
    assert seen_in_call(shown, people) == set(seen)  # type: ignore[arg-type,comparison-overlap]


def test_a_name_that_both_have_tells_nothing() -> None:
    assert seen_in_call(["Ana"], {"a": {"Ana"}, "b": {"Ana", "Ana Lima"}}) == set()  # type: ignore[dict-item]


def test_looks_are_in_the_middle_and_near_the_end() -> None:
    end = EIGHT + 5 * MINUTE
    assert [next_poll(EIGHT, end, now=now) for now in (EIGHT, HALF, LATE)] == [HALF, LATE, None]
    assert next_poll(EIGHT, EIGHT + timedelta(seconds=10), now=EIGHT) == EIGHT + 5 * SECOND
