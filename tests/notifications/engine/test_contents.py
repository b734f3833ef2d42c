"""What the sender keeps of notifications: the ones in use, within bounds whatever they hold."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from notifications.database import Database, connection_parameters
from notifications.engine import content
from notifications.engine.claim import Claimed
from notifications.engine.content import Contents
from notifications.models import Notification
from tests.factories import NotificationFactory


def claimed(notification: Notification) -> Claimed:
    nothing: dict[str, Any] = dict.fromkeys(Claimed._fields[: -len(Claimed._field_defaults)])
    return Claimed(**{**nothing, "notification_id": notification.pk, "channel": "webhook"})


def run(work: Callable[[Contents], Awaitable[None]]) -> None:
    async def inner() -> None:
        contents = Contents(Database(connection_parameters()))
        await work(contents)
        await contents.close()

    asyncio.run(inner())


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(content, "KEEP_BYTES", 100_000)
    return 100_000


def test_large_ones_take_no_more_room_than_there_is(transactional_db: None, bound: int) -> None:
    large = [NotificationFactory(data={"text": "x" * (bound // 3)}) for _ in range(12)]

    async def work(contents: Contents) -> None:
        for each in large:
            (found,) = await contents.of([claimed(each)])
            assert found is not None
            assert found.data == each.data
        kept = sum(len(each.data["text"]) for each, _ in contents._known.values())
        assert 0 < kept <= bound

    run(work)


def test_one_that_is_larger_than_all_of_it_is_sent_too(transactional_db: None, bound: int) -> None:
    huge = NotificationFactory(data={"text": "x" * 2 * bound})

    async def work(contents: Contents) -> None:
        for _ in range(2):
            (found,) = await contents.of([claimed(huge)])
            assert found is not None
            assert found.data == huge.data
        assert not contents._known
        assert contents._bytes == 0

    run(work)


def test_what_is_in_use_stays_while_others_come_and_go(transactional_db: None, bound: int) -> None:
    used, *others = [NotificationFactory(data={"text": "x" * (bound // 4)}) for _ in range(8)]

    async def work(contents: Contents) -> None:
        (first,) = await contents.of([claimed(used)])
        for each in others:
            await contents.of([claimed(each)])
            (again,) = await contents.of([claimed(used)])
            assert again is first

    run(work)
