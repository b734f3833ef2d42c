"""Drills: whoever is on call is rung by real ways, answers by the usual means, and is in the report."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import Role, User
from config import periodic
from config.slices import Run
from escalation import jobs
from escalation.acknowledge_links import token_of
from escalation.drills import ending
from escalation.drills.starting import drill_start, drills_start
from escalation.figures.reading import figures_of
from escalation.figures.shares import shares_of
from escalation.models import Drill, DrillAnswer, EscalationProcess, Schedule
from escalation.retention import processes_expire, schedules_expire
from escalation.schedules.selectors import with_layers
from escalation.selectors import deliveries_of
from escalation.services import ending as processes_ending
from escalation.services import last_resorts
from escalation.services.processes import process_acknowledge
from escalation.services.schedules import schedule_remove
from notifications.exposition import exposition
from notifications.models import Delivery, Notification, Outgoing, Subscription
from tests.factories import ContactPointFactory, UserFactory, schedule_of

SCHEDULES = "/api/v1/escalations/schedules/"
PROCESSES = "/api/v1/escalations/"
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
A_MINUTE = timedelta(minutes=1)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """What time it is, which a test sets."""

    def set_to(at: datetime) -> None:
        monkeypatch.setattr("config.clock.now", lambda: at)

    set_to(NOW)
    return set_to


@pytest.fixture
def team(db: None) -> list[User]:
    """Ana, with a phone and a mail address, and Bo, whom nothing reaches."""
    ana, bo = (UserFactory(first_name=name, last_name="", time_zone="UTC") for name in ("Ana", "Bo"))
    for channel, address in (("sms", "+33611111111"), ("email", ana.email)):
        ContactPointFactory(user=ana, channel=channel, address=address)
    return [ana, bo]


@pytest.fixture
def schedule(team: list[User]) -> Schedule:
    """A week of Ana's, and then one of Bo's."""
    return schedule_of(*team, starts_on=date(2026, 3, 2))


@pytest.fixture
def staff(as_user: Callable[[User], APIClient], operator: User, clock: Any) -> APIClient:
    User.objects.filter(pk=operator.pk).update(first_name="Olga", last_name="", time_zone="UTC")
    return as_user(operator)


def start(staff: APIClient, schedule: Schedule, **body: Any) -> Any:
    answer = staff.post(f"{SCHEDULES}{schedule.pk}/drill/", body)
    assert answer.status_code in (200, 201), answer.content
    return answer.json()


def report(client: APIClient, schedule: Schedule) -> Any:
    answer = client.get(f"{SCHEDULES}{schedule.pk}/drills/{Drill.objects.get().pk}/")
    assert answer.status_code == 200, answer.content
    return answer.json()


def process_of(user: User) -> EscalationProcess:
    return DrillAnswer.objects.get(user=user).process


def deliver(process: EscalationProcess, at: datetime) -> None:
    """Have all of it sent."""
    Outgoing.objects.filter(delivery__in=deliveries_of(process)).delete()
    deliveries_of(process).update(status="sent", sent_at=at)


def told(kind: str = "on_call.drill_report") -> list[tuple[str, str]]:
    found = Delivery.objects.filter(notification__kind=kind, channel="inbox").order_by("id")
    return [(each.user.email, each.notification.title) for each in found if each.user]


# --- Started ------------------------------------------------------------------------------------------------


def test_whoever_is_on_call_is_rung_by_all_their_ways_and_told_that_it_is_a_test(
    staff: APIClient, schedule: Schedule, team: list[User]
) -> None:
    shown = start(staff, schedule)
    assert [(each["name"], each["is_rung"]) for each in shown["people"]] == [("Ana", True)]
    assert shown["drill"]["due_at"] == "2026-03-02T12:10:00Z"
    sent = deliveries_of(process_of(team[0]))
    assert sorted(sent.values_list("channel", flat=True)) == ["email", "inbox", "sms"]
    (notification, *_) = Notification.objects.filter(source_type="escalation")
    assert notification.kind == "escalation.drill"
    for channel in ("", "sms", "email", "inbox", "telegram"):
        for language, word in (("en", "only a test"), ("fr", "qu'un exercice")):
            texts = notification.texts.get(language, {})
            title, body = texts.get(channel) or texts.get("") or (notification.title, notification.body)
            assert word in title, (language, channel)
            assert title.startswith("Drill: Nights"), (language, channel)
            assert ("⟦acknowledge⟧" in body) == (channel in ("sms", "email", "telegram")), (language, channel)


def test_one_s_own_steps_ring_in_a_drill_too(
    staff: APIClient, as_user: Any, schedule: Schedule, team: list[User]
) -> None:
    steps = [{"after_s": 0, "channel": "email"}, {"after_s": 120, "channel": "sms"}]
    answer = as_user(team[0]).put(f"/api/v1/preferences/{team[0].pk}/steps/", {"critical": steps})
    assert answer.status_code == 200
    start(staff, schedule)
    sent = deliveries_of(process_of(team[0])).exclude(channel="inbox").order_by("due_at")
    assert [(each.channel, each.due_at - NOW) for each in sent] == [
        ("email", timedelta(0)), ("sms", 2 * A_MINUTE),
    ]  # fmt: skip


def test_whoever_wants_to_hear_of_no_drill_by_a_channel_does_not(
    staff: APIClient, schedule: Schedule, team: list[User]
) -> None:
    Subscription.objects.create(user=team[0], channel="sms", kind="escalation.drill", is_enabled=False)
    start(staff, schedule)
    sent = deliveries_of(process_of(team[0])).filter(status="pending")
    assert list(sent.values_list("channel", flat=True)) == ["email"]


def test_everybody_in_the_schedule_is_rung_if_that_is_asked_for(
    staff: APIClient, schedule: Schedule, team: list[User]
) -> None:
    shown = start(staff, schedule, everyone=True, minutes=20)
    assert [each["name"] for each in shown["people"]] == ["Ana", "Bo"]
    assert shown["drill"]["due_at"] == "2026-03-02T12:20:00Z"


def test_starting_it_again_while_it_is_under_way_rings_nobody_twice(
    staff: APIClient, schedule: Schedule
) -> None:
    path = f"{SCHEDULES}{schedule.pk}/drill/"
    first, second = (staff.post(path, {}) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert EscalationProcess.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_who_start_at_once_one_rings(schedule: Schedule) -> None:
    def begin(_: int) -> bool:
        try:
            return drill_start(schedule=schedule, now=NOW)[1]
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(begin, range(2))) == [False, True]
    assert EscalationProcess.objects.count() == 1


def test_where_nobody_is_on_call_nobody_is_rung(staff: APIClient, team: list[User]) -> None:
    schedule = schedule_of(*team, starts_on=date(2026, 6, 1))
    answer = staff.post(f"{SCHEDULES}{schedule.pk}/drill/", {})
    assert (answer.status_code, Drill.objects.count()) == (409, 0)
    assert "Nobody is on call" in answer.content.decode()


@pytest.mark.parametrize("body", [{"minutes": 0}, {"minutes": 61}, {"minutes": "5"}, {"everyone": "yes"}])
def test_what_is_not_as_it_should_be_is_refused(
    staff: APIClient, schedule: Schedule, body: dict[str, Any]
) -> None:
    assert staff.post(f"{SCHEDULES}{schedule.pk}/drill/", body).status_code == 400
    assert not Drill.objects.exists()


def test_only_staff_start_one_and_strangers_see_none(
    staff: APIClient, as_user: Any, as_machine: Any, schedule: Schedule, team: list[User], stranger: User
) -> None:
    path = f"{SCHEDULES}{schedule.pk}/drill/"
    for client in (as_user(team[0]), as_user(stranger), as_machine("escalations:read", "escalations:write")):
        assert client.post(path, {}).status_code == 403
    start(staff, schedule)
    drill = Drill.objects.get()
    assert [each["id"] for each in as_user(team[1]).get(f"{path[:-1]}s/").json()["results"]] == [
        str(drill.pk)
    ]
    for end in ("", f"{drill.pk}/", f"{drill.pk}/report.md"):
        assert as_user(stranger).get(f"{path[:-1]}s/{end}").status_code == 404
    browser = Client(headers={"accept": "text/html"})
    browser.force_login(stranger)
    for page in ("", "report.md"):
        assert browser.get(f"/on-call/drills/{drill.pk}/{page}").status_code == 404


# --- Answered -----------------------------------------------------------------------------------------------


def test_each_answers_by_the_usual_means_and_once_all_have_it_is_reported(
    staff: APIClient,
    as_user: Any,
    schedule: Schedule,
    team: list[User],
    operator: User,
    clock: Callable[[datetime], None],
) -> None:
    ana, bo = team
    ContactPointFactory(user=bo, channel="sms", address="+33622222222")
    start(staff, schedule, everyone=True)
    clock(NOW + 42 * timedelta(seconds=1))
    sms = deliveries_of(process_of(ana)).get(channel="sms")
    assert Client().post(f"/acknowledge/{token_of(sms.pk)}/").status_code == 200
    ending.look(NOW + A_MINUTE)
    assert told() == []
    assert deliveries_of(process_of(ana)).filter(status="pending").count() == 0
    assert deliveries_of(process_of(bo)).filter(status="pending").count() == 1
    clock(NOW + 2 * A_MINUTE)
    answer = as_user(bo).post(f"{PROCESSES}{process_of(bo).pk}/acknowledge/", {})
    assert answer.status_code == 200, answer.content
    ending.look(NOW + 2 * A_MINUTE)
    assert told() == [(operator.email, "Drill of “Nights”: 2 of 2 answered")]
    shown = report(staff, schedule)
    people = [(each["name"], each["answered_after_s"], each["via"]) for each in shown["people"]]
    assert people == [("Bo", 120.0, "api"), ("Ana", 42.0, "link")]
    assert shown["drill"]["reported_at"] == "2026-03-02T12:02:00Z"


def test_whoever_has_not_answered_in_time_is_rung_no_more_and_stands_in_the_report(
    staff: APIClient, schedule: Schedule, team: list[User], operator: User
) -> None:
    ana, bo = team
    start(staff, schedule, everyone=True)
    deliver(process_of(ana), NOW)
    ending.look(NOW + 10 * A_MINUTE - timedelta(seconds=1))
    assert told() == []
    # Whatever died meanwhile: it is a row's time that says so.
    for _ in range(2):
        ending.look(NOW + 15 * A_MINUTE)
    assert told() == [(operator.email, "Drill of “Nights”: 0 of 2 answered")]
    assert {each.state for each in EscalationProcess.objects.all()} == {"stopped"}
    assert not Outgoing.objects.filter(delivery__in=deliveries_of(process_of(ana), process_of(bo))).exists()
    body = Notification.objects.get(kind="on_call.drill_report").body
    assert "- Ana: no answer; sent by email, sms" in body
    assert "- Bo: nothing reached them" in body


@pytest.mark.django_db(transaction=True)
def test_two_who_look_at_once_report_it_once(schedule: Schedule, operator: User) -> None:
    drill, _ = drill_start(schedule=schedule, by=operator, now=NOW)

    def end(_: int) -> bool:
        try:
            return ending.drill_end(drill.pk, NOW + 10 * A_MINUTE)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(end, range(2))) == [False, True]
    assert len(told()) == 1


@pytest.mark.django_db(transaction=True)
def test_of_the_last_two_who_answer_at_once_one_ends_it(schedule: Schedule, team: list[User]) -> None:
    drill, _ = drill_start(schedule=schedule, everyone=True, now=NOW)

    def answer(user: User) -> bool:
        try:
            at = NOW + A_MINUTE
            return process_acknowledge(process=process_of(user), by=str(user), via="phone", now=at)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(answer, team)) == [True, True]
    drill.refresh_from_db()
    assert drill.due_at == NOW + A_MINUTE


# --- A drill is no escalation -------------------------------------------------------------------------------


def test_a_drill_is_in_no_figures_rings_no_last_resort_and_is_no_error(
    staff: APIClient, schedule: Schedule, team: list[User], settings: Any
) -> None:
    settings.LAST_RESORT = [{"type": "address", "channel": "sms", "address": "+33699999999"}]
    start(staff, schedule)
    process = process_of(team[0])
    deliver(process, NOW)
    assert b"\ntocsin_escalations_active 0.0\n" in exposition()
    # Long after all is sent, and with nobody there to end it.
    EscalationProcess.objects.update(look_at=NOW)
    processes_ending.look(NOW + 5 * A_MINUTE)
    process.refresh_from_db()
    assert process.is_active
    ending.look(NOW + 10 * A_MINUTE)
    last_resorts.look(NOW + 11 * A_MINUTE)
    assert not Delivery.objects.filter(address="+33699999999").exists()
    figures = figures_of(since=NOW - A_MINUTE, until=NOW + A_MINUTE)
    assert (figures.total.incidents, figures.noisy_sources) == (0, [])
    shares = shares_of(with_layers(Schedule.objects.all()), begin=NOW - A_MINUTE, end=NOW + A_MINUTE)
    assert [each.pages for each in shares.people] == [0, 0]


def test_staff_who_stop_one_of_its_processes_end_that_alone(
    staff: APIClient, schedule: Schedule, team: list[User]
) -> None:
    start(staff, schedule, everyone=True)
    deliver(process_of(team[0]), NOW)
    assert staff.post(f"{PROCESSES}{process_of(team[0]).pk}/stop/", {}).status_code in (200, 204)
    assert [process_of(each).state for each in team] == ["stopped", "active"]


# --- By itself ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_schedule_asks_for_it_every_so_many_days_at_its_hour(
    staff: APIClient, schedule: Schedule, team: list[User]
) -> None:
    admin = UserFactory(email="admin@example.com", role=Role.ADMIN, is_staff=True)
    schedule.layers.update(time_zone="Europe/Paris")
    changed = staff.patch(f"{SCHEDULES}{schedule.pk}/", {"drill_every_days": 30, "drill_at": "09:30"})
    assert (changed.json()["drill_every_days"], changed.json()["drill_at"]) == (30, "09:30")
    begun = []
    for ten_minutes in range(6 * 24 * 33):
        at = NOW + ten_minutes * 10 * A_MINUTE
        if at.hour in (7, 8, 9) and drills_start(at):
            begun.append(at)
            ending.look(at + 10 * A_MINUTE)
    # The clock changes on 29 March.
    assert begun == [datetime(2026, 3, 3, 8, 30, tzinfo=UTC), datetime(2026, 4, 2, 7, 30, tzinfo=UTC)]
    assert admin.email in {email for email, _ in told()}
    assert {each.started_by_id for each in Drill.objects.all()} == {None}


def test_one_whose_hour_was_missed_waits_for_the_next_day(schedule: Schedule) -> None:
    Schedule.objects.update(drill_every_days=7)
    assert drills_start(datetime(2026, 3, 3, 9, 59, tzinfo=UTC)) == 0
    assert drills_start(datetime(2026, 3, 3, 11, 0, tzinfo=UTC)) == 0
    assert drills_start(datetime(2026, 3, 4, 10, 59, tzinfo=UTC)) == 1


def test_null_ends_it(staff: APIClient, schedule: Schedule) -> None:
    path = f"{SCHEDULES}{schedule.pk}/"
    staff.patch(path, {"drill_every_days": 7})
    assert staff.patch(path, {"name": "Other"}).json()["drill_every_days"] == 7
    assert staff.patch(path, {"drill_every_days": None}).json()["drill_every_days"] is None
    assert staff.patch(path, {"drill_every_days": 0}).status_code == 400


def test_the_job_looks_every_ten_minutes() -> None:
    assert {each.cron for each in periodic.entries() if each.job is jobs.drills} == {"*/10 * * * *"}


# --- Pages, and the end -------------------------------------------------------------------------------------


def test_by_page_staff_start_it_and_the_schedule_s_people_see_it(
    staff: APIClient, schedule: Schedule, team: list[User], operator: User, clock: Any
) -> None:
    browser = Client(headers={"accept": "text/html"})
    browser.force_login(operator)
    assert "Ring everybody in it" in browser.get("/on-call/drills/").content.decode()
    path = f"/on-call/{schedule.pk}/drill/"
    page = browser.post(path, {"everyone": "on"}, follow=True).content.decode()
    # Nobody is to take it for another.
    assert "Nothing rings." in browser.get("/console/").content.decode()
    assert "They are rung now." in page
    assert "<strong>0 of 2</strong> answered" in page
    assert "A drill of this schedule is under way." in browser.post(path, follow=True).content.decode()
    process_acknowledge(process=process_of(team[0]), by="Ana | x", via="phone", now=NOW + A_MINUTE)
    drill = Drill.objects.get()
    browser.force_login(team[0])
    page = browser.get(f"/on-call/drills/{drill.pk}/").content.decode()
    assert "<td>answered after 1 min, by a key on the phone</td>" in page
    assert "<td>no answer yet</td>" in page
    assert "Ring everybody" not in browser.get("/on-call/drills/").content.decode()
    assert browser.post(path).status_code == 403
    markdown = browser.get(f"/on-call/drills/{drill.pk}/report.md")
    assert markdown.headers["Content-Type"].startswith("text/markdown")
    assert "| Ana | answered after 1 min, by a key on the phone | Ana &#124; x |" in markdown.content.decode()
    by_api = staff.get(f"{SCHEDULES}{schedule.pk}/drills/{drill.pk}/report.md")
    assert by_api.content == markdown.content


def test_old_drills_go_with_their_processes_and_with_their_schedule(
    schedule: Schedule, team: list[User], settings: Any
) -> None:
    drill_start(schedule=schedule, now=NOW, everyone=True)
    ending.look(NOW + 10 * A_MINUTE)
    much_later = NOW + timedelta(days=settings.ESCALATION_RETENTION_DAYS + 1)
    processes_expire(Run(now=NOW + timedelta(days=1)))
    assert (Drill.objects.count(), EscalationProcess.objects.count()) == (1, 2)
    processes_expire(Run(now=much_later))
    assert (Drill.objects.count(), EscalationProcess.objects.count()) == (0, 0)
    drill_start(schedule=schedule, now=NOW)
    schedule_remove(schedule=schedule)
    Schedule.objects.update(created_at=NOW, deleted_at=NOW)
    schedules_expire(Run(now=much_later))
    assert not Schedule.objects.exists()
