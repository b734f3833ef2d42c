"""Holes: steps that reach nobody are shown, and refused where that is certain."""

from datetime import time, timedelta

import pytest
from django.utils import timezone

from accounts.models import User
from accounts.services.users import user_update
from escalation.models import PolicyVersion
from escalation.services.rotations import rotation_create
from escalation.services.schedules import schedule_remove
from notifications.models import ContactPoint, Subscription
from tests.escalation.test_policies import PATH, PHONE, body, user_target
from tests.factories import ContactPointFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(as_user, operator):
    return as_user(operator)


@pytest.fixture
def phone(owner):
    return ContactPointFactory(user=owner, channel="phone", address="+33612345678")


def step(*targets, after_s=0):
    return {"after_s": after_s, "targets": list(targets)}


def made(staff, *steps, **more):
    answer = staff.post(PATH, body(*steps, **more))
    assert answer.status_code == 201, answer.content
    return answer.json()


def problems(staff, policy):
    found = staff.get(f"{PATH}{policy['id']}/").json()["problems"]
    return [(each["step"], each["explanation"]) for each in found]


def rotation_of(*people, **more):
    fields = {
        "handoff_at": time(8),
        "name": "Nights",
        "kind": "daily",
        "time_zone": "UTC",
        "starts_on": timezone.now().date(),
    }
    rotation, _ = rotation_create(members=[person.pk for person in people], **{**fields, **more})
    return rotation


def on_call(rotation, *channels):
    return {"type": "rotation", "rotation_id": str(rotation.pk), "channels": list(channels)}


def test_a_policy_whose_steps_all_reach_somebody_has_no_problems(staff, owner, phone):
    policy = made(staff, step(user_target(owner)), step(PHONE, after_s=60), last_resort=[PHONE])
    assert policy["problems"] == problems(staff, policy) == []


def test_a_step_of_which_one_target_reaches_somebody_is_no_problem(staff, owner, stranger, phone):
    assert made(staff, step(user_target(stranger, "phone"), user_target(owner, "phone")))["problems"] == []


def test_a_step_whose_people_have_no_contact_point_of_its_channels_is_refused(staff, owner, phone):
    refused = staff.post(PATH, body(step(PHONE), step(user_target(owner, "sms"), after_s=60)))
    assert refused.status_code == 400
    assert refused.json() == {
        "steps": [f"Step 2 reaches nobody: {owner.first_name} has no confirmed contact point for sms."]
    }
    ContactPoint.objects.update(confirmed_at=None)
    refused = staff.post(PATH, body(step(user_target(owner, "phone"))))
    assert "no confirmed contact point for phone" in refused.json()["steps"][0]


def test_a_rotation_of_nobody_is_refused_and_so_is_a_last_resort_that_reaches_nobody(
    staff, owner, phone, stranger
):
    rotation = rotation_of(stranger)
    User.objects.filter(pk=stranger.pk).update(is_active=False)
    refused = staff.post(PATH, body(step(on_call(rotation))))
    assert refused.json() == {
        "steps": ["Step 1 reaches nobody: nobody is on call by “Nights” in the next 28 days."]
    }
    refused = staff.post(PATH, body(last_resort=[user_target(owner, "sms")]))
    assert list(refused.json()) == ["last_resort"]
    assert "The last resort reaches nobody" in refused.json()["last_resort"][0]


def test_what_may_change_by_itself_is_shown_and_not_refused(staff, owner, stranger, phone):
    later = rotation_of(owner, starts_on=timezone.now().date() + timedelta(days=40))
    policy = made(staff, step(on_call(later)), step(user_target(stranger), after_s=60))
    assert problems(staff, policy) == [
        (1, "Step 1 reaches nobody: nobody is on call by “Nights” in the next 28 days."),
        (2, f"Step 2 reaches nobody: {stranger.first_name} is told only in the inbox."),
    ]


@pytest.mark.slow
def test_what_goes_wrong_later_is_shown(staff, owner, phone, as_machine):
    rotation = rotation_of(owner)
    policy = made(staff, step(user_target(owner)), step(on_call(rotation, "phone"), after_s=60))
    assert policy["problems"] == []
    for channel in ("inbox", "phone"):
        Subscription.objects.create(user=owner, channel=channel, kind="escalation", is_enabled=False)
    silenced = f"the preferences of {owner.first_name} leave no channel."
    assert problems(staff, policy) == [
        (1, f"Step 1 reaches nobody: {silenced}"),
        (2, f"Step 2 reaches nobody: {silenced}"),
    ]
    schedule_remove(schedule=rotation)
    assert problems(staff, policy)[1] == (2, "Step 2 reaches nobody: its schedule has been removed.")
    user_update(user=owner, is_active=False)
    reader = as_machine("escalations:read")
    assert problems(reader, policy)[0] == (1, "Step 1 reaches nobody: somebody's account is gone, or locked.")
    # A change of its name says nothing of its steps.
    assert staff.patch(f"{PATH}{policy['id']}/", {"name": "Meals"}).status_code == 200
    assert staff.patch(f"{PATH}{policy['id']}/", {"repeats": 1, "repeat_every_s": 300}).status_code == 400


@pytest.mark.slow
def test_the_admin_shows_the_problems_and_takes_the_new_fields(client, operator, owner):
    client.force_login(operator)
    form = {
        "name": "Orders", "repeats": "0", "repeat_every_s": "300", "repeat_until_acknowledged": "on",
        "acknowledge_timeout_s": "", "severity": "critical",
        "steps": f'[{{"after_s": 0, "targets": [{{"type": "user", "user_id": "{owner.pk}"}}]}}]',
        "last_resort": '[{"type": "address", "channel": "sms", "address": "+33 6 12 34 56 78"}]',
    }  # fmt: skip
    added = client.post("/admin/escalation/policy/add/", form, follow=True)
    assert added.status_code == 200, added.content
    version = PolicyVersion.objects.get()
    assert (version.repeat_until_acknowledged, version.repeat_every_s) == (True, 300)
    assert version.last_resort == [{"type": "address", "channel": "sms", "address": "+33612345678"}]
    page = client.get(f"/admin/escalation/policy/{version.policy_id}/change/").content.decode()
    assert "is told only in the inbox" in page
    refused = client.post(
        "/admin/escalation/policy/add/", {**form, "name": "Others", "last_resort": '[{"type": "pigeon"}]'}
    )
    assert "Expected one of: user, schedule, rotation, address." in refused.content.decode()
