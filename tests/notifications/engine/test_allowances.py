"""What people cause has an end: over it a message is not sent, and the delivery says why."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import Student, User
from notifications.audit import audit
from notifications.engine.sender import Sender
from notifications.events.running import due_runs_handle
from notifications.models import Attempt, ContactPoint, Delivery, InboxItem, Notification, Outgoing
from tests.clock import Clock
from tests.factories import ContactPointFactory, NotificationFactory, UserFactory
from tests.queued import stored
from tests.servers.smtp import MailServer
from tests.servers.third_party import ThirdParty
from tests.servers.twilio import Twilio

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def mail(settings: Any) -> Iterator[MailServer]:
    with MailServer() as server:
        settings.SMTP_HOST, settings.SMTP_PORT = "127.0.0.1", server.port
        yield server


@pytest.fixture
def rates(settings: Any) -> Callable[..., None]:
    """Set some of the rates; the others of allowances don't bind."""

    def put(**rates: str | None) -> None:
        named = {name.replace("_", "-"): rate for name, rate in rates.items()}
        none = dict.fromkeys(("paid", "paid-address", "repeats"))
        settings.RATES = settings.RATES | none | named

    return put


def settle(sender: Sender) -> None:
    assert sender.drain(20), "still at work after 20 s"


def ways(*, channel: str = "sms") -> Counter[tuple[str, str]]:
    """How deliveries by a channel have ended, and why."""
    return Counter(Delivery.objects.filter(channel=channel).values_list("status", "reason"))


def told(
    user: User,
    addresses: list[str],
    *,
    kind: str = "student.updated",
    channel: str = "sms",
    severity: str = "standard",
    source_id: str = "1",
) -> list[Delivery]:
    """Deliveries of one notification to these addresses of somebody, due now."""
    notification = NotificationFactory(
        kind=kind, severity=severity, source_type="test", source_id=source_id, dedup_key=str(uuid4())
    )
    now = timezone.now()
    return stored(
        Delivery(
            notification=notification,
            user=user,
            contact_point=ContactPoint.objects.get_or_create(user=user, channel=channel, address=address)[0],
            channel=channel,
            address=address,
            revocable=channel == "phone",
            due_at=now,
            expires_at=now + timedelta(days=3),
        )
        for address in addresses
    )


NUMBERS = [f"+3361234567{digit}" for digit in range(10)]


@pytest.mark.slow
@pytest.mark.parametrize("channel", ["sms", "phone"])
def test_a_person_costs_so_much_a_day(
    sender: Sender, clock: Clock, twilio: Twilio, rates: Any, channel: str
) -> None:
    rates(paid="3/day")
    person, other = UserFactory(), UserFactory()
    told(person, NUMBERS[:5], channel=channel)
    told(other, NUMBERS[5:7], channel=channel)
    sender.wake()
    settle(sender)
    assert ways(channel=channel) == {("sent", ""): 5, ("suppressed", "limit_person"): 2}
    assert Delivery.objects.filter(user=other, status="sent").count() == 2
    assert not Outgoing.objects.exists()
    assert Attempt.objects.count() == 5
    clock.forward(86_401)
    told(person, NUMBERS[:1], channel=channel)
    sender.wake()
    settle(sender)
    assert ways(channel=channel)["sent", ""] == 6


@pytest.mark.slow
def test_a_number_gets_so_much_a_day_whoever_has_it(sender: Sender, twilio: Twilio, rates: Any) -> None:
    rates(paid_address="2/day")
    for _ in range(4):
        told(UserFactory(), NUMBERS[:1])
    sender.wake()
    settle(sender)
    assert ways() == {("sent", ""): 2, ("suppressed", "limit_address"): 2}


@pytest.mark.slow
def test_an_address_gets_so_many_of_a_kind_a_day(sender: Sender, mail: MailServer, rates: Any) -> None:
    rates(repeats="2/day")
    for kind in ("student.updated", "dating.registered"):
        for _ in range(3):
            told(UserFactory(), ["ana@example.com"], kind=kind, channel="email")
    told(UserFactory(), ["bea@example.com"], channel="email")
    sender.wake()
    settle(sender)
    assert ways(channel="email") == {("sent", ""): 5, ("suppressed", "limit_repeats"): 2}
    assert len(mail.mails) == 5


@pytest.mark.slow
def test_an_evening_never_uses_up_what_another_has(sender: Sender, mail: MailServer, rates: Any) -> None:
    rates(repeats="2/day")
    for evening in ("1", "2", "2", "2"):
        told(UserFactory(), ["ana@example.com"], kind="dating.cancelled", channel="email", source_id=evening)
    sender.wake()
    settle(sender)
    assert ways(channel="email") == {("sent", ""): 3, ("suppressed", "limit_repeats"): 1}


@pytest.mark.slow
def test_what_follows_many_that_are_not_sent_does_not_wait(
    sender: Sender, mail: MailServer, rates: Any
) -> None:
    rates(repeats="0/day")
    for _ in range(5):
        told(UserFactory(), [f"ana{number}@example.com" for number in range(20)], channel="email")
    told(UserFactory(), ["bea@example.com"], kind="stage.accepted", channel="email")
    sender.wake()
    mail.wait_for(1)
    settle(sender)
    assert ways(channel="email")["suppressed", "limit_repeats"] == 100


def test_a_webhook_of_many_people_gets_so_many_for_each(
    sender: Sender, rates: Any, third_party: ThirdParty
) -> None:
    rates(repeats="2/day")
    for person in UserFactory.create_batch(2):
        for _ in range(3):
            told(person, [third_party.url], channel="webhook")
    sender.wake()
    settle(sender)
    assert ways(channel="webhook") == {("sent", ""): 4, ("suppressed", "limit_repeats"): 2}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "severity"),
    [
        ("alert", "standard"),
        ("alert", "critical"),
        ("escalation", "standard"),
        ("tracing.exposure", "standard"),
        ("dating.link", "critical"),
        ("student.updated", "critical"),
    ],
)
@pytest.mark.parametrize("channel", ["sms", "phone"])
def test_alerts_escalations_and_what_is_critical_have_no_limit(
    sender: Sender, twilio: Twilio, rates: Any, kind: str, severity: str, channel: str
) -> None:
    rates(paid="0/day", paid_address="0/day", repeats="0/day")
    told(UserFactory(), [NUMBERS[0], "+881623456789"], kind=kind, severity=severity, channel=channel)
    sender.wake()
    settle(sender)
    assert ways(channel=channel) == {("sent", ""): 2}


def test_a_costly_number_of_before_is_not_texted(sender: Sender, twilio: Twilio, settings: Any) -> None:
    told(UserFactory(), ["+881623456789", NUMBERS[0]])
    sender.wake()
    settle(sender)
    assert ways() == {("sent", ""): 1, ("suppressed", "number_refused"): 1}


@pytest.mark.slow
def test_another_attempt_costs_nothing_more(
    sender: Sender, clock: Clock, twilio: Twilio, rates: Any, settings: Any
) -> None:
    rates(paid="1/day", repeats="1/day")
    twilio.behave("status:503")
    told(UserFactory(), NUMBERS[:1])
    sender.wake()
    settle(sender)
    assert ways() == {("pending", "retry"): 1}
    twilio.behave("ok")
    clock.forward(60)
    sender.wake()
    settle(sender)
    assert ways() == {("sent", ""): 1}


def test_without_redis_nothing_is_held_back(
    transactional_db: None, clock: Clock, twilio: Twilio, rates: Any, settings: Any
) -> None:
    rates(paid="0/day")
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    running = Sender(clock=clock)
    running.start()
    try:
        told(UserFactory(), NUMBERS[:1])
        running.wake()
        settle(running)
    finally:
        running.stop()
    assert ways() == {("sent", ""): 1}


def run_once(clock: Clock) -> None:
    """Send what is due, from the beginning: nothing is under way yet."""
    running = Sender(clock=clock)
    running.start()
    try:
        settle(running)
    finally:
        running.stop()


def test_a_critical_call_does_not_wait_for_those_of_before(
    transactional_db: None, clock: Clock, twilio: Twilio, rates: Any, settings: Any
) -> None:
    rates()
    settings.CHANNEL_POLICIES = {"phone": {"concurrency": 1}}
    told(UserFactory(), NUMBERS[:6], channel="phone")
    told(UserFactory(), NUMBERS[6:7], channel="phone", severity="critical")
    run_once(clock)
    assert twilio.calls[0].to == NUMBERS[6]
    assert len(twilio.calls) == 7


@pytest.mark.slow
def test_calls_that_are_not_made_keep_no_others_waiting(
    transactional_db: None, clock: Clock, twilio: Twilio, rates: Any
) -> None:
    """There are more of them than are looked at at once."""
    rates(paid="0/day")
    for _ in range(15):
        told(UserFactory(), NUMBERS, channel="phone")
    told(UserFactory(), NUMBERS[:1], channel="phone", kind="alert")
    run_once(clock)
    assert ways(channel="phone") == {("suppressed", "limit_person"): 150, ("sent", ""): 1}


def test_what_was_not_sent_says_why(
    sender: Sender, twilio: Twilio, rates: Any, as_user: Callable[[User], APIClient]
) -> None:
    rates(paid="0/day")
    person = UserFactory()
    (delivery,) = told(person, NUMBERS[:1])
    sender.wake()
    settle(sender)
    shown = as_user(person).get(f"/api/v1/deliveries/{delivery.pk}/").json()
    assert (shown["status"], shown["reason"], shown["attempts"]) == ("suppressed", "limit_person", 0)
    assert "as many text messages and calls" in shown["explanation"]
    assert not audit(now=timezone.now(), settled=True).gaps


@pytest.mark.slow
def test_changing_ones_name_again_and_again_costs_no_more_than_a_days_worth(
    sender: Sender, twilio: Twilio, mail: MailServer, rates: Any, as_user: Callable[[User], APIClient]
) -> None:
    """Numbers and mailboxes of strangers, and PATCHes as quick as they are let through."""
    rates(paid="5/day", paid_address="5/day", repeats="2/day")
    person = UserFactory()
    Student.objects.create(user=person)
    for number in range(8):
        ContactPointFactory(user=person, channel="sms", address=NUMBERS[number])
        ContactPointFactory(user=person, channel="email", address=f"stranger{number}@example.com")
    for name in ("Zoé", "Zoe", "Zoa", "Zou"):
        as_user(person).patch("/api/v1/users/me/", {"first_name": name})
    while due_runs_handle(clock=lambda: timezone.now() + timedelta(minutes=1)):
        pass
    sender.wake()
    settle(sender)
    assert len(mail.mails) == 2 * 8
    assert ways()["sent", ""] == 5
    assert sum(ways().values()) == 4 * 8
    # Their inbox has it all.
    updates = Notification.objects.filter(kind="student.updated")
    assert InboxItem.objects.filter(user=person, notification__in=updates).count() == updates.count() == 4
