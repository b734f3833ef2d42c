"""What a policy would come to: the same plan as a start's, agreeing with the engine's own decisions."""

from datetime import UTC, date, datetime, time

import pytest

from escalation.models import EscalationProcess
from escalation.policies.definition import Definition
from escalation.policies.parsing import steps_of
from escalation.policies.plan import KIND, plan
from escalation.policies.selectors import world_of
from escalation.services.policies import planned, policy_create
from escalation.services.rotations import rotation_create
from escalation.services.schedules import override_create
from notifications.engine.fanout import preview
from notifications.engine.recipients import people_with_preferences, recipients
from notifications.models import ContactPoint, Delivery, Notification, Subscription
from tests.factories import ContactPointFactory, PreferenceFactory

EVENING = datetime(2026, 3, 2, 20, 50, tzinfo=UTC)


@pytest.fixture
def ana(owner):
    """Quiet from 21:00 to 07:00 in Paris, wants no SMS of escalations, has a webhook switched off."""
    owner.time_zone = "Europe/Paris"
    owner.save()
    PreferenceFactory(user=owner, quiet_from=time(21), quiet_until=time(7), digest=True)
    Subscription.objects.create(user=owner, channel="sms", kind=KIND, is_enabled=False)
    ContactPointFactory(user=owner, channel="sms", address="+33612345678")
    ContactPointFactory(user=owner, channel="email", address="ana@example.com")
    ContactPointFactory(
        user=owner, channel="webhook", address="https://hooks.example.com/a", is_enabled=False
    )
    return owner


def policy(*steps, **more):
    made, _ = policy_create(name="Orders", definition=Definition(steps_of(list(steps)), **more))
    return made


def simulate(client, made, at=EVENING):
    answer = client.post(f"/api/v1/escalations/policies/{made.pk}/simulate/", {"at": at.isoformat()})
    assert answer.status_code == 200, answer.content
    return answer.json()


@pytest.mark.slow
@pytest.mark.parametrize("severity", ["critical", "standard"])
@pytest.mark.parametrize("level", ["STANDARD", "CRITICAL"])
def test_people_are_told_as_the_engine_itself_would_tell_them(ana, severity, level):
    """By the query of the fan-out, but that no escalation waits for a digest."""
    ana.preference.level = level
    ana.preference.digest = False
    ana.preference.save()
    for hour in (12, 20, 23):
        at = datetime(2026, 3, 2, hour, 30, tzinfo=UTC)
        person = people_with_preferences([ana])[ana.pk]
        ours = {
            (way.channel, "suppressed" if not way.is_told else "told", way.reason, way.due_at)
            for way in recipients(person, kind=KIND, at=at, severity=severity)
        }
        theirs = {
            (each.channel, each.status if each.status == "suppressed" else "told", each.reason, each.due_at)
            for each in preview(user=ana, kind=KIND, severity=severity, at=at)
        }
        assert ours == theirs


def test_a_contact_point_that_is_not_confirmed_is_not_told_and_both_say_so(ana):
    point = ContactPointFactory(user=ana, channel="email", address="new@example.org")
    ContactPoint.objects.filter(pk=point.pk).update(confirmed_at=None)
    person = people_with_preferences([ana])[ana.pk]
    ours = {
        way.contact_point.pk: way
        for way in recipients(person, kind=KIND, at=EVENING, severity="critical")
        if way.contact_point
    }
    assert (ours[point.pk].is_told, ours[point.pk].reason) == (False, "unconfirmed")
    theirs = {
        each.contact_point_id: each for each in preview(user=ana, kind=KIND, severity="critical", at=EVENING)
    }
    assert (theirs[point.pk].status, theirs[point.pk].reason) == ("suppressed", "unconfirmed")


def test_a_simulation_says_who_would_be_told_when_and_why_not_and_tells_nobody(as_user, operator, ana):
    made = policy(
        {"after_s": 600, "targets": [{"type": "user", "user_id": str(ana.pk)}]}, severity="standard"
    )
    shown = simulate(as_user(operator), made)
    assert (shown["policy"], shown["version"]) == ("Orders", 1)
    assert {each["at"] for each in shown["tellings"]} == {"2026-03-02T21:00:00Z"}
    outcomes = {
        each["channel"]: (each["outcome"], each["reason"], each["due_at"]) for each in shown["tellings"]
    }
    assert outcomes == {
        "inbox": ("told", "", "2026-03-02T21:00:00Z"),
        "sms": ("not_told", "unsubscribed", "2026-03-02T21:00:00Z"),
        "email": ("held", "quiet_hours", "2026-03-03T06:00:00Z"),
        "webhook": ("not_told", "disabled", "2026-03-02T21:00:00Z"),
    }
    assert not EscalationProcess.objects.exists()
    assert not Delivery.objects.exists()
    assert not Notification.objects.exists()


def test_what_is_critical_knows_no_quiet_hours(as_user, operator, ana):
    made = policy(
        {"after_s": 600, "targets": [{"type": "user", "user_id": str(ana.pk), "channels": ["email"]}]}
    )
    (telling,) = simulate(as_user(operator), made)["tellings"]
    assert (telling["outcome"], telling["due_at"]) == ("told", "2026-03-02T21:00:00Z")


def test_a_rotation_stands_for_who_is_on_call_when_the_step_is_due(
    as_user, operator, owner, teammate, stranger
):
    for person in (owner, teammate, stranger):
        ContactPointFactory(user=person, channel="email", address=person.email)
    nights, _ = rotation_create(
        name="Nights",
        kind="daily",
        time_zone="Europe/Paris",
        starts_on=date(2026, 3, 2),
        handoff_at=time(22),
        members=[owner.pk, teammate.pk],
    )
    override_create(
        schedule=nights,
        user_id=stranger.pk,
        starts_at=datetime(2026, 3, 3, 21, tzinfo=UTC),
        ends_at=datetime(2026, 3, 4, 21, tzinfo=UTC),
    )
    target = {"type": "rotation", "rotation_id": str(nights.pk), "channels": ["email"]}
    made = policy(
        {"after_s": 0, "targets": [target]},  # at 21:50 in Paris: before the first shift
        {"after_s": 600, "targets": [target]},
        {"after_s": 600 + 86_400, "targets": [target]},
        {"after_s": 600 + 2 * 86_400, "targets": [target]},
    )
    tellings = simulate(as_user(operator), made)["tellings"]
    assert [(each["user_id"], each["reason"], each["via"]) for each in tellings] == [
        (None, "nobody_on_call", "Nights"),
        (str(owner.pk), "", "Nights"),
        (str(stranger.pk), "", "Nights"),
        (str(owner.pk), "", "Nights"),
    ]


def test_who_is_named_twice_in_a_step_is_told_once(ana):
    target = {"type": "user", "user_id": str(ana.pk), "channels": ["email"]}
    made = policy({"after_s": 0, "targets": [target, target]})
    assert len(planned(made.versions.get(), started_at=EVENING, process_id="x").notifications) == 1


def test_the_questions_to_the_database_do_not_grow_with_people_or_rounds(
    owner, teammate, stranger, django_assert_num_queries
):
    def definition(*users, **more):
        targets = [{"type": "user", "user_id": str(user.pk)} for user in users]
        return Definition(steps_of([{"after_s": 0, "targets": targets}]), **more)

    for asked in (definition(owner), definition(owner, teammate, stranger, repeats=20, repeat_every_s=60)):
        with django_assert_num_queries(5):  # users, contact points, preferences, rules, hours
            plan(asked, world_of(asked, since=EVENING), started_at=EVENING)
