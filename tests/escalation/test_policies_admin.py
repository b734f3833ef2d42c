"""The admin: policies changed as JSON, simulated there, and schedules with who takes turns."""

import json
from datetime import UTC, date, datetime, time, timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db.models.signals import pre_save
from django.test import Client
from django.urls import reverse

from accounts.models import User
from escalation.models import LayerMember, Policy, PolicyVersion, Schedule
from escalation.policies.definition import Definition
from escalation.policies.parsing import steps_of
from escalation.services.policies import policy_create
from escalation.services.rotations import rotation_create
from notifications.models import Delivery
from tests.factories import ContactPointFactory

PHONE = {"type": "address", "channel": "phone", "address": "+33612345678"}
STEPS = [{"after_s": 60, "targets": [PHONE]}]


@pytest.fixture
def desk(operator):
    client = Client()
    client.force_login(operator)
    return client


@pytest.fixture
def policy(db):
    return policy_create(name="Orders", definition=Definition(steps_of(STEPS)))[0]


@pytest.fixture
def rotation(owner, teammate):
    return rotation_create(
        name="Nights",
        kind="daily",
        time_zone="Europe/Paris",
        starts_on=date.today() - timedelta(days=10),
        handoff_at=time(8),
        members=[owner.pk],
    )[0]


def form(steps, **more):
    return {
        "name": "Orders",
        "steps": json.dumps(steps),
        "repeats": 0,
        "repeat_every_s": 0,
        "severity": "critical",
        **more,
    }


@pytest.mark.slow
def test_a_policy_is_made_and_each_change_is_a_version(desk, operator):
    assert desk.post(reverse("admin:escalation_policy_add"), form(STEPS)).status_code == 302
    policy = Policy.objects.get()
    page = reverse("admin:escalation_policy_change", args=[policy.pk])
    assert "+33612345678" in desk.get(page).content.decode()
    assert desk.post(page, form(STEPS, repeats=1, repeat_every_s=120)).status_code == 302
    versions = PolicyVersion.objects.order_by("number").values_list("number", "repeats", "created_by__email")
    assert list(versions) == [(1, 0, operator.email), (2, 1, operator.email)]
    assert "Orders" in desk.get(reverse("admin:escalation_policy_changelist")).content.decode()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "said"),
    [
        (form([7]), "Expected steps to be objects"),
        (form([{"after_s": 0, "targets": [{**PHONE, "address": "1"}]}]), "step 1: target 1: address"),
        ({**form(STEPS), "steps": "{"}, "valid JSON"),
        (form(STEPS, repeats=1, repeat_every_s=60), "Expected more than 60 seconds"),
    ],
)
def test_what_is_wrong_comes_back_on_the_form(desk, given, said):
    answer = desk.post(reverse("admin:escalation_policy_add"), given)
    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert not Policy.objects.exists()


@pytest.mark.slow
def test_it_is_simulated_in_the_admin_and_tells_nobody(desk, owner, rotation):
    ContactPointFactory(user=owner, channel="email", address="ana@example.com")
    steps = [{"after_s": 90, "targets": [{"type": "rotation", "rotation_id": str(rotation.pk)}]}]
    made, _ = policy_create(name="Orders", definition=Definition(steps_of(steps)))
    page = reverse("admin:escalation_policy_simulate", args=[made.pk])
    at = datetime.now(UTC).replace(microsecond=0, tzinfo=None)
    shown = desk.get(page, {"at": at.isoformat()}).content.decode()
    for part in ("ana@example.com", "by schedule: Nights", "+90 s", "Told by email."):
        assert part in shown
    assert "Expected a time" in desk.get(page, {"at": "9999-01-01T00:00"}).content.decode()
    assert not Delivery.objects.exists()


def test_deleting_takes_them_away_and_keeps_their_history(desk, policy, rotation):
    for page, row in (("policy", policy), ("schedule", rotation)):
        url = reverse(f"admin:escalation_{page}_delete", args=[row.pk])
        assert desk.get(url).status_code == 200
        assert desk.post(url, {"post": "yes"}).status_code == 302
        row.refresh_from_db()
        assert row.deleted_at is not None
        assert desk.get(reverse(f"admin:escalation_{page}_change", args=[row.pk])).status_code == 302
    assert PolicyVersion.objects.count() == 1


LAYER = {
    "position": 1, "name": "Weeks", "shift_h": 168, "per_turn": 1, "time_zone": "Europe/Paris",
    "starts_on": "2026-01-05", "handoff_at": "08:00", "restrictions": "[]",
}  # fmt: skip


def schedule_form(rotation, **more):
    """What a browser posts of a schedule's page that is left as it is."""
    layer = rotation.layers.get()
    kept = {f"layers-0-{name}": value for name, value in LAYER.items()}
    return {
        "name": "Nights", "drill_at": "10:00", "layers-TOTAL_FORMS": 1, "layers-INITIAL_FORMS": 1, **kept,
        "layers-0-id": layer.pk, "layers-0-schedule": rotation.pk,
        "overrides-TOTAL_FORMS": 0, "overrides-INITIAL_FORMS": 0,
    } | more  # fmt: skip


@pytest.mark.slow
def test_a_schedule_is_changed_with_its_layers_and_says_who_is_on_call(desk, rotation, owner):
    page = reverse("admin:escalation_schedule_change", args=[rotation.pk])
    shown = desk.get(page).content.decode()
    assert "Ana until" in shown
    assert "/calendars/" in shown
    restrictions = '[{"weekdays": ["sun", "sat"], "begin": "22:00", "end": "06:00"}]'
    second = {f"layers-1-{name}": value for name, value in LAYER.items()} | {
        "layers-TOTAL_FORMS": 2, "layers-1-schedule": rotation.pk, "layers-1-position": 2,
        "layers-1-per_turn": 2, "layers-1-restrictions": restrictions,
    }  # fmt: skip
    given = schedule_form(rotation) | second | {
        "overrides-TOTAL_FORMS": 1,
        "overrides-0-schedule": rotation.pk, "overrides-0-user": owner.pk,
        "overrides-0-starts_at_0": "2026-01-01", "overrides-0-starts_at_1": "08:00:00",
        "overrides-0-ends_at_0": "2026-01-02", "overrides-0-ends_at_1": "08:00:00",
    }  # fmt: skip
    answer = desk.post(page, given)
    assert answer.status_code == 302, answer.content.decode()
    assert rotation.overrides.count() == 1
    assert [(each.shift_h, each.per_turn) for each in rotation.layers.order_by("position")] == [
        (168, 1),
        (168, 2),
    ]
    assert rotation.layers.get(position=2).restrictions == [
        {"weekdays": ["sat", "sun"], "begin": "22:00", "end": "06:00"}
    ]
    given = schedule_form_of_two(
        rotation, restrictions='[{"weekdays": ["son"], "begin": "8", "end": "06:00"}]'
    )
    assert "restriction 1: weekdays: Expected a list" in desk.post(page, given).content.decode()


def schedule_form_of_two(rotation, **second):
    first, other = rotation.layers.order_by("position")
    return {
        "name": "Nights", "layers-TOTAL_FORMS": 2, "layers-INITIAL_FORMS": 2,
        "overrides-TOTAL_FORMS": 0, "overrides-INITIAL_FORMS": 0,
        **{f"layers-0-{name}": value for name, value in LAYER.items()},
        **{f"layers-1-{name}": value for name, value in (LAYER | {"position": 2} | second).items()},
        "layers-0-id": first.pk, "layers-1-id": other.pk,
        "layers-0-schedule": rotation.pk, "layers-1-schedule": rotation.pk,
    }  # fmt: skip


def test_what_others_change_while_the_form_is_open_stays_so(desk, rotation):
    def change(instance, **kwargs):
        Schedule.objects.update(link_version=2)

    pre_save.connect(change, sender=Schedule)
    try:
        page = reverse("admin:escalation_schedule_change", args=[rotation.pk])
        assert desk.post(page, schedule_form(rotation, name="Days")).status_code == 302
    finally:
        pre_save.disconnect(change, sender=Schedule)
    assert Schedule.objects.values_list("name", "link_version").get() == ("Days", 2)


@pytest.mark.slow
def test_the_people_of_a_layer_are_changed_and_an_empty_place_is_kept(
    desk, rotation, owner, teammate, stranger
):
    layer = rotation.layers.get()
    place = LayerMember.objects.create(layer=layer, user=teammate, position=2)
    teammate.delete()
    first = LayerMember.objects.get(user=owner)
    page = reverse("admin:escalation_layer_change", args=[layer.pk])
    assert "somebody who left" in desk.get(page).content.decode()
    given = {
        **LAYER,
        "places-TOTAL_FORMS": 3, "places-INITIAL_FORMS": 2,
        "places-0-id": first.pk, "places-0-layer": layer.pk, "places-0-user": owner.pk,
        "places-0-position": 3,
        "places-1-id": place.pk, "places-1-layer": layer.pk, "places-1-user": "", "places-1-position": 2,
        "places-2-layer": layer.pk, "places-2-user": stranger.pk, "places-2-position": 1,
    }  # fmt: skip
    answer = desk.post(page, given)
    assert answer.status_code == 302, answer.content.decode()
    order = layer.places.order_by("position").values_list("user", flat=True)
    assert list(order) == [stranger.pk, None, owner.pk]
    refused = desk.post(page, {**given, "places-2-user": ""})
    assert "Choose who takes this turn." in refused.content.decode()


def test_whoever_may_change_schedules_may_change_their_layers_and_nobody_else(desk, operator, rotation):
    User.objects.filter(pk=operator.pk).update(is_superuser=False)
    page = reverse("admin:escalation_layer_change", args=[rotation.layers.get().pk])
    given = {**LAYER, "places-TOTAL_FORMS": 0, "places-INITIAL_FORMS": 0}
    assert desk.post(page, given).status_code == 403
    operator.user_permissions.add(Permission.objects.get(codename="change_schedule"))
    assert desk.post(page, given).status_code == 302


@pytest.mark.slow
def test_renewing_the_calendar_link_takes_a_button(desk, rotation):
    url = reverse("admin:escalation_schedule_renew_link", args=[rotation.pk])
    assert desk.get(url).status_code == 405
    assert "There is a new link." in desk.post(url, follow=True).content.decode()
    assert Schedule.objects.get().link_version == 2


def test_whoever_may_only_look_renews_no_link(desk, operator, rotation):
    User.objects.filter(pk=operator.pk).update(is_superuser=False)
    operator.user_permissions.add(Permission.objects.get(codename="view_schedule"))
    url = reverse("admin:escalation_schedule_renew_link", args=[rotation.pk])
    assert "You need the permission to change schedules." in desk.post(url, follow=True).content.decode()
    assert Schedule.objects.get().link_version == 1


def test_who_is_no_staff_gets_nowhere(stranger, policy):
    client = Client()
    client.force_login(stranger)
    for url in (
        reverse("admin:escalation_policy_changelist"),
        reverse("admin:escalation_policy_simulate", args=[policy.pk]),
    ):
        assert client.get(url).status_code == 302
