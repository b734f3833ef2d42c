"""Start, stop, acknowledge, time, failures and crashes in any order: the same sends as a simple model makes.

The model knows what was asked for, and what time it is. The product is the real thing: services, PostgreSQL,
the sender with a clock that stands still until it is moved, and an HTTP server that counts.
"""

import math
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from django.conf import settings as django_settings
from django.db import transaction
from django.db.models import Case, F, Q, When
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from escalation.models import EscalationProcess
from escalation.services import ending, process_acknowledge, process_start, process_stop
from notifications.engine.claim import MAX_LOST_LEASES
from notifications.engine.recipients import Recipient
from notifications.engine.sender import Sender
from notifications.models import Notification, Outgoing
from tests.escalation.conftest import StoppedClock
from tests.servers.third_party import ThirdParty


@dataclass
class Bell:
    """One notification as the model sees it: due, tried so often, or over."""

    path: str
    due_at: datetime
    tries: int = 0
    workers_lost: int = 0
    over: bool = False


class Model:
    """What the product promises, in a few lines."""

    def __init__(self) -> None:
        self.bells: dict[str, list[Bell]] = {}
        self.rung: Counter[str] = Counter()

    def is_active(self, name: str) -> bool:
        return any(not bell.over for bell in self.bells.get(name, ()))

    def start(self, name: str, bells: list[Bell]) -> bool:
        if self.is_active(name):
            return False
        self.bells[name] = bells
        return True

    def end(self, name: str) -> bool:
        was_active = self.is_active(name)
        for bell in self.bells.get(name, ()):
            bell.over = True
        return was_active

    def time_is(self, now: datetime, *, refused: bool) -> None:
        for bell in self._due(now):
            self.rung[bell.path] += 1
            bell.tries += 1
            bell.over = not refused or bell.tries == django_settings.RETRY_ATTEMPTS
            bell.due_at = now + timedelta(seconds=django_settings.RETRY_WAIT_S)

    def crash(self, until: datetime, lease_until: datetime) -> list[str]:
        """A worker dies with all that is due by then; returns what it had."""
        held = self._due(until)
        for bell in held:
            bell.due_at = lease_until + timedelta(microseconds=1)  # and no try of its budget is used up
            bell.workers_lost += 1
        return [bell.path for bell in held]

    def _due(self, by: datetime) -> list[Bell]:
        """Return what may ring by then: a bell that has cost too many workers is given up instead."""
        due = [bell for bells in self.bells.values() for bell in bells if not bell.over and bell.due_at <= by]
        for bell in due:
            bell.over = bell.workers_lost == MAX_LOST_LEASES
        return [bell for bell in due if not bell.over]


class Product:
    """The product, driven by the same words."""

    def __init__(self, sender: Sender, clock: StoppedClock, hooks: ThirdParty) -> None:
        self.sender, self.clock, self.hooks = sender, clock, hooks

    def start(self, name: str, bells: list[Bell]) -> bool:
        items = [Recipient("webhook", bell.due_at, self.hooks.origin + bell.path) for bell in bells]
        return process_start(process_id=name, notifications=items, now=self.clock()).created

    def stop(self, name: str) -> bool:
        return process_stop(process_id=name, now=self.clock()) is not None

    def acknowledge(self, name: str) -> None:
        process = EscalationProcess.objects.filter(process_id=name).order_by("-started_at", "-id").first()
        if process is not None:
            process_acknowledge(process=process, by="Ana", via="api", now=self.clock())

    def crash(self, paths: list[str], until: datetime, lease_until: datetime) -> None:
        """Leave the rows as a worker does that began them by `until` and died.

        What workers before it had lost was recovered by then. The sender sees all of it at once: what is
        due again may not be sent before the dead worker has it.
        """
        with transaction.atomic():
            for path in paths:
                taken = Outgoing.objects.filter(delivery__address=self.hooks.origin + path)
                count = taken.filter(Q(lease_until=None) | Q(lease_until__lt=until)).update(
                    lost_leases=F("lost_leases") + Case(When(lease_until=None, then=0), default=1),
                    lease_until=lease_until,
                    attempts=F("attempts") + 1,
                )
                assert count == 1, "the model and the product differ in what is due"

    def forward(self, seconds: float, *, refused: bool) -> None:
        # In this order: a wake that is still on its way has the sender look at any moment.
        self.hooks.behave("status:503" if refused else "ok")
        self.clock.forward(seconds)
        assert self.sender.drain(30)


@contextmanager
def product_of_one_example(hooks: ThirdParty) -> Iterator[Product]:
    """Run a product that knows of no example before, and leaves nothing to the next, whatever happens."""
    hooks.reset()
    clock = StoppedClock()
    sender = Sender(clock=clock)
    sender.start()
    try:
        yield Product(sender, clock, hooks)
    finally:
        sender.stop()
        EscalationProcess.objects.all().delete()
        Notification.objects.all().delete()


NAMES = st.sampled_from("ab")
SECONDS = st.integers(0, 12)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("start"), NAMES, st.lists(SECONDS, min_size=1, max_size=3)),
        st.tuples(st.just("stop"), NAMES),
        st.tuples(st.just("acknowledge"), NAMES),
        st.tuples(st.just("forward"), SECONDS, st.booleans()),
        st.tuples(st.just("crash"), SECONDS),
        st.tuples(st.just("look")),
    ),
    min_size=4,
    max_size=16,
)


#: The second worker dies while the first one's lease is about to end.
CRASH_OVER_A_LEASE = [("start", "a", [0]), ("crash", 1), *[("forward", 12, False)] * 2, ("crash", 6)]
#: The same bell costs one worker after the other.
CRASH_AGAIN_AND_AGAIN = [("start", "a", [0]), *[("crash", 12), *[("forward", 12, False)] * 2] * 6]


@pytest.mark.slow
@settings(
    max_examples=20,
    deadline=None,
    database=None,
    # Of two ways to fail, the second is often but the first one's echo.
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
@example(steps=CRASH_OVER_A_LEASE)
@example(steps=CRASH_AGAIN_AND_AGAIN)
def test_every_send_is_one_that_the_model_makes_and_none_is_lost(
    transactional_db: None, hooks: ThirdParty, steps: list[tuple]
) -> None:
    with product_of_one_example(hooks) as product:
        assert_does_as_the_model(product, steps)


def assert_does_as_the_model(product: Product, steps: list[tuple]) -> None:
    model, clock = Model(), product.clock
    run = f"/{uuid.uuid4().hex}"

    def forward(seconds: float, *, refused: bool = False) -> None:
        product.forward(seconds, refused=refused)
        model.time_is(clock(), refused=refused)
        assert Counter(request.path for request in product.hooks.requests) == model.rung

    for number, (what, *given_) in enumerate(steps):
        match what, *given_:
            case "start", name, delays:
                made = [
                    Bell(f"{run}/{number}/{index}", clock() + timedelta(seconds=delay + 1))
                    for index, delay in enumerate(delays)
                ]
                copies = [Bell(bell.path, bell.due_at) for bell in made]
                assert product.start(run + name, made) == model.start(name, copies)
            case "stop", name:
                assert product.stop(run + name) == model.end(name)
            case "acknowledge", name:
                product.acknowledge(run + name)
                model.end(name)
            case "forward", seconds, refused:
                forward(seconds, refused=refused)
            case "crash", seconds:
                until = clock() + timedelta(seconds=seconds)
                lease_until = until + timedelta(seconds=django_settings.LEASE_S)
                product.crash(model.crash(until, lease_until), until, lease_until)
                forward(seconds)
            case ("look",):
                ending.look(clock())
    for _ in range(4):
        forward(math.ceil(django_settings.LEASE_S) + 15)
    assert not model.is_active("a")
    ending.look(clock())
    assert not EscalationProcess.objects.filter(state="active").exists()
