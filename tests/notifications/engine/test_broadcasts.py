"""What everybody is told goes chunk by chunk, each at once, and an interruption costs one of them."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import DataError, connection
from django.utils import timezone

from accounts.models import Student
from notifications.engine.fanout import broadcast, broadcasts, broadcasts_fan_out
from notifications.models import Broadcast, Delivery, InboxItem, Notification
from tests.factories import NotificationFactory, UserFactory

pytestmark = pytest.mark.django_db
STUDENTS = Broadcast.Audience.STUDENTS


@pytest.fixture(autouse=True)
def chunks(settings: Any) -> None:
    settings.FANOUT_CHUNK = 4


@pytest.fixture
def students() -> list[Student]:
    return [Student.objects.create(user=user) for user in UserFactory.create_batch(10)]


def say(key: str = "offer:1", **fields: Any) -> None:
    notification = NotificationFactory.build(kind="offer.created", dedup_key=key, **fields)
    broadcast(notification, STUDENTS, as_of=timezone.now())


def told(key: str = "offer:1") -> list[Any]:
    items = InboxItem.objects.filter(notification__dedup_key=key)
    return sorted(items.values_list("user", flat=True))


def test_each_chunk_is_a_transaction_and_the_row_says_how_far_it_has_come(students: list[Student]) -> None:
    everybody = sorted(each.user_id for each in students)
    say()
    assert broadcasts._fan_out_next()
    assert told() == everybody[:4]
    assert Broadcast.objects.get().fanned_out_to == everybody[3]
    assert broadcasts._fan_out_next()
    assert told() == everybody[:8]
    assert not broadcasts_fan_out()
    assert told() == everybody
    assert not Broadcast.objects.exists()


def test_whoever_is_no_student_or_became_one_later_is_not_told(students: list[Student]) -> None:
    say()
    UserFactory()
    Student.objects.filter(pk=students[0].pk).update(created_at=timezone.now() + timedelta(days=1))
    broadcasts_fan_out()
    assert told() == sorted(each.user_id for each in students[1:])


def test_saying_it_again_tells_nobody_twice(students: list[Student]) -> None:
    say()
    broadcasts._fan_out_next()
    say()
    broadcasts_fan_out()
    say()
    broadcasts_fan_out()
    assert len(told()) == 10
    assert Delivery.objects.count() == 10
    assert Notification.objects.count() == 1


def test_two_broadcasts_take_turns(students: list[Student]) -> None:
    say("offer:1")
    say("offer:2")
    broadcasts._fan_out_next()
    broadcasts._fan_out_next()
    assert [len(told("offer:1")), len(told("offer:2"))] == [4, 4]


@pytest.mark.slow
def test_one_that_fails_holds_up_no_other(students: list[Student], monkeypatch: pytest.MonkeyPatch) -> None:
    say("offer:1")
    say("offer:2")
    make = broadcasts.fan_out_chunk

    def faulty(notification: Notification, *args: Any, **options: Any) -> Any:
        if notification.dedup_key == "offer:1":
            raise DataError("of its own")
        return make(notification, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(broadcasts, "fan_out_chunk", faulty)
        assert not broadcasts_fan_out()
    assert [len(told("offer:1")), len(told("offer:2"))] == [0, 10]
    assert not broadcasts_fan_out()
    Broadcast.objects.update(due_at=timezone.now())  # a minute later
    broadcasts_fan_out()
    assert len(told("offer:1")) == 10


def test_the_sweep_finds_one_whose_job_was_lost(students: list[Student]) -> None:
    say()
    question = f"SELECT {broadcasts.ANY_DUE}"
    with connection.cursor() as cursor:
        cursor.execute(question, {"now": timezone.now()})
        assert cursor.fetchone() == (True,)
        broadcasts_fan_out()
        cursor.execute(question, {"now": timezone.now()})
        assert cursor.fetchone() == (None,)
