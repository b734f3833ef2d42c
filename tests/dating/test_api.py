"""Dating over HTTP: the original's replies, who may do what, and what is refused."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from dating import services
from dating.models import DatingProfile, Event, Registration
from tests.dating.cast import Evening, person

pytestmark = pytest.mark.django_db
LogIn = Callable[[User], APIClient]
Machine = Callable[..., APIClient]
EVENTS = "/api/v1/dating/events/"


@pytest.fixture
def starts_at() -> Any:
    return timezone.now().replace(microsecond=0) + timedelta(days=2)


def made(**fields: Any) -> Event:
    start = timezone.now() + timedelta(days=2)
    return services.event_create(**{"title": "Friday", "starts_at": start, "now": timezone.now(), **fields})


def running(*people: User) -> Evening:
    """An evening in its first round."""
    start = timezone.now() + timedelta(seconds=5)
    event = made(starts_at=start, confirm_before_s=4, close_before_s=3, rules_before_s=2)
    evening = Evening(event).registered(*people)
    evening.at(event.confirm_at)
    for each in people:
        services.registration_confirm(event=event, user=each, now=evening.now)
    for moment in (event.close_at, event.rules_at, event.starts_at):
        evening.at(moment)
    # By the clock of the API, too, the round goes on.
    event.rounds.filter(number=1).update(starts_at=timezone.now() - timedelta(seconds=1))
    return evening


@pytest.mark.slow
def test_the_commands_have_the_originals_replies(as_user: LogIn) -> None:
    ana, event = person("Ana"), made()
    client, path = as_user(ana), f"{EVENTS}{event.pk}/"
    for _ in range(2):
        answer = client.post(f"{path}register/")
        assert (answer.status_code, answer.json()) == (200, {"user_registered": True})
    early = client.post(f"{path}confirm/", {})
    assert early.status_code == 409
    assert early.json() == {
        "registration_confirmed": False, "detail": "It is too early to confirm."
    }  # fmt: skip
    services.event_advance(event_id=event.pk, now=event.confirm_at)
    for _ in range(2):
        answer = client.post(f"{path}confirm", {})
        assert (answer.status_code, answer.json()) == (200, {"registration_confirmed": True})
    for _ in range(2):
        answer = client.post(f"{path}cancel/")
        assert (answer.status_code, answer.json()) == (200, {"registration_cancelled": True})
    unknown = client.post(f"{EVENTS}{uuid.uuid4()}/register/")
    assert unknown.status_code == 404
    assert unknown.json() == {"success": False, "detail": "There is no event with that id."}
    services.event_end(event=event, now=timezone.now())
    closed = client.post(f"{path}register/")
    assert closed.status_code == 409
    assert closed.json()["user_registered"] is False


@pytest.mark.slow
def test_event_0_cancels_all(as_user: LogIn) -> None:
    ana = person("Ana")
    client = as_user(ana)
    for event in (made(), made()):
        client.post(f"{EVENTS}{event.pk}/register/")
    assert client.post(f"{EVENTS}0/cancel/").json() == {"registration_cancelled": True}
    assert client.post(f"{EVENTS}0/cancel").json() == {"registration_cancelled": True}
    assert client.post("/api/v1/dating/registrations/cancel/").json() == {"registration_cancelled": True}
    never = as_user(person("Bob"))
    assert never.post(f"{EVENTS}0/cancel/").json() == {"registration_cancelled": False}
    listed = client.get("/api/v1/dating/registrations/").json()["results"]
    assert [each["state"] for each in listed] == ["cancelled"] * 2
    assert client.get("/api/v1/dating/registrations/?state=registered").json()["results"] == []


def test_a_machine_says_for_whom(as_machine: Machine) -> None:
    ana, event = person("Ana"), made()
    path = f"{EVENTS}{event.pk}/register/"
    machine = as_machine("dating:write")
    assert machine.post(path, {}).json() == {
        "user_id": ["Name the person it is for: a machine can't act for itself."]
    }
    assert machine.post(path, {"user_id": str(uuid.uuid4())}).status_code == 404
    assert machine.post(path, {"user_id": str(ana.pk)}).json() == {"user_registered": True}
    assert Registration.objects.get().user == ana
    assert as_machine("dating:read").post(path, {"user_id": str(ana.pk)}).status_code == 403
    assert as_machine("alerts:read").get(EVENTS).status_code == 403


def test_people_speak_for_themselves_only_and_the_staff_for_anybody(as_user: LogIn, operator: User) -> None:
    ana, bob, event = person("Ana"), person("Bob"), made()
    path = f"{EVENTS}{event.pk}/register/"
    assert as_user(ana).post(path, {"user_id": str(bob.pk)}).status_code == 403
    assert as_user(ana).post(path, {"user_id": str(ana.pk)}).status_code == 200
    assert as_user(operator).post(path, {"user_id": str(bob.pk)}).status_code == 200
    assert set(Registration.objects.values_list("user", flat=True)) == {ana.pk, bob.pk}


def test_staff_create_events_and_everybody_lists_them(
    as_user: LogIn, operator: User, stranger: User, starts_at: Any, django_assert_num_queries: Any
) -> None:
    body = {"title": "Friday", "starts_at": starts_at.isoformat(), "two_pools": True, "round_s": 240}
    answer = as_user(operator).post(EVENTS, body)
    assert answer.status_code == 201, answer.content
    event = answer.json()
    assert (event["state"], event["step"], event["round_s"], event["users_limit"]) == (0, "open", 240, 20)
    assert event["organiser"] == str(operator.pk)
    assert event["deadline_at"] == (starts_at - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    for _ in range(3):
        made(title="Saturday")
    client = as_user(stranger)
    client.get(EVENTS)
    with django_assert_num_queries(3):  # the session, its user, the page
        listed = client.get(f"{EVENTS}?state=0").json()["results"]
    assert len(listed) == 4
    assert client.get(f"{EVENTS}?state=4").json()["results"] == []
    assert client.get(f"{EVENTS}{event['id']}/").json() == event


BAD = (
    ("title", ""),
    ("title", 5),
    ("title", "x" * 201),
    ("starts_at", "soon"),
    ("starts_at", 5),
    ("starts_at", "9999-12-31T23:59:59-14:00"),
    ("starts_at", "2020-01-01T00:00:00Z"),
    ("time_zone", "Mars/Base"),
    ("organiser", "00000000-0000-4000-8000-000000000000"),
    ("two_pools", 1),
    ("users_limit", 1),
    ("users_limit", True),
    ("places", 1),
    ("max_rounds", 0),
    ("round_s", 0),
    ("round_s", 1.5),
    ("break_s", -1),
    ("confirm_before_s", 10),
    ("provider", "smoke signals"),
    # None of these is set up here.
    ("provider", "jitsi"),
    ("provider", "google_meet"),
)


def test_a_bad_event_is_refused_by_field(as_machine: Machine, starts_at: Any) -> None:
    machine = as_machine("dating:write")
    for field, value in BAD:
        refused = machine.post(EVENTS, {"title": "Friday", "starts_at": starts_at.isoformat(), field: value})
        assert (refused.status_code, list(refused.json())) == (400, [field]), (field, value)
    assert Event.objects.count() == 0


@pytest.mark.slow
def test_whoever_did_not_come_as_far_as_is_known_can_be_reported(as_user: LogIn) -> None:
    ana, bob = person("Ana"), person("Bob")
    evening = running(ana, bob)
    services.join_mark(event=evening.event, user=ana, now=evening.now)
    evening.at(Event.objects.get().deadline_at)
    path, client = f"{EVENTS}{evening.event.pk}/", as_user(bob)
    seen = client.get(f"{path}evening/").json()
    assert (seen["met"], [each["name"] for each in seen["missed"]]) == ([], ["Ana"])
    about = {"about": seen["missed"][0]["registration_id"]}
    assert client.post(f"{path}reactions/", {**about, "kind": "like"}).status_code == 409
    assert client.post(f"{path}reactions/", {**about, "kind": "report", "text": "!"}).status_code == 201


@pytest.mark.slow
def test_an_evening_as_its_people_have_it(as_user: LogIn, settings: Any) -> None:
    ana, bob = person("Ana"), person("Bob")
    evening = running(ana, bob)
    path, client = f"{EVENTS}{evening.event.pk}/", as_user(ana)
    seen = client.get(f"{path}evening/").json()
    assert (seen["step"], seen["round"], seen["call"]["partner"]["name"]) == ("round", 1, "Bob")
    assert client.post(f"{path}ready/").json()["ready"] is True
    joined = client.post(f"{path}join/")
    assert joined.json()["url"].startswith(f"{settings.PUBLIC_URL}/dating/room/")
    assert joined["Cache-Control"] == "no-store"
    other = as_user(bob).post(f"{path}join/").json()["url"]
    assert other != joined.json()["url"]  # each has a way in of their own
    like = {"about": seen["call"]["partner"]["registration_id"], "kind": "like"}
    assert client.post(f"{path}reactions/", like).status_code == 201
    assert client.post(f"{path}reactions/", like).status_code == 200
    assert client.post(f"{path}reactions/", {**like, "kind": "dislike"}).status_code == 409
    # What Ana says of Bob, Bob does not see.
    assert as_user(bob).get(f"{path}evening/").json()["reactions"] == []
    back = {"about": str(evening.member(ana).pk), "kind": "like"}
    assert as_user(bob).post(f"{path}reactions/", back).status_code == 201
    assert client.get(f"{path}evening/").json()["matches"] == []
    event = Event.objects.get()
    assert event.deadline_at
    services.event_advance(event_id=event.pk, now=event.deadline_at + timedelta(seconds=60))
    assert [each["name"] for each in client.get(f"{path}evening/").json()["matches"]] == ["Bob"]
    report = {"about": like["about"], "kind": "report", "text": "unkind"}
    assert client.post(f"{path}reactions/", report).status_code == 201
    assert client.get(f"{path}evening/").json()["matches"] == []
    assert client.post(f"{path}reactions/", {**like, "text": "x"}).json() == {
        "text": ["Only a report has a text."]
    }


@pytest.mark.slow
def test_the_organiser_runs_it_and_nobody_else(as_user: LogIn, as_machine: Machine, stranger: User) -> None:
    ana, bob, owner = person("Ana"), person("Bob"), person("Olga")
    evening = running(ana, bob)
    Event.objects.update(organiser=owner)
    path = f"{EVENTS}{evening.event.pk}/"
    commands = {"pause": {}, "resume": {}, "extend": {"by_s": 60}, "drop": {}, "end": {}}
    for client in (as_user(stranger), as_user(ana), as_machine("dating:read")):
        assert [client.post(f"{path}{each}/", {}).status_code for each in commands] == [403] * 5
    assert as_user(stranger).get(f"{path}run-sheet/").status_code == 403
    client = as_user(owner)
    paused = client.post(f"{path}pause/").json()
    assert paused["event"]["paused_at"] is not None
    assert client.post(f"{path}resume/").json()["event"]["paused_at"] is None
    assert client.post(f"{path}extend/", {"by_s": 0}).status_code == 400
    before = client.get(f"{path}run-sheet/").json()
    after = client.post(f"{path}extend/", {"by_s": 60}).json()
    assert after["event"]["deadline_at"] > before["event"]["deadline_at"]
    (group,) = after["groups"]
    assert {each["name"] for each in group["members"]} == {"Ana", "Bob"}
    assert [each["round"] for each in group["dates"]] == [1]
    dropped = client.post(f"{path}drop/", {"registration_id": str(evening.member(bob).pk)}).json()
    assert {each["state"] for each in dropped["groups"][0]["members"]} == {"confirmed", "dropped"}
    assert client.post(f"{path}drop/", {"registration_id": str(uuid.uuid4())}).status_code == 409
    assert client.post(f"{path}end/").status_code == 200
    assert as_machine("dating:write", "dating:read").get(f"{path}run-sheet/").status_code == 200


@pytest.mark.slow
def test_a_run_sheet_takes_the_same_number_of_queries_for_any_number(
    as_user: LogIn, operator: User, django_assert_num_queries: Any
) -> None:
    evening = running(*(person(str(number)) for number in range(6)))
    client, path = as_user(operator), f"{EVENTS}{evening.event.pk}/run-sheet/"
    client.get(path)
    with django_assert_num_queries(8):  # session, user, event, with counts, groups, members, dates, log
        assert client.get(path).status_code == 200


def test_a_profile_is_changed_in_part(as_user: LogIn, stranger: User) -> None:
    client, path = as_user(stranger), "/api/v1/dating/profile/"
    assert client.get(path).json() == {"birthday": None, "city": "", "seeks": "anyone"}
    assert client.patch(path, {"birthday": "1999-05-01", "city": "Paris"}).status_code == 200
    answer = client.patch(path, {"seeks": "men"})
    assert answer.json() == {"birthday": "1999-05-01", "city": "Paris", "seeks": "men"}
    for bad in ({"birthday": "1.5.1999"}, {"birthday": "1850-01-01"}, {"birthday": 5}, {"seeks": "cats"}):
        refused = client.patch(path, bad)
        assert (refused.status_code, list(refused.json())) == (400, list(bad))
    assert DatingProfile.objects.get().manual_score == 2


@pytest.mark.slow
def test_a_stranger_sees_the_events_and_nobodys_evening(
    as_user: LogIn, stranger: User, anonymous: APIClient
) -> None:
    evening = running(person("Ana"), person("Bob"))
    path = f"{EVENTS}{evening.event.pk}/"
    own = [
        (path, "get", 200),
        (f"{path}evening/", "get", 404),
        (f"{path}ready/", "post", 404),
        (f"{path}join/", "post", 404),
        (f"{path}reactions/", "post", 404),
        (f"{path}confirm/", "post", 409),
        (f"{path}cancel/", "post", 409),
        (f"{path}register/", "post", 409),
    ]
    for address, method, code in own:
        assert getattr(as_user(stranger), method)(address).status_code == code, address
        assert getattr(anonymous, method)(address).status_code == 401
    assert anonymous.get(EVENTS).status_code == 401
    assert as_user(stranger).post(EVENTS, {"title": "Mine"}).status_code == 403
    assert as_user(stranger).get("/api/v1/dating/registrations/").json()["results"] == []
    assert Registration.objects.filter(user=stranger).count() == 0
