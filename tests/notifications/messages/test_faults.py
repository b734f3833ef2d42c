"""A text that can't be rendered is somebody's to mend: it is logged, counted and shown."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from pytest_django.fixtures import Settings
from redis import Redis
from rest_framework.test import APIClient
from structlog.testing import capture_logs

from notifications import metrics
from notifications.messages import faults
from notifications.messages.compiled import Compiled, Text
from notifications.messages.compose import composed

pytestmark = pytest.mark.usefixtures("redis")
TextsOf = Callable[..., dict[tuple[str, str], Compiled]]


def broken(title: str = "{% broken %}", **fields: Any) -> Compiled:
    return Compiled(
        **{
            "kind": "k",
            "language": "en",
            "channel": "",
            "origin": "file",
            "source": Text(title, ""),
            **fields,
        }
    )


def logged(action: Callable[[], object]) -> list[Any]:
    with capture_logs() as logs:
        action()
    return [entry for entry in logs if entry["event"] == "message_template_fault"]


def test_a_fault_is_logged_as_an_error_with_all_that_names_the_text() -> None:
    (entry,) = logged(lambda: faults.report(broken(channel="sms", origin="override"), "body, line 2: no"))
    assert entry == {
        "event": "message_template_fault",
        "log_level": "error",
        "kind": "k",
        "language": "en",
        "channel": "sms",
        "origin": "override",
        "error": "body, line 2: no",
    }


def test_a_texts_faults_are_logged_once_a_minute() -> None:
    text = broken()
    assert len(logged(lambda: [faults.report(text, "no") for _ in range(5)])) == 1
    assert len(logged(lambda: faults.report(broken(), "no"))) == 1, "another text has a minute of its own"
    text.reported_at = time.monotonic() - faults.LOG_EVERY_S
    assert len(logged(lambda: faults.report(text, "no"))) == 1


def test_every_fault_is_counted(as_machine: Callable[..., APIClient]) -> None:
    text = broken()
    for _ in range(3):
        composed("k", {}, own={}, files={("en", ""): text})
    metrics.flush()
    page = as_machine("metrics:read").get("/metrics").content.decode()
    assert 'tocsin_message_faults_total{kind="k",origin="file"} 3.0' in page


def test_the_last_fault_of_a_text_is_kept_until_its_wording_changes() -> None:
    faults.report(broken(), "first")
    again = broken()
    faults.report(again, "second")
    kept = faults.last_faults()
    assert faults.last_fault_of(broken(), kept).error == "second"
    assert faults.last_fault_of(broken("other"), kept) is None
    assert faults.last_fault_of(broken(language="fr"), kept) is None
    assert faults.last_fault_of(broken(origin="override"), kept) is None


def test_what_another_version_keeps_of_faults_is_left_out(redis: Redis) -> None:
    faults.report(broken(), "no")
    redis.hset(faults.KEY, mapping={"a": b"[1]", "b": b"{", "c": b'["digest", "no", "soon"]', "d": b"7"})
    assert [fault.error for fault in faults.last_faults().values()] == ["no"]


def test_faults_are_forgotten_after_a_while(redis: Redis) -> None:
    faults.report(broken(), "no")
    assert 0 < redis.ttl(faults.KEY) <= faults.FORGET_AFTER_S


def test_redis_being_away_keeps_no_message_from_being_made(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, texts: TextsOf, closed_port: int
) -> None:
    monkeypatch.setitem(settings.RQ_QUEUES["default"], "URL", f"redis://127.0.0.1:{closed_port}/0")
    files = texts({("en", ""): ("{% broken %}", ""), ("fr", ""): ("français", "")})
    assert composed("k", {}, own={}, files=files).title == "français"
    assert faults.last_faults() == {}
