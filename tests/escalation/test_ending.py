"""How processes end, what that costs, and what is measured of it."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, connection
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from accounts.models import User
from escalation.models import EscalationProcess
from escalation.services import ending, process_start, process_stop
from escalation.signals import process_ended
from notifications import looks, metrics
from notifications.channels.transport.twilio import Report
from notifications.engine import replay
from notifications.engine.recipients import Recipient
from notifications.models import AttemptRow, Delivery, InboxItem, Outgoing
from notifications.services.provider_reports import delivery_report_record
from tests.queued import end_all

pytestmark = pytest.mark.django_db


def started(process_id: str = "order", in_s: float = 60) -> EscalationProcess:
    now = timezone.now()
    item = Recipient("webhook", now + timedelta(seconds=in_s), "https://a.example.com/")
    return process_start(process_id=process_id, notifications=[item], now=now).process


def in_s(seconds: float) -> Any:
    return timezone.now() + timedelta(seconds=seconds)


@pytest.mark.slow
def test_a_look_asks_two_questions_however_many_wait(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(20):
        started(str(number))
    with django_assert_num_queries(4):  # and the savepoint of the first, set and released
        ending.look(timezone.now())


def test_a_process_is_looked_at_again_when_its_retry_is_due_and_not_before() -> None:
    process = started(in_s=0)
    Delivery.objects.update(reason="retry", attempts=1)
    Outgoing.objects.update(attempts=1, due_at=in_s(30))
    ending.look(in_s(1))
    process.refresh_from_db()
    assert process.state == "active"
    assert process.look_at == Outgoing.objects.get().due_at
    end_all(status="failed", reason="exhausted")
    ending.look(in_s(29))
    process.refresh_from_db()
    assert process.state == "active"
    ending.look(in_s(31))
    process.refresh_from_db()
    assert (process.state, process.ended_at is None) == ("reached_nobody", False)


def test_what_is_being_sent_keeps_a_process_active() -> None:
    started(in_s=0)
    Outgoing.objects.update(lease_until=in_s(30))
    ending.look(in_s(5))
    assert EscalationProcess.objects.get().is_active


def test_silence_is_when_the_last_send_under_way_has_ended(redis: Any) -> None:
    process = started(in_s=0)
    Outgoing.objects.update(lease_until=in_s(30), attempts=1)
    process_stop(process_id="order", now=timezone.now())
    ending.look(in_s(1))
    process.refresh_from_db()
    assert process.silent_at is None
    ended_at = process.ended_at
    assert ended_at is not None
    delivery = Delivery.objects.get()
    AttemptRow.objects.create(
        delivery=delivery,
        number=1,
        started_at=ended_at - timedelta(seconds=1),
        duration_ms=3000,
        outcome="sent",
    )
    end_all(status="sent", attempts=1)
    ending.look(in_s(2))
    process.refresh_from_db()
    assert process.silent_at == ended_at + timedelta(seconds=2)
    metrics.flush()
    assert metrics.totals()[ending.SILENCE, "sum"] == pytest.approx(2)


def test_a_stop_after_the_end_has_the_calls_hung_up_that_still_ring() -> None:
    told: list[EscalationProcess] = []

    def hear(process: EscalationProcess, **_: Any) -> None:
        told.append(process)

    process_ended.connect(hear)
    try:
        process = started(in_s=0)
        end_all(status="sent")
        ending.look(in_s(1))
        assert told == [], "the last call is to ring on"
        assert process_stop(process_id="order", now=in_s(5)) is None
        assert told == [process]
        process_stop(process_id="order", now=in_s(3600))
        assert told == [process]
    finally:
        process_ended.disconnect(hear)


class Deadlock(Exception):
    sqlstate = "40P01"


def of_one_statement() -> OperationalError:
    error = OperationalError("deadlock detected")
    error.__cause__ = Deadlock()
    return error


@pytest.mark.parametrize("error", [RuntimeError(), IntegrityError(), of_one_statement()])
def test_a_look_that_fails_leaves_the_others_theirs(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    seen: list[str] = []

    def fails(now: Any) -> None:
        raise error

    monkeypatch.setattr(looks, "_looks", {})
    looks.register(fails, asks="true")
    looks.register(lambda now: seen.append("looked"), asks="%(now)s > '2000-01-01'")
    looks.look(timezone.now())
    assert seen == ["looked"]


def test_where_postgresql_is_away_the_other_looks_wait_too(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def fails(now: Any) -> None:
        raise OperationalError("the connection is lost")

    monkeypatch.setattr(looks, "_looks", {})
    looks.register(fails, asks="true")
    looks.register(lambda now: seen.append("looked"), asks="true")
    with pytest.raises(OperationalError):
        looks.look(timezone.now())
    assert seen == []


@pytest.mark.slow
def test_the_admin_shows_the_history_and_stops(client: Any, operator: User) -> None:
    process = started()
    client.force_login(operator)
    page = client.get(f"/admin/escalation/escalationprocess/{process.pk}/change/")
    assert page.status_code == 200
    assert "Waiting to be sent." in page.content.decode()
    listed = client.get("/admin/escalation/escalationprocess/", {"q": "order"})
    assert "order" in listed.content.decode()
    chosen = {"action": "stop_chosen", "_selected_action": [str(process.pk)]}
    page = client.post("/admin/escalation/escalationprocess/", chosen, follow=True)
    assert "1 stopped." in page.content.decode()
    process.refresh_from_db()
    assert (process.state, process.ended_by) == ("stopped", "operator@example.com")


def test_the_admin_shows_one_of_which_nothing_is_left(client: Any, operator: User) -> None:
    process = EscalationProcess.objects.create(process_id="order", look_at=timezone.now())
    client.force_login(operator)
    page = client.get(f"/admin/escalation/escalationprocess/{process.pk}/change/")
    assert "Nothing." in page.content.decode()


def test_metrics_show_what_is_under_way(as_machine: Callable[..., APIClient]) -> None:
    started()
    said = as_machine("metrics:read").get("/metrics").content.decode()
    assert "tocsin_escalations_active 1.0" in said
    assert "tocsin_escalation_silence_seconds_count" in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("became", "outcome"), [({"status": "sent"}, "unanswered"), ({"status": "failed"}, "reached_nobody")]
)
def test_an_escalation_that_nobody_answered_is_an_error_and_counted(
    as_machine: Callable[..., APIClient],
    caplog: pytest.LogCaptureFixture,
    became: dict[str, str],
    outcome: str,
) -> None:
    started(in_s=0)
    end_all(**became)
    before = unanswered(as_machine, outcome)
    ending.look(in_s(1))
    assert unanswered(as_machine, outcome) == before + 1
    assert EscalationProcess.objects.get().state == outcome
    assert [record.levelname for record in caplog.records if outcome in record.getMessage()] == ["ERROR"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "find", [lambda: ending.look(in_s(1)), lambda: process_stop(process_id="order", now=in_s(1))]
)
def test_the_error_is_there_before_the_end_is_stored(
    caplog: pytest.LogCaptureFixture, find: Callable[[], object]
) -> None:
    """A worker that dies after the commit says nothing any more, and nobody else would."""
    started(in_s=0)
    end_all(status="sent")
    said: list[bool] = []

    def noted(execute: Callable[..., Any], statement: str, *args: Any) -> Any:
        if statement.startswith("RELEASE SAVEPOINT"):
            said.append("escalation_unanswered" in caplog.text)
        return execute(statement, *args)

    with connection.execute_wrapper(noted):
        find()
    assert EscalationProcess.objects.get().state == "unanswered"
    assert said[-1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seen", "outcome"), [("", "reached_nobody"), ("read_at", "unanswered"), ("snoozed_until", "unanswered")]
)
def test_what_lies_in_an_inbox_has_reached_somebody_once_it_is_read_or_came_back(
    as_machine: Callable[..., APIClient],
    caplog: pytest.LogCaptureFixture,
    owner: User,
    seen: str,
    outcome: str,
) -> None:
    now = timezone.now()
    items = [Recipient("inbox", now, user=owner), Recipient("phone", now, "+33612345678", user=owner)]
    process_start(process_id="order", notifications=items, now=now)
    Delivery.objects.filter(channel="phone").update(status="failed", reason="exhausted")
    Outgoing.objects.all().delete()
    assert InboxItem.objects.update(**{seen or "read_at": now if seen else None}) == 1
    before = unanswered(as_machine, outcome)
    ending.look(in_s(1))
    assert unanswered(as_machine, outcome) == before + 1
    assert [record.levelname for record in caplog.records if outcome in record.getMessage()] == ["ERROR"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "report", [Report(arrived=False, detail="busy"), Report(arrived=True, detail="", reason="voicemail")]
)
def test_a_call_that_nobody_took_is_reported_though_its_process_had_finished(
    as_machine: Callable[..., APIClient], report: Report
) -> None:
    started(in_s=0)
    end_all(status="sent", attempts=1)
    ending.look(in_s(1))
    assert EscalationProcess.objects.get().state == "unanswered"
    before = unanswered(as_machine, "reached_nobody")
    delivery = Delivery.objects.get()
    assert delivery_report_record(delivery=delivery, attempt=1, report=report)
    assert unanswered(as_machine, "reached_nobody") == before + 1
    assert EscalationProcess.objects.get().state == "reached_nobody"
    assert not delivery_report_record(delivery=delivery, attempt=1, report=report)
    assert unanswered(as_machine, "reached_nobody") == before + 1


def unanswered(as_machine: Callable[..., APIClient], outcome: str) -> float:
    metrics.flush()
    said = as_machine("metrics:read").get("/metrics").content.decode()
    found = re.search(rf'tocsin_escalations_unanswered_total{{outcome="{outcome}"}} (\S+)', said)
    return float(found[1]) if found else 0.0


def failed_and_over() -> Delivery:
    """Return the delivery of a process that finished since its one send failed."""
    started(in_s=0)
    end_all(status="failed", reason="exhausted")
    ending.look(in_s(1))
    assert EscalationProcess.objects.get().state == "reached_nobody"
    return Delivery.objects.get()


@pytest.mark.slow
def test_what_failed_in_a_finished_process_is_not_replayed(as_machine: Callable[..., APIClient]) -> None:
    failed = failed_and_over()
    client = as_machine("deliveries:read", "deliveries:write", "escalations:read")
    answer = client.post(f"/api/v1/deliveries/{failed.pk}/replay/")
    assert answer.status_code == 409
    assert "over" in answer.json()["detail"]
    many = client.post("/api/v1/deliveries/replay/", {"channel": "webhook"})
    assert many.json() == {"replayed": 0, "left_out": {"over": 1, "unreachable": 0, "erased": 0}}
    failed.refresh_from_db()
    assert failed.status == "failed"
    assert "can't be replayed" in client.get(f"/api/v1/deliveries/{failed.pk}/").json()["explanation"]


def test_a_start_that_finds_a_process_finished_closes_it_for_replays_too() -> None:
    started(in_s=0)
    end_all(status="failed", reason="exhausted")
    first = Delivery.objects.get()
    started(in_s=60)
    assert replay.replay(Delivery.objects.filter(pk=first.pk)) == 0


def test_what_is_reported_as_lost_after_the_end_is_not_replayed() -> None:
    started(in_s=0)
    end_all(status="sent")
    ending.look(in_s(1))
    end_all(status="failed", reason="undelivered")
    assert replay.replay(Delivery.objects.all()) == 0


@pytest.mark.slow
def test_the_admin_says_that_what_is_over_is_not_replayed(client: Any, operator: User) -> None:
    failed = failed_and_over()
    client.force_login(operator)
    page = client.get(f"/admin/notifications/delivery/{failed.pk}/change/").content.decode()
    assert "Replay now" not in page
    answer = client.post(f"/admin/notifications/delivery/{failed.pk}/replay/", follow=True)
    assert "is over" in answer.content.decode()
    failed.refresh_from_db()
    assert failed.status == "failed"
