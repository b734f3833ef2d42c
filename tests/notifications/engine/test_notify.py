"""Telling an audience: into everybody's inbox and at their contact points; and telling one address."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings
from redis import Redis

from accounts.models import Shop, User
from notifications import queue
from notifications.engine import wake
from notifications.engine.fanout import alert_fan_out, alerts, notify, people
from notifications.engine.planned import deliver_to
from notifications.engine.sender import Sender
from notifications.inbox import live
from notifications.inbox.live import people_of
from notifications.models import Delivery, Inbox, InboxItem, Notification
from notifications.services.preferences import subscription_set
from tests.factories import (
    AlertFactory,
    ContactPointFactory,
    NotificationFactory,
    PreferenceFactory,
    UserFactory,
)
from tests.servers.third_party import ThirdParty


def news(**fields: Any) -> Notification:
    """A notification that is not stored yet."""
    return NotificationFactory.build(**{"kind": "offer.created", "dedup_key": f"test:{uuid4()}", **fields})


def tell(*users: User, inbox: bool = True, notification: Notification | None = None) -> Notification:
    told = notification or news()
    notify(told, people([user.pk for user in users], as_of=timezone.now()), inbox=inbox)
    return told


def made() -> set[tuple[str, str, str, str]]:
    rows = Delivery.objects.values_list("user__email", "channel", "status", "reason")
    return set(rows)


def test_everyone_has_it_in_the_inbox_and_at_each_contact_point(owner: User, teammate: User) -> None:
    ContactPointFactory(user=owner)
    ContactPointFactory(user=owner, channel="email", address="owner@example.com", is_enabled=False)
    tell(owner, teammate)
    assert made() == {
        (owner.email, "inbox", "sent", ""),
        (owner.email, "webhook", "pending", ""),
        (owner.email, "email", "suppressed", "disabled"),
        (teammate.email, "inbox", "sent", ""),
    }


def test_without_the_inbox_it_is_told_as_an_alert_is(owner: User, teammate: User) -> None:
    ContactPointFactory(user=owner)
    tell(owner, teammate, inbox=False)
    assert made() == {
        (owner.email, "webhook", "pending", ""),
        (teammate.email, "third_party", "pending", ""),
    }


def test_a_contact_point_that_is_the_inbox_says_it_once(owner: User) -> None:
    ContactPointFactory(user=owner, channel="inbox", address="", is_enabled=False)
    tell(owner)
    assert made() == {(owner.email, "inbox", "sent", "")}
    assert Delivery.objects.get().contact_point is None


@pytest.mark.parametrize("inbox", [True, False])
def test_contact_points_that_are_newer_than_the_fact_or_removed_are_not_told(
    owner: User, inbox: bool
) -> None:
    happened_at = timezone.now()
    ContactPointFactory(user=owner, created_at=happened_at + timedelta(seconds=1))
    ContactPointFactory(user=owner, created_at=happened_at, deleted_at=happened_at)
    notify(news(), people([owner.pk], as_of=happened_at), inbox=inbox)
    assert {row[1] for row in made()} == {"inbox" if inbox else "third_party"}


def test_the_level_is_about_contact_points_and_not_the_inbox(owner: User) -> None:
    PreferenceFactory(user=owner, level="CRITICAL")
    ContactPointFactory(user=owner)
    tell(owner)
    assert made() == {(owner.email, "inbox", "sent", ""), (owner.email, "webhook", "suppressed", "level")}


def test_a_rule_can_keep_a_kind_out_of_the_inbox(owner: User, teammate: User) -> None:
    subscription_set(user=owner, channel="inbox", kind="offer.*", is_enabled=False)
    tell(owner, teammate)
    assert made() == {
        (owner.email, "inbox", "suppressed", "unsubscribed"),
        (teammate.email, "inbox", "sent", ""),
    }
    assert not Inbox.objects.filter(user=owner).exists()
    assert not InboxItem.objects.filter(user=owner).exists()


def test_who_is_inactive_or_gone_or_named_twice(owner: User) -> None:
    gone, inactive = UserFactory(), UserFactory(is_active=False)
    tell(owner, owner, inactive, gone)
    gone_id = gone.pk
    gone.delete()
    notify(news(), people([gone_id, owner.pk], as_of=timezone.now()), inbox=True)
    assert Delivery.objects.filter(user=owner).count() == 2
    # What was told to whoever left stays, as proof.
    assert list(Delivery.objects.exclude(user=owner).values_list("user_id", flat=True)) == [gone_id]


def test_nobody_at_all_leaves_the_notification(db: None) -> None:
    notify(news(), people([], as_of=timezone.now()), inbox=True)
    assert Notification.objects.count() == 1
    assert not Delivery.objects.exists()


def test_each_gets_the_language_that_they_have(owner: User, teammate: User) -> None:
    User.objects.filter(pk=owner.pk).update(language="fr")
    tell(owner, teammate)
    assert set(Delivery.objects.values_list("user__email", "language")) == {
        (owner.email, "fr"),
        (teammate.email, "en"),
    }


def test_telling_it_again_makes_nothing_twice(owner: User) -> None:
    ContactPointFactory(user=owner)
    told = tell(owner)
    before = set(Delivery.objects.values_list("pk", "inbox_item__number"))
    for _ in range(2):
        tell(owner, notification=news(dedup_key=told.dedup_key))
    assert set(Delivery.objects.values_list("pk", "inbox_item__number")) == before
    assert Notification.objects.count() == 1


@pytest.mark.parametrize("count", [0, 1, 5, 6, 7, 12])
def test_chunks_tell_everyone_once(settings: Settings, db: None, count: int) -> None:
    settings.FANOUT_CHUNK = 6
    users = UserFactory.create_batch(count, password="!")
    tell(*users)
    assert set(InboxItem.objects.values_list("user", "number")) == {(user.pk, 1) for user in users}
    assert Delivery.objects.count() == count


# --- Numbers of an inbox --------------------------------------------------------------------------------


def test_items_of_an_inbox_are_numbered_as_they_come(owner: User, teammate: User) -> None:
    for _ in range(3):
        tell(owner)
    tell(owner, teammate)
    assert sorted(InboxItem.objects.filter(user=owner).values_list("number", flat=True)) == [1, 2, 3, 4]
    assert InboxItem.objects.get(user=teammate).number == 1
    assert dict(Inbox.objects.values_list("user", "last_number")) == {owner.pk: 4, teammate.pk: 1}


def test_an_alert_in_the_inbox_is_numbered_with_the_rest(owner: User, teammate: User, shop: Shop) -> None:
    ContactPointFactory(user=owner, channel="inbox", address="")
    ContactPointFactory(user=owner)
    tell(owner)
    alert_fan_out(AlertFactory(shop=shop).pk)
    tell(owner)
    numbers = InboxItem.objects.values_list("notification__kind", "number")
    assert sorted(numbers, key=lambda row: row[1]) == [
        ("offer.created", 1),
        ("alert", 2),
        ("offer.created", 3),
    ]
    assert not InboxItem.objects.exclude(delivery__channel="inbox").exists()


def test_an_alert_is_on_disk_before_readers_see_its_number(
    transactional_db: None, owner: User, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, while_made = alerts.fan_out_alerts, list[str]()

    def watched(*args: Any, **options: Any) -> Any:
        chunk = run(*args, **options)
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('synchronous_commit')")
            while_made.append(cursor.fetchone()[0])
        return chunk

    monkeypatch.setattr(alerts, "fan_out_alerts", watched)

    def modes() -> list[str]:
        while_made.clear()
        with CaptureQueriesContext(connection) as statements:
            alert_fan_out(AlertFactory(shop=shop).pk)
        return while_made + ["on" for each in statements if "synchronous_commit TO DEFAULT" in each["sql"]]

    assert modes() == ["off"]
    ContactPointFactory(user=owner, channel="inbox", address="")
    assert modes() == ["off", "on"]


def test_only_what_lies_in_the_inbox_has_a_number(owner: User, shop: Shop) -> None:
    PreferenceFactory(user=owner, level="CRITICAL")
    ContactPointFactory(user=owner, channel="inbox", address="")
    alert_fan_out(AlertFactory(shop=shop, label="normal").pk)
    assert Delivery.objects.get().status == "suppressed"
    assert not InboxItem.objects.exists()
    assert not Inbox.objects.exists()


@pytest.mark.slow
def test_fan_outs_that_meet_in_many_inboxes_do_not_deadlock(transactional_db: None) -> None:
    # Their ids are not in the order in which they lie in the table, and half of the fan-outs read it so.
    users = [UserFactory(uuid=uuid4(), password="!") for _ in range(60)]
    barrier, faults = threading.Barrier(6), []

    def run(plan: str) -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute(plan)
            barrier.wait()
            for _ in range(6):
                tell(*users)
        except Exception as fault:  # a deadlock, say: shown below
            faults.append(fault)
        finally:
            connection.close()

    plans = ["SET enable_nestloop = off; SET enable_mergejoin = off", "SET enable_hashjoin = off"] * 3
    threads = [threading.Thread(target=run, args=(plan,)) for plan in plans]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    for user in users:
        numbers = InboxItem.objects.filter(user=user).values_list("number", flat=True)
        assert sorted(numbers) == list(range(1, 37))


def test_numbers_grow_in_the_order_of_the_commits(transactional_db: None, owner: User) -> None:
    """Whoever has seen a number has missed none below it: the second waits for the first to commit."""
    begun, commit = threading.Event(), threading.Event()

    def first() -> None:
        with transaction.atomic():
            tell(owner)
            begun.set()
            commit.wait(60)
        connection.close()

    def second() -> None:
        tell(owner)
        connection.close()

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert begun.wait(60)
    threads[1].start()
    while not someone_waits_for_a_lock():
        assert threads[1].is_alive()
    assert not Delivery.objects.exists()
    commit.set()
    for thread in threads:
        thread.join()
    assert sorted(InboxItem.objects.values_list("number", flat=True)) == [1, 2]


def someone_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(cursor.fetchone()[0])


# --- Who hears of it, and when --------------------------------------------------------------------------


@pytest.fixture
def heard(redis: Redis) -> Callable[[], dict[str, list[bytes]]]:
    """What has been published since the last look, by the channel of Redis."""
    channels = {queue.channel(name): name for name in (live.CHANNEL, wake.CHANNEL)}
    subscription = redis.pubsub(ignore_subscribe_messages=True)
    subscription.subscribe(*channels)
    for _ in range(2):
        subscription.get_message(timeout=5)

    def look() -> dict[str, list[bytes]]:
        found: dict[str, list[bytes]] = {}
        # A message of our own marks the end: what was published before it has come by then.
        redis.publish(queue.channel(wake.CHANNEL), b"end")
        while (message := subscription.get_message(timeout=30)) is None or message["data"] != b"end":
            if message is not None:
                found.setdefault(channels[message["channel"].decode()], []).append(message["data"])
        return found

    return look


def inboxes(messages: dict[str, list[bytes]]) -> set[UUID]:
    return {person for message in messages.get(live.CHANNEL, []) for person in people_of(message) or ()}


def test_inboxes_and_senders_hear_of_it_after_the_commit(
    owner: User,
    teammate: User,
    stranger: User,
    heard: Callable[[], dict[str, list[bytes]]],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    ContactPointFactory(user=owner)
    subscription_set(user=stranger, channel="inbox", kind="", is_enabled=False)
    with django_capture_on_commit_callbacks(execute=True):
        tell(owner, teammate, stranger)
        assert heard() == {}
    messages = heard()
    assert inboxes(messages) == {owner.pk, teammate.pk}
    assert len(messages[wake.CHANNEL]) == 1


def test_nobody_is_woken_for_nothing(
    owner: User,
    heard: Callable[[], dict[str, list[bytes]]],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        told = tell(owner)
    assert set(heard()) == {live.CHANNEL}
    with django_capture_on_commit_callbacks(execute=True):
        tell(owner, notification=news(dedup_key=told.dedup_key))
    assert heard() == {}


def test_an_alert_in_the_inbox_is_announced(
    owner: User, teammate: User, shop: Shop, heard: Callable[[], dict[str, list[bytes]]]
) -> None:
    ContactPointFactory(user=owner, channel="inbox", address="")
    alert_fan_out(AlertFactory(shop=shop).pk)
    assert inboxes(heard()) == {owner.pk}


def test_what_is_undone_is_told_to_nobody(
    transactional_db: None, owner: User, heard: Callable[[], dict[str, list[bytes]]]
) -> None:
    with transaction.atomic():
        tell(owner)
        transaction.set_rollback(True)
    assert heard() == {}
    assert not Notification.objects.exists()
    assert not Inbox.objects.exists()


@pytest.mark.slow
def test_it_is_sent(transactional_db: None, owner: User, sender: Sender, third_party: ThirdParty) -> None:
    ContactPointFactory(user=owner, address=third_party.url)
    tell(owner)
    assert sender.drain()
    assert Delivery.objects.get(channel="webhook").status == "sent"


# --- To one address -----------------------------------------------------------------------------------


def test_one_address_is_told_whatever_preferences_say(owner: User) -> None:
    PreferenceFactory(user=owner, level="CRITICAL")
    subscription_set(user=owner, channel="email", kind="", is_enabled=False)
    User.objects.filter(pk=owner.pk).update(language="fr")
    owner.refresh_from_db()
    made = deliver_to(notification=news(), user=owner, channel="email", address="Ana@EXAMPLE.com")
    made.refresh_from_db()
    assert (made.status, made.reason, made.address) == ("pending", "", "Ana@example.com")
    assert (made.user, made.contact_point, made.language) == (owner, None, "fr")
    assert made.outgoing.lane.startswith("smtp://")
    assert made.expires_at - made.due_at == timedelta(days=1)


def test_the_same_again_is_the_delivery_that_is_there(owner: User) -> None:
    told = news()
    first, second = (
        deliver_to(notification=told, user=owner, channel="email", address="a@example.com") for _ in range(2)
    )
    assert first == second
    assert Delivery.objects.count() == Notification.objects.count() == 1


def test_another_address_of_the_same_person_is_not_lost_in_silence(owner: User) -> None:
    told = news()
    deliver_to(notification=told, user=owner, channel="email", address="a@example.com")
    with pytest.raises(ValueError, match="another address"):
        deliver_to(notification=told, user=owner, channel="email", address="b@example.com")


def test_it_may_be_due_later_and_to_nobody_in_particular(db: None) -> None:
    later = timezone.now() + timedelta(hours=3)
    made = deliver_to(notification=news(), user=None, channel="email", address="a@example.com", due_at=later)
    made.refresh_from_db()
    assert (made.user, made.due_at, made.expires_at) == (None, later, later + timedelta(days=1))


def test_what_is_no_address_of_the_channel_is_refused(owner: User) -> None:
    with pytest.raises(ValidationError):
        deliver_to(notification=news(), user=owner, channel="email", address="nowhere")
    with pytest.raises(KeyError):
        deliver_to(notification=news(), user=owner, channel="pigeon", address="a@example.com")
    with pytest.raises(ValueError, match="say whose"):
        deliver_to(notification=news(), user=None, channel="inbox", address="")
    assert not Notification.objects.exists()


def test_an_inbox_told_directly_is_numbered_and_announced(
    owner: User,
    heard: Callable[[], dict[str, list[bytes]]],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    tell(owner)
    with django_capture_on_commit_callbacks(execute=True):
        made = deliver_to(notification=news(), user=owner, channel="inbox", address="")
    made.refresh_from_db()
    assert (made.status, made.inbox_item.number) == ("sent", 2)
    assert made.sent_at is not None
    assert inboxes(heard()) == {owner.pk}
