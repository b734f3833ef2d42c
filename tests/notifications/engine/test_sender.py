"""Claim, send, write down: against a real database and a real third party."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import Settings

from notifications.channels import registry
from notifications.channels.base import Channel
from notifications.channels.message import Message, Receipt
from notifications.channels.transport.session import Session
from notifications.engine.claim import MAX_LOST_LEASES
from notifications.engine.replay import replay
from notifications.engine.sender import Sender
from notifications.engine.stop import cancel
from notifications.engine.sweep import expire
from notifications.models import Attempt, Delivery, Outgoing
from tests.clock import Clock
from tests.notifications.engine.conftest import statuses
from tests.servers.third_party import ThirdParty

Make = Callable[..., list[Delivery]]


class Deaf(Channel):
    """A channel with a fault: it forgets its own time limit."""

    name = "deaf"
    address_type = "anything"
    needs_confirmation = False

    def normalised_address(self, address: str) -> str:
        return address

    def lane(self, address: str) -> str:
        return "deaf"

    async def send(self, message: Message, session: Session) -> Receipt:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")


def settle(sender: Sender) -> None:
    assert sender.drain(20), "still at work after 20 s"


@pytest.mark.slow
def test_each_due_delivery_is_sent_once_and_written_down(
    sender: Sender, make_deliveries: Make, third_party: ThirdParty
) -> None:
    made = make_deliveries(300, third_party.url)
    settle(sender)
    assert third_party.counts() == {str(each.pk): 1 for each in made}
    assert statuses() == {"sent": 300}
    attempts = Attempt.objects.all()
    assert {(each.number, each.outcome, each.status_code) for each in attempts} == {(1, "sent", 200)}
    sent = Delivery.objects.first()
    assert sent is not None
    assert sent.sent_at is not None
    assert sent.attempts == 1
    assert not Outgoing.objects.exists()


def test_what_is_due_later_waits(
    sender: Sender, clock: Clock, make_deliveries: Make, third_party: ThirdParty
) -> None:
    make_deliveries(5, third_party.url, due_at=timezone.now() + timedelta(minutes=30))
    settle(sender)
    assert third_party.requests == []
    clock.forward(30 * 60 + 1)
    settle(sender)
    assert statuses() == {"sent": 5}


@pytest.mark.slow
def test_within_a_lane_what_was_due_first_goes_first(
    sender: Sender, clock: Clock, make_deliveries: Make, third_party: ThirdParty, settings: Settings
) -> None:
    settings.CHANNEL_POLICIES = {"webhook": {"concurrency": 1}}
    start = timezone.now() + timedelta(hours=1)
    made = {
        offset: make_deliveries(1, third_party.url, due_at=start + timedelta(seconds=offset))[0]
        for offset in (7, 1, 5, 3)
    }
    clock.forward(2 * 3600)
    settle(sender)
    expected = [str(made[offset].pk) for offset in sorted(made)]
    assert [request.delivery_id for request in third_party.requests] == expected


@pytest.mark.slow
@pytest.mark.parametrize("behaviour", ["status:503", "status:500", "status:408", "reset"])
def test_what_may_pass_is_tried_three_times_three_seconds_apart(
    sender: Sender, clock: Clock, make_deliveries: Make, third_party: ThirdParty, behaviour: str
) -> None:
    third_party.behave(behaviour)
    (delivery,) = make_deliveries(1, third_party.url)
    for attempt in (1, 2, 3):
        settle(sender)
        assert len(third_party.requests) == attempt
        delivery.refresh_from_db()
        if attempt < 3:
            assert (delivery.status, delivery.reason) == ("pending", "retry")
            last = delivery.attempt_set.latest("number")
            wait_s = (delivery.due_at - last.started_at).total_seconds() - last.duration_ms / 1000
            assert wait_s == pytest.approx(3, abs=0.5)
            clock.forward(3.01)
    assert (delivery.status, delivery.reason) == ("failed", "exhausted")
    assert list(delivery.attempt_set.values_list("number", "outcome")) == [
        (number, "unavailable") for number in (1, 2, 3)
    ]
    assert len({request.delivery_id for request in third_party.requests}) == 1


@pytest.mark.slow
def test_a_retry_that_succeeds_ends_as_sent(
    sender: Sender, clock: Clock, make_deliveries: Make, third_party: ThirdParty
) -> None:
    third_party.behave("fail:2")
    (delivery,) = make_deliveries(1, third_party.url)
    for _ in range(3):
        settle(sender)
        clock.forward(3.01)
    delivery.refresh_from_db()
    assert (delivery.status, delivery.reason, delivery.attempts) == ("sent", "", 3)


@pytest.mark.slow
@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422, 302])
def test_a_refusal_is_final_at_once(
    sender: Sender, clock: Clock, make_deliveries: Make, third_party: ThirdParty, status: int
) -> None:
    third_party.behave(f"status:{status}")
    (delivery,) = make_deliveries(1, third_party.url)
    settle(sender)
    clock.forward(60)
    settle(sender)
    delivery.refresh_from_db()
    assert (delivery.status, delivery.reason) == ("failed", "rejected")
    assert delivery.attempt_set.get().status_code == status
    assert len(third_party.requests) == 1


def until_told(count: int, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while statuses() != {"sent": count}:
        assert time.monotonic() < deadline, statuses()
        time.sleep(0.05)


@pytest.mark.slow
def test_a_burst_at_a_provider_with_a_limit_is_told_in_the_end(
    sender: Sender, make_deliveries: Make, third_party: ThirdParty
) -> None:
    """25 a second of 200: three attempts, three seconds apart, would not last so long."""
    third_party.behave("limit:25,1")
    make_deliveries(200, third_party.url)
    sender.wake()
    until_told(200, timeout_s=40)
    assert not Delivery.objects.filter(status="failed").exists()
    refused = Attempt.objects.filter(outcome="unavailable")
    assert {(each.status_code, each.error) for each in refused} == {(429, "answered 429")}
    assert Attempt.objects.count() == len(third_party.requests)
    # In each of eight rounds at most what was under way, which is little more than what was just accepted.
    assert refused.count() < 400, "the lane went on though it had been asked to wait"


@pytest.mark.slow
def test_one_answer_that_asks_for_less_holds_the_whole_lane(
    sender: Sender, make_deliveries: Make, third_party: ThirdParty, settings: Settings
) -> None:
    settings.CHANNEL_POLICIES = {"webhook": {"concurrency": 4}}
    third_party.behave("retry_after:40")
    make_deliveries(300, third_party.url)
    settle(sender)
    assert 1 <= len(third_party.requests) <= 4
    assert statuses() == {"pending": 300}
    put_back = Delivery.objects.filter(reason="too_fast")
    assert put_back.count() == len(third_party.requests)
    assert set(put_back.values_list("attempts", "outgoing__failures")) == {(1, 0)}
    assert set(Delivery.objects.exclude(reason="too_fast").values_list("attempts", flat=True)) == {0}


@pytest.mark.slow
def test_what_comes_too_fast_is_put_back_for_longer_each_time_until_it_is_too_old(
    clock: Clock, make_deliveries: Make, third_party: ThirdParty
) -> None:
    third_party.behave("status:429")
    (delivery,) = make_deliveries(1, third_party.url)
    waits = []
    for _ in range(5):
        worker = Sender(clock=clock)
        worker.start()
        settle(worker)
        worker.stop()
        delivery.refresh_from_db()
        waits.append((delivery.due_at - clock()).total_seconds())
        clock.forward(waits[-1] + 1)  # until when all workers hold the lane
    assert waits == [pytest.approx(wait_s, abs=0.9) for wait_s in (1, 2, 4, 8, 16)]
    assert (delivery.status, delivery.attempts) == ("pending", 5)
    assert Outgoing.objects.get().failures == 0
    clock.forward(24 * 3600)
    assert expire(clock()) == 1


@pytest.mark.slow
def test_nothing_that_was_claimed_is_sent_into_an_open_breaker(
    sender: Sender, make_deliveries: Make, third_party: ThirdParty, settings: Settings
) -> None:
    settings.CHANNEL_POLICIES = {"webhook": {"concurrency": 4}}
    settings.BREAKER_FAILURES, settings.BREAKER_AFTER_S = 3, 0.0
    third_party.behave("status:503")
    make_deliveries(300, third_party.url)
    settle(sender)
    assert len(third_party.requests) <= 6
    assert statuses() == {"pending": 300}
    assert set(Delivery.objects.exclude(reason="retry").values_list("attempts", flat=True)) == {0}


@pytest.mark.slow
def test_a_rate_is_kept_to_and_what_is_revocable_goes_first(
    sender: Sender, make_deliveries: Make, third_party: ThirdParty, settings: Settings
) -> None:
    settings.CHANNEL_POLICIES = {"webhook": {"rate": 10}}
    make_deliveries(20, third_party.url)
    (urgent,) = make_deliveries(1, third_party.url, revocable=True)
    sender.wake()
    third_party.wait_for(21, timeout=10)
    began = [request.at for request in third_party.requests]
    assert 1.7 <= began[-1] - began[0] <= 4
    place = [request.delivery_id for request in third_party.requests].index(str(urgent.pk))
    assert place < 4


def test_retry_after_is_honoured(sender: Sender, make_deliveries: Make, third_party: ThirdParty) -> None:
    third_party.behave("retry_after:40")
    (delivery,) = make_deliveries(1, third_party.url)
    settle(sender)
    delivery.refresh_from_db()
    wait_s = (delivery.due_at - delivery.attempt_set.get().started_at).total_seconds()
    assert wait_s == pytest.approx(40, abs=1)


def test_the_last_failure_is_logged_as_an_error(
    sender: Sender, make_deliveries: Make, third_party: ThirdParty, caplog: pytest.LogCaptureFixture
) -> None:
    third_party.behave("status:404")
    (delivery,) = make_deliveries(1, third_party.url)
    settle(sender)
    errors = [record for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 1
    assert str(delivery.pk) in errors[0].getMessage()
    assert third_party.url not in errors[0].getMessage()


@pytest.mark.slow
def test_failures_are_kept_and_replayed_one_or_many(
    sender: Sender, make_deliveries: Make, third_party: ThirdParty
) -> None:
    third_party.behave("status:404")
    made = make_deliveries(5, third_party.url)
    settle(sender)
    assert statuses() == {"failed": 5}
    third_party.behave("ok")
    assert replay(Delivery.objects.filter(pk=made[0].pk)) == 1
    settle(sender)
    assert statuses() == {"failed": 4, "sent": 1}
    assert replay(Delivery.objects.all()) == 4
    settle(sender)
    assert statuses() == {"sent": 5}
    assert all(count == 2 for count in third_party.counts().values())
    first = Delivery.objects.get(pk=made[0].pk)
    assert (first.replays, first.attempts) == (1, 2)


@pytest.mark.slow
def test_a_replay_has_the_full_retry_budget_again(
    sender: Sender, clock: Clock, make_deliveries: Make, third_party: ThirdParty
) -> None:
    third_party.behave("status:503")
    (delivery,) = make_deliveries(1, third_party.url)
    for _ in range(4):
        settle(sender)
        clock.forward(3.01)
    replay(Delivery.objects.all())
    for _ in range(4):
        settle(sender)
        clock.forward(3.01)
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == ("failed", 6)


def test_what_is_not_failed_is_not_replayed(
    sender: Sender, make_deliveries: Make, third_party: ThirdParty
) -> None:
    make_deliveries(2, third_party.url)
    settle(sender)
    assert replay(Delivery.objects.all()) == 0


def test_a_lost_lease_makes_a_delivery_due_again_under_the_same_id(
    sender: Sender, clock: Clock, make_deliveries: Make, third_party: ThirdParty
) -> None:
    died_at = timezone.now() - timedelta(seconds=5)
    made = make_deliveries(3, third_party.url, status="sending", lease_until=died_at, attempts=1)
    settle(sender)
    assert third_party.counts() == {str(each.pk): 1 for each in made}
    assert set(Attempt.objects.values_list("number", "outcome")) == {(1, "lost"), (2, "sent")}


def test_a_lease_that_still_runs_is_left_alone(
    sender: Sender, clock: Clock, make_deliveries: Make, third_party: ThirdParty
) -> None:
    lease_until = timezone.now() + timedelta(seconds=20)
    make_deliveries(1, third_party.url, status="sending", lease_until=lease_until, attempts=1)
    settle(sender)
    assert third_party.requests == []
    clock.forward(20.01)
    settle(sender)
    assert statuses() == {"sent": 1}


@pytest.mark.slow
@pytest.mark.parametrize("revocable", [False, True])
def test_a_delivery_that_costs_worker_after_worker_is_given_up(
    sender: Sender, make_deliveries: Make, third_party: ThirdParty, revocable: bool
) -> None:
    (delivery,) = make_deliveries(
        1,
        third_party.url,
        status="sending",
        revocable=revocable,
        lease_until=timezone.now() - timedelta(seconds=1),
        attempts=MAX_LOST_LEASES,
        lost_leases=MAX_LOST_LEASES - 1,
    )
    settle(sender)
    delivery.refresh_from_db()
    assert (delivery.status, delivery.reason) == ("failed", "workers_lost")
    assert delivery.attempts == MAX_LOST_LEASES
    assert delivery.attempt_set.get(number=MAX_LOST_LEASES).outcome == "lost"
    assert third_party.requests == []


@pytest.mark.slow
@pytest.mark.parametrize("revocable", [False, True])
def test_what_was_stopped_while_a_worker_had_it_ends_when_that_one_is_lost(
    sender: Sender, make_deliveries: Make, third_party: ThirdParty, revocable: bool
) -> None:
    died_at = timezone.now() - timedelta(seconds=1)
    (delivery,) = make_deliveries(
        1, third_party.url, status="sending", revocable=revocable, lease_until=died_at, revoked_at=died_at
    )
    settle(sender)
    delivery.refresh_from_db()
    assert (delivery.status, delivery.reason, delivery.attempts) == ("cancelled", "revoked_lost", 1)
    assert third_party.requests == []


@pytest.mark.slow
def test_a_late_outcome_of_a_lost_lease_ends_what_nobody_has_claimed_since(
    sender: Sender, clock: Clock, make_deliveries: Make, third_party: ThirdParty
) -> None:
    third_party.behave("slow:700")
    (delivery,) = make_deliveries(1, third_party.url)
    sender.wake()
    third_party.wait_for(1)
    # Lost, and due again later.
    died_at = timezone.now() - timedelta(seconds=1)
    Outgoing.objects.update(lease_until=died_at, due_at=timezone.now() + timedelta(hours=1))
    settle(sender)
    delivery.refresh_from_db()
    assert delivery.status == "sent"
    assert delivery.attempt_set.get().outcome == "sent"


def test_what_is_too_old_expires(clock: Clock, make_deliveries: Make) -> None:
    make_deliveries(2, "https://hooks.example.com/")
    clock.forward(86_400 + 1)
    assert expire(clock()) == 2
    assert set(Delivery.objects.values_list("status", "reason")) == {("expired", "too_old")}
    assert replay(Delivery.objects.all()) == 2


@pytest.mark.slow
def test_a_hung_destination_does_not_slow_another(
    sender: Sender, make_deliveries: Make, third_party: ThirdParty
) -> None:
    with ThirdParty() as hung:
        hung.behave("hang")
        stuck = make_deliveries(400, hung.url)
        make_deliveries(400, third_party.url)
        started = time.monotonic()
        sender.wake()
        third_party.wait_for(400, timeout=8)
        assert time.monotonic() - started < 8
        under_way = Outgoing.objects.filter(pk__in=[each.pk for each in stuck], lease_until__isnull=False)
        assert 0 < under_way.count() <= 64
        hung.behave("ok")
        hung.cut_connections()


@pytest.mark.slow
@pytest.mark.parametrize(("concurrency", "lanes", "each"), [(8, 20, 10), (256, 30, 100)])
def test_no_lane_waits_for_all_others(
    sender: Sender,
    make_deliveries: Make,
    third_party: ThirdParty,
    settings: Settings,
    concurrency: int,
    lanes: int,
    each: int,
) -> None:
    settings.SENDER_CONCURRENCY = concurrency
    lane_of = {
        str(delivery.pk): number
        for number in range(lanes)
        for delivery in make_deliveries(each, third_party.url, lane=f"lane-{number:02d}")
    }
    settle(sender)
    order = [lane_of[request.delivery_id] for request in third_party.requests]
    assert len(order) == lanes * each
    assert max(order.index(number) for number in range(lanes)) < 2 * concurrency + lanes


@pytest.mark.slow
def test_thousands_of_destinations_all_get_their_turn(
    sender: Sender, make_deliveries: Make, third_party: ThirdParty
) -> None:
    made = make_deliveries(1500, third_party.url)
    queued = [Outgoing(pk=each.pk, lane=f"lane-{number:05d}") for number, each in enumerate(made)]
    Outgoing.objects.bulk_update(queued, ["lane"], batch_size=500)
    settle(sender)
    assert statuses() == {"sent": 1500}


@pytest.mark.slow
def test_a_claim_that_takes_long_yields_no_sends_that_outlive_their_lease(
    sender: Sender, clock: Clock, make_deliveries: Make, third_party: ThirdParty, settings: Settings
) -> None:
    settings.LEASE_S = 3
    third_party.behave("slow:1500")
    another = Sender(clock=clock)
    another.start()
    settle(another)
    made = make_deliveries(10, third_party.url)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE notifications_outgoing IN EXCLUSIVE MODE")
        sender.wake()
        time.sleep(2.2)  # in which it can't claim what it is about to
    deadline = time.monotonic() + 15
    while statuses() != {"sent": len(made)}:
        assert time.monotonic() < deadline, statuses()
        another.wake()
        time.sleep(0.1)
    another.stop()
    assert third_party.counts() == {str(each.pk): 1 for each in made}


@pytest.mark.slow
def test_stopping_gives_back_what_was_not_begun(
    clock: Clock, make_deliveries: Make, third_party: ThirdParty, settings: Settings
) -> None:
    settings.CHANNEL_POLICIES = {"webhook": {"timeout_s": 2}}
    third_party.behave("slow:300")
    made = make_deliveries(200, third_party.url)
    stopped = Sender(clock=clock)
    stopped.start()
    third_party.wait_for(10)
    stopped.stop()
    found = statuses()
    assert found.keys() <= {"sent", "pending"}
    assert found["sent"] == len(third_party.counts())
    assert all(each.attempts == 0 for each in Outgoing.objects.all())
    after = Sender(clock=clock)
    after.start()
    settle(after)
    after.stop()
    assert third_party.counts() == {str(each.pk): 1 for each in made}


@pytest.mark.slow
def test_a_channel_that_is_gone_fails_its_deliveries_and_no_others(
    sender: Sender, make_deliveries: Make, third_party: ThirdParty
) -> None:
    (orphan,) = make_deliveries(1, third_party.url, due_at=timezone.now() + timedelta(hours=1))
    Delivery.objects.update(channel="carrier-pigeon")
    Outgoing.objects.update(lane="loft", due_at=timezone.now())
    make_deliveries(3, third_party.url)
    settle(sender)
    orphan.refresh_from_db()
    assert (orphan.status, orphan.reason) == ("failed", "rejected")
    assert "carrier-pigeon" in orphan.attempt_set.get().error
    assert statuses() == {"failed": 1, "sent": 3}


def test_cancelling_stops_what_is_pending(
    sender: Sender, clock: Clock, make_deliveries: Make, third_party: ThirdParty
) -> None:
    make_deliveries(3, third_party.url, due_at=timezone.now() + timedelta(hours=1))
    assert cancel(Delivery.objects.all(), reason="operator") == 3
    clock.forward(2 * 3600)
    settle(sender)
    assert third_party.requests == []
    assert set(Delivery.objects.values_list("status", "reason")) == {("cancelled", "operator")}


@pytest.mark.slow
def test_cancelling_what_is_being_sent_keeps_it_from_being_tried_again(
    sender: Sender, clock: Clock, make_deliveries: Make, third_party: ThirdParty
) -> None:
    third_party.behave("slow:400")
    (delivery,) = make_deliveries(1, third_party.url)
    sender.wake()
    third_party.wait_for(1)
    third_party.behave("status:503")
    third_party.cut_connections()
    assert cancel(Delivery.objects.all(), reason="stop") == 0
    settle(sender)
    clock.forward(10)
    settle(sender)
    delivery.refresh_from_db()
    assert (delivery.status, delivery.reason) == ("cancelled", "revoked")
    assert len(third_party.requests) == 1


@pytest.mark.slow
def test_a_channel_that_outlasts_its_time_limit_is_stopped(
    sender: Sender, make_deliveries: Make, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.CHANNEL_POLICIES = {"deaf": {"timeout_s": 0.1}}
    monkeypatch.setitem(registry.CHANNELS, "deaf", Deaf())
    (delivery,) = make_deliveries(1, "nowhere", channel="deaf")
    settle(sender)
    delivery.refresh_from_db()
    assert (delivery.status, delivery.reason) == ("pending", "retry")
    assert "no answer within" in delivery.attempt_set.get().error


def test_stopping_again_leaves_alone_what_was_stopped_before(make_deliveries: Make) -> None:
    make_deliveries(1, "https://hooks.example.com/", status="failed", reason="exhausted")
    cancel(Delivery.objects.all(), reason="stopped")
    (before,) = Delivery.objects.values_list("revoked_at", flat=True)
    assert before is not None
    cancel(Delivery.objects.all(), reason="stopped")
    assert Delivery.objects.get().revoked_at == before
    assert replay(Delivery.objects.all()) == 0


@pytest.mark.slow
def test_what_comes_during_a_look_is_found_by_the_next(
    sender: Sender, make_deliveries: Make, third_party: ThirdParty, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(sender)
    look, looks = sender._claimer.due_lanes, list[int]()

    def make_one(now: datetime) -> None:
        make_deliveries(1, third_party.url, due_at=now)
        connection.close()  # of this thread

    async def slow_look(now: datetime) -> dict[str, bool]:
        found = await look(now)
        looks.append(len(found))
        if len(looks) == 1:  # the look has seen nothing of this yet
            await asyncio.to_thread(make_one, now)
            sender._wakeups.wake(revocable=False)
        return found

    monkeypatch.setattr(sender._claimer, "due_lanes", slow_look)
    sender.wake(revocable=False)
    third_party.wait_for(1)
    settle(sender)
    assert statuses() == {"sent": 1}


@pytest.mark.slow
def test_what_a_claim_brings_for_a_lane_that_was_closed_meanwhile_is_sent_once_it_opens(
    sender: Sender, make_deliveries: Make, third_party: ThirdParty, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_deliveries(1, third_party.url)
    settle(sender)
    (lane,) = sender._pump.lanes.values()
    take, held = sender._claimer.take, list[bool]()

    async def slow_take(*args: Any, **options: Any) -> Any:
        rows = await take(*args, **options)
        if rows and not held:
            held.append(True)
            lane.congested(time.monotonic(), retry_after_s=0.3)
            sender._loop.call_later(0.5, sender._wakeups.look_now)
        return rows

    monkeypatch.setattr(sender._claimer, "take", slow_take)
    make_deliveries(3, third_party.url)
    sender.wake()
    third_party.wait_for(4)
    settle(sender)
    assert statuses() == {"sent": 4}
