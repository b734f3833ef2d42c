"""Plain alerts are stored in groups, past the middleware, and nobody can tell by the answers."""

import asyncio
import json
import threading
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import psycopg
import pytest
from django.db import connections
from django.urls import resolve

from accounts.models import ApiKey
from accounts.services import api_key_create
from config.handler import Handler
from notifications.api import intake
from notifications.api.views.alerts import AlertsView
from notifications.database import connection_parameters
from notifications.models import Alert
from tests.factories import ShopFactory

pytestmark = pytest.mark.django_db(transaction=True)
Answer = tuple[int, dict[bytes, bytes], Any]
Post = Callable[..., Coroutine[Any, Any, Answer]]


@pytest.fixture
def shop() -> Any:
    return ShopFactory(slug="corner", name="Corner")


@pytest.fixture
def key(shop: Any) -> str:
    return api_key_create(name="cameras", scopes=["alerts:write"])[1]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many alerts each statement of the short way stored."""
    sizes: list[int] = []
    accept = intake.alerts_accept_by_key

    def counted(**options: Any) -> Any:
        sizes.append(len(options["posted"]))
        return accept(**options)

    monkeypatch.setattr(intake, "alerts_accept_by_key", counted)
    return sizes


@pytest.fixture
def post(key: str, settings: Any) -> Iterator[Post]:
    settings.WEB_THREADS = 4
    alerts = intake.Intake()
    alerts.start()
    handler = Handler(short_ways=dict.fromkeys(intake.PATHS, alerts))

    async def send_one(
        body: Any = None,
        *,
        key: str = key,
        path: str = intake.PATHS[1],
        host: str = "localhost",
        more: tuple[tuple[bytes, bytes], ...] = (),
        **fields: Any,
    ) -> Answer:
        content = json.dumps(alert(**fields) if body is None else body).encode()
        headers = [
            (b"host", host.encode()),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(content)).encode()),
            (b"authorization", f"Api-Key {key}".encode()),
            *more,
        ]
        scope = {"type": "http", "http_version": "1.1", "method": "POST", "scheme": "http", "path": path,
                 "query_string": b"", "headers": headers}  # fmt: skip
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": content}

        async def send(message: Any) -> None:
            sent.append(message)

        await handler(scope, receive, send)
        names = {name.lower(): value for name, value in sent[0]["headers"]}
        said = b"".join(each["body"] for each in sent[1:])
        return sent[0]["status"], names, json.loads(said) if b"json" in names[b"content-type"] else said

    yield send_one
    alerts.stop()
    each_its_own = threading.Barrier(4)
    for _ in range(4):
        handler._threads.submit(_close, each_its_own)
    handler._threads.shutdown()


def _close(each_its_own: threading.Barrier) -> None:
    each_its_own.wait()
    connections.close_all()


def together(*posts: Coroutine[Any, Any, Answer]) -> list[Answer]:
    async def gathered() -> list[Answer]:
        return await asyncio.gather(*posts)

    return asyncio.run(gathered())


def alert(**fields: Any) -> dict[str, Any]:
    return {
        "alert_uuid": str(uuid.uuid4()),
        "url": "https://media.example.com/a.mp4",
        "location": "corner",
        "label": "theft",
        "time_spotted": 1742470260.083,
        **fields,
    }


def test_the_short_way_answers_with_the_headers_and_the_form_of_the_long_one(
    post: Post, short: list[int]
) -> None:
    first, second = together(post())[0], together(post())[0]
    assert short == [1]
    assert first[0] == second[0] == 201
    assert {**first[1], b"content-length": b""} == {**second[1], b"content-length": b""}
    assert int(second[1][b"content-length"]) > 300
    assert first[2].keys() == second[2].keys()
    assert second[2]["shop"] == first[2]["shop"]
    assert Alert.objects.count() == 2


def test_those_that_come_together_share_a_statement(post: Post, short: list[int]) -> None:
    together(post())
    ids = [str(uuid.uuid4()) for _ in range(40)]
    answers = together(*(post(alert_uuid=each) for each in ids))
    assert [status for status, *_ in answers] == [201] * 40
    assert [body["alert_uuid"] for *_, body in answers] == ids
    assert sum(short) == 40
    assert len(short) < 20
    assert Alert.objects.count() == 41


def test_each_of_a_group_gets_the_answer_that_it_would_get_alone(
    post: Post, short: list[int], key: str
) -> None:
    together(post())
    known = alert()
    together(post(known))
    answers = together(
        post(known),
        post({**known, "label": "normal"}),
        post(location="nowhere"),
        post(label="nonsense"),
        post(key="tsn_nobody"),
        post(),
    )
    assert [status for status, *_ in answers] == [200, 409, 400, 400, 401, 201]
    same = alert()
    assert sorted(status for status, *_ in together(post(same), post(same))) == [200, 201]


def test_before_its_start_and_after_its_end_the_long_way_answers(key: str) -> None:
    alerts = intake.Intake()
    body = json.dumps(alert()).encode()

    def answer() -> bytes | None:
        asked = alerts(b"application/json", f"Api-Key {key}".encode(), body)
        return asyncio.run(asyncio.wait_for(asked, timeout=10))

    assert answer() is None
    alerts.start()
    assert answer() is not None
    alerts.stop()
    assert answer() is None


def test_a_revoked_key_stops_working_at_once(post: Post, key: str) -> None:
    together(post())
    assert together(post())[0][0] == 201
    ApiKey.objects.update(revoked_at="2026-01-01T00:00:00Z")
    assert together(post())[0][0] == 401


def test_the_middleware_has_its_say_about_each_way_to_look(post: Post, short: list[int]) -> None:
    together(post())
    assert together(post(host="evil.example.com"))[0][0] == 400
    assert short == []


def test_a_header_that_comes_twice_is_judged_by_the_long_way(post: Post, short: list[int], key: str) -> None:
    together(post())
    twice = ((b"authorization", f"Api-Key {key}".encode()),)
    assert together(post(key="tsn_nobody", more=twice))[0][0] == 401
    assert short == []


@pytest.mark.slow
def test_anothers_lock_holds_up_only_what_needs_the_row(post: Post, shop: Any) -> None:
    ShopFactory(slug="other", name="Other")
    together(post())
    with psycopg.connect(**connection_parameters()) as other:
        other.execute("SELECT FROM accounts_shop WHERE slug = 'corner' FOR UPDATE")
        began = time.monotonic()

        async def post_all() -> tuple[list[Answer], list[Answer]]:
            held = [asyncio.create_task(post()) for _ in range(3)]
            free = await asyncio.gather(*(post(location="other") for _ in range(10)))
            assert time.monotonic() - began < 2
            assert not any(task.done() for task in held)
            other.rollback()
            return free, await asyncio.gather(*held)

        free, held = asyncio.run(post_all())
    assert [status for status, *_ in free] == [201] * 10
    assert [status for status, *_ in held] == [201] * 3


def test_a_connection_that_broke_costs_no_alert(post: Post, short: list[int]) -> None:
    together(post())
    together(*(post() for _ in range(5)))
    with psycopg.connect(**connection_parameters()) as other:
        ended = other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE query LIKE '%tocsin%' AND pid <> pg_backend_pid() AND datname = current_database()"
        ).fetchall()
    assert ended
    answers = together(*(post() for _ in range(5)))
    assert {status for status, *_ in answers} <= {200, 201}
    assert Alert.objects.count() == 11


def test_every_path_is_one_of_the_view() -> None:
    assert {resolve(path).func.view_class for path in intake.PATHS} == {AlertsView}  # type: ignore[attr-defined]
