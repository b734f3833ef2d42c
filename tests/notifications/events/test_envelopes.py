"""The format of events: every shape in which the originals send them, and what they do."""

import gzip
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import Student, User
from accounts.services import api_key_create
from config.rest.exceptions import Conflict
from notifications.brokers import taking
from notifications.brokers.messages import Malformed
from notifications.brokers.sources import Source
from notifications.events import running
from notifications.events.envelopes import FORMAT, Command, NotYet, apply
from notifications.models import DeadMessage, Event, HandlerRun, OutgoingMessage
from tests.factories import UserFactory
from tests.samples import NOW, message_of, samples

CREATED, UPDATED, DELETED = "auth.user.created", "auth.user.updated", "auth.user.deleted"


def command(key: str, body: dict[str, Any], **fields: Any) -> Command:
    return FORMAT.translate(message_of({"body": body}, source="events", routing_key=key, **fields))


def person(**fields: Any) -> dict[str, Any]:
    user_id = str(uuid.uuid4())
    return {
        "user_id": user_id,
        "email": f"{user_id}@example.com",
        "first_name": "Ana",
        "role": "student",
        **fields,
    }


def take(*commands: Command) -> None:
    with transaction.atomic():
        apply(commands)


def run_handlers() -> None:
    """Run what is due, and what that causes, as a worker would."""
    while run := HandlerRun.objects.filter(status="pending").first():
        assert running.run_handle(run.pk)


@pytest.mark.parametrize("sample", samples("events"))
def test_samples(sample: dict[str, Any]) -> None:
    message = message_of(sample, source="events", routing_key=sample["routing_key"])
    if "reason" in sample:
        with pytest.raises(Malformed) as malformed:
            FORMAT.translate(message)
        assert sample["reason"] in str(malformed.value)
        return
    found = FORMAT.translate(message)
    for name, value in sample["event"].items():
        given = getattr(found.event, name)
        if isinstance(given, datetime):
            given = given.isoformat()
        assert (str(given) if isinstance(given, uuid.UUID) else given) == value
    for name, value in sample.get("mirror", {}).items():
        assert getattr(found.mirror, name) == value


def test_a_compressed_body_is_refused_as_that() -> None:
    message = message_of({"body": {}}, source="events", routing_key=CREATED)
    with pytest.raises(Malformed, match="compressed by gzip"):
        FORMAT.translate(replace(message, body=gzip.compress(b'{"n": 1}')))


def test_the_same_message_has_the_same_id_and_another_has_not() -> None:
    body = {"event_type": "measure.taken", "n": 1}
    ids = {command("", body).event.event_id for _ in range(2)}
    assert len(ids) == 1
    assert command("", {**body, "n": 2}).event.event_id not in ids
    assert command("", body, message_id="7").event.event_id not in ids
    assert (
        command("", body, message_id="7").event.event_id != command("", body, message_id="8").event.event_id
    )
    named = {command("", {**body, "n": n, "event_id": "order-7"}).event.event_id for n in range(2)}
    assert len(named) == 1


@pytest.mark.django_db
def test_a_new_user_gets_an_account_a_profile_and_no_password() -> None:
    ana = person()
    take(command(CREATED, ana))
    run_handlers()
    user = User.objects.get(pk=ana["user_id"])
    assert (user.first_name, user.role, user.is_staff, user.has_usable_password()) == (
        "Ana",
        "student",
        False,
        False,
    )
    assert Student.objects.filter(user=user).count() == 1
    assert Event.objects.filter(routing_key=CREATED).count() == 1, "an event of our own"


@pytest.mark.django_db
def test_a_message_that_comes_again_changes_nothing() -> None:
    new = command(CREATED, person())
    take(new, new)
    take(new)
    assert (User.objects.count(), Event.objects.count(), HandlerRun.objects.count()) == (1, 1, 1)


@pytest.mark.django_db
def test_the_same_id_with_other_content_is_refused() -> None:
    event_id = str(uuid.uuid4())
    take(command("a.b", {"payload": {"n": 1}, "_meta": {"event_id": event_id}}))
    with pytest.raises(Conflict):
        take(command("a.b", {"payload": {"n": 2}, "_meta": {"event_id": event_id}}))
    assert Event.objects.get().payload == {"n": 1}


@pytest.mark.django_db
def test_an_address_that_somebody_else_has_is_refused() -> None:
    UserFactory(email="ana@example.com")
    with pytest.raises(Conflict, match="email"):
        take(command(CREATED, person(email="Ana@example.com")))
    assert User.objects.count() == 1
    assert not Event.objects.filter(routing_key=CREATED, source__startswith="broker").exists()


@pytest.mark.django_db
def test_users_are_changed_and_deleted_in_the_order_of_the_messages_without_an_echo() -> None:
    ana, ben = person(), person()
    take(
        command(CREATED, ana),
        command(UPDATED, {**ana, "first_name": "Anna", "changes": ["first_name"]}),
        command(CREATED, ben),
        command(DELETED, {"user_id": ben["user_id"], "email": ben["email"]}),
    )
    assert list(User.objects.values_list("first_name", flat=True)) == ["Anna"]
    assert sorted(Event.objects.values_list("routing_key", flat=True)) == [CREATED, CREATED, DELETED, UPDATED]
    assert not OutgoingMessage.objects.exists()


@pytest.mark.django_db
def test_a_change_of_somebody_who_is_not_there_yet_is_tried_again() -> None:
    with pytest.raises(NotYet):
        take(command(UPDATED, person()))
    assert not Event.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("key", [UPDATED, DELETED])
def test_no_message_changes_or_deletes_an_administrator(key: str) -> None:
    chief = UserFactory(first_name="Chief", is_staff=True)
    with pytest.raises(Conflict, match="Administrators"):
        take(command(key, person(user_id=str(chief.pk), first_name="Thief")))
    chief.refresh_from_db()
    assert chief.first_name == "Chief"


def dead(*bodies: tuple[str, dict[str, Any]], source: str = "events") -> list[str]:
    """Take messages of a source one after the other; returns why some of them are dead letters."""
    DeadMessage.objects.all().delete()
    queue = Source(name=source, url="amqp://nowhere", queue="q", format="events")
    for key, body in bodies:
        taken = message_of({"body": body}, source=source, routing_key=key)
        taking.messages_take(queue, FORMAT, [taken], now=NOW)
    return list(DeadMessage.objects.order_by("id").values_list("reason", flat=True))


#: Those whom no message of the source ``events`` made.
OTHERS: dict[str, Callable[[], User]] = {
    "registered here": lambda: UserFactory(),
    "made here without a password": lambda: UserFactory(password=None),
    "of another source": lambda: UserFactory(password=None, mirrored_from="partner"),
    "with a password by now": lambda: UserFactory(mirrored_from="events"),
    "a superuser": lambda: UserFactory(password=None, mirrored_from="events", is_superuser=True),
}


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.parametrize("who", OTHERS)
@pytest.mark.parametrize("key", [CREATED, UPDATED, DELETED])
def test_a_source_changes_and_deletes_nobody_whom_it_did_not_make(who: str, key: str) -> None:
    victim = OTHERS[who]()
    before = User.objects.filter(pk=victim.pk).values().get()
    seen = Event.objects.count()
    body = person(user_id=str(victim.pk), email="mine@evil.example", first_name="Thief")
    # What a message says of itself is not where it came from.
    (reason,) = dead((key, {"payload": body, "_meta": {"source": "partner", "routing_key": key}}))
    assert reason.endswith(("not by a message.", "delete it here.", "is theirs.", "address."))
    assert User.objects.filter(pk=victim.pk).values().get() == before
    assert Event.objects.count() == seen


@pytest.mark.django_db
def test_a_source_changes_what_it_made_until_the_person_has_set_a_password() -> None:
    ana = person()
    assert dead((CREATED, ana), (UPDATED, {**ana, "first_name": "Anna"})) == []
    user = User.objects.get(first_name="Anna")
    assert dead((UPDATED, {**ana, "first_name": "Ann"}), source="partner")
    user.set_password("correct horse battery")
    user.save()
    (reason,) = dead((UPDATED, {**ana, "email": "mine@evil.example"}))
    assert "password" in reason
    (reason,) = dead((DELETED, {"user_id": ana["user_id"], "email": ana["email"]}))
    assert User.objects.get(pk=user.pk).email == ana["email"]


@pytest.mark.django_db
def test_an_old_event_of_the_products_own_that_comes_back_does_not_undo_what_is_newer() -> None:
    user = UserFactory(first_name="Old")
    for name in ("Newer", "Newest"):
        user.first_name = name
        user.save()
    mine = Event.objects.get(routing_key=UPDATED, payload__first_name="Newer")
    meta = {"event_id": str(mine.pk), "source": mine.source, "routing_key": UPDATED}
    take(command(UPDATED, {"payload": mine.payload, "_meta": meta}))
    user.refresh_from_db()
    assert user.first_name == "Newest"


def minutes_ago(minutes: int, key: str, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    said_at = (NOW - timedelta(minutes=minutes)).isoformat()
    meta = {"routing_key": key, "timestamp": said_at, "source": "auth-service"}
    return key, {"payload": body, "_meta": meta}


@pytest.mark.django_db
@pytest.mark.parametrize("is_batch", [False, True], ids=["one by one", "in a batch"])
def test_what_was_said_later_of_somebody_holds_field_by_field_whatever_comes_first(is_batch: bool) -> None:
    ana = person()
    user_id = {"user_id": ana["user_id"]}
    messages = [
        minutes_ago(60, CREATED, ana),
        minutes_ago(10, UPDATED, {**user_id, "first_name": "Newest", "last_name": "Doe"}),
        minutes_ago(30, UPDATED, {**user_id, "first_name": "Newer", "language": "fr"}),
        minutes_ago(40, UPDATED, {**user_id, "first_name": "New", "last_name": "Roe", "language": "en"}),
    ]
    if is_batch:
        take(*(command(key, body) for key, body in messages))
    else:
        assert dead(*messages) == []
    names = User.objects.values_list("first_name", "last_name", "language")
    assert list(names) == [("Newest", "Doe", "fr")]


@pytest.mark.django_db
def test_whoever_was_deleted_is_not_made_or_changed_by_what_was_said_before() -> None:
    ana = person()
    gone = minutes_ago(10, DELETED, {"user_id": ana["user_id"], "email": ana["email"]})
    assert dead(gone, minutes_ago(30, CREATED, ana), minutes_ago(20, UPDATED, ana)) == []
    assert not User.objects.exists()
    # And whoever was made anew after that stays.
    assert dead(minutes_ago(5, CREATED, ana), minutes_ago(7, DELETED, ana)) == []
    assert User.objects.get().first_name == "Ana"


@pytest.mark.django_db
def test_neither_another_sources_word_nor_a_machines_over_http_stands_in_the_way() -> None:
    ana = person()
    assert dead(minutes_ago(60, CREATED, ana)) == []
    key = api_key_create(name="camera", scopes=["events:write"])[0]
    for source, published_by in (("another-service", None), ("auth-service", key)):
        Event.objects.create(
            routing_key=DELETED, source=source, payload=ana, occurred_at=NOW, published_by=published_by
        )
    assert dead(minutes_ago(30, UPDATED, {**ana, "first_name": "Anna"})) == []
    assert User.objects.get().first_name == "Anna"


@pytest.mark.django_db
def test_without_a_time_what_comes_last_holds() -> None:
    ana = person()
    changes = [(UPDATED, {**ana, "first_name": name}) for name in "BC"]
    assert dead((CREATED, ana), *changes) == []
    assert User.objects.get().first_name == "C"


@pytest.mark.django_db
def test_a_batch_costs_as_many_statements_as_one_message() -> None:
    def statements(count: int) -> int:
        commands = [command(CREATED, person()) for _ in range(count)]
        with CaptureQueriesContext(
            connection,
        ) as queries:
            take(*commands)
        return len(queries)

    assert statements(50) == statements(1)


@pytest.mark.slow
@pytest.mark.django_db
def test_a_large_batch_is_handled_without_a_job_for_each(django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        take(*(command(CREATED, person()) for _ in range(20)))
    while running.due_runs_handle():
        pass  # a slow machine needs several slices
    assert Student.objects.count() == 20
