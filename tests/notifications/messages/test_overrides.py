"""What the admin changes is used within seconds by every process, without a query for each message."""

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from notifications.messages.compose import compose
from notifications.messages.overrides import FRESH_S, Overrides
from notifications.models import MessageTemplate

pytestmark = pytest.mark.django_db


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def process(clock: Clock) -> Overrides:
    """What another process knows: no signal of this one's reaches it."""
    return Overrides(clock)


def override(**fields: object) -> MessageTemplate:
    return MessageTemplate.objects.create(**{"kind": "alert", "language": "en", "title": "first", **fields})


def title_in(process: Overrides) -> str | None:
    text = process.current().of("alert").get(("en", ""))
    return text.source.title if text else None


def test_another_process_sees_a_change_within_seconds(process: Overrides, clock: Clock) -> None:
    assert title_in(process) is None
    row = override()
    clock.now += FRESH_S
    assert title_in(process) == "first"
    row.title = "second"
    row.save()
    clock.now += FRESH_S
    assert title_in(process) == "second"
    row.is_active = False
    row.save()
    clock.now += FRESH_S
    assert title_in(process) is None
    row.delete()
    clock.now += FRESH_S
    assert title_in(process) is None


def test_the_database_is_asked_once_in_so_many_seconds(process: Overrides, clock: Clock) -> None:
    title_in(process)
    override()
    clock.now += FRESH_S - 0.001
    assert title_in(process) is None
    clock.now += 0.001
    assert title_in(process) == "first"


def test_a_text_that_has_not_changed_is_not_compiled_again(process: Overrides, clock: Clock) -> None:
    override()
    override(kind="test")
    before = process.current()
    clock.now += FRESH_S
    assert process.current() is before
    MessageTemplate.objects.filter(kind="test").update(title="other")
    clock.now += FRESH_S
    after = process.current()
    assert after is not before
    assert after.of("alert")["en", ""] is before.of("alert")["en", ""]
    assert after.of("test")["en", ""] is not before.of("test")["en", ""]


def test_the_process_that_made_a_change_sees_it_at_once() -> None:
    context = {"shop": "Cora", "label": "theft"}
    assert compose("alert", context).title == "Theft at Cora"
    row = override(title="A {{ shop }}")
    assert compose("alert", context).title == "A Cora"
    row.title = "B {{ shop }}"
    row.save()
    assert compose("alert", context).title == "B Cora"
    row.delete()
    assert compose("alert", context).title == "Theft at Cora"


def test_looking_for_overrides_does_not_show_in_pinned_query_counts(process: Overrides) -> None:
    override()
    with CaptureQueriesContext(connection) as queries:
        assert title_in(process) == "first"
    assert len(queries) == 0


def test_overrides_are_read_within_the_callers_transaction(process: Overrides) -> None:
    with transaction.atomic():
        assert title_in(process) is None
    assert not connection.needs_rollback
