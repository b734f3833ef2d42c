"""A contact point tells nothing but its own code until that is entered, over real servers."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import orjson
import pytest
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import Shop, User
from notifications.engine import digest
from notifications.engine.fanout import alert_fan_out, notify, people
from notifications.engine.replay import replay
from notifications.engine.sender import Sender
from notifications.models import ContactPoint, Delivery
from notifications.services.confirmations import contact_point_vouch
from tests.clock import Clock
from tests.factories import (
    AlertFactory,
    ContactPointFactory,
    NotificationFactory,
    PreferenceFactory,
    UserFactory,
)
from tests.servers.smtp import MailServer
from tests.servers.third_party import ThirdParty
from tests.servers.twilio import Twilio

LogIn = Callable[[User], APIClient]
PATH = "/api/v1/contact-points/"
CODE = re.compile(r"(?<!\d)\d{6}(?!\d)")
MOBILE = "+33612345678"


@pytest.fixture
def mails(settings: Settings) -> Iterator[MailServer]:
    with MailServer() as server:
        settings.SMTP_HOST, settings.SMTP_PORT = "127.0.0.1", server.port
        yield server


def news(user: User, **asked: Any) -> None:
    """Something happens that is told in the inbox and at each contact point."""
    told = NotificationFactory.build(kind="offer.created", title="News", dedup_key=f"test:{uuid4()}")
    notify(told, people([user.pk], as_of=asked.get("as_of") or timezone.now()), inbox=True)


def told_at(point: Any) -> list[str]:
    rows = Delivery.objects.filter(contact_point=point).order_by("id")
    return list(rows.values_list("notification__kind", flat=True))


def code_in(text: str) -> str:
    (code,) = set(CODE.findall(text))
    return code


def text_of(mail: Any) -> str:
    return str(mail.message.get_content())


# --- Strangers -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_three_hundred_addresses_of_strangers_get_no_more_than_a_few_codes(
    sender: Sender, as_user: LogIn, owner: User, mails: MailServer
) -> None:
    client = as_user(owner)
    answers = [
        client.post(PATH, {"channel": "email", "address": f"victim{number}@example.org"}).status_code
        for number in range(300)
    ]
    assert answers == [201] * 10 + [429] * 290
    assert ContactPoint.objects.count() == 10
    for _ in range(3):
        news(owner)
    assert sender.drain(60)
    assert len(mails.mails) == 10
    assert {str(mail.message["Subject"]) for mail in mails.mails} == {"Confirm this contact point"}


@pytest.mark.slow
def test_one_address_gets_few_codes_whoever_asks_and_however_it_is_spelled(
    sender: Sender, as_user: LogIn, mails: MailServer
) -> None:
    answers = []
    for number in range(8):
        user = UserFactory(email_verified_at=timezone.now())
        address = f"Victim+{number}@example.org"
        answers.append(as_user(user).post(PATH, {"channel": "email", "address": address}).status_code)
    assert answers == [201] * 5 + [429] * 3
    assert sender.drain(60)
    assert len(mails.mails) == 5


@pytest.mark.slow
def test_a_number_is_not_called_more_by_calling_it_a_phone_a_mobile_and_ones_own(
    sender: Sender, as_user: LogIn, twilio: Twilio
) -> None:
    answers = []
    for _ in range(3):
        user = UserFactory(email_verified_at=timezone.now(), phone=MOBILE)
        client = as_user(user)
        answers += [
            client.post(PATH, {"channel": "sms", "address": MOBILE}).status_code,
            client.post(PATH, {"channel": "phone", "address": MOBILE}).status_code,
            client.post("/api/v1/auth/phone/verify/").status_code,
        ]
    assert answers == [201, 201, 202, 201, 201, 429, 429, 429, 429]
    assert sender.drain(60)
    assert len(twilio.messages) + len(twilio.calls) == 5


@pytest.mark.slow
def test_the_code_says_nothing_that_whoever_asks_has_written(
    sender: Sender, as_user: LogIn, owner: User, mails: MailServer
) -> None:
    client = as_user(owner)
    client.patch("/api/v1/users/me/", {"first_name": "win 0 http://evil.example/pay"})
    client.post(PATH, {"channel": "email", "address": "victim@example.org", "label": "evil.example"})
    assert sender.drain(60)
    (mail,) = mails.mails
    assert b"evil" not in mail.content
    assert "List-Unsubscribe" not in mail.message


# --- By every channel ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_mailed_code_confirms_and_news_of_before_are_not_told(
    sender: Sender, as_user: LogIn, owner: User, mails: MailServer
) -> None:
    client = as_user(owner)
    point = client.post(PATH, {"channel": "email", "address": "home@example.org"}).json()
    assert point["confirmed_at"] is None
    happened_at = timezone.now()
    assert sender.drain(60)
    code = code_in(text_of(mails.mails[0]))
    confirmed = client.post(f"{PATH}{point['id']}/confirm/", {"code": code})
    assert confirmed.status_code == 200
    assert confirmed.json()["confirmed_at"] is not None
    news(owner, as_of=happened_at)
    assert told_at(point["id"]) == ["account.confirm_contact_point"]
    news(owner)
    assert told_at(point["id"]) == ["account.confirm_contact_point", "offer.created"]


@pytest.mark.slow
def test_a_text_message_and_a_call_bring_their_codes(
    sender: Sender, as_user: LogIn, owner: User, twilio: Twilio
) -> None:
    client = as_user(owner)
    by_text = client.post(PATH, {"channel": "sms", "address": MOBILE}).json()
    by_call = client.post(PATH, {"channel": "phone", "address": "+33199001000"}).json()
    assert sender.drain(60)
    (message,), (call,) = twilio.messages, twilio.calls
    answer = client.post(f"{PATH}{by_text['id']}/confirm/", {"code": code_in(message.fields["Body"])})
    assert answer.status_code == 200
    # What Twilio is told to say, where the product says it itself.
    delivery = Delivery.objects.get(contact_point=by_call["id"])
    assert call.fields["Url"].endswith(f"/voice/{delivery.pk}/")


@pytest.mark.slow
def test_where_twilio_cannot_ask_the_call_itself_holds_what_it_says(
    sender: Sender, as_user: LogIn, owner: User, twilio: Twilio, settings: Settings
) -> None:
    settings.PUBLIC_URL = "http://localhost:8000"
    client = as_user(owner)
    point = client.post(PATH, {"channel": "phone", "address": MOBILE}).json()
    assert sender.drain(60)
    (call,) = twilio.calls
    assert "Url" not in call.fields
    said = re.search(r"is: (\d(?:, \d){5})\.", call.fields["Twiml"])
    assert said
    code = said[1].replace(", ", "")
    assert client.post(f"{PATH}{point['id']}/confirm/", {"code": code}).status_code == 200


@pytest.mark.slow
def test_a_webhook_is_told_its_code_and_nothing_else(sender: Sender, as_user: LogIn, owner: User) -> None:
    with ThirdParty() as server:
        client = as_user(owner)
        point = client.post(PATH, {"channel": "webhook", "address": f"{server.origin}/hook"}).json()
        news(owner)
        assert sender.drain(60)
        (request,) = server.requests
        said = orjson.loads(request.body)
        assert said["type"] == "account.confirm_contact_point"
        answer = client.post(f"{PATH}{point['id']}/confirm/", {"code": code_in(said["data"]["body"])})
        assert answer.status_code == 200
        news(owner)
        assert sender.drain(60)
        assert orjson.loads(server.requests[1].body)["type"] == "offer.created"


# --- Whose it is known to be -----------------------------------------------------------------------------


@pytest.mark.slow
def test_the_verified_addresses_of_the_account_need_no_code(
    as_user: LogIn, twilio: Twilio, transactional_db: None
) -> None:
    now = timezone.now()
    user = UserFactory(email="me@example.com", email_verified_at=now, phone=MOBILE, phone_verified_at=now)
    for channel, address in (("email", "Me@example.com"), ("sms", MOBILE), ("phone", "+33 6 12 34 56 78")):
        assert as_user(user).post(PATH, {"channel": channel, "address": address}).json()["confirmed_at"]
    assert not Delivery.objects.exists()


@pytest.mark.slow
def test_an_account_whose_address_nobody_confirmed_can_add_that_one_only(
    sender: Sender, as_user: LogIn, mails: MailServer, twilio: Twilio
) -> None:
    user = UserFactory(email="new@example.com", phone=MOBILE, phone_verified_at=timezone.now())
    client = as_user(user)
    others = (
        ("email", "attacker@evil.example"), ("sms", MOBILE), ("webhook", "https://evil.example/"),
    )  # fmt: skip
    for channel, address in others:
        assert client.post(PATH, {"channel": channel, "address": address}).status_code == 409
    own = client.post(PATH, {"channel": "email", "address": "new@example.com"}).json()
    assert own["confirmed_at"] is None
    assert client.patch(f"{PATH}{own['id']}/", {"address": "attacker@evil.example"}).status_code == 409
    assert sender.drain(60)
    (mail,) = mails.mails
    assert mail.recipients == ["new@example.com"]
    assert client.post(f"{PATH}{own['id']}/confirm/", {"code": code_in(text_of(mail))}).status_code == 200
    assert client.get("/api/v1/users/me/").json()["email_verified_at"]
    assert client.post(PATH, {"channel": "email", "address": "home@example.org"}).status_code == 201


@pytest.mark.slow
@pytest.mark.parametrize("is_allowed", [True, False])
def test_staff_vouch_for_others_only_where_they_may_add_contact_points(
    as_user: LogIn, owner: User, operator: User, is_allowed: bool, transactional_db: None
) -> None:
    staff = operator if is_allowed else UserFactory(is_staff=True)
    body = {"channel": "email", "address": "a@example.org", "user_id": str(owner.pk)}
    point = as_user(staff).post(PATH, body).json()
    assert (point["confirmed_at"] is not None) is is_allowed
    moved = as_user(staff).patch(f"{PATH}{point['id']}/", {"address": "b@example.org"}).json()
    assert (moved["confirmed_at"] is not None) is is_allowed
    assert as_user(staff).post(f"{PATH}{point['id']}/confirm/", {"code": "000000"}).status_code == 403
    assert as_user(staff).post(f"{PATH}{point['id']}/code/").status_code == 403


# --- Every way by which people are told ------------------------------------------------------------------


@pytest.fixture
def unconfirmed(owner: User) -> ContactPoint:
    point: ContactPoint = ContactPointFactory(user=owner, channel="email", address="x@example.org")
    ContactPoint.objects.filter(pk=point.pk).update(confirmed_at=None)
    point.refresh_from_db()
    return point


def test_alerts_go_by_the_default_channel_as_if_it_were_not_there(
    unconfirmed: ContactPoint, owner: User, shop: Shop, transactional_db: None
) -> None:
    alert = AlertFactory(shop=shop)
    alert_fan_out(alert.pk)
    assert [each.channel for each in Delivery.objects.filter(user=owner)] == ["third_party"]


@pytest.mark.slow
def test_a_new_address_ends_what_was_held_for_the_old_one(
    as_user: LogIn, owner: User, clock: Clock, transactional_db: None
) -> None:
    now = timezone.now()
    PreferenceFactory(
        user=owner,
        quiet_from=(now - timedelta(hours=1)).time(),
        quiet_until=(now + timedelta(hours=1)).time(),
        digest=True,
    )
    point = ContactPointFactory(user=owner, channel="email", address="old@example.org")
    news(owner)
    (held,) = Delivery.objects.filter(contact_point=point)
    assert held.reason == "digest"
    changed = as_user(owner).patch(f"{PATH}{point.pk}/", {"address": "victim@example.org"})
    assert changed.json()["confirmed_at"] is None
    held.refresh_from_db()
    assert (held.status, held.reason, held.address) == ("suppressed", "unconfirmed", "old@example.org")
    news(owner)
    clock.forward(7200)
    assert not digest.digests_send(clock())
    assert told_at(point.pk) == ["offer.created", "account.confirm_contact_point"]


@pytest.mark.slow
def test_what_failed_at_an_address_is_not_replayed_to_an_unconfirmed_one(
    sender: Sender, as_user: LogIn, owner: User, mails: MailServer, make_deliveries: Any
) -> None:
    (failed,) = make_deliveries(1, "old@example.org", channel="email", status="failed")
    point = failed.contact_point
    User.objects.filter(pk=point.user_id).update(email_verified_at=timezone.now())
    as_user(point.user).patch(f"{PATH}{point.pk}/", {"address": "victim@example.org"})
    assert replay(Delivery.objects.filter(pk=failed.pk)) == 0


def test_a_test_send_is_refused_with_what_to_do(
    unconfirmed: ContactPoint, as_user: LogIn, owner: User, operator: User, transactional_db: None
) -> None:
    for who in (owner, operator):
        refused = as_user(who).post(f"{PATH}{unconfirmed.pk}/test/")
        assert refused.status_code == 409
        assert "with the code" in refused.json()["detail"]


def test_what_would_become_of_it_says_that_it_is_not_confirmed(
    unconfirmed: ContactPoint, as_user: LogIn, owner: User, transactional_db: None
) -> None:
    answer = as_user(owner).get(f"/api/v1/preferences/{owner.pk}/explain/?kind=alert")
    decisions = {each["contact_point_id"]: each for each in answer.json()["decisions"]}
    assert decisions[str(unconfirmed.pk)]["outcome"] == "not_told"
    assert decisions[str(unconfirmed.pk)]["reason"] == "unconfirmed"
    assert "not confirmed" in decisions[str(unconfirmed.pk)]["explanation"]


# --- Codes -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_code_is_one_points_alone_and_void_after_five_guesses(
    sender: Sender, as_user: LogIn, owner: User, mails: MailServer
) -> None:
    client = as_user(owner)
    mine, other = (
        client.post(PATH, {"channel": "email", "address": address}).json()["id"]
        for address in ("mine@example.org", "other@example.org")
    )
    assert sender.drain(60)
    codes = {mail.recipients[0]: code_in(text_of(mail)) for mail in mails.mails}
    assert client.post(f"{PATH}{mine}/confirm/", {"code": codes["other@example.org"]}).status_code == 400
    for _ in range(4):
        client.post(f"{PATH}{mine}/confirm/", {"code": "x23456"})
        client.post(f"{PATH}{mine}/confirm/", {"code": codes["other@example.org"]})
    refused = client.post(f"{PATH}{mine}/confirm/", {"code": codes["mine@example.org"]})
    assert "There is no valid code" in refused.json()["code"][0]
    assert client.post(f"{PATH}{other}/confirm/", {"code": codes["other@example.org"]}).status_code == 200


@pytest.mark.slow
def test_a_code_is_void_once_the_address_is_another(
    sender: Sender, as_user: LogIn, owner: User, mails: MailServer
) -> None:
    client = as_user(owner)
    point = client.post(PATH, {"channel": "email", "address": "mine@example.org"}).json()["id"]
    assert sender.drain(60)
    code = code_in(text_of(mails.mails[0]))
    client.patch(f"{PATH}{point}/", {"address": "victim@example.org"})
    assert client.post(f"{PATH}{point}/confirm/", {"code": code}).status_code == 400
    assert client.get(f"{PATH}{point}/").json()["confirmed_at"] is None


@pytest.mark.slow
def test_another_code_can_be_asked_for_until_it_is_confirmed(
    as_user: LogIn, owner: User, stranger: User, unconfirmed: ContactPoint, transactional_db: None
) -> None:
    assert as_user(stranger).post(f"{PATH}{unconfirmed.pk}/code/").status_code == 404
    answers = [as_user(owner).post(f"{PATH}{unconfirmed.pk}/code/") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [202] * 5 + [429]
    assert int(answers[-1]["Retry-After"]) > 0
    ContactPoint.objects.filter(pk=unconfirmed.pk).update(confirmed_at=timezone.now())
    assert as_user(owner).post(f"{PATH}{unconfirmed.pk}/code/").status_code == 409


def test_an_address_that_has_changed_since_is_not_confirmed_in_its_place(owner: User) -> None:
    point = ContactPointFactory(user=owner, confirmed_at=None)
    ContactPoint.objects.filter(pk=point.pk).update(address="https://elsewhere.example.com/")
    assert not contact_point_vouch(contact_point=point, now=timezone.now())
    point.refresh_from_db()
    assert (point.confirmed_at, point.is_vouched) == (None, False)
    assert contact_point_vouch(contact_point=point, now=timezone.now())
