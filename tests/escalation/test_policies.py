"""Policies: what they take, their versions, and starting by name."""

import time as times
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, time, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from accounts.services.users import user_update
from escalation.models import EscalationProcess, Policy, PolicyVersion, Schedule
from escalation.policies.definition import Definition, Step, Target, check_rounds
from escalation.policies.parsing import steps_of
from escalation.policies.selectors import version_named
from escalation.selectors import deliveries_of
from escalation.services import rounds
from escalation.services.ending import processes_finish
from escalation.services.policies import planned, policy_create, policy_update
from escalation.services.processes import (
    process_acknowledge,
    process_resume,
    process_start,
    process_stop,
)
from escalation.services.resuming import look, process_go_on
from escalation.services.rotations import rotation_create
from escalation.services.schedules import schedule_remove
from tests.factories import ContactPointFactory, PreferenceFactory, UserFactory
from tests.queued import end_all

PATH = "/api/v1/escalations/policies/"
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
PHONE = {"type": "address", "channel": "phone", "address": "+33612345678"}
WAITING = "SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"


def user_target(user, *channels):
    return {"type": "user", "user_id": str(user.pk), "channels": list(channels)}


def body(*steps, **more):
    steps = steps or ({"after_s": 0, "targets": [PHONE]},)
    return {"name": "Orders", "steps": list(steps), **more}


def version_of(*steps, **more):
    definition = Definition(steps=steps_of(list(steps)), **more)
    policy, _ = policy_create(name=f"policy {uuid.uuid4()}", definition=definition)
    return version_named(policy.name)


def start(version, *, at=NOW, process_id="restaurant"):
    items = planned(version, started_at=at, process_id=process_id).notifications
    return process_start(
        process_id=process_id,
        notifications=items,
        now=at,
        policy_version=version,
        severity=version.severity,
    ).process


# --- What a policy says ---


def test_steps_are_kept_in_the_order_of_their_delays_with_addresses_in_normal_form():
    late, early = (
        {"after_s": 120, "targets": [{**PHONE, "address": "+33 6 12 34 56 78"}]},
        {"after_s": 0, "targets": [{"type": "rotation", "rotation_id": str(uuid.UUID(int=7))}]},
    )
    assert steps_of([late, early]) == (
        Step(0, (Target("rotation", uuid.UUID(int=7)),)),
        Step(120, (Target("address", address="+33612345678", channels=("phone",)),)),
    )
    stored = [step.as_json() for step in steps_of([late, early])]
    assert steps_of(stored) == steps_of([late, early])


@pytest.mark.parametrize(
    ("steps", "where"),
    [
        ([], "Expected a list of 1 to 20 steps"),
        ("soon", "Expected a list of 1 to 20 steps"),
        ([7], "Expected steps to be objects"),
        ([{"after_s": -1, "targets": [PHONE]}], "step 1: after_s"),
        ([{"after_s": True, "targets": [PHONE]}], "step 1: after_s"),
        ([{"after_s": 1.5, "targets": [PHONE]}], "step 1: after_s"),
        ([{"after_s": 0, "targets": []}], "step 1: Expected a list of 1 to 20 targets"),
        ([{"after_s": 0, "targets": [PHONE], "repeat": 3}], "step 1: repeat: There is no such field"),
        ([{"after_s": 0, "targets": [PHONE, {**PHONE, "address": "12"}]}], "step 1: target 2: address"),
        ([{"after_s": 0, "targets": [{**PHONE, "channel": "pigeon"}]}], "step 1: target 1: channel"),
        ([{"after_s": 0, "targets": [{**PHONE, "channel": "inbox"}]}], "step 1: target 1: channel"),
        ([{"after_s": 0, "targets": [{"type": "user", "user_id": "me"}]}], "step 1: target 1: user_id"),
        ([{"after_s": 0, "targets": [{"type": "group"}]}], "step 1: target 1: type"),
        (
            [
                {
                    "after_s": 0,
                    "targets": [{"type": "user", "user_id": str(uuid.UUID(int=1)), "channels": "sms"}],
                }
            ],
            "step 1: target 1: channels",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(steps, where):
    with pytest.raises(ValidationError) as refused:
        steps_of(steps)
    assert any(message.startswith(where) for message in refused.value.messages), refused.value.messages


@pytest.mark.parametrize(
    ("repeats", "every_s", "field"), [(1, 0, "repeat_every_s"), (1, 120, "repeat_every_s"), (1, 121, None)]
)
def test_a_round_begins_after_the_last_step_of_the_one_before(repeats, every_s, field):
    definition = Definition(
        steps_of([{"after_s": 120, "targets": [PHONE]}]), repeats=repeats, repeat_every_s=every_s
    )
    if field is None:
        check_rounds(definition)
    else:
        with pytest.raises(ValidationError) as refused:
            check_rounds(definition)
        assert list(refused.value.message_dict) == [field]


def test_an_address_may_be_as_long_as_a_url():
    far = {"type": "address", "channel": "webhook", "address": "https://example.org/".ljust(2048, "a")}
    (step,) = steps_of([{"after_s": 0, "targets": [far]}])
    assert step.targets[0].address == far["address"]
    with pytest.raises(ValidationError):
        steps_of([{"after_s": 0, "targets": [{**far, "address": far["address"] + "a"}]}])


def test_all_rounds_together_tell_a_thousand_at_most():
    steps = [{"after_s": 0, "targets": [PHONE] * 20}]
    check_rounds(Definition(steps_of(steps), repeats=49, repeat_every_s=60))
    with pytest.raises(ValidationError, match="1020 targets; at most 1000"):
        check_rounds(Definition(steps_of(steps), repeats=50, repeat_every_s=60))


# --- Over HTTP ---


@pytest.mark.slow
def test_a_policy_is_made_read_and_listed(as_user, operator, owner, django_assert_num_queries):
    ContactPointFactory(user=owner, channel="phone", address="+33612345678")
    client = as_user(operator)
    made = client.post(
        PATH, body({"after_s": 0, "targets": [user_target(owner, "phone")]}, repeats=3, repeat_every_s=60)
    )
    assert made.status_code == 201, made.content
    answer = made.json()
    assert (answer["version"], answer["repeats"], answer["severity"]) == (1, 3, "critical")
    assert answer["steps"] == [{"after_s": 0, "targets": [user_target(owner, "phone")]}]
    assert client.get(f"{PATH}{answer['id']}/").json() == answer
    for number in range(3):
        client.post(PATH, {**body(), "name": f"Another {number}"})
    with django_assert_num_queries(4):  # session, user, policies, their newest versions
        listed = client.get(PATH).json()["results"]
    assert [each["name"] for each in listed] == ["Another 2", "Another 1", "Another 0", "Orders"]
    assert [each["name"] for each in client.get(PATH, {"name": "Orders"}).json()["results"]] == ["Orders"]


def test_the_same_again_answers_200_and_another_of_the_name_409(as_user, operator):
    client = as_user(operator)
    first, again = client.post(PATH, body()), client.post(PATH, body())
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert client.post(PATH, body(acknowledge_timeout_s=60)).status_code == 409
    assert PolicyVersion.objects.count() == 1


def test_bad_input_is_refused_by_field_and_changes_nothing(as_user, operator):
    client = as_user(operator)
    gone = str(uuid.uuid4())
    for change, field in (
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"steps": [{"after_s": 0, "targets": [{"type": "user", "user_id": gone}]}]}, "steps"),
        ({"steps": [{"after_s": 0, "targets": [{"type": "rotation", "rotation_id": gone}]}]}, "steps"),
        ({"steps": None}, "steps"),
        ({"repeats": 21}, "repeats"),
        ({"repeats": "2"}, "repeats"),
        ({"repeats": 2}, "repeat_every_s"),
        ({"acknowledge_timeout_s": 0}, "acknowledge_timeout_s"),
        ({"severity": "urgent"}, "severity"),
        ({"repeat_until_acknowledged": "yes"}, "repeat_until_acknowledged"),
        ({"repeat_until_acknowledged": True}, "repeat_every_s"),
        ({"repeat_until_acknowledged": True, "repeat_every_s": 86}, "repeat_every_s"),
        ({"repeat_until_acknowledged": True, "repeat_every_s": 300, "repeats": 1}, "repeats"),
        ({"last_resort": None}, "last_resort"),
        ({"last_resort": [{**PHONE, "channel": "pigeon"}]}, "last_resort"),
    ):
        refused = client.post(PATH, {**body(), **change})
        assert (refused.status_code, list(refused.json())) == (400, [field]), change
    assert not Policy.objects.exists()


@pytest.mark.slow
def test_policies_are_the_staffs_alone_and_machines_may_read_them(
    as_user, as_machine, anonymous, operator, stranger
):
    pk = as_user(operator).post(PATH, body()).json()["id"]
    for path in (PATH, f"{PATH}{pk}/", f"{PATH}{pk}/versions/"):
        assert as_user(stranger).get(path).status_code == 403
        assert anonymous.get(path).status_code == 401
        assert as_machine("escalations:read").get(path).status_code == 200
        assert as_machine("escalations:write").get(path).status_code == 403
    for client in (as_user(stranger), as_machine("escalations:read", "escalations:write")):
        assert client.post(PATH, {**body(), "name": "Mine"}).status_code == 403
        assert client.patch(f"{PATH}{pk}/", {"repeats": 0}).status_code == 403
        assert client.delete(f"{PATH}{pk}/").status_code == 403
    assert as_user(stranger).post(f"{PATH}{pk}/simulate/", {}).status_code == 403
    assert Policy.objects.filter(deleted_at=None).count() == 1


def test_each_change_is_a_version_of_its_own_and_the_same_again_is_none(as_user, operator):
    client = as_user(operator)
    path = f"{PATH}{client.post(PATH, body()).json()['id']}/"
    assert client.patch(path, {"acknowledge_timeout_s": 300}).json()["version"] == 2
    assert client.patch(path, {"acknowledge_timeout_s": 300, "name": "Meals"}).json()["version"] == 2
    versions = client.get(f"{path}versions/").json()["results"]
    assert [(each["version"], each["acknowledge_timeout_s"]) for each in versions] == [(2, 300), (1, None)]
    assert versions[0]["changed_by"] == operator.email
    assert client.get(path).json()["name"] == "Meals"


def test_a_removed_policy_starts_nothing_and_its_name_is_free_again(as_user, operator):
    client = as_user(operator)
    path = f"{PATH}{client.post(PATH, body()).json()['id']}/"
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404
    refused = client.post("/escalations/", {"process-id": "x", "action": "start", "policy": "Orders"})
    assert (refused.status_code, list(refused.json())) == (400, ["policy"])
    assert client.post(PATH, body(repeats=0, severity="standard")).status_code == 201


# --- Starting by one ---


def test_a_process_is_started_by_name_and_tells_each_step_of_each_round(as_machine, owner):
    ContactPointFactory(user=owner, channel="webhook", address="https://hooks.example.com/1")
    definition = Definition(
        steps_of(
            [
                {"after_s": 0, "targets": [user_target(owner)]},
                {"after_s": 120, "targets": [PHONE]},
            ]
        ),
        repeats=1,
        repeat_every_s=300,
    )
    policy_create(name="Orders", definition=definition)
    request = {"process-id": "restaurant", "action": "start", "policy": "Orders"}
    started = as_machine("escalations:write").post("/escalations/", request)
    assert started.status_code == 201, started.content
    process = EscalationProcess.objects.get()
    rounds.look(process.started_at + timedelta(seconds=299))
    told = [
        (
            each.channel,
            round((each.due_at - process.started_at).total_seconds()),
            each.notification.data["round"],
            each.notification.data["step"],
        )
        for each in deliveries_of(process).select_related("notification").order_by("due_at", "channel")
    ]
    assert told == [
        ("inbox", 0, 1, 1),
        ("webhook", 0, 1, 1),
        ("phone", 120, 1, 2),
        ("inbox", 300, 2, 1),
        ("webhook", 300, 2, 1),
        ("phone", 420, 2, 2),
    ]
    assert process.policy_version.number == 1
    assert process.told_users == [owner.pk]


@pytest.mark.django_db
def test_a_running_process_keeps_the_version_that_it_was_started_by():
    version = version_of({"after_s": 60, "targets": [PHONE]}, acknowledge_timeout_s=900)
    process = start(version)
    policy_update(policy=version.policy, changes={"acknowledge_timeout_s": None, "repeats": 0})
    process_acknowledge(process=process, by="Ana", via="api", now=NOW)
    assert process.resume_at == NOW + timedelta(seconds=900)
    assert process.policy_version == version


@pytest.mark.django_db
def test_a_policy_that_would_tell_nobody_starts_nothing():
    point = ContactPointFactory(user=UserFactory(), channel="phone", address="+33612345678")
    version = version_of({"after_s": 0, "targets": [user_target(point.user, "phone")]})
    point.delete()
    with pytest.raises(ValidationError) as refused:
        planned(version, started_at=NOW, process_id="x")
    assert list(refused.value.message_dict) == ["policy"]


# --- Acknowledgements that run out ---


def left(process):
    rows = deliveries_of(process).filter(status="pending").order_by("due_at")
    return [(each.channel, (each.due_at - NOW).total_seconds()) for each in rows]


@pytest.fixture
def acknowledged(db):
    """Acknowledged 30 s after its start, for 900 s; a call was due 60 s and an SMS 120 s after the start."""
    version = version_of(
        {"after_s": 60, "targets": [PHONE]},
        {"after_s": 120, "targets": [{**PHONE, "channel": "sms"}]},
        acknowledge_timeout_s=900,
    )
    process = start(version)
    assert process_acknowledge(process=process, by="Ana", via="api", now=NOW + timedelta(seconds=30))
    return process


def test_an_acknowledged_process_is_silent_until_its_acknowledgement_runs_out(acknowledged):
    look(NOW + timedelta(seconds=929))
    acknowledged.refresh_from_db()
    assert (acknowledged.state, left(acknowledged)) == ("acknowledged", [])


def test_then_the_round_that_was_under_way_begins_again(acknowledged):
    look(NOW + timedelta(seconds=930))
    acknowledged.refresh_from_db()
    assert (acknowledged.state, acknowledged.resume_at) == ("active", None)
    assert left(acknowledged) == [("phone", 990), ("sms", 1050)]
    look(NOW + timedelta(seconds=931))  # once only
    assert len(left(acknowledged)) == 2


def test_acknowledged_again_after_it_went_on_it_goes_on_again(acknowledged):
    look(NOW + timedelta(seconds=930))
    process_acknowledge(process=acknowledged, by="Ben", via="api", now=NOW + timedelta(seconds=940))
    look(NOW + timedelta(seconds=1840))
    assert left(acknowledged) == [("phone", 1900), ("sms", 1960)]
    reasons = deliveries_of(acknowledged).filter(status="cancelled").values_list("reason", flat=True)
    assert list(reasons) == ["resumed"] * 4


def test_acknowledging_it_once_more_gives_as_much_time_again(acknowledged):
    process_acknowledge(process=acknowledged, by="Ben", via="api", now=NOW + timedelta(seconds=900))
    assert acknowledged.resume_at == NOW + timedelta(seconds=1800)
    assert acknowledged.ended_by == "Ben"
    look(NOW + timedelta(seconds=1799))
    assert left(acknowledged) == []
    look(NOW + timedelta(seconds=1800))
    assert left(acknowledged) == [("phone", 1860), ("sms", 1920)]


def test_acknowledged_once_more_as_it_was_about_to_go_on_it_stays_silent(acknowledged):
    as_the_look_read_it = EscalationProcess.objects.get(pk=acknowledged.pk)
    process_acknowledge(process=acknowledged, by="Ben", via="api", now=NOW + timedelta(seconds=930))
    assert not process_go_on(process=as_the_look_read_it, now=NOW + timedelta(seconds=931))
    acknowledged.refresh_from_db()
    assert (acknowledged.state, left(acknowledged)) == ("acknowledged", [])
    assert acknowledged.resume_at == NOW + timedelta(seconds=1830)


@pytest.fixture
def nights(owner):
    """A rotation of one person, and a process that tells it, acknowledged at its start for 900 s."""
    ContactPointFactory(user=owner, channel="webhook", address="https://hooks.example.com/")
    rotation, _ = rotation_create(
        name="Nights",
        kind="daily",
        time_zone="UTC",
        starts_on=NOW.date() - timedelta(days=1),
        handoff_at=time(12, 10),
        members=[owner.pk],
    )
    target = {"type": "rotation", "rotation_id": str(rotation.pk), "channels": ["webhook"]}
    process = start(version_of({"after_s": 0, "targets": [target]}, acknowledge_timeout_s=900))
    end_all(status="sent")
    process_acknowledge(process=process, by="Ana", via="phone", now=NOW)
    return rotation, process


@pytest.mark.slow
def test_where_nobody_is_there_to_go_on_with_it_looks_again_each_minute(nights):
    rotation, process = nights
    schedule_remove(schedule=rotation)
    look(NOW + timedelta(seconds=901))
    process.refresh_from_db()
    assert (process.state, process.resume_at) == ("acknowledged", NOW + timedelta(seconds=961))
    Schedule.objects.update(deleted_at=None)
    look(NOW + timedelta(seconds=961))
    process.refresh_from_db()
    assert (process.state, left(process)) == ("active", [("webhook", 961)])


@pytest.mark.slow
def test_and_ends_as_one_that_reached_nobody(nights, caplog, django_capture_on_commit_callbacks):
    rotation, process = nights
    schedule_remove(schedule=rotation)
    with django_capture_on_commit_callbacks(execute=True):
        for seconds in range(901, 1300, 30):
            look(NOW + timedelta(seconds=seconds))
    process.refresh_from_db()
    assert (process.state, process.resume_at, process.ended_by) == ("reached_nobody", None, "")
    assert process.ended_at == NOW + timedelta(seconds=1201)
    said = [record for record in caplog.records if "escalation_reached_nobody" in record.getMessage()]
    assert [record.levelname for record in said] == ["ERROR"]


def test_one_that_fails_to_go_on_leaves_those_after_it_theirs(acknowledged, caplog):
    EscalationProcess.objects.update(acknowledged_at=None)
    version = version_of({"after_s": 60, "targets": [PHONE]}, acknowledge_timeout_s=900)
    another = start(version, process_id="another")
    process_acknowledge(process=another, by="Ana", via="api", now=NOW + timedelta(seconds=60))
    look(NOW + timedelta(seconds=960))
    another.refresh_from_db()
    assert (another.state, left(another)) == ("active", [("phone", 1020)])
    assert any("escalation_not_resumed" in record.getMessage() for record in caplog.records)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_start_waits_for_a_run_that_is_just_going_on_and_finds_it_active(acknowledged):
    version, at = acknowledged.policy_version, NOW + timedelta(seconds=930)
    items = planned(version, started_at=at, process_id="restaurant")
    starts = []

    def start_elsewhere():
        try:
            return start(version, at=at).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as elsewhere:

        def plan(process):
            starts.append(elsewhere.submit(start_elsewhere))
            until_somebody_waits_for_this()
            return 1, items

        assert process_resume(process=acknowledged, plan=plan, now=at)
        assert starts[0].result(30) == acknowledged.pk


def until_somebody_waits_for_this():
    deadline = times.monotonic() + 30
    with connection.cursor() as cursor:
        while times.monotonic() < deadline:
            cursor.execute(WAITING)
            if cursor.fetchone() is not None:
                return
            times.sleep(0.01)
    pytest.fail("Nobody waits.")


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.parametrize("is_over", [False, True])
def test_whoever_acknowledged_the_last_step_is_rung_again(is_over):
    version = version_of({"after_s": 0, "targets": [PHONE]}, acknowledge_timeout_s=900)
    process = start(version)
    end_all(status="sent")
    if is_over:
        assert processes_finish(NOW + timedelta(seconds=5)) == 1
    assert process_acknowledge(process=process, by="Ana", via="phone", now=NOW + timedelta(seconds=10))
    look(NOW + timedelta(seconds=910))
    process.refresh_from_db()
    assert (process.state, left(process)) == ("active", [("phone", 910)])


@pytest.mark.django_db
def test_rounds_that_were_over_are_not_repeated():
    version = version_of(
        {"after_s": 0, "targets": [PHONE]}, repeats=2, repeat_every_s=300, acknowledge_timeout_s=900
    )
    process = start(version)
    rounds.look(NOW + timedelta(seconds=300))
    end_all(status="sent")
    process_acknowledge(process=process, by="Ana", via="api", now=NOW + timedelta(seconds=310))
    look(NOW + timedelta(seconds=1210))
    # The second round was under way, and the third is still to come.
    assert left(process) == [("phone", 1210)]
    rounds.look(NOW + timedelta(seconds=1509))
    assert left(process) == [("phone", 1210), ("phone", 1510)]
    rounds.look(NOW + timedelta(seconds=1810))
    rung = deliveries_of(process).filter(status="pending").order_by("due_at")
    assert [each.notification.data["round"] for each in rung.select_related("notification")] == [2, 3]


@pytest.mark.django_db
def test_whoever_is_locked_out_is_rung_in_no_later_round(owner, teammate):
    ContactPointFactory(user=owner, channel="phone", address="+33612345678")
    ContactPointFactory(user=teammate, channel="phone", address="+33612345679")
    targets = [user_target(owner, "phone"), user_target(teammate, "phone")]
    version = version_of({"after_s": 0, "targets": targets}, repeats=2, repeat_every_s=300)
    process = start(version)
    user_update(user=owner, is_active=False)
    for seconds in (300, 600):
        rounds.look(NOW + timedelta(seconds=seconds))
    waiting = deliveries_of(process).filter(status="pending")
    assert list(waiting.values_list("user", flat=True)) == [teammate.pk] * 3
    stopped = deliveries_of(process).exclude(status="pending")
    assert set(stopped.values_list("user", "status", "reason")) == {(owner.pk, "cancelled", "locked_out")}


@pytest.mark.django_db
def test_it_goes_on_with_whoever_is_on_call_by_then(owner, teammate):
    for person in (owner, teammate):
        ContactPointFactory(user=person, channel="webhook", address="https://hooks.example.com/")
    rotation, _ = rotation_create(
        name="Nights",
        kind="daily",
        time_zone="UTC",
        starts_on=NOW.date() - timedelta(days=1),
        handoff_at=time(12, 10),
        members=[owner.pk, teammate.pk],
    )
    target = {"type": "rotation", "rotation_id": str(rotation.pk), "channels": ["webhook"]}
    version = version_of(
        {"after_s": 0, "targets": [target]}, {"after_s": 300, "targets": [target]}, acknowledge_timeout_s=900
    )
    process = start(version)
    process_acknowledge(process=process, by="Ana", via="api", now=NOW + timedelta(seconds=60))
    look(NOW + timedelta(seconds=960))
    rung = deliveries_of(process).filter(status="pending").values_list("user_id", flat=True)
    assert list(rung) == [teammate.pk, teammate.pk]


# --- Quiet hours ---


def all_rounds(version, at):
    """Start a process, let its rounds begin, and return its deliveries in due order."""
    process = start(version, at=at)
    while process.next_round_at is not None:
        rounds.look(process.next_round_at)
        process.refresh_from_db()
    return list(deliveries_of(process).select_related("notification", "user").order_by("due_at"))


@pytest.mark.django_db
def test_what_quiet_hours_hold_back_keeps_its_distances(owner, teammate):
    PreferenceFactory(user=owner, quiet_from=time(22), quiet_until=time(7))
    ContactPointFactory(user=owner, channel="phone", address="+33612345678")
    ContactPointFactory(user=teammate, channel="phone", address="+33612345679")
    version = version_of(
        {"after_s": 0, "targets": [user_target(owner, "phone")]},
        {"after_s": 120, "targets": [user_target(teammate, "phone")]},
        repeats=3,
        repeat_every_s=300,
        severity="standard",
    )
    begin = NOW.replace(hour=23)
    told = all_rounds(version, begin)
    morning = NOW.replace(day=NOW.day + 1, hour=7)
    rung = {person: [item.due_at for item in told if item.user == person] for person in (owner, teammate)}
    assert rung[owner] == [morning + timedelta(seconds=300 * number) for number in range(4)]
    # Whoever has no quiet hours doesn't wait for those who have.
    assert rung[teammate] == [begin + timedelta(seconds=120 + 300 * number) for number in range(4)]


@pytest.mark.slow
@pytest.mark.django_db
def test_what_comes_after_quiet_hours_does_not_overtake_what_they_held_back(owner):
    PreferenceFactory(user=owner, quiet_from=time(22), quiet_until=time(7))
    ContactPointFactory(user=owner, channel="phone", address="+33612345678")
    target = user_target(owner, "phone")
    version = version_of(
        {"after_s": 0, "targets": [target]}, repeats=3, repeat_every_s=300, severity="standard"
    )
    told = all_rounds(version, NOW.replace(hour=6, minute=52))
    seven = NOW.replace(hour=7)
    assert [item.due_at - seven for item in told] == [timedelta(seconds=300 * number) for number in range(4)]
    assert [item.notification.data["round"] for item in told] == [1, 2, 3, 4]


@pytest.mark.django_db
def test_whoever_ends_their_quiet_hours_is_rung_in_time_from_the_next_round_on(owner):
    preference = PreferenceFactory(user=owner, quiet_from=time(22), quiet_until=time(7))
    ContactPointFactory(user=owner, channel="phone", address="+33612345678")
    version = version_of(
        {"after_s": 0, "targets": [user_target(owner, "phone")]},
        repeats=1,
        repeat_every_s=300,
        severity="standard",
    )
    begin = NOW.replace(hour=23)
    process = start(version, at=begin)
    preference.quiet_from = preference.quiet_until = None
    preference.save()
    rounds.look(begin + timedelta(seconds=300))
    second = deliveries_of(process).get(notification__data__round=2)
    assert second.due_at == begin + timedelta(seconds=300)


def test_stopped_meanwhile_it_never_goes_on(acknowledged):
    assert process_stop(process_id="restaurant", now=NOW + timedelta(seconds=100))
    look(NOW + timedelta(seconds=930))
    acknowledged.refresh_from_db()
    assert (acknowledged.state, left(acknowledged)) == ("stopped", [])


def test_started_anew_meanwhile_the_new_run_takes_its_place(acknowledged):
    anew = start(acknowledged.policy_version, at=NOW + timedelta(seconds=100))
    look(NOW + timedelta(seconds=930))
    acknowledged.refresh_from_db()
    assert (acknowledged.state, left(acknowledged)) == ("acknowledged", [])
    assert left(anew) == [("phone", 160), ("sms", 220)]
