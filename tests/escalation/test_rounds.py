"""Rounds: each asks anew who is on call, until somebody acknowledges or there are no more."""

from datetime import UTC, datetime, time, timedelta

import pytest

from escalation.models import EscalationProcess, PolicyVersion
from escalation.policies.definition import Definition, rounds_of
from escalation.policies.parsing import steps_of
from escalation.selectors import deliveries_of
from escalation.services import ending, rounds
from escalation.services.policies import planned
from escalation.services.processes import process_acknowledge, process_start, process_stop
from escalation.services.resuming import look as resume
from escalation.services.rotations import rotation_create
from escalation.services.schedules import override_create
from notifications.models import Subscription
from tests.escalation.test_policies import PHONE, start, user_target, version_of
from tests.factories import ContactPointFactory
from tests.queued import end_all

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def at(seconds):
    return NOW + timedelta(seconds=seconds)


def rung(process, **which):
    """When after NOW each person is told by phone, with the round in which."""
    calls = deliveries_of(process).filter(channel="phone", **which).select_related("notification")
    return [
        ((each.due_at - NOW).total_seconds(), each.user_id, each.notification.data["round"])
        for each in calls.order_by("due_at")
    ]


@pytest.fixture
def people(owner, teammate):
    """Two people with a phone each, who take turns day by day; the owner is on call."""
    for number, person in enumerate((owner, teammate)):
        ContactPointFactory(user=person, channel="phone", address=f"+3361234567{number}")
    rotation, _ = rotation_create(
        name="Days",
        kind="daily",
        time_zone="UTC",
        starts_on=NOW.date(),
        handoff_at=time(0),
        members=[owner.pk, teammate.pk],
    )
    return rotation


def on_call(rotation):
    return {"type": "rotation", "rotation_id": str(rotation.pk), "channels": ["phone"]}


@pytest.mark.slow
def test_a_round_rings_whoever_stands_in_by_then(people, owner, teammate):
    version = version_of({"after_s": 0, "targets": [on_call(people)]}, repeats=2, repeat_every_s=300)
    process = start(version)
    assert rung(process) == [(0, owner.pk, 1)]
    # Somebody takes over while it rings.
    override_create(schedule=people, user_id=teammate.pk, starts_at=at(200), ends_at=at(400))
    rounds.look(at(297))
    assert len(rung(process)) == 1, "it is not time yet"
    rounds.look(at(298))
    rounds.look(at(299))
    assert rung(process)[1:] == [(300, teammate.pk, 2)]
    rounds.look(at(600))
    assert rung(process)[2:] == [(600, owner.pk, 3)]
    rounds.look(at(900))
    assert len(rung(process)) == 3


def test_between_two_rounds_a_process_is_not_over(people):
    process = start(version_of({"after_s": 0, "targets": [PHONE]}, repeats=1, repeat_every_s=300))
    end_all(status="sent")
    ending.look(at(60))
    process.refresh_from_db()
    assert (process.state, process.look_at, process.next_round_at) == ("active", at(300), at(300))
    # Nor does a start that finds nothing left to send take its place.
    assert start(process.policy_version, at=at(100)) == process
    rounds.look(at(300))
    end_all(status="sent")
    ending.look(at(301))
    process.refresh_from_db()
    assert (process.state, process.next_round_at) == ("unanswered", None)


@pytest.mark.slow
def test_rounds_go_on_until_somebody_acknowledges(people, owner):
    version = version_of(
        {"after_s": 0, "targets": [on_call(people)]}, repeat_until_acknowledged=True, repeat_every_s=3600
    )
    process = start(version)
    for number in range(1, 30):
        if number == 7:
            process_acknowledge(process=process, by="Ana", via="api", now=at(number * 3600 - 60))
        rounds.look(at(number * 3600))
    assert [round_ for _, _, round_ in rung(process)] == [1, 2, 3, 4, 5, 6, 7]
    process.refresh_from_db()
    assert (process.state, process.next_round_at) == ("acknowledged", None)


@pytest.mark.slow
def test_without_anybody_they_end_after_a_day_and_ring_whoever_is_on_call(people, owner, teammate):
    version = version_of(
        {"after_s": 0, "targets": [on_call(people)]}, repeat_until_acknowledged=True, repeat_every_s=3600
    )
    process = start(version)
    for number in range(1, 30):
        rounds.look(at(number * 3600))
        end_all(status="sent")
        ending.look(at(number * 3600 + 1))
    process.refresh_from_db()
    assert (process.state, process.ended_at) == ("unanswered", at(24 * 3600 + 1) - timedelta(hours=1))
    # The owner until midnight, then the other.
    assert [person for _, person, _ in rung(process)] == [owner.pk] * 12 + [teammate.pk] * 12


@pytest.mark.parametrize(
    ("said", "count"),
    [
        ({}, 1),
        ({"repeats": 3, "repeat_every_s": 60}, 4),
        ({"repeat_until_acknowledged": True, "repeat_every_s": 86_400}, 1),
        ({"repeat_until_acknowledged": True, "repeat_every_s": 86_399}, 2),
    ],
)
def test_the_number_of_rounds_is_bounded_by_a_day(said, count):
    assert rounds_of(Definition(steps_of([{"after_s": 0, "targets": [PHONE]}]), **said)) == count


def test_rounds_that_were_missed_do_not_ring_all_at_once(people):
    process = start(version_of({"after_s": 0, "targets": [PHONE]}, repeats=3, repeat_every_s=300))
    end_all(status="sent")
    # Nothing looked for an hour.
    rounds.look(at(3600))
    rounds.look(at(3601))
    assert [(due, round_) for due, _, round_ in rung(process)] == [(0, 1), (3600, 2)]
    process.refresh_from_db()
    assert process.next_round_at == at(3900)


def test_a_round_in_which_nobody_is_on_call_is_followed_by_the_next(people, owner, caplog):
    rotation, _ = rotation_create(
        name="Soon",
        kind="daily",
        time_zone="UTC",
        starts_on=NOW.date(),
        handoff_at=time(12, 3),
        members=[owner.pk],
    )
    version = version_of({"after_s": 0, "targets": [on_call(rotation)]}, repeats=2, repeat_every_s=120)
    process = start(version)
    assert rung(process) == []
    ending.look(at(1))
    rounds.look(at(120))
    assert "escalation_round_tells_nobody" in caplog.text
    ending.look(at(121))
    rounds.look(at(240))
    assert rung(process) == [(240, owner.pk, 3)]


def test_an_acknowledgement_that_runs_out_begins_the_round_with_who_is_on_call_then(people, owner, teammate):
    version = version_of(
        {"after_s": 0, "targets": [on_call(people)]},
        repeats=2,
        repeat_every_s=300,
        acknowledge_timeout_s=600,
    )
    process = start(version)
    rounds.look(at(300))
    process_acknowledge(process=process, by="Ana", via="api", now=at(310))
    rounds.look(at(600))
    override_create(schedule=people, user_id=teammate.pk, starts_at=at(800), ends_at=at(1000))
    resume(at(910))
    rounds.look(at(1210))
    assert rung(process, status="pending") == [(910, teammate.pk, 2), (1210, owner.pk, 3)]


def test_a_round_that_was_about_to_begin_is_the_one_that_begins_again(people, owner):
    version = version_of(
        {"after_s": 0, "targets": [on_call(people)]},
        repeats=2,
        repeat_every_s=300,
        acknowledge_timeout_s=600,
    )
    process = start(version)
    end_all(status="sent")
    rounds.look(at(298))
    process_acknowledge(process=process, by="Ana", via="api", now=at(299))
    resume(at(899))
    assert rung(process, status="pending") == [(899, owner.pk, 2)]


def test_a_stop_between_rounds_is_the_last_of_it(people):
    process = start(version_of({"after_s": 0, "targets": [PHONE]}, repeats=3, repeat_every_s=300))
    end_all(status="sent")
    assert process_stop(process_id="restaurant", by="Ana", now=at(60))
    rounds.look(at(300))
    process.refresh_from_db()
    assert (process.state, process.next_round_at, len(rung(process))) == ("stopped", None, 1)


def test_one_round_that_fails_leaves_the_others_theirs(people, caplog):
    first = start(version_of({"after_s": 0, "targets": [PHONE]}, repeats=1, repeat_every_s=300))
    PolicyVersion.objects.update(steps=["what no version says"])
    version = version_of({"after_s": 0, "targets": [PHONE]}, repeats=1, repeat_every_s=300)
    second = start(version, process_id="another")
    rounds.look(at(300))
    assert (len(rung(first)), len(rung(second))) == (1, 2)
    assert "escalation_round_not_begun" in caplog.text
    first.refresh_from_db()
    assert first.next_round_at == at(360), "it would keep those behind it waiting"


def test_whoever_is_silenced_stands_in_the_history_with_the_reason(
    people, owner, teammate, as_user, operator
):
    for channel in ("inbox", "phone"):
        Subscription.objects.create(user=owner, channel=channel, kind="escalation", is_enabled=False)
    version = version_of({"after_s": 0, "targets": [user_target(owner), user_target(teammate)]})
    process = start(version)
    silenced = deliveries_of(process).filter(user=owner).order_by("channel")
    assert list(silenced.values_list("channel", "status", "reason")) == [
        ("inbox", "suppressed", "unsubscribed"),
        ("phone", "suppressed", "unsubscribed"),
    ]
    told = deliveries_of(process).filter(user=teammate)
    assert set(told.values_list("channel", "status")) == {("inbox", "sent"), ("phone", "pending")}
    assert process.told_users == [teammate.pk]
    shown = as_user(operator).get(f"/api/v1/escalations/{process.pk}/").json()["notifications"]
    assert [each["user_id"] for each in shown].count(str(owner.pk)) == 2


def test_whoever_has_none_of_the_channels_is_shown_too(people, owner, teammate):
    version = version_of({"after_s": 0, "targets": [user_target(owner, "sms"), user_target(teammate)]})
    process = start(version)
    (row,) = deliveries_of(process).filter(user=owner)
    assert (row.channel, row.address, row.status, row.reason) == ("sms", "", "suppressed", "no_contact_point")


def test_somebody_told_by_one_channel_has_no_row_for_the_others(people, owner):
    Subscription.objects.create(user=owner, channel="inbox", kind="escalation", is_enabled=False)
    process = start(version_of({"after_s": 0, "targets": [user_target(owner)]}))
    assert [each.channel for each in deliveries_of(process)] == ["phone"]


def test_each_round_is_as_severe_as_the_start(people):
    version = version_of(
        {"after_s": 0, "targets": [PHONE]}, repeats=1, repeat_every_s=300, acknowledge_timeout_s=600
    )
    told = planned(version, started_at=NOW, process_id="disk")
    process = process_start(
        process_id="disk", **told._asdict(), now=NOW, policy_version=version, severity="standard"
    ).process
    rounds.look(at(300))
    process_acknowledge(process=process, by="Ana", via="api", now=at(310))
    resume(at(910))
    severities = deliveries_of(process).values_list("notification__severity", flat=True)
    assert list(severities) == ["standard"] * 3


def test_the_api_says_which_round_it_is(people, as_user, operator):
    process = start(version_of({"after_s": 0, "targets": [PHONE]}, repeats=2, repeat_every_s=300))
    rounds.look(at(300))
    shown = as_user(operator).get(f"/api/v1/escalations/{process.pk}/").json()
    assert (shown["round"], shown["next_round_at"]) == (2, "2026-03-02T12:10:00Z")
    assert EscalationProcess.objects.get().look_at == at(300)
