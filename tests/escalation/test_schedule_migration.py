"""Rotations that were there before there were schedules: their ids, links, overrides and policies go on."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

import pytest
from django.contrib.auth.models import Permission
from django.core import signing
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from rest_framework.test import APIClient

from accounts.models import User
from escalation.models import Policy, Schedule
from escalation.policies.selectors import newest_version
from escalation.services.policies import planned
from tests.factories import ContactPointFactory, UserFactory

BEFORE: Final = [("escalation", "0008_heartbeat_watch")]
NOW: Final = datetime(2026, 3, 2, 12, tzinfo=UTC)


def migrate(target: list[tuple[str, str]]) -> Any:
    """Go there, forwards or back; returns the models as they are there."""
    MigrationExecutor(connection).migrate(target)
    return MigrationExecutor(connection).loader.project_state(target).apps


def latest() -> list[tuple[str, str]]:
    return MigrationExecutor(connection).loader.graph.leaf_nodes("escalation")


@pytest.fixture
def before(transactional_db: None) -> Iterator[Any]:
    yield migrate(BEFORE)
    migrate(latest())


def fill(apps: Any) -> dict[str, Any]:
    """Make a rotation of two people and a place of somebody who left, with an override and a policy."""
    # Their tables are as they are now.
    ana, ben, cleo = (UserFactory(email=f"{name}@example.com") for name in ("ana", "ben", "cleo"))
    for user in (ana, ben, cleo):
        ContactPointFactory(user=user, channel="email", address=user.email)
    rotation = apps.get_model("escalation", "Rotation").objects.create(
        name="Nights", kind="custom", shift_h=12, time_zone="Europe/Paris", link_version=3,
        starts_on="2026-03-01", handoff_at=time(20),
    )  # fmt: skip
    # Two share a number, as the admin allows: the one made first comes first.
    for user, position in ((ana, 1), (None, 1), (ben, 4)):
        apps.get_model("escalation", "RotationMember").objects.create(
            rotation=rotation, user_id=user and user.pk, position=position
        )
    apps.get_model("escalation", "RotationOverride").objects.create(
        rotation=rotation, user_id=cleo.pk, starts_at=NOW, ends_at=NOW + timedelta(hours=1)
    )
    apps.get_model("escalation", "Rotation").objects.create(
        name="Empty", starts_on="2026-03-01", deleted_at=NOW
    )
    policy = apps.get_model("escalation", "Policy").objects.create(name="Orders")
    target = {"type": "rotation", "rotation_id": str(rotation.pk), "channels": ["email"]}
    hours = (0, 2, 8, 20)
    apps.get_model("escalation", "PolicyVersion").objects.create(
        policy=policy,
        number=1,
        steps=[{"after_s": hour * 3600, "targets": [target]} for hour in hours],
    )
    link = signing.Signer(salt="escalation.rotation").sign_object([rotation.pk.hex, 3])
    return {"rotation": rotation.pk, "ana": ana.pk, "ben": ben.pk, "cleo": cleo.pk, "link": link}


@pytest.mark.slow
def test_a_rotation_becomes_a_schedule_of_one_layer_and_all_that_names_it_goes_on(
    before: Any, anonymous: APIClient
) -> None:
    made = fill(before)
    migrate(latest())

    schedule = Schedule.objects.get(pk=made["rotation"])
    assert (schedule.name, schedule.link_version, schedule.deleted_at) == ("Nights", 3, None)
    layer = schedule.layers.get()
    assert (layer.shift_h, layer.time_zone, layer.handoff_at) == (12, "Europe/Paris", time(20))
    assert (layer.per_turn, layer.restrictions) == (1, [])
    order = layer.places.order_by("position", "pk").values_list("user_id", flat=True)
    assert list(order) == [made["ana"], None, made["ben"]]
    assert schedule.overrides.get().user_id == made["cleo"]
    assert Schedule.objects.get(name="Empty").layers.count() == 1

    version = newest_version(Policy.objects.get(name="Orders"))
    told = planned(version, started_at=NOW, process_id="orders").notifications
    # 13:00 in Paris, by the override; then in the shifts of 08:00, which is Ben's for who left, 20:00, 08:00.
    people = [recipient.user.pk for recipient in told if recipient.user]
    assert people == [made["cleo"], made["ben"], made["ben"], made["ana"]]
    assert {recipient.via for recipient in told} == {"Nights"}
    read = anonymous.get(f"/calendars/{made['link']}.ics")
    assert (read.status_code, b"Nights" in read.content) == (200, True)


@pytest.mark.slow
def test_whoever_might_change_rotations_may_change_schedules(before: Any, operator: User) -> None:
    User.objects.filter(pk=operator.pk).update(is_superuser=False)
    operator.user_permissions.add(Permission.objects.get(codename="change_rotation"))
    migrate(latest())
    assert User.objects.get(pk=operator.pk).has_perm("escalation.change_schedule")
    assert Permission.objects.get(codename="change_schedule").name == "Can change schedule"


@pytest.mark.slow
def test_and_back_it_is_what_it_was(before: Any) -> None:
    made = fill(before)
    migrate(latest())
    schedule = Schedule.objects.get(pk=made["rotation"])
    higher = schedule.layers.create(position=2, starts_on="2026-03-01", shift_h=24)
    higher.places.create(user_id=made["cleo"], position=1)

    apps = migrate(BEFORE)
    rotation = apps.get_model("escalation", "Rotation").objects.get(pk=made["rotation"])
    assert (rotation.kind, rotation.shift_h, rotation.time_zone) == ("custom", 12, "Europe/Paris")
    assert (rotation.starts_on.isoformat(), rotation.handoff_at) == ("2026-03-01", time(20))
    order = rotation.places.order_by("position", "pk").values_list("user_id", flat=True)
    assert list(order) == [made["ana"], None, made["ben"]]
    assert rotation.overrides.get().user_id == made["cleo"]
