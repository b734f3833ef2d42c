"""Many evenings at once: they take their steps together, and none of them is another's trouble."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import django_rq
import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from redis import Redis

from dating import jobs, services
from dating.models import Date, Event, LogEntry, Registration, Room, Round
from dating.selectors import Due, events_due, events_without_next_links
from dating.services.advance import events_advance
from dating.services.calls import calls_end, rooms_make
from dating.services.next_links import next_links_prepare
from notifications.engine import replay
from notifications.models import Delivery
from tests.dating.cast import DAY, EIGHT, HOUR, MINUTE, SECOND, Evening, event, links, person, told

pytestmark = pytest.mark.django_db


def evenings(number: int, *names: str, **fields: object) -> list[Evening]:
    """So many at the same time, of other people each, up to the ready check."""
    made = []
    for _ in range(number):
        evening = Evening(event(**fields), [person(name) for name in names])
        Registration.objects.bulk_create(
            Registration(event=evening.event, user=each, state="confirmed", confirmed_at=EIGHT - DAY)
            for each in evening.people
        )
        asked = {"step": "confirming", "state": 1, "deadline_at": evening.event.close_at}
        Event.objects.filter(pk=evening.event.pk).update(**asked)
        evening.at(EIGHT - HOUR)
        evening.at(EIGHT - 5 * MINUTE)
        made.append(evening)
    return made


def ids(made: list[Evening]) -> list[object]:
    return [each.event.pk for each in made]


def advance(made: list[Evening], now: object) -> int:
    taken = events_advance(event_ids=ids(made), now=now)
    for each in made:
        each.now = now
    return taken


def ahead(made: list[Evening], now: object) -> int:
    return next_links_prepare(event_ids=ids(made), now=now)


def statements(work: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as seen:
        work()
    return len(seen)


@pytest.mark.slow
def test_any_number_of_evenings_takes_each_step_in_as_many_statements_as_one() -> None:
    counts = []
    for number in (1, 5):
        made = evenings(number, "Ana", "Bob", "Eve", "Tom")
        steps = [
            lambda made=made: advance(made, EIGHT),
            lambda made=made: ahead(made, EIGHT),
            lambda made=made: advance(made, EIGHT + 5 * MINUTE),
            lambda made=made: advance(made, EIGHT + 6 * MINUTE),
        ]
        counts.append([statements(step) for step in steps])
    assert counts[0] == counts[1]
    assert max(counts[0]) <= 30


@pytest.mark.slow
def test_each_evening_goes_its_own_way_though_they_go_together() -> None:
    full, alone, ending = made = evenings(3, "Ana", "Bob", "Eve", "Tom")
    assert advance(made, EIGHT) == 3
    assert ahead(made, EIGHT) == 3
    assert ahead(made, EIGHT) == 0, "they are laid already"
    full.join(*full.people)
    alone.join(alone.people[0])
    services.event_end(event=ending.event, now=EIGHT + 4 * MINUTE)
    assert advance(made, EIGHT + 5 * MINUTE) == 3
    assert [told(each.people[0]).count("rate") for each in (full, ending)] == [1, 1]
    assert [len(each.pairs(2)) for each in made] == [2, 0, 2]
    assert advance(made, EIGHT + 6 * MINUTE) == 3
    assert [each.step for each in made] == ["round", "finished", "finished"]
    assert [each.event.results["rounds"] for each in (alone, ending)] == [1, 1]
    assert full.event.results is None
    rounds = Round.objects.filter(event=full.event).values_list("status", flat=True)
    assert list(rounds) == ["over", "running", "planned"]


@pytest.mark.slow
def test_no_links_are_laid_for_a_round_in_which_nobody_could_meet() -> None:
    _, alone = made = evenings(2, "Ana", "Bob", "Eve", "Tom")
    advance(made, EIGHT)
    missing = Registration.objects.filter(event=alone.event, user__in=alone.people[1:])
    missing.update(missed_at=EIGHT)
    assert ahead(made, EIGHT) == 1


@pytest.mark.slow
def test_rounds_do_not_leak_from_one_evening_or_group_into_another() -> None:
    made = evenings(3, "Ana", "Bob", "Eve", "Tom", users_limit=2)
    for minutes in (0, 5):
        advance(made, EIGHT + minutes * MINUTE)
    for each in made:
        mine = set(partners(each))
        assert mine <= {each.event.pk}
        for date in Date.objects.filter(group__event=each.event).select_related("first", "second", "round"):
            assert date.first.group_id == date.second.group_id == date.group_id
            assert date.round is not None
            assert date.round.event_id == each.event.pk
    assert all(len(links(user)) == 1 for each in made for user in each.people)


def partners(evening: Evening) -> list[object]:
    """The event of whoever the people of an evening are sent to."""
    told_of = Delivery.objects.filter(user__in=evening.people, notification__kind="dating.link")
    registrations = [each.notification.data["partner_id"] for each in told_of.select_related("notification")]
    return list(Event.objects.filter(registrations__in=registrations).values_list("pk", flat=True))


@pytest.mark.slow
def test_an_evening_that_is_broken_keeps_none_of_the_others_from_their_step() -> None:
    made = evenings(4, "Ana", "Bob")
    broken = made[1].event
    Round.objects.filter(event=broken).delete()
    assert advance(made, EIGHT) == 3
    assert [each.step for each in made] == ["round", "ready_check", "round", "round"]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_what_somebody_else_is_at_is_passed_over() -> None:
    made = evenings(2, "Ana", "Bob")
    with transaction.atomic():
        list(Event.objects.select_for_update().filter(pk=made[0].event.pk))
        with ThreadPoolExecutor(1) as elsewhere:
            assert elsewhere.submit(in_another, made).result(30) == 1
    assert [each.step for each in made] == ["ready_check", "round"]


def in_another(made: list[Evening]) -> int:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout TO '2s'")
        return events_advance(event_ids=ids(made), now=EIGHT)
    finally:
        connection.close()


@pytest.mark.slow
def test_links_that_nobody_laid_ahead_are_laid_when_the_round_ends() -> None:
    """As where a worker dies just after a round has begun."""
    made = evenings(2, "Ana", "Bob", "Eve", "Tom")
    advance(made, EIGHT)
    assert {number for each in made for user in each.people for number, _ in links(user)} == {1}
    advance(made, EIGHT + 5 * MINUTE)
    second = Delivery.objects.filter(notification__kind="dating.link", notification__data__round=2)
    assert second.count() == 8
    assert set(second.values_list("status", "due_at")) == {("pending", EIGHT + 6 * MINUTE)}


@pytest.mark.slow
def test_links_are_laid_ahead_once_and_not_while_the_clock_stands_or_no_round_follows() -> None:
    made = paused, ending, going_on = evenings(3, "Ana", "Bob", "Eve", "Tom")
    advance(made, EIGHT)
    services.event_pause(event=paused.event, now=EIGHT + SECOND)
    services.event_end(event=ending.event, now=EIGHT + SECOND)
    assert [each.event_id for each in events_without_next_links()] == [going_on.event.pk]
    assert [ahead(made, EIGHT + SECOND) for _ in range(2)] == [1, 0]
    assert events_without_next_links() == []
    laid = [max(number for number, _ in links(each.people[0])) for each in made]
    assert laid == [1, 1, 2]


def test_evenings_that_are_on_come_before_those_whose_groups_are_to_be_made() -> None:
    waiting = event()
    (on,) = evenings(1, "Ana", "Bob")
    due = events_due(EIGHT)
    assert due == [Due(on.event.pk, True, 2), Due(waiting.pk, False, 0)]


def test_what_is_seen_to_together_is_bounded_by_its_people() -> None:
    keys = [event().pk for _ in range(5)]
    live = [Due(key, True, people) for key, people in zip(keys, (400, 100, 1, 900, 1), strict=True)]
    together = list(jobs._together([*live, Due(keys[0], False, 0), Due(keys[1], False, 0)]))
    assert together == [keys[:2], keys[2:3], keys[3:4], keys[4:5], keys[:1], keys[1:2]]


@pytest.mark.slow
def test_where_a_call_cannot_be_ended_from_outside_one_statement_settles_all() -> None:
    made = evenings(3, "Ana", "Bob")
    rooms_make(now=EIGHT)
    advance(made, EIGHT)
    advance(made, EIGHT + 5 * MINUTE)
    ended = EIGHT + 5 * MINUTE
    assert Room.objects.filter(end_at=ended).count() == 3
    assert statements(lambda: calls_end(now=ended)) <= 3
    assert not Room.objects.filter(end_at__isnull=False).exists()


@pytest.mark.slow
def test_the_log_says_of_each_what_was_due_when_and_when_it_was_done() -> None:
    made = evenings(2, "Ana", "Bob")
    advance(made, EIGHT + SECOND)
    entries = LogEntry.objects.filter(what="round").values_list("event", "round_number", "due_at", "done_at")
    assert set(entries) == {(each.event.pk, 1, EIGHT, EIGHT + SECOND) for each in made}


@pytest.mark.slow
def test_one_that_did_not_take_place_has_results_too() -> None:
    ana, bob = person("Ana"), person("Bob")
    evening = Evening(event()).registered(ana, bob)
    evening.at(EIGHT - DAY)
    services.registration_confirm(event=evening.event, user=ana, now=evening.now)
    evening.at(EIGHT - HOUR)
    evening.event.refresh_from_db()
    assert (evening.event.step, evening.event.skipped_reason) == ("skipped", "too_few")
    found = evening.event.results
    assert (found["registered"], found["confirmed"], found["took_part"], found["rounds"]) == (2, 1, 0, 0)
    called_off = Evening(event()).registered(ana).event
    services.event_end(event=called_off, now=EIGHT - 2 * DAY)
    called_off.refresh_from_db()
    assert called_off.results["registered"] == 1


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_once_a_round_has_begun_a_job_lays_the_links_of_the_next(redis: Redis) -> None:
    made = evenings(2, "Ana", "Bob", "Eve", "Tom")
    Event.objects.update(deadline_at=timezone.now())
    redis.flushdb()
    jobs.advance(0)
    assert [each.step for each in made] == ["round", "round"]
    assert [each.func_name for each in django_rq.get_queue("default").jobs] == ["dating.jobs.ahead"]
    assert Delivery.objects.filter(notification__data__round=2).count() == 0
    redis.flushdb()
    jobs.ahead(0)
    assert Delivery.objects.filter(notification__data__round=2).count() == 8
    # It looks once more, for those that somebody else held; then there is nothing left to do.
    assert [each.func_name for each in django_rq.get_queue("default").jobs] == ["dating.jobs.ahead"]
    redis.flushdb()
    jobs.ahead(0)
    assert django_rq.get_queue("default").count == 0


@pytest.mark.slow
def test_a_link_that_failed_is_not_replayed_once_its_round_is_over() -> None:
    made = evenings(1, "Ana", "Bob", "Eve", "Tom")
    advance(made, EIGHT)
    first = Delivery.objects.filter(notification__kind="dating.link", notification__data__round=1)
    first.update(status="failed", reason="exhausted")
    assert replay.replayable(first).count() == 4
    advance(made, EIGHT + 5 * MINUTE)
    assert replay.replay(first) == 0
    assert replay.left_out(first) == replay.LeftOut(over=4)


@pytest.mark.django_db(transaction=True)
def test_evenings_that_are_made_at_once_have_numbers_of_their_own() -> None:
    def made(_: int) -> int:
        try:
            return event().number
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(made, range(32)))
    assert sorted(numbers) == list(range(1, 33))
