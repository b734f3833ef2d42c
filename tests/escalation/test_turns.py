"""Targets that are a whole schedule, or the next of its people for each new process: durable, and fair."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, time, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from accounts.models import User
from accounts.services.users import user_update
from config import clock
from escalation.models import EscalationProcess, RoundRobin, Schedule
from escalation.policies.definition import Definition
from escalation.policies.parsing import steps_of
from escalation.policies.selectors import version_named
from escalation.requests import Request
from escalation.selectors import deliveries_of
from escalation.services.policies import planned, policy_create
from escalation.services.processes import process_acknowledge, process_start
from escalation.services.requests import request_run
from escalation.services.resuming import look
from escalation.services.schedules import LayerSaid, schedule_create, schedule_remove, schedule_update
from notifications.models import ContactPoint, Delivery
from tests.escalation.test_policies import until_somebody_waits_for_this
from tests.factories import ContactPointFactory, UserFactory

PATH = "/api/v1/escalations/"
PHONE = {"type": "address", "channel": "phone", "address": "+33612345678"}


@pytest.fixture
def people(owner: User, teammate: User, stranger: User) -> list[User]:
    found = [owner, teammate, stranger]
    for person in found:
        ContactPointFactory(user=person, channel="email", address=person.email)
    return found


@pytest.fixture
def schedule(people: Sequence[User]) -> Schedule:
    """The owner has three places, so more shifts, and is one person all the same."""
    days, nights = layer(people[0], people[1], people[0]), layer(people[0], people[2])
    return schedule_create(name="Kitchen", layers=[days, nights])[0]


def layer(*people: User) -> LayerSaid:
    return LayerSaid(
        name="",
        time_zone="UTC",
        starts_on=date(2026, 1, 5),
        handoff_at=time(8),
        shift_h=24,
        members=tuple(person.pk for person in people),
    )


def policy_of(schedule: Schedule, whom: str, *more: dict[str, Any], **fields: Any) -> None:
    target = {"type": "schedule", "schedule_id": str(schedule.pk), "channels": ["email"], "whom": whom}
    steps = steps_of([{"after_s": 0, "targets": [target, *more]}])
    policy_create(name="Orders", definition=Definition(steps, **fields))


def start(process_id: str) -> EscalationProcess:
    answer = request_run(Request(process_id, "start", policy="Orders"), now=clock.now())
    assert answer.process is not None
    return answer.process


def told(*processes: EscalationProcess) -> list[str]:
    found = deliveries_of(*processes).filter(channel="email").order_by("notification__source_id", "pk")
    return [each.address for each in found]


# --- Everyone ---


def test_everyone_in_a_schedule_is_told_each_once(
    as_machine: Any, schedule: Schedule, people: Sequence[User]
) -> None:
    policy_of(schedule, "everyone")
    user_update(user=people[1], is_active=False)
    body = {"process-id": "oven", "action": "start", "policy": "Orders"}
    assert as_machine("escalations:write").post(PATH, body).status_code == 201
    assert sorted(told(EscalationProcess.objects.get())) == sorted([people[0].email, people[2].email])


@pytest.mark.slow
def test_a_schedule_without_anybody_is_left_out_with_its_reason(
    as_user: Any, operator: User, schedule: Schedule
) -> None:
    policy_of(schedule, "everyone", PHONE)
    schedule_update(schedule=schedule, layers=[layer()], may_have_holes=True)
    start("oven")
    staff = as_user(operator)
    assert left_out(staff, "oven") == ["Step 1 by “Kitchen”: Nobody takes turns in this schedule."]
    schedule_remove(schedule=schedule)
    start("fridge")
    assert left_out(staff, "fridge") == ["Step 1: Not there any more, or switched off."]


def test_why_a_step_told_nobody_is_stored_in_english_whoever_starts_it(
    schedule: Schedule, people: Sequence[User]
) -> None:
    policy_of(schedule, "everyone", PHONE)
    schedule_update(schedule=schedule, layers=[layer()], may_have_holes=True)
    with translation.override("fr"):
        process = start("oven")
    assert [each.text for each in process.entries.filter(kind="left_out")] == [
        "Step 1 by “Kitchen”: Nobody takes turns in this schedule."
    ]


def left_out(staff: Any, process_id: str) -> list[str]:
    lines = staff.get(f"{PATH}{process_id}/timeline/").json()["lines"]
    return [each["text"] for each in lines if each["kind"] == "left_out"]


# --- The next ---


@pytest.mark.slow
def test_each_new_process_tells_the_next_of_its_people(schedule: Schedule, people: Sequence[User]) -> None:
    policy_of(schedule, "next")
    found = [told(start(f"oven {number}")) for number in range(5)]
    assert found == [[people[number % 3].email] for number in range(5)]


@pytest.mark.slow
def test_a_start_that_is_ignored_or_refused_and_a_dry_run_take_nobodys_turn(
    as_user: Any, as_machine: Any, operator: User, schedule: Schedule, people: Sequence[User]
) -> None:
    policy_of(schedule, "next")
    policy = as_user(operator).get(f"{PATH}policies/").json()["results"][0]["id"]
    assert told(start("oven")) == [people[0].email]
    start("oven")  # active already
    shown = as_user(operator).post(f"{PATH}policies/{policy}/simulate/", {}).json()["tellings"]
    assert [each["address"] for each in shown] == [people[1].email]
    ContactPoint.objects.filter(user=people[1]).update(is_enabled=False)
    body = {"process-id": "fridge", "action": "start", "policy": "Orders"}
    assert as_machine("escalations:write").post(PATH, body).status_code == 400
    ContactPoint.objects.filter(user=people[1]).update(is_enabled=True)
    assert told(start("fridge")) == [people[1].email]


@pytest.mark.slow
def test_who_comes_or_leaves_costs_nobody_else_their_turn(schedule: Schedule, people: Sequence[User]) -> None:
    policy_of(schedule, "next")
    assert told(start("1")) == [people[0].email]
    new = UserFactory()
    ContactPointFactory(user=new, channel="email", address=new.email)
    schedule_update(schedule=schedule, layers=[layer(new, *people)])
    assert told(start("2")) == [people[1].email]
    user_update(user=people[1], is_active=False)  # the last one leaves: the one after them is next
    assert told(start("3")) == [people[2].email]
    assert told(start("4")) == [new.email]


@pytest.mark.slow
def test_a_process_that_resumes_tells_the_same_person_again(
    schedule: Schedule, people: Sequence[User]
) -> None:
    policy_of(schedule, "next", acknowledge_timeout_s=60)
    process = start("oven")
    start("fridge")
    now = clock.now()
    assert process_acknowledge(process=process, by="Ana", via="web", now=now)
    look(now + timedelta(seconds=61))
    process.refresh_from_db()
    assert process.state == "active"
    assert told(process) == [people[0].email] * 2
    assert told(start("hood")) == [people[2].email]


def test_who_has_left_when_it_resumes_is_replaced_by_the_next(
    schedule: Schedule, people: Sequence[User]
) -> None:
    policy_of(schedule, "next", acknowledge_timeout_s=60)
    process = start("oven")
    now = clock.now()
    process_acknowledge(process=process, by="Ana", via="web", now=now)
    user_update(user=people[0], is_active=False)
    look(now + timedelta(seconds=61))
    pending = deliveries_of(process).filter(status=Delivery.Status.PENDING)
    assert [each.user_id for each in pending] == [people[1].pk]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_however_many_start_at_once_the_turns_are_fair(schedule: Schedule, people: Sequence[User]) -> None:
    policy_of(schedule, "next")

    def start_elsewhere(number: int) -> str:
        try:
            return told(start(f"oven {number}"))[0]
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        found = Counter(pool.map(start_elsewhere, range(18)))
    assert found == {person.email: 6 for person in people}
    assert RoundRobin.objects.get().last_user == people[2]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_nobody_plans_with_a_turn_that_somebody_else_is_about_to_take(
    schedule: Schedule, people: Sequence[User]
) -> None:
    policy_of(schedule, "next")
    start("first")

    def start_elsewhere() -> list[str]:
        try:
            return told(start("fridge"))
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as elsewhere:
        with transaction.atomic():
            version, now = version_named("Orders"), clock.now()
            plan = planned(version, started_at=now, process_id="oven")
            other = elsewhere.submit(start_elsewhere)
            until_somebody_waits_for_this()
            process = process_start(
                process_id="oven", now=now, policy_version=version, **plan._asdict()
            ).process
        assert (told(process), other.result(30)) == ([people[1].email], [people[2].email])


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_two_that_start_the_same_process_at_once_take_one_turn(
    schedule: Schedule, people: Sequence[User]
) -> None:
    policy_of(schedule, "next")

    def start_elsewhere(_: int) -> object:
        try:
            return start("oven").pk
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(start_elsewhere, range(8)))) == 1
    assert told(start("fridge")) == [people[1].email]


@pytest.mark.slow
@pytest.mark.parametrize("whom", ["everyone", "next"])
def test_the_questions_to_the_database_do_not_grow_with_the_people(
    schedule: Schedule, people: Sequence[User], whom: str
) -> None:
    policy_of(schedule, whom)
    start("first")
    more = UserFactory.create_batch(10)
    counts = []
    for members in (people, [*people, *more]):
        schedule_update(schedule=schedule, layers=[layer(*members)])
        with CaptureQueriesContext(connection) as asked:
            start(f"oven {len(members)}")
        counts.append(len(asked))
    assert counts[0] == counts[1]
