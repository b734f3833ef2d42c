"""Somebody asks others to stand in, and who is on call changes once somebody accepts; never before."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from rest_framework.response import Response
from rest_framework.test import APIClient

from accounts.models import User
from config import clock
from escalation.models import CoverRequest, Schedule, ScheduleOverride
from escalation.schedules.row import Duty, Roster, StandIn, final_row
from escalation.schedules.selectors import roster_of, with_layers
from notifications.models import InboxItem
from tests.factories import UserFactory, schedule_of

AN_HOUR = timedelta(hours=1)
Act = Callable[..., Response]


@pytest.fixture
def begin() -> datetime:
    """Tomorrow at eight, when the second turn of a day begins."""
    return clock.now().replace(hour=8, minute=0, second=0, microsecond=0) + timedelta(days=1)


@pytest.fixture
def team(db: None) -> list[User]:
    return [UserFactory(first_name=name) for name in ("Ana", "Bo", "Eva")]


@pytest.fixture
def schedule(team: list[User], begin: datetime) -> Schedule:
    """Turns of a day: tomorrow Bo's, the day after Eva's, today Ana's."""
    return schedule_of(*team, shift_h=24, starts_on=(begin - timedelta(days=1)).date())


@pytest.fixture
def act(schedule: Schedule) -> Act:
    """Do something over the API as somebody."""

    def post(user: User, path: str, **body: Any) -> Response:
        client = APIClient()
        client.force_authenticate(user)
        return client.post(f"/api/v1/escalations/schedules/{schedule.pk}/covers/{path}", body, format="json")

    return post


def on_call(schedule: Schedule, begin: datetime, hours: int = 24) -> list[tuple[tuple[UUID, ...], int, int]]:
    """Who is on call within a day, from which hour until which, counted from its beginning."""
    roster = roster_of(with_layers(Schedule.objects.filter(pk=schedule.pk)).get())
    row = final_row(roster, begin, begin + hours * AN_HOUR)
    return [
        (each.user_ids, (each.starts_at - begin) // AN_HOUR, (each.ends_at - begin) // AN_HOUR)
        for each in row
    ]


def told(user: User) -> list[str]:
    items = InboxItem.objects.filter(user=user).select_related("notification").order_by("number")
    return [item.notification.title for item in items]


def span(begin: datetime, first: int, last: int, prefix: str = "") -> dict[str, str]:
    return {
        f"{prefix}starts_at": (begin + first * AN_HOUR).isoformat(),
        f"{prefix}ends_at": (begin + last * AN_HOUR).isoformat(),
    }


@pytest.mark.slow
def test_whoever_accepts_is_on_call_for_that_time_and_nobody_before(
    act: Act, team: list[User], schedule: Schedule, begin: datetime
) -> None:
    ana, bo, eva = team
    asked = act(bo, "", **span(begin, 2, 6), note="Dentist")
    assert (asked.status_code, asked.data["state"]) == (201, "open")
    assert on_call(schedule, begin) == [((bo.pk,), 0, 24)]
    assert [len(told(user)) for user in team] == [1, 0, 1]
    assert "asks you to stand in" in told(ana)[0]
    accepted = act(ana, f"{asked.data['id']}/accept/")
    assert (accepted.status_code, accepted.data["answered_by_id"]) == (200, str(ana.pk))
    assert on_call(schedule, begin) == [((bo.pk,), 0, 2), ((ana.pk,), 2, 6), ((bo.pk,), 6, 24)]
    assert "stands in" in told(bo)[0]
    assert act(eva, f"{asked.data['id']}/accept/").status_code == 409


def test_a_swap_changes_both_times(act: Act, team: list[User], schedule: Schedule, begin: datetime) -> None:
    _, bo, eva = team
    asked = act(bo, "", **span(begin, 0, 24), **span(begin, 24, 48, "return_"), asked_id=str(eva.pk))
    assert asked.status_code == 201, asked.data
    assert act(eva, f"{asked.data['id']}/accept/").status_code == 200
    assert on_call(schedule, begin, 48) == [((eva.pk,), 0, 24), ((bo.pk,), 24, 48)]


def test_of_two_who_are_on_call_together_only_one_is_replaced(
    act: Act, team: list[User], schedule: Schedule, begin: datetime
) -> None:
    ana, bo, eva = team
    schedule.layers.update(per_turn=2)
    assert on_call(schedule, begin) == [((eva.pk, ana.pk), 0, 24)]
    path = act(ana, "", **span(begin, 0, 24)).data["id"]
    assert act(bo, f"{path}/accept/").status_code == 200
    assert on_call(schedule, begin) == [((eva.pk, bo.pk), 0, 24)]


@pytest.mark.slow
def test_who_was_asked_alone_may_decline_and_then_nothing_changes(
    act: Act, team: list[User], schedule: Schedule, begin: datetime
) -> None:
    ana, bo, eva = team
    asked = act(bo, "", **span(begin, 0, 24), asked_id=str(eva.pk))
    path = asked.data["id"]
    assert told(ana) == []
    assert act(ana, f"{path}/accept/").status_code == 403
    assert act(eva, f"{path}/decline/").data["state"] == "declined"
    assert "can't stand in" in told(bo)[0]
    assert act(eva, f"{path}/accept/").status_code == 409
    assert on_call(schedule, begin) == [((bo.pk,), 0, 24)]


def test_where_all_are_asked_nobody_says_no_for_the_others(
    act: Act, team: list[User], begin: datetime
) -> None:
    ana, bo, _ = team
    asked = act(bo, "", **span(begin, 0, 24))
    assert act(ana, f"{asked.data['id']}/decline/").status_code == 403
    assert CoverRequest.objects.get().state == "open"


@pytest.mark.slow
def test_only_who_asked_withdraws(act: Act, team: list[User], begin: datetime) -> None:
    ana, bo, _ = team
    path = act(bo, "", **span(begin, 0, 24)).data["id"]
    assert act(ana, f"{path}/withdraw/").status_code == 403
    assert act(bo, f"{path}/withdraw/").data["state"] == "withdrawn"
    assert act(ana, f"{path}/accept/").status_code == 409


def test_the_same_again_asks_nobody_twice(act: Act, team: list[User], begin: datetime) -> None:
    ana, bo, _ = team
    first, second = (act(bo, "", **span(begin, 0, 24)) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.data["id"] == second.data["id"]
    assert len(told(ana)) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"first": 23, "last": 25}, "starts_at"),
        ({"first": -48, "last": -47}, "ends_at"),
        ({"first": 4, "last": 4}, "ends_at"),
    ],
)
def test_nobody_asks_for_what_is_not_theirs_or_is_over(
    act: Act, team: list[User], begin: datetime, given: dict[str, int], field: str
) -> None:
    answer = act(team[1], "", **span(begin, given["first"], given["last"]))
    assert answer.status_code == 400
    assert field in answer.data
    assert not CoverRequest.objects.exists()


def test_a_swap_is_for_a_time_of_the_others_and_only_with_one(
    act: Act, team: list[User], begin: datetime
) -> None:
    ana, bo, eva = team
    for asked, back in (
        ({"asked_id": str(ana.pk)}, (24, 48)),
        ({}, (24, 48)),
        ({"asked_id": str(eva.pk)}, (30, 60)),
    ):
        answer = act(bo, "", **span(begin, 0, 24), **span(begin, *back, "return_"), **asked)
        assert answer.status_code == 400, (asked, back)


def test_what_has_changed_since_is_not_accepted(
    act: Act, team: list[User], schedule: Schedule, begin: datetime
) -> None:
    ana, bo, eva = team
    path = act(bo, "", **span(begin, 0, 24)).data["id"]
    ScheduleOverride.objects.create(schedule=schedule, user=eva, starts_at=begin, ends_at=begin + AN_HOUR)
    assert act(ana, f"{path}/accept/").status_code == 409
    assert on_call(schedule, begin) == [((eva.pk,), 0, 1), ((bo.pk,), 1, 24)]


def test_to_whoever_is_not_in_it_the_schedule_does_not_exist(
    act: Act, team: list[User], begin: datetime
) -> None:
    path = act(team[1], "", **span(begin, 0, 24)).data["id"]
    stranger = UserFactory()
    for answer in (act(stranger, "", **span(begin, 0, 24)), act(stranger, f"{path}/accept/")):
        assert answer.status_code == 404


def test_staff_who_are_not_in_it_can_not_take_it(act: Act, team: list[User], begin: datetime) -> None:
    path = act(team[1], "", **span(begin, 0, 24)).data["id"]
    assert act(UserFactory(is_staff=True), f"{path}/accept/").status_code == 403


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_of_two_who_accept_at_once_one_is_on_call(
    act: Act, team: list[User], schedule: Schedule, begin: datetime
) -> None:
    ana, bo, eva = team
    path = act(bo, "", **span(begin, 0, 24)).data["id"]

    def accept(user: User) -> int:
        try:
            return act(user, f"{path}/accept/").status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(accept, (ana, eva))) == [200, 409]
    assert ScheduleOverride.objects.count() == 1


def test_the_staff_replace_one_of_two_by_an_override(
    team: list[User], schedule: Schedule, begin: datetime
) -> None:
    ana, bo, eva = team
    schedule.layers.update(per_turn=2)
    client = APIClient()
    client.force_authenticate(UserFactory(is_staff=True))
    path = f"/api/v1/escalations/schedules/{schedule.pk}/overrides/"
    body = {**span(begin, 0, 24), "user_id": str(bo.pk), "instead_of_id": str(ana.pk)}
    made, again = (client.post(path, body, format="json") for _ in range(2))
    assert (made.status_code, again.status_code) == (201, 200)
    assert made.data["instead_of_id"] == str(ana.pk)
    assert on_call(schedule, begin) == [((eva.pk, bo.pk), 0, 24)]
    nobody = client.post(path, {**body, "instead_of_id": str(begin.year)}, format="json")
    assert nobody.status_code == 400


def test_somebody_stands_in_only_where_the_other_is_on_call() -> None:
    a, b, c = (UUID(int=number) for number in range(3))
    at = datetime(2026, 1, 5, 8, tzinfo=UTC)
    whole = StandIn(UUID(int=8), a, at, at + 9 * AN_HOUR)
    one = StandIn(UUID(int=9), c, at + AN_HOUR, at + 3 * AN_HOUR, instead_of=b)
    other = StandIn(UUID(int=10), c, at + AN_HOUR, at + 3 * AN_HOUR, instead_of=a)
    assert final_row(Roster((), (whole, one)), at, at + 9 * AN_HOUR) == [
        Duty((a,), at, at + 9 * AN_HOUR, override=whole.id)
    ]
    assert [each.user_ids for each in final_row(Roster((), (whole, other)), at, at + 9 * AN_HOUR)] == [
        (a,), (c,), (a,),
    ]  # fmt: skip
    away = Roster((), (whole, other), away=frozenset([c]))
    assert [each.user_ids for each in final_row(away, at, at + 9 * AN_HOUR)] == [(a,)]


# --- The page -----------------------------------------------------------------------------------------------


def browser(user: User) -> Client:
    client = Client(headers={"accept": "text/html"})
    client.force_login(user)
    return client


@pytest.mark.slow
def test_by_page_one_asks_and_another_accepts(team: list[User], schedule: Schedule, begin: datetime) -> None:
    ana, bo, _ = team
    page = browser(bo).get("/on-call/").content.decode()
    assert begin.isoformat() in page
    assert "Eva" in page
    sent = {
        "starts_at": begin.isoformat(),
        "ends_at": (begin + 24 * AN_HOUR).isoformat(),
        "note": "<b>ill</b>",
    }
    answer = browser(bo).post(f"/on-call/{schedule.pk}/ask/", sent, follow=True)
    assert "You are on call until somebody accepts" in answer.content.decode()
    page = browser(ana).get("/on-call/").content.decode()
    assert "You are asked to stand in" in page
    assert f"<strong>{bo.first_name} {bo.last_name}".strip() in page
    assert "&lt;b&gt;ill" in page
    cover = CoverRequest.objects.get()
    answer = browser(ana).post(f"/on-call/covers/{cover.pk}/accept/", follow=True)
    assert "You stand in." in answer.content.decode()
    assert on_call(schedule, begin) == [((ana.pk,), 0, 24)]
    assert "You are asked to stand in" not in browser(ana).get("/on-call/").content.decode()


@pytest.mark.slow
def test_by_page_one_swaps_with_a_time_that_the_other_is_on_call(
    team: list[User], schedule: Schedule, begin: datetime
) -> None:
    ana, bo, _ = team
    page = browser(bo).get("/on-call/").content.decode()
    theirs = re.findall(rf'<option value="({ana.pk} [^"]+)"', page)
    sent = {
        "starts_at": f"{begin:%Y-%m-%dT%H:%M}",
        "ends_at": f"{begin + 24 * AN_HOUR:%Y-%m-%dT%H:%M}",
        "in_return": theirs[0],
    }
    mixed = browser(bo).post(f"/on-call/{schedule.pk}/ask/", {**sent, "asked": str(team[2].pk)}, follow=True)
    assert "from the person whom you ask" in mixed.content.decode()
    browser(bo).post(f"/on-call/{schedule.pk}/ask/", sent)
    cover = CoverRequest.objects.get()
    _, back, back_end = theirs[0].split()
    assert (cover.asked, cover.starts_at) == (ana, begin)
    assert (cover.return_starts_at, cover.return_ends_at) == (
        datetime.fromisoformat(back),
        datetime.fromisoformat(back_end),
    )
    browser(ana).post(f"/on-call/covers/{cover.pk}/accept/")
    assert on_call(schedule, begin)[0][0] == (ana.pk,)
    assert on_call(schedule, cover.return_starts_at)[0][0] == (bo.pk,)


@pytest.mark.slow
@pytest.mark.parametrize(("hour", "days"), [(22, 1), (5, 0), (7, 1)])
def test_who_is_ill_asks_everybody_until_noon_after_the_night_with_one_press(
    team: list[User], begin: datetime, monkeypatch: pytest.MonkeyPatch, hour: int, days: int
) -> None:
    ana, *_ = team
    User.objects.filter(pk=ana.pk).update(time_zone="Asia/Tokyo")
    weeks = schedule_of(*team, shift_h=168, starts_on=(begin - timedelta(days=1)).date())
    now = begin.astimezone(ZoneInfo("Asia/Tokyo")).replace(hour=hour)
    monkeypatch.setattr(clock, "now", lambda: now.astimezone(UTC))
    page = browser(ana).get("/on-call/").content.decode()
    first, button = re.findall(
        r'value="([^"]+)">\s*<input type="hidden" name="ends_at" value="([^"]+)">\s*<input[^>]+ value="Ill">',
        page,
    )[0]
    until = datetime.fromisoformat(button)
    assert until == now.replace(hour=12) + timedelta(days=days)
    sent = {"starts_at": first, "ends_at": button, "note": "Ill"}
    browser(ana).post(f"/on-call/{weeks.pk}/ask/", sent)
    cover = CoverRequest.objects.get()
    assert (cover.asked, cover.ends_at, cover.note) == (None, until, "Ill")


@pytest.mark.slow
def test_by_page_what_is_no_time_on_call_is_said_so(
    team: list[User], schedule: Schedule, begin: datetime
) -> None:
    for sent in (
        {"starts_at": "soon", "ends_at": begin.isoformat()},
        {"starts_at": begin.isoformat(), "ends_at": (begin + 30 * AN_HOUR).isoformat()},
        {"starts_at": begin.isoformat(), "ends_at": (begin + AN_HOUR).isoformat(), "asked": "x"},
        {"starts_at": begin.replace(tzinfo=None).isoformat(), "ends_at": begin.isoformat()},
    ):
        answer = browser(team[1]).post(f"/on-call/{schedule.pk}/ask/", sent, follow=True)
        assert answer.status_code == 200
        assert "message error" in answer.content.decode()
    assert not CoverRequest.objects.exists()
