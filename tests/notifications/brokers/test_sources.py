"""Sources as the settings have them: wrong ones are refused at start, with words that say what is wrong."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from pytest_django import Settings

from notifications.brokers import formats, sources
from notifications.brokers.formats import Format
from notifications.checks import sources_make_sense

GOOD = {"url": "amqp://localhost", "queue": "q", "format": "events"}


def test_a_source_without_a_broker_is_off(settings: Settings) -> None:
    settings.SOURCES = {"events": {**GOOD, "url": ""}, "more": GOOD}
    assert sources.names() == ["more"]
    with pytest.raises(ImproperlyConfigured, match="has no broker"):
        sources.get("events")
    with pytest.raises(ImproperlyConfigured, match="there are: events, more"):
        sources.get("other")
    with pytest.raises(CommandError, match="has no broker"):
        call_command("consume", "events")


def test_without_any_broker_there_is_nothing_to_publish_to(settings: Settings) -> None:
    settings.SOURCES = {}
    with pytest.raises(CommandError, match="No broker"):
        call_command("publish")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": "morse"}, "no format 'morse'"),
        ({"exchange_type": "round"}, "no exchange type"),
        ({"prefetch": 0}, "prefetch of 1 to 10000"),
        ({"queue": ""}, "needs a queue"),
        ({"color": "red"}, "unknown: color"),
    ],
)
def test_a_wrong_source_is_refused_at_start(settings: Settings, changes: dict[str, Any], words: str) -> None:
    settings.SOURCES = {"events": GOOD}
    assert sources_make_sense() == []
    settings.SOURCES = {"events": {**GOOD, **changes}}
    (fault,) = sources_make_sense()
    assert words in fault.msg


def test_the_formats_of_all_apps_are_known_and_no_two_share_a_name() -> None:
    assert {"dating", "escalation", "events", "tracing"} <= set(formats.names())
    known = formats.get("events")
    formats.register(known)
    with pytest.raises(ImproperlyConfigured, match="Two formats"):
        formats.register(Format("events", known.translate, lambda commands: []))
