"""A MedTrack that has profiles already: its services name people by the ids of its own profile-service."""

import itertools
import uuid
from typing import Any

import pytest

from accounts.models import Encadrant, Student, User
from accounts.services import profile_ensure
from notifications.events import people
from notifications.events.envelopes import FORMAT
from notifications.models import Event, HandlerRun, InboxItem
from tests.factories import UserFactory
from tests.notifications.events.test_accounts import run_all
from tests.samples import message_of

pytestmark = pytest.mark.django_db
KINDS: dict[str, Any] = {"student": Student, "encadrant": Encadrant}


def publish(key: str, **payload: str) -> None:
    """Have one event of another service arrive from the exchange."""
    body = {"payload": payload, "_meta": {"event_id": str(uuid.uuid4()), "source": "profile-service"}}
    FORMAT.apply([FORMAT.translate(message_of({"body": body}, routing_key=key))])


def new_user(role: str = "student") -> str:
    user_id = str(uuid.uuid4())
    publish(people.USER_CREATED, user_id=user_id, email=f"{user_id}@example.com", first_name="Ana", role=role)
    return user_id


def kinds_told(user_id: str) -> list[str]:
    items = InboxItem.objects.filter(user=user_id).order_by("number")
    return list(items.values_list("notification__kind", flat=True))


@pytest.mark.slow
@pytest.mark.parametrize("role", KINDS)
@pytest.mark.parametrize("before", ["at once", "before ours", "after ours"])
def test_somebody_is_known_by_both_ids_and_welcomed_once(role: str, before: str) -> None:
    theirs = str(uuid.uuid4())
    user_id = new_user(role)
    created = {f"{role}_id": theirs, "user_id": user_id, "first_name": "Ana", "last_name": "Lima"}
    if before == "after ours":
        run_all()
    publish(f"{role}.created", **created)
    if before == "before ours":
        told = HandlerRun.objects.filter(handler="notifications.people_tell").values_list("pk", flat=True)
        others = HandlerRun.objects.exclude(pk__in=list(told))
        others.update(status="done")
        run_all()
        others.filter(event__routing_key=people.USER_CREATED).update(status="pending")
    run_all()
    publish(f"{role}.updated", **{f"{role}_id": theirs, "first_name": "Ana"})
    run_all()
    assert kinds_told(user_id) == [f"{role}.created", f"{role}.updated"]
    ours = KINDS[role].objects.get(user=user_id)
    publish(f"{role}.updated", **{f"{role}_id": str(ours.pk), "first_name": "Ana"})
    run_all()
    assert len(kinds_told(user_id)) == 3


def test_what_is_said_of_a_student_by_the_old_id_is_told() -> None:
    theirs, user_id = str(uuid.uuid4()), new_user()
    publish(people.STUDENT_CREATED, student_id=theirs, user_id=user_id, first_name="Ana")
    run_all()
    for key in ("stage.accepted", "evaluation.created", "grade.assigned"):
        publish(key, student_id=theirs, title="Cardiology")
        run_all()
    assert kinds_told(user_id) == [
        "student.created",
        "stage.accepted",
        "evaluation.created",
        "grade.assigned",
    ]
    assert Event.objects.filter(routing_key=people.STUDENT_CREATED).count() == 1


def test_an_id_of_somebody_else_is_not_taken_from_them() -> None:
    ana = Student.objects.create(user=UserFactory())
    ben_id = new_user()
    run_all()
    publish(people.STUDENT_CREATED, student_id=str(ana.pk), user_id=ben_id, first_name="Ben")
    publish("stage.accepted", student_id=str(ana.pk), title="Cardiology")
    run_all()
    assert "stage.accepted" in kinds_told(str(ana.user_id))
    assert "stage.accepted" not in kinds_told(ben_id)


def test_of_a_user_of_ours_another_services_profile_is_learnt_too() -> None:
    user: User = UserFactory(role="student")
    profile_ensure(user=user)
    run_all()
    theirs = str(uuid.uuid4())
    for _ in itertools.repeat(None, 2):
        publish(people.STUDENT_CREATED, student_id=theirs, user_id=str(user.pk), first_name="Ana")
        run_all()
    publish("stage.accepted", student_id=theirs, title="Cardiology")
    run_all()
    assert kinds_told(str(user.pk)) == ["student.created", "stage.accepted"]
