"""SPEC 3.2: what happens to accounts is published in the transaction that did it, and profiles follow."""

import uuid
from typing import Any

import pytest
from django.core import serializers
from django.db import transaction

from accounts.models import Encadrant, Student, User
from notifications.events import registry, running
from notifications.events.replay import event_replay
from notifications.handlers import accounts as handlers_of_accounts
from notifications.models import Delivery, Event, HandlerRun, Inbox, InboxItem
from tests.factories import InboxItemFactory, UserFactory


def published(*keys: str) -> list[Event]:
    """The events of these keys, oldest first; of all, if none are given."""
    events = Event.objects.order_by("created_at", "id")
    return list(events.filter(routing_key__in=keys) if keys else events)


def keys() -> list[str]:
    return [event.routing_key for event in published()]


def forget() -> None:
    HandlerRun.objects.all().delete()
    Event.objects.all().delete()


@pytest.fixture
def own_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The handlers of accounts' events, and no others."""
    ours = {
        name: handler
        for name, handler in registry._handlers.items()
        if handler.function.__module__ == handlers_of_accounts.__name__
    }
    assert len(ours) == 3
    monkeypatch.setattr(registry, "_handlers", ours)


def run_all() -> None:
    """Run handlers until none waits, as workers would."""
    while waiting := list(HandlerRun.objects.filter(status="pending").values_list("pk", flat=True)):
        for run in waiting:
            assert running.run_handle(run)
    assert not HandlerRun.objects.exclude(status="done").values("handler", "error")


def register(role: str = "student", **fields: Any) -> User:
    return UserFactory(role=role, first_name="John", last_name="Doe", email="john.doe@example.com", **fields)


# --- What is published -----------------------------------------------------------------------------


def test_a_new_user_is_published_as_the_reference_has_it(db: None) -> None:
    user = register(language="fr")
    (event,) = published()
    assert event.routing_key == "auth.user.created"
    assert event.source == "tocsin"
    created_at = event.payload.pop("created_at")
    assert created_at.endswith("Z")
    assert user.created_at.isoformat().startswith(created_at.removesuffix("Z"))
    assert event.payload == {
        "user_id": str(user.pk),
        "email": "john.doe@example.com",
        "first_name": "John",
        "last_name": "Doe",
        "role": "student",
        "language": "fr",
    }


def test_it_is_published_in_the_transaction_that_made_the_user(transactional_db: None) -> None:
    with transaction.atomic():
        register()
        assert keys() == ["auth.user.created"]
        transaction.set_rollback(True)
    assert keys() == []


def test_no_event_holds_a_password(db: None) -> None:
    user = register()
    user.set_password("correct horse battery staple")
    user.first_name = "Jon"
    user.save()
    assert len(published()) == 2
    for event in published():
        assert "password" not in str(event.payload)
        assert user.password not in str(event.payload)


def test_a_change_is_published_with_what_has_changed(db: None) -> None:
    user = register()
    forget()
    user.email, user.first_name = "jon@example.com", "Jon"
    user.save()
    (event,) = published()
    assert event.routing_key == "auth.user.updated"
    assert sorted(event.payload.pop("changes")) == ["email", "first_name"]
    assert event.payload == {
        "user_id": str(user.pk),
        "email": "jon@example.com",
        "first_name": "Jon",
        "last_name": "Doe",
        "role": "student",
        "language": "en",
    }


def test_a_save_that_changes_nothing_of_note_is_no_news(db: None, as_user: Any) -> None:
    user = register()
    forget()
    user.save()
    as_user(user)  # logs in, which notes when
    user.set_password("another horse")
    user.save(update_fields=["password"])
    assert keys() == []


def test_a_deleted_user_is_published(db: None) -> None:
    user = register()
    pk = str(user.pk)
    forget()
    user.delete()
    (event,) = published()
    assert (event.routing_key, event.payload) == (
        "auth.user.deleted",
        {"user_id": pk, "email": "john.doe@example.com"},
    )


def test_a_profile_is_published_as_the_reference_has_it(db: None) -> None:
    user = register()
    student = Student.objects.create(user=user)
    encadrant = Encadrant.objects.create(user=user, specialization="Cardiology")
    people = {"user_id": str(user.pk), "first_name": "John", "last_name": "Doe"}
    assert [(each.routing_key, each.payload) for each in published()[1:]] == [
        ("student.created", {"student_id": str(student.pk), "email": "john.doe@example.com", **people}),
        ("encadrant.created", {"encadrant_id": str(encadrant.pk), "specialization": "Cardiology", **people}),
    ]


def test_a_new_specialization_is_published_and_the_same_one_is_not(db: None) -> None:
    encadrant = Encadrant.objects.create(user=register("encadrant"))
    forget()
    Encadrant.objects.get(pk=encadrant.pk).save()
    assert keys() == []
    again = Encadrant.objects.get(pk=encadrant.pk)
    again.specialization = "Cardiology"
    again.save()
    (event,) = published()
    assert event.routing_key == "encadrant.updated"
    assert (event.payload["specialization"], event.payload["changes"]) == ("Cardiology", ["specialization"])


def test_a_student_that_is_saved_again_is_no_news(db: None) -> None:
    student = Student.objects.create(user=register())
    forget()
    student.save()
    assert keys() == []


def test_a_fixture_that_is_loaded_is_no_news(db: None) -> None:
    user = register("encadrant")
    rows = [user, Student.objects.create(user=user), Encadrant.objects.create(user=user)]
    fixture = serializers.serialize("json", rows)
    user.delete()
    forget()
    for _ in ("made", "there already"):
        for each in serializers.deserialize("json", fixture):
            each.save()
        assert keys() == []
    assert (Student.objects.count(), Encadrant.objects.count()) == (1, 1)


# --- What follows ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("role", "profile"), [("student", Student), ("encadrant", Encadrant)])
def test_registering_makes_the_profile_of_the_role(
    db: None, own_handlers: None, role: str, profile: Any
) -> None:
    user = register(role)
    run_all()
    assert profile.objects.get().user == user
    assert keys() == ["auth.user.created", f"{role}.created"]
    assert Student.objects.count() + Encadrant.objects.count() == 1


@pytest.mark.parametrize("fields", [{"role": ""}, {"role": "admin", "is_staff": True}])
def test_who_is_neither_has_no_profile(db: None, own_handlers: None, fields: dict[str, Any]) -> None:
    register(**fields)
    run_all()
    assert keys() == ["auth.user.created"]
    assert Student.objects.count() + Encadrant.objects.count() == 0


def test_the_handlers_run_again_change_nothing(db: None, own_handlers: None) -> None:
    register()
    run_all()
    before = (list(Student.objects.values()), keys())
    assert event_replay(event_id=published()[0].pk, handlers=["notifications.profile_make"]) == 1
    run_all()
    assert (list(Student.objects.values()), keys()) == before


def test_a_new_role_makes_the_profile_that_is_missing_and_keeps_the_other(
    db: None, own_handlers: None
) -> None:
    user = register()
    run_all()
    forget()
    user.role = "encadrant"
    user.save()
    run_all()
    assert keys() == ["auth.user.updated", "encadrant.created"]
    assert (Student.objects.count(), Encadrant.objects.count()) == (1, 1)


@pytest.mark.parametrize("field", ["first_name", "last_name", "email"])
def test_a_new_name_or_address_is_passed_on_by_the_profiles(db: None, own_handlers: None, field: str) -> None:
    user = register()
    Encadrant.objects.create(user=user, specialization="Cardiology")
    run_all()
    forget()
    setattr(user, field, "new@example.com" if field == "email" else "Newname")
    user.save()
    run_all()
    assert keys() == ["auth.user.updated", "student.updated", "encadrant.updated"]
    for event in published("student.updated", "encadrant.updated"):
        assert event.payload["changes"] == [field]
        assert event.payload["user_id"] == str(user.pk)
    assert published("student.updated")[0].payload[field] == getattr(user, field)


def test_other_changes_do_not_concern_the_profiles(db: None, own_handlers: None) -> None:
    user = register()
    run_all()
    forget()
    user.language, user.time_zone = "fr", "Europe/Paris"
    user.save()
    run_all()
    assert keys() == ["auth.user.updated"]


def test_whoever_is_gone_by_then_is_left_alone(db: None, own_handlers: None) -> None:
    user = register()
    user.first_name = "Jon"
    user.save()
    user.delete()
    run_all()
    assert keys() == ["auth.user.created", "auth.user.updated", "auth.user.deleted"]
    assert Student.objects.count() == 0


def in_the_inbox(user: User) -> None:
    Inbox.objects.get_or_create(user=user)
    InboxItemFactory(user=user)


def test_deleting_a_user_takes_profile_and_inbox_away(db: None, own_handlers: None, stranger: User) -> None:
    user = register()
    in_the_inbox(user), in_the_inbox(stranger)
    run_all()
    person = user.pk
    user.delete()
    run_all()
    assert Student.objects.count() == 0
    assert list(Inbox.objects.values_list("user", flat=True)) == [stranger.pk]
    assert list(InboxItem.objects.values_list("user", flat=True)) == [stranger.pk]
    # Proof of what was done, under an id that is nobody's.
    assert set(Delivery.objects.values_list("user", flat=True)) == {stranger.pk, person}


def test_so_does_the_event_of_one_who_was_deleted_elsewhere(
    db: None, own_handlers: None, stranger: User
) -> None:
    user = register()
    in_the_inbox(user), in_the_inbox(stranger)
    Encadrant.objects.create(user=user)
    run_all()
    from_elsewhere = {"user_id": str(user.pk), "email": user.email}
    for _ in range(2):  # the second time there is nothing left
        handlers_of_accounts.profile_remove(Event(routing_key="auth.user.deleted", payload=from_elsewhere))
        assert (Student.objects.count(), Encadrant.objects.count()) == (0, 0)
        assert list(Inbox.objects.values_list("user", flat=True)) == [stranger.pk]
    assert list(InboxItem.objects.values_list("user", flat=True)) == [stranger.pk]


def test_a_deletion_of_somebody_never_known_is_nothing(db: None) -> None:
    handlers_of_accounts.profile_remove(Event(payload={"user_id": str(uuid.uuid4())}))
