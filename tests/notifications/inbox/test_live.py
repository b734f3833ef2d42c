"""Announcements: small, few, and never in the way of what they announce."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import transaction
from django.utils import timezone
from redis import Redis

from accounts.models import User
from config import redis as kept
from notifications import queue
from notifications.inbox import live, services, snoozing
from tests.notifications.inbox.conftest import MakeItem

ids = [uuid.UUID(int=number) for number in range(live.MOST_PEOPLE + 1)]


class Heard:
    """What is published, in order."""

    def __init__(self) -> None:
        self._subscription = Redis.from_url(django_settings.REDIS_URL).pubsub()
        self._subscription.subscribe(queue.channel(live.CHANNEL))
        assert self._subscription.get_message(timeout=10)["type"] == "subscribe"

    def next(self) -> list[uuid.UUID] | None:
        message = self._subscription.get_message(timeout=10)
        assert message is not None, "nothing was announced"
        return live.people_of(message["data"])

    def silence(self) -> bool:
        """Whether nothing was published before now: messages come in the order of the publishing."""
        Redis.from_url(django_settings.REDIS_URL).publish(queue.channel(live.CHANNEL), b"x" * 16)
        return self.next() == [uuid.UUID(bytes=b"x" * 16)]


@pytest.mark.parametrize(
    "count", [1, 2, live.PEOPLE_PER_MESSAGE, live.PEOPLE_PER_MESSAGE + 1, live.MOST_PEOPLE]
)
def test_messages_name_everyone_and_stay_small(count: int) -> None:
    made = live.messages(ids[:count])
    assert [each for message in made for each in live.people_of(message) or []] == ids[:count]
    assert max(map(len, made)) <= 16 * live.PEOPLE_PER_MESSAGE


def test_for_very_many_people_it_is_one_message_to_everyone() -> None:
    made = live.messages(ids)
    assert len(made) == 1
    assert live.people_of(made[0]) is None


def test_a_message_that_can_not_be_read_means_everyone() -> None:
    assert live.people_of(b"x" * 17) is None


def test_people_are_announced_once(redis: Redis) -> None:
    heard = Heard()
    live.announce([ids[1], ids[2], ids[1]])
    assert heard.next() == [ids[1], ids[2]]


def test_nobody_is_not_announced(redis: Redis) -> None:
    heard = Heard()
    live.announce([])
    assert heard.silence()


def test_without_redis_it_only_costs_time(settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    kept._client.cache_clear()
    live.announce([ids[1]])


@pytest.mark.django_db(transaction=True)
def test_a_change_is_announced_when_it_is_committed(owner: User, make_item: MakeItem) -> None:
    item, heard = make_item(owner), Heard()
    for change in (
        lambda: services.item_mark(item=item, read=True),
        lambda: services.item_mark(item=item, read=False),
        lambda: snoozing.item_snooze(user=owner, item=item, until=timezone.now() + timedelta(hours=1)),
        lambda: snoozing.item_wake(item=item),
        lambda: services.items_mark_read(user=owner, up_to=2),
        lambda: services.items_delete_read(user=owner),
    ):
        with transaction.atomic():
            change()
            assert heard.silence()
        assert heard.next() == [owner.pk]


@pytest.mark.django_db(transaction=True)
def test_what_changes_nothing_is_not_announced(owner: User, make_item: MakeItem) -> None:
    item, deleted, heard = make_item(owner), make_item(owner, dismissed_at=timezone.now()), Heard()
    services.item_mark(item=item, read=False)
    services.item_delete(item=deleted)
    services.items_mark_read(user=owner, up_to=0)
    services.items_delete_read(user=owner)
    snoozing.item_snooze(user=owner, item=deleted, until=timezone.now() + timedelta(hours=1))
    snoozing.item_wake(item=item)
    snoozing.items_wake(timezone.now())
    assert heard.silence()


@pytest.mark.django_db(transaction=True)
def test_what_is_undone_is_not_announced(owner: User, make_item: MakeItem) -> None:
    item, heard = make_item(owner), Heard()
    with transaction.atomic():
        services.item_delete(item=item)
        transaction.set_rollback(True)
    assert heard.silence()
