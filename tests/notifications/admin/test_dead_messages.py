"""Dead letters of brokers in the admin."""

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from notifications.brokers import dead_letters
from notifications.models import DeadMessage, Event

pytestmark = pytest.mark.django_db
LIST = "/admin/notifications/deadmessage/"


@pytest.fixture
def messages(settings: Settings) -> list[DeadMessage]:
    settings.SOURCES = {**settings.SOURCES, "events": {**settings.SOURCES["events"], "url": "amqp://nowhere"}}
    common = {"source": "events", "reason": "Rain.", "routing_key": "test.measured"}
    return [
        DeadMessage.objects.create(
            body=body, size=len(body), key=str(number), delivered_at=timezone.now(), **common
        )
        for number, body in enumerate((b'{"n": "<b>"}', b"{"))
    ]


def test_where_there_is_nothing_nobody_is_told_to_make_one(client: Client, operator: User) -> None:
    client.force_login(operator)
    page = client.get(LIST).content.decode()
    assert "There is nothing here." in page
    assert "Create a new item" not in page


def test_the_staff_read_reason_and_body(client: Client, operator: User, messages: list[DeadMessage]) -> None:
    client.force_login(operator)
    assert "Rain." in client.get(LIST).content.decode()
    page = client.get(f"{LIST}{messages[0].pk}/change/").content.decode()
    assert "&lt;b&gt;" in page


@pytest.mark.slow
def test_the_chosen_are_replayed_and_discarded(
    client: Client, operator: User, messages: list[DeadMessage]
) -> None:
    client.force_login(operator)
    chosen = {"_selected_action": [str(each.pk) for each in messages]}
    page = client.post(LIST, {"action": "replay_chosen", **chosen}, follow=True).content.decode()
    assert "1 took effect." in page
    assert "1 failed again" in page
    assert Event.objects.filter(routing_key="test.measured").count() == 1
    page = client.post(LIST, {"action": "discard_chosen", **chosen}, follow=True).content.decode()
    assert "1 discarded." in page
    assert sorted(DeadMessage.objects.values_list("state", flat=True)) == ["discarded", "replayed"]


def test_those_that_were_not_replayed_are_said_so(
    client: Client, operator: User, messages: list[DeadMessage], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "REPLAY_MOST", 1)
    client.force_login(operator)
    cut = DeadMessage.objects.create(
        source="events", reason="Rain.", body=b"{", size=9, is_cut=True, key="3", delivered_at=timezone.now()
    )
    chosen = {"_selected_action": [str(each.pk) for each in (*messages, cut)]}
    page = client.post(LIST, {"action": "replay_chosen", **chosen}, follow=True).content.decode()
    assert "1 took effect." in page
    assert "failed again" not in page
    assert "1 can&#x27;t be replayed: they were too large" in page
    assert "Not replayed yet: 1." in page


def test_a_stranger_does_not_get_in(client: Client, stranger: User) -> None:
    client.force_login(stranger)
    assert client.get(LIST).status_code == 302
