"""SPEC 11.4: a person can have all that is stored about them, and nothing of anybody else."""

import io
import json
import zipfile
from datetime import date
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db.models import ForeignKey, Model
from django.test import Client
from rest_framework.test import APIClient

from accounts import personal_data
from accounts.api.tokens import Refresh
from accounts.models import ApiKey, Membership, User
from accounts.services import api_key_create
from accounts.services.tokens import token_kill
from config import clock
from dating.models import DatingProfile, Reaction
from escalation.models import EscalationProcess
from notifications.events.outbox import event_publish
from notifications.models import Attempt, AttemptRow, Delivery, DeliveryAction
from tests.dating.cast import Evening, event, person
from tests.factories import MembershipFactory, schedule_of
from tests.leaving import EMAIL, HOOK, NAMES, PHONE, SECOND_ADDRESS, client_of, handle_events, register

MINE = "/api/v1/users/me/export/"
MODELS = apps.get_models(include_auto_created=True)


def leads_to_a_person(model: type[Model], seen: frozenset[type[Model]] = frozenset()) -> bool:
    """Whether a row can be followed to a person, by the keys that it has."""
    if model is User:
        return True
    targets = {field.related_model for field in model._meta.concrete_fields if isinstance(field, ForeignKey)}
    return any(leads_to_a_person(each, seen | {model}) for each in targets - seen - {model})


@pytest.fixture
def leaver(db: None) -> User:
    return register()


# --- Everything is in it ------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [m for m in MODELS if leads_to_a_person(m)], ids=lambda m: m._meta.label)
def test_whatever_leads_to_a_person_is_exported_or_says_why_not(model: type[Model]) -> None:
    exported = {each for section in personal_data.sections() for each in section.models}
    reasons = personal_data.left_out()
    assert (model in exported) != (model in reasons), (
        f"Say what of {model._meta.label} is a person's, in SECTIONS of the app's export.py; "
        "or in LEFT_OUT why nothing of it is."
    )
    assert model in exported or reasons[model].endswith(".")


def test_the_walk_finds_what_hangs_on_a_person_by_several_keys() -> None:
    assert leads_to_a_person(Attempt)
    assert not leads_to_a_person(ApiKey)


@pytest.mark.slow
def test_the_document_has_what_was_stored(leaver: User, teammate: User) -> None:
    MembershipFactory(user=leaver, shop__name="Corner shop")
    EscalationProcess.objects.create(
        process_id="fire",
        told_users=[leaver.pk, teammate.pk],
        look_at=clock.now(),
        ended_by=PHONE,
    )
    schedule_of(leaver, name="nights")
    DeliveryAction.objects.create(action="replay", via="api", by=EMAIL, count=3, deliveries=[])
    told = Delivery.objects.filter(user=leaver).first()
    assert told
    AttemptRow.objects.create(
        delivery=told, number=9, started_at=clock.now(), duration_ms=1.0, outcome="rejected", error="550 no"
    )
    given = client_of(leaver).get(MINE).json()
    assert (given["account"][0]["email"], given["account"][0]["phone"]) == (EMAIL, PHONE)
    assert [each["id"] for each in given["profiles"]] == [str(leaver.student.pk)]
    assert {each["address"] for each in given["contact_points"]} == {SECOND_ADDRESS, HOOK}
    assert [each["shop_name"] for each in given["memberships"]] == ["Corner shop"]
    assert [(each["process_id"], each["ended_by"]) for each in given["escalations"]] == [("fire", PHONE)]
    assert [each["name"] for each in given["schedules"]] == ["nights"]
    assert [each["count"] for each in given["delivery_actions"]] == [3]
    assert {each["routing_key"] for each in given["events"]} >= {"auth.user.created", "student.created"}
    welcome = next(each for each in given["deliveries"] if each["kind"] == "student.created")
    assert NAMES[0] in welcome["title"]
    (tried,) = [each["attempts"] for each in given["deliveries"] if each["id"] == str(told.pk)]
    assert tried[-1]["error"] == "550 no"


@pytest.mark.slow
def test_it_has_sections_for_all_and_a_time(leaver: User) -> None:
    given = client_of(leaver).get(MINE).json()
    assert list(given) == ["exported_at", *(section.name for section in personal_data.sections())]


@pytest.mark.slow
def test_a_page_ends_and_the_next_one_follows(leaver: User, monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_of(leaver)
    whole = client.get(MINE).json()
    monkeypatch.setattr(personal_data, "BATCH", 1)
    assert client.get(MINE).json() | {"exported_at": ""} == whole | {"exported_at": ""}
    assert len(whole["events"]) > 1


@pytest.mark.slow
def test_what_is_large_comes_as_a_zip(leaver: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(personal_data, "PACKED_FROM", 100)
    answer = client_of(leaver).get(MINE)
    assert answer["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert json.loads(archive.read(f"{leaver.pk}.json"))["account"][0]["email"] == EMAIL


# --- Nothing else is ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_no_secret_is_in_it(leaver: User, operator: User) -> None:
    client = client_of(leaver)
    session_key = client.session.session_key
    token = Refresh.for_user(leaver)
    token.end_log_in()
    token_kill(jti=token["jti"], expires_at=token.expires_at)
    made, key = api_key_create(name="camera", scopes=["alerts:write"])
    LogEntry.objects.create(
        user=leaver,
        action_flag=ADDITION,
        object_id=str(made.pk),
        object_repr="camera",
        content_type=ContentType.objects.get_for_model(ApiKey),
    )
    leaver.refresh_from_db()
    given = client.get(MINE)
    text = given.content.decode()
    assert [each["name"] for each in given.json()["api_keys"]] == ["camera"]
    assert given.json()["sessions"]
    assert any(each["ended_at"] for each in given.json()["tokens"])
    secrets = (leaver.password, session_key, str(token), token["jti"], key, made.digest)
    assert [secret for secret in secrets if str(secret) in text] == []


@pytest.mark.slow
def test_nothing_of_others_is_in_it(leaver: User, teammate: User) -> None:
    teammate.first_name = "Wilhelmina"
    teammate.save()
    both = {"user_ids": [str(leaver.pk), str(teammate.pk)], "about": "Wilhelmina's grade"}
    event_publish(routing_key="unknown.thing", payload=both, source="school")
    EscalationProcess.objects.create(
        process_id="fire",
        told_users=[leaver.pk],
        look_at=clock.now(),
        ended_by=teammate.email,
    )
    partner = person("Wilhelmina")
    DatingProfile.objects.create(user=leaver, birthday=date(1999, 5, 1))
    evening = Evening(event()).registered(leaver, partner)
    by, about = evening.member(partner), evening.member(leaver)
    Reaction.objects.create(event=evening.event, by=by, about=about, kind="report", text="was rude")
    handle_events()
    text = client_of(leaver).get(MINE).content.decode()
    assert [
        word for word in ("Wilhelmina", "was rude", teammate.email, str(teammate.pk)) if word in text
    ] == []
    assert client_of(partner).get(MINE).json()["dating_reactions"][0]["text"] == "was rude"


# --- Who may ------------------------------------------------------------------------------------------


def of(user: User) -> str:
    return f"/api/v1/users/{user.pk}/export/"


@pytest.mark.slow
def test_strangers_and_machines_get_nobodys(
    leaver: User, stranger: User, anonymous: APIClient, as_machine: Any
) -> None:
    assert client_of(stranger).get(of(leaver)).status_code == 403
    assert anonymous.get(MINE).status_code == 401
    assert anonymous.get(of(leaver)).status_code == 401
    assert as_machine("deliveries:read", "events:read").get(MINE).status_code == 403
    assert as_machine("deliveries:read").get(of(leaver)).status_code == 403


@pytest.mark.slow
def test_staff_need_the_permission(leaver: User, teammate: User, operator: User) -> None:
    User.objects.filter(pk=teammate.pk).update(is_staff=True)
    clerk = User.objects.get(pk=teammate.pk)
    assert client_of(clerk).get(of(leaver)).status_code == 403
    clerk.user_permissions.add(Permission.objects.get(codename="export_user"))
    given = client_of(User.objects.get(pk=clerk.pk)).get(of(leaver))
    assert (given.status_code, given.json()["account"][0]["email"]) == (200, EMAIL)
    assert client_of(operator).get(of(leaver)).status_code == 200


@pytest.mark.slow
def test_it_is_not_to_be_had_without_end(
    leaver: User, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setitem(settings.RATES, "export", "2/min")
    client = client_of(leaver)
    assert [client.get(MINE).status_code for _ in range(3)] == [200, 200, 429]
    page = Client()
    page.force_login(leaver)
    assert page.get("/account/export/").status_code == 429


# --- The pages ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_page_gives_the_same_file(leaver: User) -> None:
    page = Client()
    page.force_login(leaver)
    assert "/account/export/" in page.get("/account/").content.decode()
    answer = page.get("/account/export/")
    assert answer.json()["account"][0]["email"] == EMAIL
    assert answer["Content-Disposition"].startswith("attachment;")
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.slow
def test_of_guesses_at_the_password_each_counts_once(
    leaver: User, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setitem(settings.RATES, "password-check", "2/min")
    page = Client()
    page.force_login(leaver)
    guesses = [page.post("/account/leave/", {"password": "wrong horse"}).status_code for _ in range(3)]
    assert guesses == [422, 422, 429]
    assert User.objects.filter(pk=leaver.pk).exists()


@pytest.mark.slow
def test_the_page_says_what_stays_and_deletes_for_the_password(leaver: User, settings: Any) -> None:
    settings.HISTORY_RETENTION_DAYS = 123
    page = Client()
    page.force_login(leaver)
    assert "123 days" in page.get("/account/leave/").content.decode()
    assert page.post("/account/leave/", {"password": "wrong horse"}).status_code == 422
    assert User.objects.filter(pk=leaver.pk).exists()
    answer = page.post("/account/leave/", {"password": "correct horse battery"})
    assert (answer.status_code, "has been deleted" in answer.content.decode()) == (200, True)
    assert not User.objects.filter(pk=leaver.pk).exists()
    assert not Membership.objects.filter(user_id=leaver.pk).exists()
    assert page.get("/account/").status_code == 302
