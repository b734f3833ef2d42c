"""Whatever frees a place moves people up, and places go to those who come."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from accounts.services.mirroring import mirror_delete
from dating import services
from dating.evening.timeline import longest
from dating.models import Date, DatingProfile, Event, Registration
from dating.services.profiles import profile_set
from tests.dating.calendar_program import statuses
from tests.dating.cast import DAY, EIGHT, HOUR, MINUTE, Evening, event, links, person, told
from tests.dating.test_admin import change
from tests.dating.test_calendars import ends
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db
LogIn = Callable[[User], APIClient]


@pytest.fixture
def desk(operator: User) -> Client:
    client = Client()
    client.force_login(operator)
    return client


def crowd(names: str = "Ana Bob Tom Eve", **more: Any) -> list[User]:
    return [person(name, **more) for name in names.split()]


def states(evening: Evening) -> list[str]:
    return [evening.member(each).state for each in evening.people]


def reasons(evening: Evening) -> list[str]:
    return [evening.member(each).left_out for each in evening.people]


def confirm(made: Event, user: User, as_user: LogIn) -> Any:
    return as_user(user).post(f"/api/v1/dating/events/{made.pk}/confirm/")


class TestConfirming:
    @pytest.mark.slow
    def test_places_that_nobody_confirms_go_to_those_who_wait_and_would_come(self, as_user: LogIn) -> None:
        ana, bob, tom, eve = crowd()
        evening = Evening(event(places=2)).registered(ana, bob, tom, eve)
        assert confirm(evening.event, tom, as_user).status_code == 409  # nobody is asked yet
        evening.at(EIGHT - DAY)
        assert [told(each)[-1] for each in (ana, tom, eve)] == ["confirm"] * 3
        for _ in range(2):
            for each in (tom, eve):
                answer = confirm(evening.event, each, as_user)
                assert (answer.status_code, answer.json()) == (200, {"registration_confirmed": True})
        assert states(evening) == ["registered", "registered", "waiting", "waiting"]
        assert evening.at(EIGHT - HOUR) == ["closed"]
        assert states(evening) == ["left_out", "left_out", "confirmed", "confirmed"]
        assert reasons(evening) == ["unconfirmed", "unconfirmed", "", ""]
        assert evening.pairs(1) == {frozenset({"Tom", "Eve"})}
        assert [told(each)[-1] for each in (ana, tom)] == ["left_out", "taking_part"]
        assert statuses(evening.event, *evening.people) == [None, None, "CONFIRMED", "CONFIRMED"]

    @pytest.mark.slow
    def test_who_holds_a_place_and_confirms_comes_before_those_who_wait_and_they_in_their_order(
        self, as_user: LogIn
    ) -> None:
        people = crowd("Ana Bob Tom Eve Sam")
        evening = Evening(event(places=2)).registered(*people)
        evening.at(EIGHT - DAY)
        for each in (people[4], people[3], people[0]):
            assert confirm(evening.event, each, as_user).status_code == 200
        evening.at(EIGHT - HOUR)
        assert states(evening) == ["confirmed", "left_out", "left_out", "confirmed", "left_out"]
        assert reasons(evening) == ["", "unconfirmed", "no_place", "", "no_place"]

    @pytest.mark.slow
    def test_who_waits_and_said_nothing_hears_that_there_would_have_been_a_place(
        self, as_user: LogIn
    ) -> None:
        people = crowd("Ana Bob Tom Eve Sam")
        evening = Evening(event(places=3)).registered(*people)
        evening.at(EIGHT - DAY)
        for each in (people[0], people[4]):
            confirm(evening.event, each, as_user)
        evening.at(EIGHT - HOUR)
        assert reasons(evening) == ["", "unconfirmed", "unconfirmed", "unconfirmed", ""]

    @pytest.mark.slow
    def test_a_place_of_somebody_who_cannot_be_matched_is_free(self, as_user: LogIn) -> None:
        ana, bob, tom, eve = crowd()
        evening = Evening(event(places=2)).registered(ana, bob, tom, eve)
        evening.at(EIGHT - DAY)
        for each in (ana, bob, tom, eve):
            assert confirm(evening.event, each, as_user).status_code == 200
        DatingProfile.objects.filter(user=ana).update(birthday=None)
        evening.at(EIGHT - HOUR)
        assert states(evening) == ["left_out", "confirmed", "confirmed", "left_out"]
        assert reasons(evening) == ["no_birthday", "", "", "no_place"]

    @pytest.mark.slow
    def test_who_would_come_and_moves_up_is_confirmed_at_once(self, as_user: LogIn) -> None:
        ana, bob, tom = crowd("Ana Bob Tom")
        evening = Evening(event(places=2)).registered(ana, bob, tom)
        evening.at(EIGHT - DAY)
        confirm(evening.event, tom, as_user)
        assert as_user(ana).post(f"/api/v1/dating/events/{evening.event.pk}/cancel/").status_code == 200
        assert states(evening) == ["declined", "registered", "confirmed"]
        assert told(tom) == ["waiting", "confirm", "moved_up"]
        assert statuses(evening.event, ana, tom) == [None, "CONFIRMED"]

    @pytest.mark.slow
    def test_the_pages_let_those_who_wait_say_that_they_come(self) -> None:
        ana, bob, tom = crowd("Ana Bob Tom")
        evening = Evening(event(places=2)).registered(ana, bob, tom)
        evening.at(EIGHT - DAY)
        client, path = Client(), f"/dating/{evening.event.pk}/"
        client.force_login(tom)
        for page in (path, "/dating/"):
            assert f"{path}confirm/" in client.get(page).content.decode()
        assert client.post(f"{path}confirm/").status_code == 302
        for page in (path, "/dating/"):
            assert f"{path}confirm/" not in client.get(page).content.decode()
        assert "You have said that you will come." in client.get(path).content.decode()

    @pytest.mark.slow
    def test_who_confirms_and_then_cancels_counts_among_those_who_declined(self, as_user: LogIn) -> None:
        ana, bob, tom = crowd("Ana Bob Tom")
        evening = Evening(event()).registered(ana, bob, tom).confirmed()
        as_user(tom).post(f"/api/v1/dating/events/{evening.event.pk}/cancel/")
        services.event_end(event=evening.event, now=EIGHT - HOUR)
        evening.event.refresh_from_db()
        results = evening.event.results
        assert results is not None
        assert (results["confirmed"], results["declined"]) == (2, 1)


def places_change(desk: Client, made: Event, places: object) -> None:
    at = {"starts_at_0": f"{EIGHT:%Y-%m-%d}", "starts_at_1": f"{EIGHT:%H:%M:%S}"}
    change(desk, made, title=made.title, places=places, **at)


class TestMoreAndFewerPlaces:
    @pytest.mark.slow
    def test_more_places_move_people_up_at_once_and_nobody_overtakes_them(
        self, desk: Client, as_user: LogIn
    ) -> None:
        ana, bob, tom, eve, sam = crowd("Ana Bob Tom Eve Sam")
        evening = Evening(event(places=2)).registered(ana, bob, tom, eve)
        places_change(desk, evening.event, 3)
        assert states(evening) == ["registered", "registered", "registered", "waiting"]
        assert told(tom) == ["waiting", "moved_up"]
        as_user(sam).post(f"/api/v1/dating/events/{evening.event.pk}/register/")
        assert evening.member(sam).state == "waiting"
        places_change(desk, evening.event, "")
        assert evening.member(eve).state == evening.member(sam).state == "registered"

    @pytest.mark.slow
    def test_fewer_places_cost_nobody_theirs_and_let_nobody_in(self, desk: Client, as_user: LogIn) -> None:
        ana, bob, tom, eve = crowd()
        evening = Evening(event(places=3)).registered(ana, bob, tom, eve)
        places_change(desk, evening.event, 2)
        as_user(ana).post(f"/api/v1/dating/events/{evening.event.pk}/cancel/")
        assert states(evening) == ["cancelled", "registered", "registered", "waiting"]

    @pytest.mark.slow
    @pytest.mark.parametrize("two_pools", [False, True])
    def test_with_fewer_places_than_people_hold_it_lasts_as_long_as_calendars_said(
        self, desk: Client, two_pools: bool
    ) -> None:
        people = crowd("Ana Bob Tom Eve") + crowd("Sam Pia", seeks="women" if two_pools else "anyone")
        evening = Evening(event(places=6, two_pools=two_pools)).registered(*people)
        places_change(desk, evening.event, 2)
        made = Event.objects.get()
        said = longest(made)
        assert said == 6 * MINUTE * 5
        # Those who hear of it later hear the same.
        evening.confirmed()
        assert {ends(each)[-1] for each in people} == {said}
        evening.at(EIGHT - HOUR)
        assert evening.event.rounds.count() * 6 * MINUTE <= said
        assert evening.event.rounds.count() > 1


class TestTwoPools:
    """Neither pool takes more than half of the places, so that there is somebody to meet."""

    @pytest.mark.slow
    def test_neither_pool_takes_all_places_and_each_has_its_own_order(self, as_user: LogIn) -> None:
        women, men = crowd("Ana Eve Pia", seeks="women"), crowd("Bob Tom Leo", seeks="men")
        evening = Evening(event(two_pools=True, places=4)).registered(*women, *men)
        assert states(evening) == ["registered", "registered", "waiting"] * 2
        as_user(men[0]).post(f"/api/v1/dating/events/{evening.event.pk}/cancel/")
        assert states(evening)[2:] == ["waiting", "cancelled", "registered", "registered"]
        assert told(men[2]) == ["waiting", "moved_up"]
        page = Client()
        page.force_login(women[2])
        shown = page.get(f"/dating/{evening.event.pk}/").content.decode()
        assert "All places that you could have are taken." in shown

    @pytest.mark.slow
    def test_whoever_seeks_anyone_or_has_not_said_takes_any_place(self) -> None:
        evening = Evening(event(two_pools=True, places=4)).registered(*crowd("Ana Eve", seeks="women"))
        evening.registered(person("Sam"), UserFactory(first_name="Kim"), person("Max"))
        assert states(evening) == ["registered"] * 4 + ["waiting"]

    @pytest.mark.slow
    def test_of_an_odd_number_one_pool_has_one_more(self) -> None:
        evening = Evening(event(two_pools=True, places=3)).registered(*crowd("Ana Eve Pia", seeks="women"))
        evening.registered(*crowd("Bob Tom", seeks="men"))
        assert states(evening) == ["registered", "registered", "waiting", "registered", "waiting"]

    def test_whoever_comes_to_seek_others_frees_a_place_of_their_pool(self) -> None:
        ana, eve, pia = crowd("Ana Eve Pia", seeks="women")
        evening = Evening(event(two_pools=True, places=4)).registered(ana, eve, pia)
        profile = DatingProfile.objects.get(user=ana)
        profile_set(user=ana, birthday=profile.birthday, city="Paris", seeks="men")
        assert states(evening) == ["registered"] * 3
        assert told(pia) == ["waiting", "moved_up"]

    @pytest.mark.slow
    def test_what_the_one_pool_leaves_empty_the_other_gets_once_registration_closes(self) -> None:
        evening = Evening(event(two_pools=True, places=4)).registered(*crowd("Ana Eve Pia", seeks="women"))
        evening.registered(person("Bob", seeks="men")).confirmed()
        assert states(evening) == ["confirmed", "confirmed", "waiting", "confirmed"]
        evening.at(EIGHT - HOUR)
        assert states(evening) == ["confirmed"] * 4
        assert evening.event.rounds.count() == 3

    @pytest.mark.slow
    def test_where_all_who_hold_places_seek_the_same_the_last_make_room_for_those_whom_they_could_meet(
        self,
    ) -> None:
        women, men = crowd("Ana Eve Pia Sue"), crowd("Bob Tom Leo", seeks="men")
        evening = Evening(event(two_pools=True, places=4)).registered(*women, *men)
        assert states(evening) == ["registered"] * 4 + ["waiting"] * 3
        for each in women:
            profile_set(user=each, birthday=date(1999, 5, 1), city="Paris", seeks="women")
        evening.confirmed().at(EIGHT - HOUR)
        assert evening.step == "closed"
        assert states(evening) == ["confirmed"] * 2 + ["left_out"] * 2 + ["confirmed"] * 2 + ["left_out"]
        assert reasons(evening) == ["", "", "no_partner", "no_partner", "", "", "no_place"]
        met = evening.pairs(1) | evening.pairs(2)
        assert met == {frozenset({woman, man}) for woman in ("Ana", "Eve") for man in ("Bob", "Tom")}
        assert statuses(evening.event, women[2], men[0]) == [None, "CONFIRMED"]

    @pytest.mark.slow
    def test_where_nobody_seeks_anybody_else_it_does_not_take_place_and_says_why(self) -> None:
        women = crowd("Ana Eve Pia", seeks="women")
        evening = Evening(event(two_pools=True, places=4)).registered(*women).confirmed()
        evening.at(EIGHT - HOUR)
        assert (evening.step, evening.event.skipped_reason) == ("skipped", "pool_empty")


def deleted_by_themselves(user: User, as_user: LogIn, desk: Client) -> None:
    assert as_user(user).delete("/api/v1/users/me/").status_code == 204


def deleted_in_the_admin(user: User, as_user: LogIn, desk: Client) -> None:
    chosen = {"action": "delete_selected", "_selected_action": [str(user.pk)], "post": "yes"}
    assert desk.post("/admin/accounts/user/", chosen).status_code == 302


def deleted_where_it_is_mirrored_from(user: User, as_user: LogIn, desk: Client) -> None:
    user.set_unusable_password()
    user.save()
    User.objects.filter(pk=user.pk).update(mirrored_from="elsewhere")
    assert mirror_delete(user_id=user.pk, source="elsewhere")


def locked_out(user: User, as_user: LogIn, desk: Client) -> None:
    admin = User.objects.create_superuser("admin@example.com", "x", role="admin")
    answer = as_user(admin).patch(f"/api/v1/users/{user.pk}/", {"is_active": False}, format="json")
    assert answer.status_code == 200, answer.content


LEAVE = pytest.mark.parametrize(
    "leave", [deleted_by_themselves, deleted_in_the_admin, deleted_where_it_is_mirrored_from, locked_out]
)


class TestAccountsThatEnd:
    @pytest.mark.slow
    @LEAVE
    def test_their_place_goes_to_whoever_waits_longest(
        self, leave: Any, as_user: LogIn, desk: Client
    ) -> None:
        ana, bob, tom, eve = crowd()
        evening = Evening(event(places=2)).registered(ana, bob, tom, eve)
        leave(ana, as_user, desk)
        evening.people.remove(ana)
        assert states(evening) == ["registered", "registered", "waiting"]
        assert told(tom) == ["waiting", "moved_up"]

    @pytest.mark.slow
    @LEAVE
    def test_while_it_runs_their_partner_hears_and_the_next_round_is_planned_anew(
        self, leave: Any, as_user: LogIn, desk: Client
    ) -> None:
        ana, bob, tom, eve = crowd()
        evening = Evening(event()).registered(ana, bob, tom, eve).confirmed()
        for moment in (EIGHT - HOUR, EIGHT - 5 * MINUTE, EIGHT):
            evening.at(moment)
        (pair,) = (pair for pair in evening.pairs(1) if "Ana" in pair)
        (partner,) = (each for each in (bob, tom, eve) if each.first_name in pair)
        leave(ana, as_user, desk)
        assert "partner_left" in told(partner)
        rest = {each.first_name for each in (bob, tom, eve)}
        met = {frozenset(pair) for pair in evening.pairs(1) if pair <= rest}
        for number in (2, 3, 4):
            evening.at(evening.end_of_round(number - 1))
            evening.at(evening.end_of_round(number - 1) + MINUTE)
            pairs = {pair for pair in evening.pairs(number) if pair <= rest}
            assert len(pairs) <= 1
            met |= pairs
        # Three who are left meet each other, one pair a round, and nobody is sent to whoever is gone.
        assert len(met) == 3
        assert all("Ana" not in dict(links(each)).values() or each == partner for each in (bob, tom, eve))
        assert evening.step == "finished"

    @pytest.mark.slow
    @LEAVE
    def test_where_nobody_is_left_to_meet_it_does_not_take_place(
        self, leave: Any, as_user: LogIn, desk: Client
    ) -> None:
        ana, bob = crowd("Ana Bob")
        evening = Evening(event()).registered(ana, bob).confirmed()
        evening.at(EIGHT - HOUR)
        leave(ana, as_user, desk)
        assert evening.step == "skipped"
        assert told(bob)[-1] == "skipped"
        assert statuses(evening.event, bob) == [None]

    @pytest.mark.slow
    def test_who_was_locked_out_behind_everybodys_back_gets_no_date(self) -> None:
        ana, bob, tom = crowd("Ana Bob Tom")
        evening = Evening(event()).registered(ana, bob, tom).confirmed()
        User.objects.filter(pk=ana.pk).update(is_active=False)
        evening.at(EIGHT - HOUR)
        assert evening.pairs(1) == {frozenset({"Bob", "Tom"})}
        assert not Date.objects.filter(first__user=ana).exists()

    @pytest.mark.slow
    def test_once_the_only_one_who_was_not_ready_is_gone_it_begins(
        self, as_user: LogIn, desk: Client
    ) -> None:
        ana, bob, tom = crowd("Ana Bob Tom")
        evening = Evening(event()).registered(ana, bob, tom).confirmed()
        evening.at(EIGHT - HOUR)
        evening.at(EIGHT - 5 * MINUTE)
        evening.ready(bob, tom)
        gone = evening.member(ana)
        services.event_drop(event=evening.event, registration_id=gone.pk, now=EIGHT - 4 * MINUTE)
        assert evening.at(EIGHT - 4 * MINUTE) == ["round"]


class TestAtTheSameTime:
    @pytest.mark.slow
    def test_nobody_confirms_two_evenings_of_the_same_time(self, as_user: LogIn) -> None:
        ana, bob = crowd("Ana Bob")
        first, second = Evening(event()), Evening(event(title="The other", starts_at=EIGHT + 30 * MINUTE))
        after = Evening(event(title="Later", starts_at=EIGHT + 5 * HOUR))
        for each in (first, second, after):
            each.registered(ana, bob)
            each.at(EIGHT - DAY + 5 * HOUR)
        assert confirm(first.event, ana, as_user).status_code == 200
        refused = confirm(second.event, ana, as_user)
        assert refused.status_code == 409
        assert "Friday at eight, which takes place at the same time" in refused.json()["detail"]
        assert confirm(after.event, ana, as_user).status_code == 200
        assert as_user(ana).post(f"/api/v1/dating/events/{first.event.pk}/cancel/").status_code == 200
        assert confirm(second.event, ana, as_user).status_code == 200

    @pytest.mark.slow
    @pytest.mark.parametrize("is_later", [True, False])
    def test_an_evening_may_begin_in_the_minute_in_which_another_ends(
        self, as_user: LogIn, is_later: bool
    ) -> None:
        (ana,) = crowd("Ana")
        here = event()
        apart = longest(here) if is_later else -longest(here)
        second = event(title="The other", starts_at=EIGHT + apart)
        overlapping = event(title="Too near", starts_at=EIGHT + apart - apart / abs(apart) * MINUTE)
        for each in map(Evening, (here, second, overlapping)):
            each.registered(ana)
            each.at(each.event.starts_at - DAY)
        assert confirm(here, ana, as_user).status_code == 200
        assert confirm(second, ana, as_user).status_code == 200
        services.registration_cancel(event=second, user=ana, now=EIGHT - 20 * HOUR)
        assert confirm(overlapping, ana, as_user).status_code == 409

    @pytest.mark.slow
    def test_of_evenings_that_are_moved_over_each_other_the_first_to_close_has_them(self) -> None:
        ana, bob, tom, eve, sam = crowd("Ana Bob Tom Eve Sam")
        first = Evening(event()).registered(ana, bob, tom).confirmed()
        second = Evening(event(title="The other", starts_at=EIGHT + 5 * HOUR, places=3))
        second.registered(ana, eve, sam, tom)
        second.at(EIGHT - DAY + 5 * HOUR)
        for each in (ana, eve, sam, tom):
            services.registration_confirm(event=second.event, user=each, now=second.now)
        nearer = EIGHT + 30 * MINUTE
        services.event_move(event=second.event, starts_at=nearer, title="The other", now=second.now)
        first.at(EIGHT - HOUR)
        second.at(nearer - HOUR)
        assert first.member(ana).group_id is not None
        assert second.member(ana).left_out == second.member(tom).left_out == "elsewhere"
        assert second.pairs(1) == {frozenset({"Eve", "Sam"})}
        assert told(ana)[-1] == "left_out"
        assert statuses(first.event, ana) == ["CONFIRMED"]
        assert statuses(second.event, ana) == [None]


@pytest.mark.slow
def test_registrations_that_end_leave_no_place_empty(as_user: LogIn) -> None:
    """One who waits and leaves lets nobody up, and one who holds a place lets up the next who is there."""
    ana, bob, tom, eve = crowd()
    evening = Evening(event(places=2)).registered(ana, bob, tom, eve)
    User.objects.filter(pk=tom.pk).update(is_active=False)
    as_user(ana).delete("/api/v1/users/me/")
    assert evening.member(eve).state == "registered"
    assert Registration.objects.filter(event=evening.event, state="waiting").count() == 1
