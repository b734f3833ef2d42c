"""Acknowledging by the link in a mail or SMS: looking changes nothing, only the button does."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from escalation.acknowledge_links import MARK, delivery_id_of, token_of
from escalation.models import EscalationProcess
from escalation.selectors import deliveries_of
from escalation.services.processes import process_start, process_stop
from notifications.engine.claim import Claimed
from notifications.engine.content import Content, message_of
from notifications.engine.recipients import Recipient
from notifications.messages.links import linked
from notifications.models import Delivery, Notification
from tests.factories import NotificationFactory

LINK = re.compile(r"https://tocsin\.example\.com(/acknowledge/[^\s/]+/)")


@pytest.fixture(autouse=True)
def _public(settings):
    settings.PUBLIC_URL = "https://tocsin.example.com"


@pytest.fixture
def process(owner):
    """Tells Ana by SMS now, and everybody by everything in an hour."""
    now = timezone.now()
    later = now + timedelta(hours=1)
    items = [
        Recipient("sms", now, "+33612345678", user=owner),
        Recipient("email", later, "chef@example.com"),
        Recipient("telegram", later, "12345"),
        Recipient("webhook", later, "https://hooks.example.com/1"),
        Recipient("phone", later, "+33612345678"),
        Recipient("pubnub", later, "kitchen"),
    ]
    return process_start(process_id="restaurant", notifications=items, now=now).process


def message(delivery):
    """What is sent for a delivery, as the sender makes it."""
    told = delivery.notification
    names = {field.name: getattr(delivery, field.name, None) for field in Delivery._meta.concrete_fields}
    names |= {"id": delivery.pk, "notification_id": told.pk, "user_id": delivery.user_id, "attempt": 1}
    claimed = Claimed._make(names.get(name) for name in Claimed._fields)
    of_notification = (name for name in Content._fields if hasattr(told, name))
    content = Content(**{name: getattr(told, name) for name in of_notification}, shared={})
    return message_of(claimed, content, on_begin=None)


def of(process, channel):
    return deliveries_of(process).select_related("notification").get(channel=channel)


def link_in(process, channel):
    return LINK.search(message(of(process, channel)).body)[1]


def test_mails_sms_and_telegram_have_a_link_of_their_own_and_nothing_else_has(process):
    bodies = {channel: message(of(process, channel)).body for channel in ("sms", "email", "telegram")}
    links = {LINK.search(body)[0] for body in bodies.values()}
    assert len(links) == 3
    for channel in ("webhook", "phone", "pubnub"):
        told = message(of(process, channel))
        assert "acknowledge/" not in told.title + told.body
        assert MARK not in told.title + told.body


@pytest.mark.parametrize("channel", ["webhook", "phone", "pubnub", "push", "inbox", "console", "third_party"])
def test_an_operators_text_can_not_put_the_link_where_others_may_read_it(channel):
    assert linked(uuid4(), channel, f"Here: {MARK}") == ("Here: ",)
    assert LINK.search(linked(uuid4(), "email", f"Here: {MARK}")[0])


def test_links_stand_in_no_row_of_the_database(process):
    for row in Notification.objects.all():
        assert "/acknowledge/" not in f"{row.title}{row.body}{row.texts}{row.data}"


def test_looking_at_the_page_changes_nothing(process):
    page = Client().get(link_in(process, "sms"))
    assert page.status_code == 200
    assert "restaurant" in page.content.decode()
    assert (page["Referrer-Policy"], page["X-Robots-Tag"]) == ("same-origin", "noindex")
    process.refresh_from_db()
    assert process.state == "active"


@pytest.mark.slow
@pytest.mark.parametrize(("channel", "by"), [("sms", "owner@example.com"), ("email", "chef@example.com")])
def test_its_button_acknowledges_in_the_name_of_whoever_got_the_message(process, channel, by):
    page = Client().post(link_in(process, channel))
    assert page.status_code == 200
    process.refresh_from_db()
    assert (process.state, process.ended_by, process.ended_via) == ("acknowledged", by, "link")
    assert not deliveries_of(process).filter(status="pending").exists()


def test_a_form_of_another_site_can_not_press_it(process):
    browser = Client(enforce_csrf_checks=True)
    path = link_in(process, "sms")
    refused = browser.post(path)
    assert refused.status_code == 403
    assert f'href="/escalations/{process.pk}/"' in refused.content.decode()
    assert "Log in and acknowledge" in refused.content.decode()
    process.refresh_from_db()
    assert process.state == "active"
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', browser.get(path).content.decode())[1]
    assert browser.post(path, {"csrfmiddlewaretoken": token}).status_code == 200


def test_pressed_again_or_after_a_stop_it_changes_nothing(process):
    path = link_in(process, "sms")
    process_stop(process_id="restaurant", by="Ben", now=timezone.now())
    for answer in (Client().get(path), Client().post(path)):
        assert answer.status_code == 200
        assert "Stopped" in answer.content.decode()
    assert EscalationProcess.objects.get().ended_by == "Ben"


def test_a_link_acknowledges_its_own_run_alone(process):
    path = link_in(process, "sms")
    process_stop(process_id="restaurant", now=timezone.now())
    now = timezone.now()
    anew = process_start(
        process_id="restaurant", notifications=[Recipient("sms", now, "+33612345678")], now=now
    ).process
    Client().post(path)
    anew.refresh_from_db()
    assert anew.state == "active"


def test_links_that_were_made_up_or_have_run_out_lead_nowhere(process, owner, settings):
    good = token_of(of(process, "sms").pk)
    assert delivery_id_of(good) == of(process, "sms").pk
    other = Delivery.objects.create(
        notification=NotificationFactory(), channel="sms", due_at=timezone.now(), expires_at=timezone.now()
    )
    for token in (good[:-1] + ("A" if good[-1] != "A" else "B"), "x", token_of(uuid4()), token_of(other.pk)):
        assert Client().post(f"/acknowledge/{token}/").status_code == 404
    owner.is_active = False
    owner.save()
    assert Client().post(f"/acknowledge/{good}/").status_code == 404
    settings.ESCALATION_LINK_MAX_AGE_H = -1
    assert delivery_id_of(good) is None
    process.refresh_from_db()
    assert process.state == "active"
