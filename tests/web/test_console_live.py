"""The console over the real server: what changes is pushed to all who watch, and to nobody else."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from redis import Redis
from rest_framework.test import APIClient

from accounts.models import User
from config import clock
from config.handler import Handler
from config.lifespan import Lifespan
from dating.services import event_create
from notifications import metrics
from notifications.web.console import hubs
from tests.notifications.inbox.conftest import cookie
from tests.notifications.inbox.listening import Listening
from tests.servers.web import served

LogIn = Callable[[User], APIClient]
Watch = Callable[..., Listening]
application = Lifespan(Handler(), on_starting=lambda: None, on_stopping=hubs.end_all, on_stopped=hubs.stop)


@pytest.fixture
def watch(transactional_db: None, redis: Redis, as_session: LogIn, settings: Any) -> Iterator[Watch]:
    """Open a console's stream as somebody who is logged in; all end with the test."""
    metrics.flush()
    redis.flushdb()
    with served(application, before_end=hubs.end_all) as port, ExitStack() as opened:

        def begin(user: User, have: str = "") -> Listening:
            headers = cookie(as_session(user))
            return opened.enter_context(Listening(port, headers, query=have, path="/console/stream/"))

        yield begin


@pytest.fixture
def as_session() -> LogIn:
    def log_in(user: User) -> APIClient:
        client = APIClient()
        client.force_login(user)
        return client

    return log_in


def evening(title: str) -> None:
    event_create(title=title, starts_at=clock.now() + timedelta(hours=2), now=clock.now() - timedelta(days=9))


def tells_of(stream: Listening, text: str) -> Callable[[], bool]:
    return lambda: any(text in each.data["html"] for each in list(stream.events))


def test_all_who_watch_are_told_of_what_changes(watch: Watch, operator: User) -> None:
    streams = [watch(operator) for _ in range(2)]
    for stream in streams:
        stream.wait_until_open()
        # Whoever has nothing gets all of it.
        stream.wait_for(lambda stream=stream: len(stream.events) >= 5)  # type: ignore[misc]
    evening("Spring")
    for stream in streams:
        stream.wait_for(tells_of(stream, "Spring"))
        assert [each.data["id"] for each in stream.events].count("panel-on-call") == 1


def test_each_is_told_in_their_language(watch: Watch, operator: User) -> None:
    User.objects.filter(pk=operator.pk).update(language="fr", time_zone="Asia/Tokyo")
    evening("Printemps")
    stream = watch(User.objects.get(pk=operator.pk))
    stream.wait_for(tells_of(stream, "Printemps"))
    begins = clock.now() + timedelta(hours=2 + 9)
    html = next(each.data["html"] for each in stream.events if "Printemps" in each.data["html"])
    assert f">{begins:%H:}" in html


def test_a_log_in_that_is_over_ends_it(watch: Watch, operator: User) -> None:
    stream = watch(operator).wait_until_open()
    Session.objects.all().delete()
    stream.wait_until_ended()
    evening("Spring")
    assert stream.is_whole


@pytest.mark.parametrize("change", [{"is_staff": False}, {"is_active": False}, {"epoch": 99}])
def test_whoever_may_not_watch_any_more_is_cut_off(
    watch: Watch, operator: User, change: dict[str, Any]
) -> None:
    stream = watch(operator).wait_until_open()
    User.objects.filter(pk=operator.pk).update(**change)
    evening("Spring")
    stream.wait_until_ended()
    assert not tells_of(stream, "Spring")()


def test_who_watches_too_often_loses_the_oldest(watch: Watch, operator: User, settings: Any) -> None:
    settings.STREAMS_PER_PERSON = 2
    first, *others = [watch(operator).wait_until_open() for _ in range(3)]
    first.wait_until_ended()
    evening("Spring")
    for stream in others:
        stream.wait_for(tells_of(stream, "Spring"))


def test_people_who_are_not_staff_get_none(watch: Watch, owner: User) -> None:
    assert watch(owner).status == 403
