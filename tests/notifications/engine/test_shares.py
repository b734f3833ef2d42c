"""Nobody waits for what comes to one person beyond their share."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts.models import Student, User
from accounts.services.verifications import verification_send
from notifications.engine.fanout import notify, people
from notifications.engine.sender import Sender
from notifications.engine.sweep import expire
from notifications.events.outbox import event_publish
from notifications.events.running import due_runs_handle
from notifications.models import BEHIND, ContactPoint, Delivery, Notification, Outgoing
from tests.factories import ContactPointFactory, NotificationFactory, UserFactory
from tests.servers.smtp import MailServer
from tests.servers.third_party import ThirdParty

pytestmark = pytest.mark.django_db(transaction=True)

POINTS = 20
#: Mails under way at once.
AT_ONCE = 8


@pytest.fixture
def mail(settings: Any) -> Iterator[MailServer]:
    """The server of all contact points that are made after it: each keeps its lane."""
    settings.CHANNEL_POLICIES = {"email": {"concurrency": AT_ONCE}}
    with MailServer() as server:
        settings.SMTP_HOST, settings.SMTP_PORT = "127.0.0.1", server.port
        yield server


@pytest.fixture
def crowd() -> User:
    """A student with many mailboxes."""
    person = UserFactory()
    Student.objects.create(user=person)
    for number in range(POINTS):
        ContactPointFactory(user=person, channel="email", address=f"crowd{number}@example.com")
    return person


def update(person: User, times: int) -> None:
    """Have somebody's profile change so often, and the events of it handled."""
    student = Student.objects.get(user=person)
    payload = {"student_id": str(student.pk), "user_id": str(person.pk), "changes": ["first_name"]}
    for _ in range(times):
        event_publish(routing_key="student.updated", payload=payload)
    while due_runs_handle(clock=lambda: timezone.now() + timedelta(minutes=1)):
        pass


def told(person: User, *, severity: str = "standard") -> Notification:
    notification = NotificationFactory.build(
        kind="stage.accepted", severity=severity, source_type="test", dedup_key=str(uuid4())
    )
    notify(notification, people([person.pk], as_of=timezone.now()), inbox=True)
    return notification


def priorities(person: User) -> Counter[int]:
    rows = Outgoing.objects.filter(delivery__user=person)
    return Counter(rows.values_list("priority", flat=True))


@pytest.mark.slow
def test_what_is_beyond_somebodys_share_goes_behind(crowd: User, settings: Any) -> None:
    settings.PERSON_SHARE = 30
    update(crowd, 5)
    # Two messages were begun within it.
    assert priorities(crowd) == {1: 2 * POINTS, BEHIND: 3 * POINTS}
    told(crowd, severity="critical")
    assert priorities(crowd)[0] == POINTS
    other = ContactPointFactory(channel="email", address="other@example.com").user
    told(other)
    assert priorities(other) == {1: 1}


def test_a_share_is_of_the_last_minute(crowd: User, settings: Any) -> None:
    settings.PERSON_SHARE = 30
    earlier = timezone.now() - timedelta(minutes=3)
    for _ in range(3):
        notification = NotificationFactory.build(kind="stage.accepted", dedup_key=str(uuid4()))
        ContactPoint.objects.update(confirmed_at=earlier)
        notify(notification, people([crowd.pk], as_of=earlier), inbox=True)
    assert priorities(crowd) == {1: 2 * POINTS, BEHIND: POINTS}
    told(crowd)
    assert priorities(crowd) == {1: 3 * POINTS, BEHIND: POINTS}


@pytest.mark.slow
def test_what_is_behind_is_sent_too_and_ends_where_it_is_too_old(
    mail: MailServer, crowd: User, settings: Any
) -> None:
    settings.PERSON_SHARE = 0
    update(crowd, 4)
    assert priorities(crowd) == {BEHIND: 4 * POINTS}
    aged = Outgoing.objects.filter(delivery__user=crowd).values_list("pk")[:5]
    Outgoing.objects.filter(pk__in=list(aged)).update(expires_at=timezone.now() - timedelta(seconds=1))
    expire(timezone.now())
    running = Sender()
    running.start()
    try:
        assert running.drain(20)
    finally:
        running.stop()
    ends = Delivery.objects.filter(channel="email").values_list("status", flat=True)
    assert Counter(ends) == {"sent": 4 * POINTS - 5, "expired": 5}


@pytest.mark.slow
@pytest.mark.parametrize("what", ["critical", "standard", "code"])
def test_others_do_not_wait_for_it(mail: MailServer, crowd: User, settings: Any, what: str) -> None:
    """At half a second a mail, the 160 mails of one person keep the only lane busy for over ten seconds."""
    mail.takes_s, settings.PERSON_SHARE = 0.5, 0
    member = ContactPointFactory(channel="email", address="member@example.com").user
    update(crowd, 8)
    running = Sender()
    running.start()
    try:
        mail.wait_for(10, timeout=30)
        settings.PERSON_SHARE = 30
        before = len(mail.mails)
        if what == "code":
            verification_send(user=member, purpose="email", now=timezone.now())
        else:
            told(member, severity=what)
        running.wake()
        mail.wait_until(lambda: bool(places(mail, member)), 30, lambda: "no mail came")
    finally:
        running.stop()
    # Those that were under way, and those that ended together with it.
    assert places(mail, member)[0] - before <= 2 * AT_ONCE
    assert len(mail.mails) < 160


def places(mail: MailServer, person: User) -> list[int]:
    """Where among all mails those to somebody stand."""
    theirs = {"member@example.com", person.email}
    return [place for place, each in enumerate(list(mail.mails)) if theirs & set(each.recipients)]


@pytest.mark.slow
def test_a_host_that_somebodys_own_path_keeps_closed_holds_up_an_alert_by_one_probe(
    third_party: ThirdParty, make_deliveries: Any, settings: Any
) -> None:
    settings.CHANNEL_POLICIES = {"webhook": {"concurrency": 2}}
    settings.BREAKER_FAILURES, settings.BREAKER_AFTER_S = 3, 0.0
    settings.BREAKER_PROBE_S = settings.BREAKER_PROBE_MAX_S = 1.0
    third_party.behave("status:503", path="/mine")
    make_deliveries(60, f"{third_party.origin}/mine")
    running = Sender()
    running.start()
    try:
        third_party.wait_for(6, timeout=20)  # closed by the third and what was under way; then come probes
        before = len(third_party.requests)
        critical = NotificationFactory(severity="critical")
        make_deliveries(1, f"{third_party.origin}/theirs", notification=critical, priority=0)
        running.wake()
        third_party.wait_until(lambda: bool(theirs(third_party)), 20, lambda: "no alert came")
    finally:
        running.stop()
    assert theirs(third_party)[0] - before <= 2  # a probe may have been under way


def theirs(third_party: ThirdParty) -> list[int]:
    return [place for place, each in enumerate(third_party.requests) if each.path == "/theirs"]
