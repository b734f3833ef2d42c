"""Several deliveries of one destination in one request: each keeps an outcome of its own."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from notifications.channels import registry
from notifications.channels.webhook import WebhookChannel
from notifications.engine import wake
from notifications.engine.fanout.alerts import alerts_fan_out
from notifications.engine.sender import Sender
from notifications.models import Attempt, ContactPoint, Delivery, Notification, Outgoing, Undelivered
from tests.clock import Clock
from tests.factories import (
    AlertFactory,
    ContactPointFactory,
    MembershipFactory,
    NotificationFactory,
    ShopFactory,
    UserFactory,
)
from tests.notifications.engine.conftest import statuses
from tests.queued import split, stored
from tests.servers.behaviour import Behaviour, Reply, answer
from tests.servers.third_party import Request, ThirdParty

Make = Callable[..., list[Delivery]]
FORMATS = {"application/cloudevents-batch+json", "application/x-ndjson"}


@pytest.fixture
def batched(transactional_db: None, owner: User, third_party: ThirdParty) -> Make:
    """Pending deliveries of as many notifications to one contact point, due now."""

    def build(count: int, *, batch: int = 10, linger_ms: int = 0, **fields: Any) -> list[Delivery]:
        point, _ = ContactPoint.objects.get_or_create(
            user=owner,
            channel="webhook",
            address=f"{third_party.origin}/hook",
            defaults={"batch": batch, "linger_ms": linger_ms, "batch_format": "ndjson"},
        )
        history, queue = split(fields)
        now = timezone.now()
        deliveries = [
            Delivery(
                **{
                    "notification": told,
                    "user": owner,
                    "contact_point": point,
                    "channel": "webhook",
                    "address": point.address,
                    "due_at": now,
                    "expires_at": now + timedelta(days=1),
                    **history,
                }
            )
            for told in Notification.objects.bulk_create(NotificationFactory.build_batch(count))
        ]
        return stored(deliveries, **queue)

    return build


def settle(sender: Sender) -> None:
    assert sender.drain(20), "still at work after 20 s"


def sizes(third_party: ThirdParty) -> list[int]:
    return [len(request.ids) for request in third_party.requests]


def names(deliveries: list[Delivery]) -> set[str]:
    return {str(each.pk) for each in deliveries}


def judging(judge: Callable[[str], int], *, status: int = 207) -> Behaviour:
    """Answer with a verdict for each."""

    def behave(request: Request) -> Reply:
        results = [{"id": each, "status": judge(each)} for each in request.ids]
        return Reply(answer(status, body=json.dumps({"results": results}).encode()))

    return behave


@pytest.mark.slow
def test_many_are_told_in_few_requests_and_each_is_written_down(
    sender: Sender, batched: Make, third_party: ThirdParty
) -> None:
    made = batched(200, batch=50)
    settle(sender)
    assert third_party.counts() == dict.fromkeys(names(made), 1)
    assert max(sizes(third_party)) == 50
    assert len(third_party.requests) <= 12
    assert {request.headers["content-type"] for request in third_party.requests} <= FORMATS
    assert statuses() == {"sent": 200}
    attempts = Attempt.objects.values_list("delivery_id", "number", "outcome", "status_code")
    assert set(attempts) == {(each.pk, 1, "sent", 200) for each in made}
    assert sender._pump.claimed == 0
    assert [(lane.in_flight, lane.gathered) for lane in sender._pump.lanes.values()] == [(0, 0)]


@pytest.mark.slow
def test_the_first_waits_for_others_but_not_when_there_are_enough(
    sender: Sender, batched: Make, third_party: ThirdParty
) -> None:
    settle(sender)
    batched(3, batch=5, linger_ms=700)
    began = time.monotonic()
    sender.wake()
    time.sleep(0.3)
    assert third_party.requests == []
    assert Outgoing.objects.filter(lease_until=None).count() == 0
    batched(1)
    sender.wake()
    third_party.wait_for(1)
    assert 0.6 <= third_party.requests[0].received_at - began < 1.5
    assert sizes(third_party) == [4]
    batched(5)
    began = time.monotonic()
    sender.wake()
    third_party.wait_for(2)
    assert third_party.requests[1].received_at - began < 0.5
    assert sizes(third_party) == [4, 5]


@pytest.mark.slow
def test_what_is_not_batched_waits_for_nobody(
    sender: Sender, batched: Make, make_deliveries: Make, third_party: ThirdParty
) -> None:
    settle(sender)
    batched(3, linger_ms=1500)
    single = make_deliveries(20, third_party.url)
    sender.wake()
    third_party.wait_for(20, timeout=1.2)
    assert set(third_party.counts()) == names(single)
    assert {request.headers["content-type"] for request in third_party.requests} == {"application/json"}
    settle(sender)
    assert statuses() == {"sent": 23}
    assert sizes(third_party) == [1] * 20 + [3]


@pytest.mark.slow
def test_each_has_the_outcome_that_the_answer_names(
    sender: Sender, clock: Clock, batched: Make, third_party: ThirdParty
) -> None:
    made = batched(6)
    status = dict(zip(sorted(names(made)), (200, 422, 503, 200, 410, 200), strict=True))
    third_party.behave(judging(lambda name: status[name]))
    settle(sender)
    assert sizes(third_party) == [6]
    found = {str(row.pk): (row.state, row.reason) for row in Delivery.objects.select_related("outgoing")}
    expected = {200: ("sent", ""), 422: ("failed", "rejected"), 410: ("failed", "rejected")}
    assert found == {name: expected.get(code, ("pending", "retry")) for name, code in status.items()}
    assert dict(Attempt.objects.values_list("delivery_id", "status_code")) == {
        each.pk: status[str(each.pk)] for each in made
    }
    assert Undelivered.objects.count() == 2
    third_party.behave("ok")
    clock.forward(3.01)
    settle(sender)
    assert third_party.requests[-1].ids == [name for name, code in status.items() if code == 503]
    assert statuses() == {"sent": 4, "failed": 2}


class Deaf(WebhookChannel):
    """Keeps to no time limit."""

    async def send_batch(self, *_: Any) -> Any:
        await asyncio.sleep(5)


@pytest.mark.slow
def test_one_that_outlasts_its_time_limit_is_stopped(
    sender: Sender, batched: Make, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.CHANNEL_POLICIES = {"webhook": {"timeout_s": 0.1}}
    monkeypatch.setitem(registry.CHANNELS, "webhook", Deaf())
    made = batched(3)
    settle(sender)
    assert statuses() == {"pending": 3}
    assert all("no answer within" in each.attempt_set.get().error for each in made)


@pytest.mark.slow
def test_what_failed_together_is_tried_in_smaller_ones_and_at_last_alone(
    sender: Sender, clock: Clock, batched: Make, third_party: ThirdParty
) -> None:
    """A receiver that fails at one of them, half-way through, costs that one alone."""
    made = batched(16, batch=16)
    (poison, *_) = sorted(names(made))
    third_party.behave(lambda request: Reply(answer(500 if poison in request.ids else 200)))
    settle(sender)
    assert sizes(third_party) == [16]
    assert statuses() == {"pending": 16}
    clock.forward(3.01)
    settle(sender)
    assert sizes(third_party)[1:] == [4] * 4
    assert statuses() == {"sent": 12, "pending": 4}
    clock.forward(3.01)
    settle(sender)
    assert sizes(third_party)[5:] == [1] * 4
    assert statuses() == {"sent": 15, "failed": 1}
    failed = Delivery.objects.get(status="failed")
    assert (str(failed.pk), failed.reason, failed.attempts) == (poison, "exhausted", 3)


@pytest.mark.slow
@pytest.mark.parametrize("status", [400, 413])
def test_a_refused_one_is_told_in_halves_until_the_poison_is_found(
    sender: Sender, batched: Make, third_party: ThirdParty, status: int
) -> None:
    made = batched(64, batch=64)
    poison = set(sorted(names(made))[10:12])
    third_party.behave(lambda request: Reply(answer(200 if poison.isdisjoint(request.ids) else status)))
    settle(sender)
    assert statuses() == {"sent": 62, "failed": 2}
    failed = Delivery.objects.filter(status="failed")
    assert names(list(failed)) == poison
    assert {(each.reason, each.attempts) for each in failed} == {("rejected", 1)}
    assert Attempt.objects.count() == 64, "only what came of each in the end is an attempt of it"
    assert len(third_party.requests) <= 2 * 2 * 6 + 4
    assert sender._pump.claimed == 0
    assert [(lane.in_flight, lane.gathered) for lane in sender._pump.lanes.values()] == [(0, 0)]


@pytest.mark.slow
def test_a_receiver_that_refuses_all_gets_at_most_twice_as_many_requests(
    sender: Sender, batched: Make, third_party: ThirdParty
) -> None:
    third_party.behave("status:400")
    batched(32, batch=32)
    settle(sender)
    assert statuses() == {"failed": 32}
    assert len(third_party.requests) <= 2 * 32


def test_any_other_refusal_is_of_all(sender: Sender, batched: Make, third_party: ThirdParty) -> None:
    third_party.behave("status:403")
    batched(8)
    settle(sender)
    assert statuses() == {"failed": 8}
    assert sizes(third_party) == [8]


@pytest.mark.slow
def test_halves_for_which_the_lease_is_too_short_are_tried_again(
    sender: Sender, batched: Make, third_party: ThirdParty, settings: Settings
) -> None:
    settings.LEASE_S = 1.2  # they are to begin within 0.4 s
    refusal = answer(400)
    third_party.behave(lambda request: Reply(refusal, delay_s=0.5))
    batched(4, batch=4)
    settle(sender)
    assert sizes(third_party) == [4]
    assert statuses() == {"pending": 4}
    attempts = Attempt.objects.values_list("number", "outcome", "error")
    assert set(attempts) == {
        (1, "unavailable", "refused together with others, and too late to be told apart")
    }


def test_what_can_be_stopped_comes_alone(sender: Sender, batched: Make, third_party: ThirdParty) -> None:
    settle(sender)
    made = batched(4, batch=10, linger_ms=500, revocable=True)
    sender.wake()
    third_party.wait_for(4, timeout=2)
    assert sizes(third_party) == [1] * 4
    assert {request.headers["content-type"] for request in third_party.requests} == {"application/json"}
    assert third_party.counts() == dict.fromkeys(names(made), 1)


@pytest.mark.slow
def test_a_rate_counts_requests(
    transactional_db: None, clock: Clock, batched: Make, third_party: ThirdParty, settings: Settings
) -> None:
    settings.CHANNEL_POLICIES = {"webhook": {"rate": 5}}
    batched(100, batch=20, linger_ms=100)
    worker = Sender(clock=clock)
    worker.start()
    third_party.wait_until(lambda: sum(sizes(third_party)) == 100, 10, lambda: str(sizes(third_party)))
    worker.stop()
    began = [request.received_at for request in third_party.requests]
    assert began[-1] - began[0] >= (len(began) - 2) / 5 - 0.1
    assert len(began) <= 15


def test_a_breaker_counts_requests(
    sender: Sender, batched: Make, third_party: ThirdParty, settings: Settings
) -> None:
    settings.BREAKER_FAILURES, settings.BREAKER_AFTER_S = 3, 0.0
    third_party.behave("status:503")
    batched(20, batch=20, linger_ms=200)
    settle(sender)
    assert sizes(third_party) == [20]
    (lane,) = sender._pump.lanes.values()
    assert (lane.breaker.failures, lane.breaker.is_open) == (1, False)


def test_a_destination_that_asks_for_less_holds_its_lane_and_nobody_has_failed(
    sender: Sender, batched: Make, third_party: ThirdParty
) -> None:
    third_party.behave("retry_after:40")
    batched(10, linger_ms=200)
    settle(sender)
    assert sizes(third_party) == [10]
    assert set(Delivery.objects.values_list("reason", "attempts", "outgoing__failures")) == {
        ("too_fast", 1, 0)
    }


@pytest.mark.slow
def test_one_that_comes_too_fast_slows_the_lane_down(
    sender: Sender, batched: Make, third_party: ThirdParty
) -> None:
    made = batched(4, linger_ms=200)
    (first, *_) = sorted(names(made))
    third_party.behave(judging(lambda name: 429 if name == first else 200))
    settle(sender)
    assert statuses() == {"sent": 3, "pending": 1}
    assert Delivery.objects.get(status="pending").reason == "too_fast"
    assert next(iter(sender._pump.lanes.values())).held_until > time.monotonic()


def until_claimed() -> None:
    deadline = time.monotonic() + 10
    while Outgoing.objects.filter(lease_until=None).exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
def test_what_lingers_is_given_back_where_its_lane_is_held_and_not_sent_even_so(
    sender: Sender, batched: Make, make_deliveries: Make, third_party: ThirdParty
) -> None:
    settle(sender)
    batched(3, linger_ms=1200)
    sender.wake()
    until_claimed()
    third_party.behave("retry_after:40")
    make_deliveries(1, third_party.url)
    sender.wake()
    third_party.wait_for(1, timeout=1)
    time.sleep(1.5)  # longer than it would have lingered
    settle(sender)
    assert sizes(third_party) == [1]
    assert sorted(Outgoing.objects.values_list("lease_until", "attempts")) == [(None, 0)] * 3 + [(None, 1)]
    assert sender._pump.claimed == 0


def test_a_destination_that_asks_for_no_batches_has_no_part_in_them(
    sender: Sender, make_deliveries: Make, third_party: ThirdParty
) -> None:
    made = make_deliveries(40, third_party.url)
    settle(sender)
    assert third_party.counts() == dict.fromkeys(names(made), 1)
    assert sizes(third_party) == [1] * 40
    (lane,) = sender._pump.lanes.values()
    assert (lane.batch, lane.gathered, lane.parcels) == (1, 0, {})


def test_what_lingers_is_given_back_at_a_stop(
    transactional_db: None, clock: Clock, batched: Make, third_party: ThirdParty
) -> None:
    batched(5, linger_ms=5000)
    worker = Sender(clock=clock)
    worker.start()
    until_claimed()
    worker.stop()
    assert third_party.requests == []
    assert set(Outgoing.objects.values_list("lease_until", "attempts")) == {(None, 0)}


@pytest.mark.slow
def test_critical_ones_are_not_kept_behind_others(
    sender: Sender, batched: Make, third_party: ThirdParty, settings: Settings
) -> None:
    settings.CHANNEL_POLICIES = {"webhook": {"concurrency": 1}}
    third_party.behave("slow:200")
    batched(30, batch=10, priority=1)
    critical = batched(5, priority=0)
    settle(sender)
    assert statuses() == {"sent": 35}
    order = [set(request.ids) for request in third_party.requests]
    assert order[0] == names(critical)


@pytest.mark.slow
def test_what_is_born_claimed_is_batched_too(
    sender: Sender, owner: User, third_party: ThirdParty, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(sender)
    monkeypatch.setattr(wake, "sender", sender)
    shop = ShopFactory()
    MembershipFactory(user=owner, shop=shop)
    ContactPointFactory(
        user=owner, channel="webhook", address=third_party.url, batch=4, linger_ms=1000, batch_format="ndjson"
    )
    for _ in range(4):
        AlertFactory(shop=shop, label="theft")
    alerts_fan_out()
    third_party.wait_for(1)
    settle(sender)
    assert sizes(third_party) == [4]
    assert statuses() == {"sent": 4}
    assert {each["type"] for each in third_party.requests[0].events} == {"alert"}


@pytest.fixture
def to_the_third_party(
    transactional_db: None, clock: Clock, third_party: ThirdParty, settings: Settings
) -> Iterator[Sender]:
    settings.THIRD_PARTY_BATCH, settings.THIRD_PARTY_LINGER_MS = 20, 200
    running = Sender(clock=clock)
    running.start()
    yield running
    running.stop()


def test_the_third_party_is_told_of_many_people_at_once(
    to_the_third_party: Sender, third_party: ThirdParty
) -> None:
    told = NotificationFactory()
    now = timezone.now()
    people = User.objects.bulk_create(UserFactory.build_batch(40, password="!"))
    made = stored(
        Delivery(
            notification=told,
            user=person,
            channel="third_party",
            address=third_party.url,
            due_at=now,
            expires_at=now + timedelta(days=1),
        )
        for person in people
    )
    settle(to_the_third_party)
    assert third_party.counts() == dict.fromkeys(names(made), 1)
    assert len(third_party.requests) <= 4
    users = Counter(data["target_user_uuid"] for request in third_party.requests for _, data in request.told)
    assert users == {str(person.pk): 1 for person in people}
    (lane,) = to_the_third_party._pump.lanes
    assert lane == registry.get("third_party").lane(third_party.url)
