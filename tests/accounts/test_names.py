"""Names can't be links, and nobody's subject says what a stranger wants it to."""

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import Student, User
from accounts.names import cleaned, validate_name
from accounts.services.mirroring import mirror_of, mirror_update, mirrors_store
from config import clock
from notifications.events.outbox import event_publish
from notifications.events.running import due_runs_handle
from notifications.messages.compose import compose
from notifications.models import ContactPoint, Notification
from tests.accounts.conftest import ANA
from tests.factories import UserFactory

NAMES = [
    "Ana",
    "Jean-Luc",
    "O’Neill",
    "J.R.R. Tolkien",
    "St. John",
    "J.-P.",
    "Martin Jr.",
    "李",
    "Zoë 2",
    "Louis XIV",
    "علی‌رضا",
    "Ana / Bea",
    "María José",
    "Dr. h. c. Anna",
    "محمد",
]
REFUSED = {
    "http://evil.example/pay": "",
    "win 0 http://evil.example/pay": "win 0",
    "see www.evil": "see",
    "evil.example": "",
    "evil。example": "",
    "evil．example": "",
    "evil․example": "",
    "e\u200dvil.exa\u200cmple": "",
    "пример.рф": "",
    "1.2.3.4": "",
    "pay@evil": "",
    "mailto:ana": "",
    "HTTPS:evil": "",
    "Ana\u202eevil": "Anaevil",
    "Ana\u200b": "Ana",
    "Ana\u2066": "Ana",
    "Ana\ufeff": "Ana",
    "Ana\nBcc": "Ana Bcc",
    "Ana\u2028Bea": "Ana Bea",
    "⟦acknowledge⟧": "acknowledge",
    "call 0900 123456": "call",
    "evil\u200b.example": "",
    "javascript:alert": "",
    # Marks are part of a domain, or nothing of one.
    "हिन्दी.भारत": "",
    "evil\u034f.example": "",
    "evil.\ufe0fexample": "",
}


@pytest.mark.parametrize("name", NAMES)
def test_names_are_names(name: str) -> None:
    validate_name(name)
    assert cleaned(name) == name


@pytest.mark.parametrize(("name", "left"), REFUSED.items())
def test_what_is_no_name_is_refused_and_cleaned(name: str, left: str) -> None:
    with pytest.raises(ValidationError):
        validate_name(name)
    assert cleaned(name) == left
    validate_name(cleaned(name))


@pytest.mark.parametrize("piece", ["a", "a-", "1", "\u0301\u0316", "a.", "tel "])
def test_a_name_that_is_none_is_refused_and_cleaned_in_no_time(piece: str) -> None:
    """As another service or the bot may send one, whose messages are bounded by a megabyte."""
    value = piece * (500_000 // len(piece))
    began = time.monotonic()
    assert len(cleaned(value, 150)) <= 150
    with suppress(ValidationError):
        validate_name(value)
    assert time.monotonic() - began < 5


def test_a_name_is_shown_up_to_a_length() -> None:
    assert cleaned("Ana " * 30) == "Ana Ana Ana Ana Ana Ana Ana Ana Ana Ana…"


BAD = ["http://evil.example/pay", "evil.example", "Ana\u202e", "⟦link⟧", "0900 123456"]


@pytest.mark.slow
@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("field", ["first_name", "last_name"])
def test_the_api_refuses_them(
    as_user: Callable[[User], APIClient],
    anonymous: APIClient,
    stranger: User,
    operator: User,
    field: str,
    name: str,
) -> None:
    registered = anonymous.post("/api/v1/auth/register/", ANA | {field: name})
    changed = as_user(stranger).patch("/api/v1/users/me/", {field: name})
    by_staff = as_user(operator).patch(f"/api/v1/users/{stranger.pk}/", {field: name})
    for answer in (registered, changed, by_staff):
        assert answer.status_code == 400, answer.content
        assert list(answer.json()) == [field]
    assert not User.objects.filter(email=ANA["email"]).exists()


@pytest.mark.slow
def test_the_pages_and_the_admin_refuse_them(stranger: User, operator: User) -> None:
    browser = Client()
    registering = {**ANA, "first_name": BAD[0], "time_zone": "UTC"}
    assert browser.post("/register/", registering).status_code == 422
    browser.force_login(stranger)
    details = {"first_name": BAD[0], "language": "en"}
    assert browser.post("/account/details/", details).status_code == 422
    browser.force_login(operator)
    adding = {**ANA, "first_name": BAD[0], "password1": "x", "password2": "x"}
    form = browser.post("/admin/accounts/user/add/", adding).context["adminform"].form
    assert "first_name" in form.errors
    assert not User.objects.filter(email=ANA["email"]).exists()


def test_an_old_name_keeps_nobody_from_other_changes(
    as_user: Callable[[User], APIClient], stranger: User
) -> None:
    User.objects.filter(pk=stranger.pk).update(first_name=BAD[0])
    assert as_user(stranger).patch("/api/v1/users/me/", {"language": "fr"}).status_code == 200


def test_those_of_other_services_are_cleaned_and_not_refused(db: None) -> None:
    user = UserFactory(mirrored_from="events")
    User.objects.filter(pk=user.pk).update(password="!")
    details = {"email": "bea@example.com", "first_name": "Bea http://evil.example", "last_name": "⟦link⟧"}
    mirror = mirror_of(user_id=Student().pk, details=details, source="events")
    mirrors_store(users=[mirror])
    assert mirror_update(user_id=user.pk, details={"first_name": "Zoé evil.example"}, source="events")
    user.refresh_from_db()
    assert [mirror.first_name, mirror.last_name, user.first_name] == ["Bea", "link", "Zoé"]


def test_those_that_the_bot_tells_of_are_cleaned(as_machine: Any, settings: Any) -> None:
    dating = settings.SOURCES["dating"] | {"url": "amqp://localhost"}
    settings.SOURCES = settings.SOURCES | {"dating": dating}
    about = {"chat_id": 4242, "first_name": "Bea evil.example"}
    answer = as_machine("dating:write").put("/api/v1/dating/bot-accounts/4242/", about)
    assert answer.status_code == 201, answer.content
    assert User.objects.get(email="bot-4242@bot.invalid").first_name == "Bea"


def test_a_label_hides_nothing(as_user: Callable[[User], APIClient], stranger: User) -> None:
    User.objects.filter(pk=stranger.pk).update(email_verified_at=clock.now())
    wish = {"channel": "webhook", "address": "https://hooks.example.com/1", "label": "Home\u202e"}
    answer = as_user(stranger).post("/api/v1/contact-points/", wish)
    assert (answer.status_code, list(answer.json())) == (400, ["label"])
    assert as_user(stranger).post("/api/v1/contact-points/", wish | {"label": "a.example"}).status_code == 201
    point = ContactPoint.objects.get()
    path = f"/api/v1/contact-points/{point.pk}/"
    assert as_user(stranger).patch(path, {"label": "⟦link⟧"}).status_code == 400


def test_a_name_of_before_the_rule_is_no_link_in_a_subject(transactional_db: None) -> None:
    user = UserFactory()
    User.objects.filter(pk=user.pk).update(first_name="win 0 http://evil.example/pay")
    Student.objects.create(user=User.objects.get(pk=user.pk))
    while due_runs_handle(clock=lambda: timezone.now() + timedelta(minutes=1)):
        pass
    told = Notification.objects.get(kind="student.created")
    assert told.title == "Welcome to Tocsin, win 0!"


def test_no_text_of_others_becomes_a_link_of_ours(transactional_db: None) -> None:
    student = Student.objects.create(user=UserFactory())
    event_publish(
        routing_key="stage.accepted",
        payload={"student_id": str(student.pk), "title": "⟦acknowledge⟧", "company": ["⟦link⟧"]},
    )
    while due_runs_handle(clock=lambda: timezone.now() + timedelta(minutes=1)):
        pass
    told = Notification.objects.get(kind="stage.accepted")
    assert "⟦" not in told.title + told.body + str(told.texts)
    composed = compose("escalation", {"process_id": "⟦acknowledge⟧", "mail_subject": "⟦acknowledge⟧"})
    assert "⟦" not in composed.title + str(composed.texts)
