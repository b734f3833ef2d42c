"""The operator sees every text there is and what is wrong with it, writes others, and takes them back."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from notifications.messages import faults
from notifications.messages.compiled import Compiled, Text
from notifications.messages.compose import compose
from notifications.messages.states import KindStates, TextState, kind_states
from notifications.models import MessageTemplate
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

ADD = reverse("admin:notifications_messagetemplate_add")
LIST = reverse("admin:notifications_messagetemplate_changelist")
PREVIEW = reverse("admin:notifications_messagetemplate_preview")
ALERT = {
    "kind": "alert",
    "language": "en",
    "channel": "",
    "title": "{{ shop }}!",
    "body": "Now",
    "is_active": "on",
}


@pytest.fixture
def desk(operator: User) -> Client:
    client = Client()
    client.force_login(operator)
    return client


def override(**fields: Any) -> MessageTemplate:
    return MessageTemplate.objects.create(
        **{"kind": "alert", "language": "en", "title": "{{ shop }}!", "body": "", **fields}
    )


def errors_of(response: Any) -> dict[str, list[str]]:
    return response.context["adminform"].form.errors


def state_of(kind: str, language: str, channel: str = "") -> TextState:
    (found,) = (each for each in kind_states() if each.name == kind)
    (cells,) = (cells for name, cells in found.rows if name == channel)
    (state,) = (cell for cell in cells if cell.language == language)
    return state


def names(states: list[KindStates]) -> list[str]:
    return [each.name for each in states]


def test_every_kind_is_listed_in_every_language(desk: Client) -> None:
    page = desk.get(LIST)
    assert page.status_code == 200
    text = page.content.decode()
    for kind in ("alert", "student.created", "offer.created", "account.verify_phone"):
        assert kind in text
    assert "English" in text
    assert "Français" in text
    assert {state_of("alert", code).state for code in ("en", "fr")} == {"file"}


def test_a_text_is_from_the_file_or_overridden_or_switched_off_or_missing() -> None:
    override(language="fr")
    override(channel="sms", is_active=False)
    assert state_of("alert", "en").state == "file"
    assert state_of("alert", "fr").state == "overridden"
    assert state_of("alert", "en", "sms").state == "switched off"
    assert state_of("alert", "fr", "sms").state == "missing"
    assert not any(cell.fault for kind in kind_states() for _, cells in kind.rows for cell in cells)


def test_a_kind_made_in_the_admin_is_listed_too(desk: Client) -> None:
    override(kind="stage.paused")
    assert "stage.paused" in names(kind_states())
    assert "stage.paused" in desk.get(LIST).content.decode()


def test_a_text_that_does_not_compile_is_listed_as_faulty(desk: Client) -> None:
    override(body="{% nope %}")
    assert state_of("alert", "en").fault == "body, line 1: Invalid block tag: 'nope'"
    assert "faulty" in desk.get(LIST).content.decode()


def test_a_text_that_failed_with_real_data_is_listed_as_faulty_until_it_is_changed(redis: None) -> None:
    row = override()
    assert state_of("alert", "en").fault == ""
    faults.report(Compiled("alert", "en", "", "override", Text(row.title, row.body)), "the title is empty")
    assert state_of("alert", "en").fault.startswith("the title is empty (")
    row.title = "{{ shop }}?"
    row.save()
    assert state_of("alert", "en").fault == ""


@pytest.mark.slow
def test_the_list_takes_the_same_number_of_queries_for_any_number_of_overrides(desk: Client) -> None:
    override()
    desk.get(LIST)
    with CaptureQueriesContext(connection) as few:
        desk.get(LIST)
    for kind in ("test", "digest", "stage.accepted", "student.created"):
        override(kind=kind, updated_by=UserFactory())
    with CaptureQueriesContext(connection) as many:
        desk.get(LIST)
    assert len(many) == len(few) <= 4


def test_an_override_starts_from_the_text_that_is_used_now(desk: Client) -> None:
    form = desk.get(ADD, {"kind": "alert", "language": "fr", "channel": "sms"}).context["adminform"].form
    assert form.initial["title"].endswith(" : {{ shop }}")
    assert form.initial["channel"] == "sms"


def test_the_editor_says_what_a_text_may_use(desk: Client) -> None:
    page = desk.get(ADD, {"kind": "alert"}).content.decode()
    assert "The shop&#x27;s name." in page
    assert "{{ shop }}" in page
    assert "truncatechars" in page


@pytest.mark.slow
def test_an_override_is_saved_used_at_once_and_bears_its_authors_name(desk: Client, operator: User) -> None:
    response = desk.post(ADD, ALERT)
    assert response.status_code == 302, errors_of(response)
    row = MessageTemplate.objects.get()
    assert row.updated_by == operator
    assert compose("alert", {"shop": "Cora"}).title == "Cora!"
    other = UserFactory(is_staff=True, is_superuser=True)
    desk.force_login(other)
    change = reverse("admin:notifications_messagetemplate_change", args=[row.pk])
    assert desk.post(change, {**ALERT, "title": "{{ shop }}?"}).status_code == 302
    row.refresh_from_db()
    assert (row.title, row.updated_by) == ("{{ shop }}?", other)
    assert compose("alert", {"shop": "Cora"}).title == "Cora?"
    assert other.email in desk.get(LIST).content.decode()
    assert LogEntry.objects.filter(object_id=str(row.pk)).count() == 2


def test_an_override_keeps_its_place(desk: Client) -> None:
    row = override()
    change = reverse("admin:notifications_messagetemplate_change", args=[row.pk])
    assert desk.post(change, {**ALERT, "kind": "test", "language": "fr", "channel": "sms"}).status_code == 302
    row.refresh_from_db()
    assert (row.kind, row.language, row.channel) == ("alert", "en", "")


def test_resetting_is_deleting_the_override(desk: Client) -> None:
    row = override()
    delete = reverse("admin:notifications_messagetemplate_delete", args=[row.pk])
    assert delete in desk.get(LIST).content.decode()
    assert desk.post(delete, {"post": "yes"}).status_code == 302
    assert compose("alert", {"shop": "Cora", "label": "theft"}).title == "Theft at Cora"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "field", "error"),
    [
        ({"title": ""}, "title", "This field is required."),
        ({"title": "{% load x %}"}, "title", "Title, line 1: Invalid block tag: 'load'"),
        ({"body": "a\n{{ x|nope }}"}, "body", "Body, line 2: Invalid filter: 'nope'"),
        ({"body": "{{ shp }}"}, "body", "Unknown: shp. Known here:"),
        ({"title": "x" * 501}, "title", "at most 500 characters"),
        ({"body": "x" * 10_001}, "body", "Longer than 10000 characters"),
        ({"kind": "Not A Kind"}, "kind", "Enter small letters"),
        ({"language": "de"}, "language", "Select a valid choice"),
        ({"channel": "pigeon"}, "channel", "Select a valid choice"),
        ({"kind": "account.verify_email", "title": "a"}, "body", "It must hold {{ code }} or {{ link }}."),
        (
            {"kind": "account.verify_email", "title": "a", "body": "{{ link }}", "channel": "webhook"},
            "channel",
            "hold secrets",
        ),
    ],
)
def test_a_text_with_a_fault_is_not_saved_and_the_fault_is_named(
    desk: Client, changes: dict[str, str], field: str, error: str
) -> None:
    response = desk.post(ADD, {**ALERT, **changes})
    assert response.status_code == 200
    assert error in " ".join(errors_of(response)[field])
    assert not MessageTemplate.objects.exists()


def test_there_is_one_override_for_a_place(desk: Client) -> None:
    override()
    response = desk.post(ADD, ALERT)
    assert "already exists" in str(errors_of(response))
    assert MessageTemplate.objects.count() == 1


def test_a_preview_shows_the_text_and_saves_nothing(desk: Client) -> None:
    page = desk.post(PREVIEW, {**ALERT, "title": "<b>{{ shop }}", "body": "{{ label }}"})
    assert page.status_code == 200
    assert "&lt;b&gt;Auchan La Rochelle" in page.content.decode()
    assert "theft" in page.content.decode()
    assert not MessageTemplate.objects.exists()


def test_a_preview_says_what_is_wrong(desk: Client) -> None:
    assert "Title: Unknown: shp." in desk.post(PREVIEW, {**ALERT, "title": "{{ shp }}"}).content.decode()
    assert desk.post(PREVIEW, {}).status_code == 200


def test_a_preview_takes_a_post(desk: Client) -> None:
    assert desk.get(PREVIEW).status_code == 405


@pytest.mark.slow
def test_staff_without_the_permission_see_and_change_nothing(as_staff: Callable[..., Client]) -> None:
    row = override()
    looking = as_staff()
    page = looking.get(LIST)
    assert page.status_code == 200
    assert "Reset" not in page.content.decode()
    assert (
        looking.get(reverse("admin:notifications_messagetemplate_change", args=[row.pk])).status_code == 200
    )
    assert looking.post(ADD, ALERT).status_code == 403
    assert looking.post(PREVIEW, ALERT).status_code == 200
    writing = as_staff("add_messagetemplate")
    assert writing.post(ADD, {**ALERT, "language": "fr"}).status_code == 302


@pytest.fixture
def as_staff() -> Callable[..., Client]:
    """Staff with these permissions."""

    def build(*permissions: str) -> Client:
        user = UserFactory(is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client = Client()
        client.force_login(user)
        return client

    return build


@pytest.mark.parametrize("page", [LIST, ADD])
def test_a_stranger_sees_none_of_it(stranger: User, page: str) -> None:
    client = Client()
    assert client.get(page).status_code == 302
    client.force_login(stranger)
    assert client.get(page).status_code == 302
    assert client.post(PREVIEW, ALERT).status_code == 302
