"""What quiet hours held back comes as one message, exactly once, and never not at all."""

import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any

import django_rq
import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from redis import Redis

from accounts.models import User
from notifications import jobs
from notifications.audit import audit
from notifications.engine import digest, replay, stop
from notifications.engine import jobs as engine_jobs
from notifications.engine.digest import ANY_RIPE, digests_send, ending_of
from notifications.engine.sender import Sender
from notifications.explanations import explain
from notifications.looks import ask
from notifications.models import ContactPoint, Delivery, Notification, Outgoing, Preference, Subscription
from notifications.reasons import Reason
from notifications.services.contact_points import contact_point_update
from notifications.services.preferences import preference_set, subscription_set
from tests.clock import Clock
from tests.factories import ContactPointFactory, PreferenceFactory, UserFactory
from tests.notifications.engine.conftest import sender  # noqa: F401  (a fixture)
from tests.notifications.preferences.conftest import Tell, fan_out, told_of
from tests.servers.smtp import MailServer

NIGHT = datetime(2026, 10, 24, 21, 30, tzinfo=UTC)
MORNING = datetime(2026, 10, 25, 6, 0, tzinfo=UTC)
A_MINUTE, A_SECOND = timedelta(minutes=1), timedelta(seconds=1)


@pytest.fixture
def in_one(quiet_nights: Preference) -> Preference:
    """The owner's quiet nights, with a digest after each."""
    Preference.objects.update(digest=True)
    return quiet_nights


def states(*deliveries: Delivery) -> list[tuple[str, str]]:
    found = dict(Delivery.objects.values_list("pk", "status").order_by())
    reasons = dict(Delivery.objects.values_list("pk", "reason").order_by())
    return [(found[each.pk], reasons[each.pk]) for each in deliveries]


def digests() -> list[Delivery]:
    return list(Delivery.objects.filter(notification__kind="digest").select_related("notification"))


def test_it_waits_for_the_digest_and_goes_out_by_itself_a_minute_after(
    owner: User, by_email: Any, in_one: Any, tell: Tell
) -> None:
    (held,) = tell(owner, now=NIGHT)
    assert (held.status, held.reason, held.due_at) == ("pending", "digest", MORNING + A_MINUTE)
    assert not any(ask([ANY_RIPE], MORNING - A_SECOND))
    assert any(ask([ANY_RIPE], MORNING))


def test_several_become_one_message(owner: User, by_email: ContactPoint, in_one: Any, tell: Tell) -> None:
    (first,) = tell(owner, "stage.accepted", now=NIGHT, title="Accepted", body="Well done.")
    (second,) = tell(owner, "offer.created", now=NIGHT + A_MINUTE, title="An offer", body="")
    assert not digests_send(MORNING)
    (made,) = digests()
    assert (made.status, made.channel, made.address, made.user) == (
        "pending",
        "email",
        by_email.address,
        owner,
    )
    assert made.contact_point == by_email
    assert made.notification.data == {
        "count": 2,
        "items": [
            {"title": "Accepted", "body": "Well done.", "at": NIGHT.isoformat()},
            {"title": "An offer", "body": "", "at": (NIGHT + A_MINUTE).isoformat()},
        ],
    }
    assert "2 messages" in made.notification.title
    assert "Accepted" in made.notification.body
    assert states(first, second) == [("suppressed", "digest")] * 2
    for each in (first, second):
        each.refresh_from_db()
        assert each.digest_id == made.pk
        assert str(made.pk) in explain(each)


def test_each_item_is_in_the_persons_language(owner: User, by_email: Any, in_one: Any, tell: Tell) -> None:
    User.objects.filter(pk=owner.pk).update(language="fr")
    for _ in range(2):
        tell(owner, now=NIGHT, texts={"fr": {"": ["Accepté", "Bravo."], "email": ["Stage accepté", ""]}})
    digests_send(MORNING)
    (made,) = digests()
    assert [item["title"] for item in made.notification.data["items"]] == ["Stage accepté"] * 2
    assert made.language == "fr"


def test_a_single_one_is_sent_as_itself(owner: User, by_email: Any, in_one: Any, tell: Tell) -> None:
    (held,) = tell(owner, now=NIGHT)
    digests_send(MORNING)
    assert digests() == []
    held.refresh_from_db()
    assert (held.status, held.due_at) == ("pending", MORNING)
    assert not any(ask([ANY_RIPE], MORNING))


def test_before_the_morning_nothing_is_told(owner: User, by_email: Any, in_one: Any, tell: Tell) -> None:
    held = [*tell(owner, now=NIGHT), *tell(owner, now=NIGHT)]
    assert not digests_send(MORNING - A_SECOND)
    assert states(*held) == [("pending", "digest")] * 2


def test_each_contact_point_has_its_own(owner: User, by_email: ContactPoint, in_one: Any, tell: Tell) -> None:
    ContactPointFactory(user=owner, channel="email", address="b@example.com", created_at=by_email.created_at)
    other = UserFactory(time_zone="Europe/Paris")
    PreferenceFactory(user=other, quiet_from=time(22), quiet_until=time(7), digest=True)
    ContactPointFactory(user=other, channel="email", address="c@example.com", created_at=by_email.created_at)
    for _ in range(3):
        fan_out(told_of(), owner, other, now=NIGHT)
    digests_send(MORNING)
    assert {(each.user, each.address, each.notification.data["count"]) for each in digests()} == {
        (owner, "owner@example.com", 3),
        (owner, "b@example.com", 3),
        (other, "c@example.com", 3),
    }


CANCEL = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:CANCEL\r\nEND:VCALENDAR\r\n"


def test_what_carries_a_file_for_a_calendar_is_told_as_itself(
    owner: User, by_email: Any, in_one: Any, tell: Tell
) -> None:
    (invited,) = tell(owner, "dating.cancelled", now=NIGHT, data={"ics": CANCEL})
    assert (invited.reason, invited.due_at) == ("quiet_hours", MORNING)
    others = [*tell(owner, now=NIGHT), *tell(owner, now=NIGHT)]
    digests_send(MORNING)
    (made,) = digests()
    assert made.notification.data["count"] == 2
    assert states(invited, *others) == [("pending", "quiet_hours"), *[("suppressed", "digest")] * 2]


def test_it_cuts_no_link_in_two(owner: User, by_email: Any, in_one: Any, tell: Tell) -> None:
    link = "https://tocsin.example.com/dating/0198c7f2-54b1-7d6e-8a53-6f2b1f0c9e11/"
    tell(owner, now=NIGHT, body=f"{'Please confirm. ' * 10}{link} Or don't. {'And so on. ' * 20}")
    tell(owner, now=NIGHT, body=f"{'Please confirm. ' * 14}{link}")
    digests_send(MORNING)
    (made,) = digests()
    for text in (made.notification.body, made.notification.texts["fr"][""][1]):
        assert re.findall(r"https?://\S*", text) == [link]
        assert text.count("…") == 2


def test_machines_get_each_as_itself(owner: User, by_email: ContactPoint, in_one: Any, tell: Tell) -> None:
    by_email.delete()
    ContactPointFactory(user=owner, channel="webhook", created_at=by_email.created_at)
    (held,) = tell(owner, now=NIGHT)
    assert (held.reason, held.due_at) == ("quiet_hours", MORNING)


def test_a_long_night_is_counted_in_full_and_listed_in_part(owner: User, by_email: Any, in_one: Any) -> None:
    for n in range(digest.ITEMS + 5):
        fan_out(told_of(title=f"Number {n}"), owner, now=NIGHT + n * A_SECOND)
    # Ids follow from the facts, and say nothing about when it was held.
    last = Delivery.objects.filter(notification__title=f"Number {digest.ITEMS + 4}")
    last.update(created_at=NIGHT - A_SECOND)
    digests_send(MORNING)
    (made,) = digests()
    assert made.notification.data["count"] == digest.ITEMS + 5
    assert [item["title"] for item in made.notification.data["items"]] == [
        f"Number {n}" for n in (digest.ITEMS + 4, *range(digest.ITEMS - 1))
    ]


def test_the_address_of_the_morning_is_told(
    owner: User, by_email: ContactPoint, in_one: Any, tell: Tell
) -> None:
    for _ in range(2):
        tell(owner, now=NIGHT)
    contact_point_update(contact_point=by_email, address="new@example.com", vouched=True)
    digests_send(MORNING)
    assert [each.address for each in digests()] == ["new@example.com"]


def test_who_wants_no_digest_any_more_gets_each_as_itself(
    owner: User, by_email: Any, in_one: Any, tell: Tell
) -> None:
    preference_set(user=owner, digest=False)
    (held,) = tell(owner, now=NIGHT)
    assert (held.reason, held.due_at) == ("quiet_hours", MORNING)


def test_who_unsubscribed_from_digests_is_sent_none(
    owner: User, by_email: Any, in_one: Any, tell: Tell
) -> None:
    subscription_set(user=owner, channel="email", kind="digest", is_enabled=False)
    held = [*tell(owner, now=NIGHT), *tell(owner, now=NIGHT)]
    digests_send(MORNING)
    assert digests() == []
    assert states(*held) == [("suppressed", "unsubscribed")] * 2


def test_what_a_switched_off_contact_point_was_to_tell_is_not_told(
    owner: User, by_email: ContactPoint, in_one: Any, tell: Tell
) -> None:
    held = tell(owner, now=NIGHT)
    ContactPoint.objects.update(is_enabled=False)  # past the service
    digests_send(MORNING)
    assert states(*held) == [("suppressed", "disabled")]


def test_whoever_was_locked_out_in_the_database_is_told_none_of_it(
    owner: User, by_email: Any, in_one: Any, tell: Tell
) -> None:
    held = [*tell(owner, now=NIGHT), *tell(owner, now=NIGHT)]
    User.objects.filter(pk=owner.pk).update(is_active=False)
    digests_send(MORNING)
    assert digests() == []
    assert states(*held) == [("cancelled", "locked_out")] * 2
    assert not Outgoing.objects.exists()


@pytest.mark.parametrize(
    ("count", "is_enabled", "rule", "expected"),
    [
        (1, True, None, Reason.QUIET_HOURS),
        (2, True, None, Reason.DIGEST),
        (2, True, True, Reason.DIGEST),
        (2, True, False, Reason.UNSUBSCRIBED),
        (1, True, False, Reason.QUIET_HOURS),
        (1, False, None, Reason.DISABLED),
        (2, False, None, Reason.DISABLED),
    ],
)
def test_how_it_ends(count: int, is_enabled: bool, rule: bool | None, expected: Reason) -> None:
    subscriptions = [] if rule is None else [Subscription(channel="email", kind="digest", is_enabled=rule)]
    contact_point = ContactPoint(user=User(), channel="email", is_enabled=is_enabled, confirmed_at=MORNING)
    assert ending_of(count, contact_point, subscriptions) is expected


def test_what_is_not_confirmed_any_more_is_told_none_of_it() -> None:
    contact_point = ContactPoint(user=User(), channel="email", is_enabled=True)
    assert ending_of(1, contact_point, []) is ending_of(2, contact_point, []) is Reason.UNCONFIRMED


# --- Exactly once ---------------------------------------------------------------------------------------


def test_running_it_again_tells_nothing_twice(owner: User, by_email: Any, in_one: Any, tell: Tell) -> None:
    for _ in range(3):
        tell(owner, now=NIGHT)
    for _ in range(3):
        digests_send(MORNING)
    assert len(digests()) == 1
    assert Delivery.objects.count() == 4


def test_what_comes_after_the_digest_is_told_by_itself(
    owner: User, by_email: Any, in_one: Any, tell: Tell
) -> None:
    for _ in range(2):
        tell(owner, now=NIGHT)
    digests_send(MORNING)
    (late,) = tell(owner, now=MORNING - A_SECOND)  # its fan-out began in time, and ended after the digest
    digests_send(MORNING + 2 * A_SECOND)
    assert len(digests()) == 1
    assert states(late) == [("pending", "quiet_hours")]


def test_a_crash_before_its_end_leaves_all_as_it_was(
    transactional_db: None, owner: User, by_email: Any, in_one: Any, tell: Tell
) -> None:
    held = [*tell(owner, now=NIGHT), *tell(owner, now=NIGHT)]
    with transaction.atomic():
        digests_send(MORNING)
        assert len(digests()) == 1
        transaction.set_rollback(True)
    assert digests() == []
    assert states(*held) == [("pending", "digest")] * 2
    digests_send(MORNING)
    assert len(digests()) == 1


@pytest.mark.slow
def test_many_at_once_make_one_for_each(
    transactional_db: None, owner: User, by_email: ContactPoint, in_one: Any
) -> None:
    people = [owner]
    for n in range(11):
        user = UserFactory(time_zone="Europe/Paris", password="!")
        PreferenceFactory(user=user, quiet_from=time(22), quiet_until=time(7), digest=True)
        ContactPointFactory(
            user=user, channel="email", address=f"{n}@example.com", created_at=by_email.created_at
        )
        people.append(user)
    for _ in range(8):
        fan_out(told_of(), *people, now=NIGHT)
    barrier = threading.Barrier(5)

    def run() -> None:
        barrier.wait()
        for _ in range(3):
            digests_send(MORNING)
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each.user_id for each in digests()) == sorted(user.pk for user in people)
    assert {each.notification.data["count"] for each in digests()} == {8}
    assert not Delivery.objects.filter(reason="digest", status="pending").exists()


def test_more_than_a_batch_is_said_so(
    owner: User, by_email: ContactPoint, in_one: Any, tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digest, "AT_ONCE", 2)
    for n in range(4):
        ContactPointFactory(
            user=owner, channel="email", address=f"{n}@example.com", created_at=by_email.created_at
        )
    for _ in range(2):
        tell(owner, now=NIGHT)
    assert [digests_send(MORNING) for _ in range(3)] == [True, True, False]
    assert len(digests()) == 5


def test_its_cost_in_statements_does_not_grow_with_what_was_held(
    owner: User, by_email: Any, in_one: Any
) -> None:
    costs = []
    for count in (2, 30):
        for _ in range(count):
            fan_out(told_of(), owner, now=NIGHT)
        with CaptureQueriesContext(connection) as statements:
            digests_send(MORNING)
        costs.append(len(statements))
    assert len(digests()) == 2
    assert costs[0] == costs[1]


# --- With the sender ------------------------------------------------------------------------------------


@pytest.fixture
def wakes_soon(owner: User) -> Callable[[], None]:
    """It is the owner's quiet hours; they end when the clock is put forward by an hour."""

    def build() -> None:
        now = timezone.now()
        PreferenceFactory(
            user=owner,
            digest=True,
            quiet_from=(now - timedelta(hours=2)).time().replace(second=0, microsecond=0),
            quiet_until=(now + timedelta(minutes=50)).time().replace(second=0, microsecond=0),
        )

    return build


@pytest.fixture
def mail_server(settings: Any) -> Any:
    with MailServer() as server:
        settings.SMTP_HOST, settings.SMTP_PORT, settings.SMTP_SECURITY = server.host, server.port, "none"
        settings.SMTP_USERNAME = settings.SMTP_PASSWORD = ""
        settings.MAIL_FROM = "Tocsin <tocsin@example.com>"
        yield server


@pytest.mark.slow
def test_in_the_morning_there_is_one_mail(
    transactional_db: None,
    mail_server: MailServer,
    owner: User,
    by_email: Any,
    wakes_soon: Callable[[], None],
    tell: Tell,
    sender: Sender,  # noqa: F811
    clock: Clock,
) -> None:
    wakes_soon()
    for title in ("Accepted", "Started"):
        tell(owner, title=title)
    assert sender.drain()
    assert mail_server.mails == []
    clock.forward(3600)
    digests_send(clock())
    assert sender.drain()
    (mail,) = mail_server.mails
    assert mail.message["Subject"] == "2 messages during your quiet hours"
    text = mail.message.get_content()
    assert "Accepted" in text
    assert "Started" in text
    assert audit(now=clock(), settled=True).totals == {}


def test_beside_the_digest_comes_what_a_calendar_acts_on(
    transactional_db: None,
    mail_server: MailServer,
    owner: User,
    by_email: Any,
    wakes_soon: Callable[[], None],
    tell: Tell,
    sender: Sender,  # noqa: F811
    clock: Clock,
) -> None:
    wakes_soon()
    tell(owner, "dating.cancelled", title="Cancelled", data={"ics": CANCEL})
    for title in ("Accepted", "Started"):
        tell(owner, title=title)
    clock.forward(3600)
    digests_send(clock())
    assert sender.drain()
    mails = {mail.message["Subject"]: mail.message for mail in mail_server.mails}
    assert sorted(mails) == ["2 messages during your quiet hours", "Cancelled"]
    methods = {part.get_param("method") for part in mails["Cancelled"].walk()}
    assert "CANCEL" in methods


def test_where_nobody_makes_the_digest_each_goes_out_by_itself(
    transactional_db: None,
    mail_server: MailServer,
    owner: User,
    by_email: Any,
    wakes_soon: Callable[[], None],
    tell: Tell,
    sender: Sender,  # noqa: F811
    clock: Clock,
) -> None:
    wakes_soon()
    for title in ("Accepted", "Started"):
        tell(owner, title=title)
    clock.forward(3600)
    assert sender.drain()
    assert sorted(mail.message["Subject"] for mail in mail_server.mails) == ["Accepted", "Started"]
    digests_send(clock())
    assert digests() == []


def test_the_sweep_sees_to_it_that_a_job_makes_them(
    owner: User, by_email: Any, redis: Redis, tell: Tell
) -> None:
    now = timezone.now()
    PreferenceFactory(
        user=owner,
        digest=True,
        quiet_from=(now - timedelta(hours=5)).time().replace(second=0, microsecond=0),
        quiet_until=(now - timedelta(minutes=5)).time().replace(second=0, microsecond=0),
    )
    queue = django_rq.get_queue("default")
    jobs.sweep()
    assert "notifications.engine.jobs.digests" not in [job.func_name for job in queue.jobs]
    for _ in range(2):
        tell(owner, now=now - timedelta(hours=1))
    jobs.sweep()
    jobs.sweep()
    assert [job.func_name for job in queue.jobs].count("notifications.engine.jobs.digests") == 1
    engine_jobs.digests()
    assert len(digests()) == 1


# --- Replay and cancel ---------------------------------------------------------------------------------


def test_what_is_cancelled_while_it_is_held_is_in_no_digest(
    owner: User, by_email: Any, in_one: Any, tell: Tell
) -> None:
    cancelled, *rest = (each for _ in range(3) for each in tell(owner, now=NIGHT))
    assert stop.cancel(Delivery.objects.filter(pk=cancelled.pk), reason="cancelled_by_operator") == 1
    digests_send(MORNING)
    (made,) = digests()
    assert made.notification.data["count"] == 2
    assert states(cancelled, *rest) == [
        ("cancelled", "cancelled_by_operator"),
        ("suppressed", "digest"),
        ("suppressed", "digest"),
    ]


def test_a_digest_that_failed_is_replayed_as_any_delivery_and_what_is_in_it_stays(
    owner: User, by_email: Any, in_one: Any, tell: Tell
) -> None:
    held = [*tell(owner, now=NIGHT), *tell(owner, now=NIGHT)]
    digests_send(MORNING)
    Delivery.objects.filter(notification__kind="digest").update(status="failed", reason="exhausted")
    Outgoing.objects.all().delete()
    assert replay.replay(Delivery.objects.all()) == 1
    assert [each.status for each in digests()] == ["pending"]
    assert states(*held) == [("suppressed", "digest")] * 2


def test_deleting_a_notification_leaves_nothing_that_the_database_refuses(
    transactional_db: None, owner: User, by_email: Any, in_one: Any, tell: Tell
) -> None:
    for _ in range(2):
        tell(owner, now=NIGHT)
    digests_send(MORNING)
    Notification.objects.filter(kind="digest").delete()
    assert Delivery.objects.count() == 2
    owner.delete()
    assert Delivery.objects.count() == 2, "proof of what was done"
