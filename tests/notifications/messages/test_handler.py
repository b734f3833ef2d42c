"""An event about people is told to them, once, in their inbox and their language; or it says why not."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from structlog.testing import capture_logs

from accounts.models import Encadrant, Student, User
from notifications.engine.fanout import broadcasts_fan_out
from notifications.events.outbox import event_publish
from notifications.events.replay import event_replay
from notifications.events.running import run_handle
from notifications.handlers.messages import Unaddressed, audience_of
from notifications.messages.texts import text_for
from notifications.models import Delivery, Event, HandlerRun, InboxItem, MessageTemplate, Notification
from tests.factories import ContactPointFactory, UserFactory

pytestmark = pytest.mark.django_db

HANDLER = "notifications.people_tell"


@pytest.fixture
def ana() -> Student:
    return Student.objects.create(user=UserFactory(email="ana@example.com", language="fr"))


@pytest.fixture
def bea() -> Student:
    return Student.objects.create(user=UserFactory(email="bea@example.com"))


@pytest.fixture
def carl() -> Encadrant:
    return Encadrant.objects.create(user=UserFactory(email="carl@example.com"))


def publish(routing_key: str, **payload: Any) -> tuple[Event, HandlerRun]:
    """Publish an event and run this handler on it, as its job does."""
    event = event_publish(routing_key=routing_key, payload=payload)
    run = HandlerRun.objects.get(event=event, handler=HANDLER)
    assert run_handle(run.pk)
    run.refresh_from_db()
    return event, run


def inbox_of(user: User) -> list[tuple[str, str]]:
    """What somebody reads in their inbox, oldest first."""
    items = InboxItem.objects.filter(user=user).order_by("number")
    return [
        text_for(
            item.notification.title,
            item.notification.body,
            item.notification.texts,
            language=item.language,
            channel="inbox",
        )
        for item in items.select_related("notification")
    ]


def titles_of(user: User) -> list[str]:
    return [title for title, _ in inbox_of(user)]


def test_a_new_student_is_welcomed(bea: Student) -> None:
    event, run = publish(
        "student.created", student_id=str(bea.pk), user_id=str(bea.user_id), first_name="Bea"
    )
    assert run.status == "done"
    assert titles_of(bea.user) == ["Welcome to Tocsin, Bea!"]
    notification = Notification.objects.get()
    assert notification.dedup_key == f"event:{event.pk}"
    assert (notification.kind, notification.severity) == ("student.created", "standard")
    assert (notification.source_type, notification.source_id) == ("event", str(event.pk))
    assert notification.data["event"] == "student.created"
    assert notification.data["payload"]["first_name"] == "Bea"


def test_a_profile_made_here_is_not_looked_for_again(bea: Student) -> None:
    with CaptureQueriesContext(connection) as asked:
        publish("student.created", student_id=str(bea.pk), user_id=str(bea.user_id), first_name="Bea")
    assert titles_of(bea.user) == ["Welcome to Tocsin, Bea!"]
    assert [each["sql"] for each in asked if "accounts_student" in each["sql"]] == []


def test_a_new_encadrant_is_welcomed(carl: Encadrant) -> None:
    publish("encadrant.created", encadrant_id=str(carl.pk), first_name="Carl", specialization="Cardiology")
    ((title, body),) = inbox_of(carl.user)
    assert title == "Welcome to Tocsin, Carl!"
    assert "Cardiology" in body


def test_everyone_reads_it_in_their_language(ana: Student) -> None:
    publish("stage.accepted", student_id=str(ana.pk), title="Aide-soignante")
    assert titles_of(ana.user) == ["Votre stage est accepté"]


@pytest.mark.slow
@pytest.mark.parametrize("field", ["user_id", "student_id", "user_ids", "student_ids"])
@pytest.mark.parametrize(
    "routing_key",
    [
        *(
            f"stage.{what}"
            for what in ("created", "accepted", "rejected", "started", "completed", "cancelled")
        ),
        *("evaluation.created", "grade.assigned", "offer.created", "student.updated", "student.created"),
    ],
)
def test_the_student_meant_is_told_and_nobody_else(
    ana: Student, bea: Student, routing_key: str, field: str
) -> None:
    named = str(bea.user_id if field.startswith("user") else bea.pk)
    _, run = publish(routing_key, **{field: [named] if field.endswith("s") else named})
    assert (run.status, run.error) == ("done", "")
    assert len(inbox_of(bea.user)) == 1
    assert inbox_of(ana.user) == []


def test_of_an_internship_the_student_is_told_and_not_who_supervises_it(
    bea: Student, carl: Encadrant
) -> None:
    publish("stage.accepted", encadrant_id=str(carl.pk), student_id=str(bea.pk))
    assert len(inbox_of(bea.user)) == 1
    assert inbox_of(carl.user) == []


def test_an_offer_to_nobody_in_particular_is_told_to_all_students(
    ana: Student, bea: Student, carl: Encadrant
) -> None:
    publish("offer.created", title="Internship", company="Clinique")
    broadcasts_fan_out()
    assert titles_of(ana.user) == ["Nouvelle offre : Internship"]
    assert titles_of(bea.user) == ["New offer: Internship"]
    assert inbox_of(carl.user) == []


def test_an_offer_is_not_told_to_who_became_a_student_later(ana: Student) -> None:
    Student.objects.filter(pk=ana.pk).update(created_at=timezone.now() + timedelta(hours=1))
    publish("offer.created", title="Internship")
    broadcasts_fan_out()
    assert inbox_of(ana.user) == []


def test_contact_points_are_told_too(bea: Student) -> None:
    point = ContactPointFactory(user=bea.user)
    publish("grade.assigned", student_id=str(bea.pk), grade=15.5, max_grade=20)
    delivery = Delivery.objects.get(channel="webhook")
    assert (delivery.contact_point, delivery.status) == (point, "pending")


def test_the_same_event_handled_twice_is_told_once(bea: Student) -> None:
    event, run = publish("stage.accepted", student_id=str(bea.pk))
    HandlerRun.objects.filter(pk=run.pk).update(status="pending", due_at=timezone.now())
    assert run_handle(run.pk)
    assert len(inbox_of(bea.user)) == 1
    assert Notification.objects.filter(source_id=str(event.pk)).count() == 1


@pytest.mark.parametrize(
    ("routing_key", "field"),
    [("stage.accepted", "student_id"), ("stage.accepted", "user_id"), ("encadrant.created", "encadrant_id")],
)
def test_who_cannot_be_found_is_looked_for_again_and_the_reason_kept(routing_key: str, field: str) -> None:
    nobody = str(uuid4())
    _, run = publish(routing_key, **{field: nobody})
    assert run.status == "pending"
    assert f"There is no one with this {field}: {nobody}." in run.error
    assert not Notification.objects.exists()


def test_a_list_of_nobody_that_there_is_is_looked_for_again() -> None:
    _, run = publish("stage.accepted", user_ids=[str(uuid4()) for _ in range(5)])
    assert run.status == "pending"
    assert "There is no one with this user_id: " in run.error
    assert run.error.endswith("….")


# Publishing refuses these; an event may have been stored before it did.
@pytest.mark.parametrize(
    ("routing_key", "payload", "reason"),
    [
        ("stage.accepted", {}, "The payload names nobody: expected one of user_id, student_id"),
        ("encadrant.updated", {"student_id": "x"}, "expected one of user_id, encadrant_id"),
        ("stage.accepted", {"student_id": None, "user_id": ""}, "The payload names nobody"),
        ("stage.accepted", {"student_id": "12"}, "student_id must be an id (UUID)."),
        ("stage.accepted", {"student_id": 12}, "student_id must be an id (UUID)."),
        ("stage.accepted", {"student_id": {"id": 1}}, "student_id must be an id (UUID)."),
        ("stage.accepted", {"user_ids": "12"}, "user_ids must be a list of ids."),
        ("stage.accepted", {"user_ids": ["12"]}, "user_ids must be ids (UUID)."),
    ],
)
def test_a_payload_that_names_nobody_says_what_was_expected(
    routing_key: str, payload: dict[str, Any], reason: str
) -> None:
    with pytest.raises(Unaddressed) as refused:
        audience_of(Event(routing_key=routing_key, payload=payload))
    assert reason in str(refused.value)


def test_who_is_there_a_moment_later_is_told() -> None:
    late = uuid4()
    _, run = publish("stage.accepted", student_id=str(late))
    student = Student.objects.create(pk=late, user=UserFactory())
    assert run_handle(run.pk, clock=lambda: run.due_at)
    assert len(inbox_of(student.user)) == 1


def test_of_a_list_those_who_are_there_are_told(ana: Student, bea: Student) -> None:
    with capture_logs() as logs:
        _, run = publish("offer.created", student_ids=[str(ana.pk), str(uuid4()), str(bea.pk), str(ana.pk)])
    assert run.status == "done"
    assert len(inbox_of(ana.user)) == len(inbox_of(bea.user)) == 1
    assert [(entry["event"], entry["count"]) for entry in logs if "missing" in entry["event"]] == [
        ("event_people_missing", 1)
    ]


def test_nobody_learns_who_else_is_told(ana: Student, bea: Student) -> None:
    publish("offer.created", student_ids=[str(ana.pk), str(bea.pk)], title="Internship")
    notification = Notification.objects.get()
    assert notification.data["payload"] == {"title": "Internship"}
    assert str(ana.pk) not in f"{notification.data} {notification.texts} {notification.body}"


def test_the_payload_cannot_pass_for_the_message_itself(bea: Student) -> None:
    publish("offer.created", student_id=str(bea.pk), title="Internship", severity="critical", user_id=None)
    notification = Notification.objects.get()
    assert notification.severity == "standard"
    assert notification.data.keys() == {"event", "event_id", "payload"}


@pytest.mark.parametrize("routing_key", ["student.deleted", "encadrant.deleted"])
def test_the_end_of_a_profile_is_told_to_who_still_has_an_account(routing_key: str, owner: User) -> None:
    _, run = publish(routing_key, user_id=str(owner.pk))
    assert run.status == "done"
    assert len(inbox_of(owner)) == 1


@pytest.mark.parametrize("field", ["user_id", "student_id"])
def test_who_is_gone_with_their_account_is_not_told_and_not_looked_for(field: str) -> None:
    _, run = publish("student.deleted", **{field: str(uuid4())})
    assert run.status == "done"
    assert not Notification.objects.exists()


def test_of_a_list_of_ended_profiles_those_who_are_there_are_told(owner: User) -> None:
    _, run = publish("student.deleted", user_ids=[str(uuid4()), str(owner.pk)])
    assert run.status == "done"
    assert len(inbox_of(owner)) == 1


def test_an_event_without_texts_is_unknown_until_there_are_some(bea: Student) -> None:
    for key in ("student.flew", "stage.acepted", "encadrant.graduated"):
        event = event_publish(routing_key=key, payload={"user_id": str(bea.user_id)})
        assert not event.is_known
        assert not HandlerRun.objects.filter(event=event).exists()
    MessageTemplate.objects.create(kind="student.flew", language="en", title="Up!")
    flown = Event.objects.get(routing_key="student.flew")
    assert event_replay(event_id=flown.pk) == 1
    assert run_handle(HandlerRun.objects.get(event=flown, handler=HANDLER).pk)
    flown.refresh_from_db()
    assert flown.is_known
    assert titles_of(bea.user) == ["Up!"]


def test_an_event_whose_texts_were_removed_is_done_with_and_said_so(bea: Student) -> None:
    texts = MessageTemplate.objects.create(kind="student.graduated", language="en", title="Bravo!")
    event = event_publish(routing_key="student.graduated", payload={"user_id": str(bea.user_id)})
    texts.delete()
    run = HandlerRun.objects.get(event=event, handler=HANDLER)
    with capture_logs() as logs:
        assert run_handle(run.pk)
    run.refresh_from_db()
    assert run.status == "done"
    assert inbox_of(bea.user) == []
    assert [entry["event"] for entry in logs if "texts" in entry["event"]] == ["event_without_texts"]


def test_a_text_written_in_the_admin_is_all_that_a_new_event_takes(bea: Student) -> None:
    MessageTemplate.objects.create(kind="student.graduated", language="en", title="Bravo, {{ first_name }}!")
    publish("student.graduated", user_id=str(bea.user_id), first_name="Bea")
    assert titles_of(bea.user) == ["Bravo, Bea!"]


def test_a_payload_full_of_template_language_is_only_text(bea: Student) -> None:
    publish("offer.created", student_id=str(bea.pk), title="{% load x %}{{ public_url }}", company="<b>")
    ((title, body),) = inbox_of(bea.user)
    assert title == "New offer: {% load x %}{{ public_url }}"
    assert body.startswith("<b>")


def test_accounts_own_events_are_none_of_this_handlers() -> None:
    event = event_publish(routing_key="auth.user.created", payload={"user_id": str(uuid4())})
    assert not HandlerRun.objects.filter(event=event, handler=HANDLER).exists()
