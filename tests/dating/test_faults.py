"""What must not go wrong with an evening: deaths, late clocks, no-shows, and what the organiser does."""

import threading
from collections import Counter

import pytest
from django.db import connection, transaction

from accounts.models import User
from config.rest.exceptions import Conflict
from dating import services
from dating.models import Date, LogEntry, Reaction, Registration, Room, Seat
from notifications.models import Delivery, Notification
from tests.dating.cast import DAY, EIGHT, HOUR, MINUTE, SECOND, Evening, event, links, messages, person, told

pytestmark = pytest.mark.django_db
NAMES = ("Ana", "Bob", "Eve", "Tom")


class Killed(BaseException):
    """The process dies."""


def four(**fields: object) -> Evening:
    """Four who all meet each other, up to the ready check."""
    crowd = [person(name) for name in NAMES]
    evening = Evening(event(**fields)).registered(*crowd).confirmed()
    evening.at(EIGHT - HOUR)
    evening.at(EIGHT - 5 * MINUTE)
    return evening


def play(evening: Evening) -> None:
    """Let the rest of an evening pass, from the round that goes on, everybody in their calls."""
    while evening.step != "finished":
        number = evening.event.current_round
        for user in evening.people:
            if number in dict(links(user)) and evening.member(user).state == "confirmed":
                evening.join(user)
        evening.at(evening.end_of_round(number))
        evening.at(evening.end_of_round(number) + MINUTE)


def die_at_every_step(evening: Evening, moments: list[object]) -> None:
    for moment in moments:
        with pytest.raises(Killed):
            die_after(evening, moment)
        evening.at(moment)


def die_after(evening: Evening, moment: object) -> None:
    """Do everything that is due, and die before any of it is committed."""
    with transaction.atomic():
        evening.at(moment)
        raise Killed


@pytest.mark.slow
def test_without_breaks_the_last_partner_can_be_rated_too() -> None:
    ana, bob = (person(name) for name in NAMES[:2])
    evening = Evening(event(break_s=0)).registered(ana, bob).confirmed()
    for moment in (EIGHT - HOUR, EIGHT - 5 * MINUTE, EIGHT):
        evening.at(moment)
    evening.join(ana, bob)
    evening.at(EIGHT + 5 * MINUTE)
    evening.at(EIGHT + 5 * MINUTE + 30 * SECOND)
    for one, other in ((ana, bob), (bob, ana)):
        services.reaction_record(
            event=evening.event, user=one, about_id=evening.member(other).pk, kind="like", now=evening.now
        )
    evening.at(EIGHT + 6 * MINUTE)
    assert evening.step == "finished"
    assert evening.event.results["matches"] == 1


@pytest.mark.slow
def test_killed_at_every_step_it_ends_as_if_nothing_had_been() -> None:
    crowd = [person(name) for name in NAMES]
    evening = Evening(event()).registered(*crowd)
    die_at_every_step(evening, [EIGHT - DAY])
    evening.confirmed()
    ends = [EIGHT + each * MINUTE for each in (5, 6, 11, 12, 17, 18)]
    die_at_every_step(evening, [EIGHT - HOUR, EIGHT - 5 * MINUTE, EIGHT, *ends])
    steps = ["confirming", "closed", "ready_check", *["round", "break"] * 3, "finished"]
    assert evening.log() == steps
    for each in crowd:
        assert [number for number, _ in links(each)] == [1, 2, 3]
        assert sorted(name for _, name in links(each)) == sorted(set(NAMES) - {each.first_name})
        assert Counter(told(each)) == Counter(
            registered=1, confirm=1, confirmed=1, taking_part=1, rules=1, link=3, rate=3, finished=1
        )
    assert messages() == Counter(
        registered=4, confirm=1, confirmed=4, taking_part=4, rules=1, link=12, rate=12, finished=4
    )


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_any_number_of_runners_take_each_step_once() -> None:
    evening = four()
    evening.at(EIGHT)
    barrier = threading.Barrier(4)
    taken: list[str] = []

    def run() -> None:
        try:
            barrier.wait(30)
            taken.extend(services.event_advance(event_id=evening.event.pk, now=EIGHT + 6 * MINUTE))
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(taken) == ["break", "round"]
    assert evening.log()[-3:] == ["round", "break", "round"]
    for each in evening.people:
        assert [number for number, _ in links(each)] == [1, 2, 3]
        assert told(each).count("rate") == 1


@pytest.mark.slow
def test_a_clock_that_jumps_an_hour_finds_every_step_in_order_and_sends_nobody_to_a_round_that_is_over() -> (
    None
):
    evening = four()
    evening.at(EIGHT)
    evening.join(*evening.people)
    taken = evening.at(EIGHT + HOUR)
    # The first round was held. Its links for the second had been laid out for their time, which has passed.
    assert taken == ["break", "round", "break", "round", "break"]
    assert evening.rounds() == ["over", "missed", "missed"]
    for each in evening.people:
        assert [number for number, _ in links(each)] == [1]
        assert told(each).count("rate") == 1
    # The last break is as long as ever, so that the round that was held can still be rated.
    assert evening.at(evening.now + MINUTE - SECOND) == []
    assert evening.at(evening.now + SECOND) == ["finished"]
    assert [each.done_at >= each.due_at for each in LogEntry.objects.all()] == [True] * len(evening.log())
    assert evening.event.results["rounds"] == 1 if evening.step == "finished" else False
    met = Date.objects.filter(status=Date.Status.TOOK_PLACE).count()
    assert met == 2


@pytest.mark.slow
def test_a_round_that_has_been_sent_to_counts_though_its_step_was_taken_late() -> None:
    evening = four()
    evening.at(EIGHT)
    second = evening.event.rounds.get(number=2)
    Delivery.objects.filter(notification__source_id=str(second.pk)).update(status="sent")
    evening.at(EIGHT + 13 * MINUTE)
    assert evening.rounds() == ["over", "over", "running"]


@pytest.mark.slow
def test_those_who_met_by_the_clock_in_a_round_that_nobody_was_sent_to_can_rate_and_report() -> None:
    """All workers are away from the first round on; people come by what they have: the API, an old link."""
    evening = four()
    evening.at(EIGHT)
    evening.join(*evening.people)
    (one, other), (alone, absent) = (
        [next(each for each in evening.people if each.first_name == name) for name in sorted(pair)]
        for pair in evening.pairs(2)
    )
    evening.now = EIGHT + 7 * MINUTE
    evening.join(one, other, alone)
    evening.at(EIGHT + HOUR)
    assert evening.rounds() == ["over", "over", "missed"]
    assert like(evening, one, other)
    assert like(evening, other, one, "report", "unkind")
    assert like(evening, alone, absent, "report", "was there by another way")
    with pytest.raises(Conflict, match="people you met"):
        like(evening, alone, absent)
    # Nobody was sent there: whoever stayed away has missed nothing.
    assert set(Registration.objects.values_list("no_shows", flat=True)) == {0}


@pytest.mark.slow
def test_a_round_that_is_late_but_not_over_is_still_sent_to_and_ends_on_time() -> None:
    evening = four()
    evening.at(EIGHT + 3 * MINUTE)
    assert evening.step == "round"
    assert all(links(each)[0][0] == 1 for each in evening.people)
    assert evening.at(EIGHT + 5 * MINUTE) == ["break"]


@pytest.mark.slow
def test_an_evening_whose_last_is_ready_after_its_time_begins_at_its_time() -> None:
    """Nobody has taken the step yet, but the links of the first round have gone out: not once more."""
    evening = four()
    late = EIGHT + SECOND
    for each in evening.people:
        services.ready_mark(event=evening.event, user=each, now=late)
    evening.event.refresh_from_db()
    assert evening.event.deadline_at == EIGHT
    evening.at(late)
    assert evening.event.rounds.get(number=1).version == 1


@pytest.mark.slow
def test_a_sign_of_life_after_a_rounds_time_leaves_the_round_as_it_is() -> None:
    """Nobody has taken the step yet, but its links have gone out, and people are in their calls."""
    evening = four()
    evening.at(EIGHT)
    missing, *others = evening.people
    evening.join(*others)
    evening.at(EIGHT + 5 * MINUTE)
    assert evening.member(missing).missed_at
    second = evening.event.rounds.get(number=2)
    seats = set(Seat.objects.filter(round=second).values_list("pk", flat=True))
    late = EIGHT + 6 * MINUTE + 2 * SECOND
    services.ready_mark(event=evening.event, user=missing, now=late)
    evening.at(late)
    assert evening.event.rounds.get(number=2).version == second.version
    assert set(Seat.objects.filter(round=second).values_list("pk", flat=True)) == seats
    # They are in again from the round after.
    evening.at(EIGHT + 11 * MINUTE)
    assert any(missing.first_name in pair for pair in evening.pairs(3))


@pytest.mark.slow
def test_whose_partner_is_dropped_after_a_rounds_time_hears_of_it() -> None:
    evening = four()
    evening.at(EIGHT)
    evening.at(EIGHT + 5 * MINUTE)
    second = evening.event.rounds.get(number=2)
    date = Date.objects.filter(round=second).select_related("first__user", "second__user")[0]
    late = EIGHT + 6 * MINUTE + 2 * SECOND
    services.event_drop(event=evening.event, registration_id=date.first_id, now=late)
    assert "partner_left" in told(date.second.user)
    assert evening.event.rounds.get(number=2).version == second.version


@pytest.mark.slow
def test_once_everybody_is_ready_it_begins_at_once_and_nothing_drifts() -> None:
    evening = four()
    ana, *others = evening.people
    evening.ready(*others)
    assert evening.at(evening.now + SECOND) == []
    early = EIGHT - 2 * MINUTE
    evening.now = early
    evening.ready(ana)
    assert evening.at(early + 30 * SECOND) == ["round"]
    first, second = evening.event.rounds.filter(number__lte=2).order_by("number")
    assert (first.starts_at, first.ends_at) == (early, early + 5 * MINUTE)
    assert second.starts_at == early + 6 * MINUTE
    # The links that had been laid out for eight are not sent any more.
    assert [name for number, name in links(ana) if number == 1] == [links(ana)[0][1]]


@pytest.mark.slow
def test_whoever_has_been_sent_to_a_round_is_not_sent_again_when_its_early_start_comes_late() -> None:
    evening = four()
    evening.now = EIGHT - SECOND
    evening.ready(*evening.people)
    # Nobody takes the step until eight, when the links go out that were laid out for then.
    assert evening.at(EIGHT + SECOND) == ["round"]
    first = evening.event.rounds.get(number=1)
    assert (first.starts_at, first.ends_at, first.version) == (EIGHT, EIGHT + 5 * MINUTE, 1)
    evening.event.refresh_from_db()
    assert evening.event.deadline_at == EIGHT + 5 * MINUTE
    assert all([number for number, _ in links(each)].count(1) == 1 for each in evening.people)


@pytest.mark.slow
def test_partners_of_those_who_do_not_come_meet_each_other_where_they_are_free() -> None:
    evening = four()
    ana, bob, eve, tom = evening.people
    evening.at(EIGHT)
    (a, b), (c, d) = (sorted(pair) for pair in sorted(evening.pairs(1), key=min))
    by_name = dict(zip(NAMES, (ana, bob, eve, tom), strict=True))
    # One of each pair does not come.
    evening.join(by_name[a], by_name[c])
    evening.at(EIGHT + 5 * MINUTE)
    assert evening.pairs(2) == {frozenset({a, c})}
    assert [evening.member(by_name[name]).no_shows for name in (a, b, c, d)] == [0, 1, 0, 1]
    assert set(Date.objects.filter(round__number=1).values_list("status", flat=True)) == {"no_show"}
    # Nobody rates somebody whom they have not met; nobody is sent to somebody who is not there.
    assert told(by_name[a]).count("rate") == 0
    with pytest.raises(Conflict, match="people you met"):
        like(evening, by_name[a], by_name[b])
    assert [name for number, name in links(by_name[a]) if number == 2] == [c]
    assert [number for number, _ in links(by_name[b])] == [1]
    # One of the missing comes after all: they are in again from the next round on.
    evening.ready(by_name[b])
    evening.at(EIGHT + 6 * MINUTE)
    play(evening)
    seen = [frozenset({user.first_name, name}) for user in evening.people for _, name in links(user)]
    assert max(Counter(seen).values()) == 2
    assert evening.step == "finished"
    assert d not in [name for number, name in links(by_name[a]) if number > 1]
    for number in range(1, 5):
        seated = Seat.objects.filter(round__event=evening.event, round__number=number)
        assert seated.count() == seated.values("registration").distinct().count()


@pytest.mark.slow
def test_where_nobody_gives_any_sign_nobody_is_taken_for_missing() -> None:
    evening = four()
    evening.at(EIGHT)
    for minutes in (5, 6, 11, 12, 17):
        evening.at(EIGHT + minutes * MINUTE)
    assert [len(links(each)) for each in evening.people] == [3] * 4
    assert set(Registration.objects.values_list("no_shows", flat=True)) == {0}


def like(evening: Evening, by: User, about: User, kind: str = "like", text: str = "") -> bool:
    _, created = services.reaction_record(
        event=evening.event,
        user=by,
        about_id=evening.member(about).pk,
        kind=kind,
        text=text,
        now=evening.now,
    )
    return created


@pytest.mark.slow
def test_a_match_is_mutual_and_never_told_when_either_reported_the_other() -> None:
    evening = four()
    evening.at(EIGHT)
    ana, bob, eve, tom = evening.people
    play_until_break(evening, 3)
    for one, other in ((ana, bob), (bob, ana), (ana, eve), (eve, ana), (tom, ana)):
        like(evening, one, other)
    like(evening, eve, ana, "report", "unkind")
    # The same again is harmless; another opinion is refused; nothing is said of oneself.
    assert not like(evening, ana, bob)
    assert not like(evening, eve, ana, "report", "unkind")
    for wrong in ((ana, bob, "dislike"), (ana, ana, "like"), (eve, ana, "report")):
        with pytest.raises(Conflict):
            like(evening, *wrong)
    evening.at(EIGHT + 18 * MINUTE)
    finals = {
        each.user.first_name: [match["name"] for match in each.notification.data["matches"]]
        for each in Delivery.objects.filter(notification__kind="dating.finished", channel="inbox")
    }
    assert finals == {"Ana": ["Bob"], "Bob": ["Ana"], "Eve": [], "Tom": []}
    # Nobody hears of a report, in whatever words.
    assert not Notification.objects.filter(data__icontains="unkind").exists()
    # Afterwards a report is still heard, and takes the match away; opinions are not.
    with pytest.raises(Conflict, match="over"):
        like(evening, bob, tom)
    like(evening, bob, ana, "report")
    assert not any(services.matches_of_event(evening.event).values())


def play_until_break(evening: Evening, number: int) -> None:
    for each in range(1, number + 1):
        evening.now = evening.end_of_round(each) - MINUTE
        evening.join(*evening.people)
        evening.at(evening.end_of_round(each))
        if each < number:
            evening.at(evening.end_of_round(each) + MINUTE)


@pytest.mark.slow
def test_nobody_speaks_of_somebody_before_having_met_them_nor_of_a_stranger() -> None:
    evening = four()
    ana = evening.people[0]
    evening.at(EIGHT)
    ((partner,),) = [[name for number, name in links(ana) if number == 1]]
    met = next(each for each in evening.people if each.first_name == partner)
    assert like(evening, ana, met)
    for other in evening.people[1:]:
        if other != met:
            with pytest.raises(Conflict, match="people you met"):
                like(evening, ana, other)
    stranger = person("Stranger")
    with pytest.raises(Conflict, match="people you met"):
        services.reaction_record(
            event=evening.event, user=stranger, about_id=evening.member(ana).pk, kind="like", now=evening.now
        )
    assert Reaction.objects.count() == 1


# --- The organiser -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_pause_moves_all_that_is_to_come() -> None:
    evening = four()
    evening.at(EIGHT)
    evening.now = EIGHT + 2 * MINUTE
    for _ in range(2):
        services.event_pause(event=evening.event, now=evening.now)
    # While the clock stands, nothing is due, and no link of the next round goes out.
    assert evening.at(EIGHT + 30 * MINUTE) == []
    assert {number for each in evening.people for number, _ in links(each)} == {1}
    for _ in range(2):
        services.event_resume(event=evening.event, now=EIGHT + 32 * MINUTE)
    assert evening.at(EIGHT + 35 * MINUTE - SECOND) == []
    assert evening.at(EIGHT + 35 * MINUTE) == ["break"]
    second = evening.event.rounds.get(number=2)
    assert second.starts_at == EIGHT + 36 * MINUTE
    pending = Delivery.objects.filter(notification__source_id=str(second.pk), status="pending")
    assert set(pending.values_list("due_at", flat=True)) == {EIGHT + 36 * MINUTE}
    assert pending.count() == 4


@pytest.mark.slow
def test_while_the_clock_stands_nobody_is_let_into_the_next_round() -> None:
    evening = four()
    evening.at(EIGHT)
    ana = evening.people[0]
    services.event_pause(event=evening.event, now=EIGHT + 2 * MINUTE)
    in_time_of_the_second = EIGHT + 7 * MINUTE
    seat = services.join_mark(event=evening.event, user=ana, now=in_time_of_the_second)
    assert seat.round.number == 1
    services.event_resume(event=evening.event, now=EIGHT + 8 * MINUTE)
    evening.at(EIGHT + 11 * MINUTE)
    services.event_pause(event=evening.event, now=EIGHT + 11 * MINUTE + SECOND)
    with pytest.raises(Conflict, match="no call"):
        services.join_mark(event=evening.event, user=ana, now=EIGHT + 13 * MINUTE)


@pytest.mark.slow
def test_nor_is_anybody_once_it_is_ended_early() -> None:
    evening = four(break_s=0)
    evening.at(EIGHT)
    services.event_end(event=evening.event, now=EIGHT + 5 * MINUTE - SECOND)
    evening.at(EIGHT + 5 * MINUTE - SECOND)
    with pytest.raises(Conflict, match="no call"):
        services.join_mark(event=evening.event, user=evening.people[0], now=EIGHT + 5 * MINUTE + SECOND)


@pytest.mark.slow
def test_where_the_last_gets_ready_in_a_pause_it_begins_as_it_goes_on() -> None:
    evening = four()
    services.event_pause(event=evening.event, now=EIGHT - 4 * MINUTE)
    evening.ready(*evening.people)
    assert evening.at(EIGHT - 3 * MINUTE) == []
    services.event_resume(event=evening.event, now=EIGHT - 3 * MINUTE)
    assert evening.at(EIGHT - 3 * MINUTE) == ["round"]
    first = evening.event.rounds.get(number=1)
    assert (first.starts_at, first.ends_at) == (EIGHT - 3 * MINUTE, EIGHT + 2 * MINUTE)
    assert [number for number, _ in links(evening.people[0])].count(1) == 1


@pytest.mark.slow
def test_a_round_is_extended_and_what_follows_comes_later() -> None:
    evening = four()
    with pytest.raises(Conflict, match="no round"):
        services.event_extend_round(event=evening.event, by=MINUTE, now=evening.now)
    evening.at(EIGHT)
    services.event_extend_round(event=evening.event, by=2 * MINUTE, now=EIGHT + MINUTE)
    assert evening.at(EIGHT + 5 * MINUTE) == []
    assert evening.at(EIGHT + 7 * MINUTE) == ["break"]
    assert evening.event.rounds.get(number=2).starts_at == EIGHT + 8 * MINUTE
    assert told(evening.people[0]).count("extended") == 1
    assert [number for number, _ in links(evening.people[0])] == [1, 2]


@pytest.mark.slow
def test_somebody_who_is_dropped_is_sent_nowhere_and_their_partners_meet_others() -> None:
    evening = four()
    evening.at(EIGHT)
    ana = evening.people[0]
    member = evening.member(ana)
    before = dict(links(ana))
    services.event_drop(event=evening.event, registration_id=member.pk, now=EIGHT + MINUTE)
    services.event_drop(event=evening.event, registration_id=member.pk, now=EIGHT + MINUTE)
    assert dict(links(ana)) == {1: before[1]}
    assert Room.objects.filter(end_at=EIGHT + MINUTE).count() == 1
    with pytest.raises(Conflict, match="taking part"):
        services.join_mark(event=evening.event, user=ana, now=EIGHT + 2 * MINUTE)
    play(evening)
    assert evening.step == "finished"
    assert told(ana).count("dropped") == 1
    assert "finished" not in told(ana)
    others = {each for each in NAMES if each != "Ana"}
    for each in evening.people[1:]:
        assert {name for _, name in links(each)} >= others - {each.first_name}


@pytest.mark.slow
@pytest.mark.parametrize("two_pools", [True, False])
def test_somebody_who_is_dropped_changes_nothing_in_the_other_group(two_pools: bool) -> None:
    crowd = [person(f"P{number}", seeks=("men", "women")[number % 2]) for number in range(12)]
    evening = Evening(event(users_limit=6, two_pools=two_pools)).registered(*crowd).confirmed()
    evening.at(EIGHT - HOUR)
    evening.at(EIGHT - 5 * MINUTE)
    gone, *_ = members = list(evening.event.registrations.select_related("user").order_by("group", "pk"))
    others = {each.user.first_name for each in members if each.group_id != gone.group_id}
    assert len(others) == 6
    numbers = range(1, len(evening.rounds()) + 1)

    def among_others() -> list[set[frozenset[str]]]:
        return [{pair for pair in evening.pairs(number) if pair <= others} for number in numbers]

    planned = among_others()
    evening.at(EIGHT)
    services.event_drop(event=evening.event, registration_id=gone.pk, now=EIGHT + MINUTE)
    play(evening)
    assert among_others() == planned


@pytest.mark.slow
def test_an_evening_that_is_ended_early_leaves_time_to_rate_and_then_tells_the_matches() -> None:
    evening = four()
    evening.at(EIGHT)
    evening.join(*evening.people)
    services.event_end(event=evening.event, now=EIGHT + 2 * MINUTE)
    assert evening.at(EIGHT + 2 * MINUTE) == ["break"]
    assert told(evening.people[0]).count("rate") == 1
    assert evening.at(EIGHT + 3 * MINUTE) == ["finished"]
    assert evening.rounds() == ["over", "not_held", "not_held"]
    assert {number for each in evening.people for number, _ in links(each)} == {1}


@pytest.mark.slow
def test_the_results_of_one_that_is_ended_early_count_the_dates_that_were_to_be() -> None:
    evening = four()
    evening.at(EIGHT)
    evening.join(*evening.people)
    services.event_end(event=evening.event, now=EIGHT + 2 * MINUTE)
    evening.at(EIGHT + 2 * MINUTE)
    evening.at(EIGHT + 3 * MINUTE)
    evening.event.refresh_from_db()
    found = evening.event.results
    assert (found["rounds"], found["dates_planned"], found["dates_held"]) == (1, 6, 2)
    assert [(each["planned"], each["held"]) for each in found["by_round"]] == [(2, 2), (2, 0), (2, 0)]


@pytest.mark.slow
def test_one_that_has_not_begun_is_called_off_and_everybody_told() -> None:
    evening = four()
    for _ in range(2):
        services.event_end(event=evening.event, now=evening.now)
    assert evening.step == "skipped"
    assert all(told(each)[-1] == "skipped" for each in evening.people)
    assert all(links(each) == [] for each in evening.people)
    assert evening.rounds() == ["not_held"] * 3
    assert evening.at(EIGHT + DAY) == []
