"""The sender takes the text that was frozen for the delivery's language and channel."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import User, Verification
from accounts.signals import registration_repeated, verification_requested
from accounts.verification import code_of, token_of
from notifications.channels import registry
from notifications.engine.sender import Sender
from notifications.messages.compose import notification_of
from notifications.models import Delivery, Notification
from tests.factories import NotificationFactory, UserFactory
from tests.servers.smtp import MailServer
from tests.servers.third_party import ThirdParty

Make = Callable[..., list[Delivery]]
TEXTS = {"en": {"webhook": ["Hook", "h"]}, "fr": {"": ["Vol", "f"], "webhook": ["Crochet", "c"]}}


def sent_texts(third_party: ThirdParty) -> dict[str, tuple[str, str]]:
    """What each delivery said."""
    return {
        request.headers["webhook-id"]: (request.json["data"]["title"], request.json["data"]["body"])
        for request in third_party.requests
    }


@pytest.mark.slow
@pytest.mark.parametrize("revocable", [False, True])
def test_each_delivery_says_it_in_its_language_and_for_its_channel(
    sender: Sender, make_deliveries: Make, third_party: ThirdParty, revocable: bool
) -> None:
    narrow = NotificationFactory(title="Theft", body="g", texts=TEXTS)
    wide = NotificationFactory(title="Theft", body="g", texts={"fr": {"": ["Vol", "f"]}})
    none = NotificationFactory(title="Theft", body="g")
    expected = {}
    for notification, language, said in [
        (narrow, "en", ("Hook", "h")),
        (narrow, "fr", ("Crochet", "c")),
        (wide, "en", ("Theft", "g")),
        (wide, "fr", ("Vol", "f")),
        (none, "fr", ("Theft", "g")),
    ]:
        (made,) = make_deliveries(
            1, third_party.url, notification=notification, language=language, revocable=revocable
        )
        expected[str(made.pk)] = said
    assert sender.drain(20)
    assert sent_texts(third_party) == expected


def test_a_text_that_is_changed_later_changes_nothing_that_was_made_before(
    sender: Sender, make_deliveries: Make, third_party: ThirdParty
) -> None:
    told = notification_of(
        kind="alert",
        data={"label": "theft", "shop": "Cora"},
        source_type="alert",
        source_id="1",
        dedup_key="alert:1",
    )
    told.save()
    (made,) = make_deliveries(1, third_party.url, notification=told, language="fr")
    assert sender.drain(20)
    assert sent_texts(third_party)[str(made.pk)][0] == "Vol : Cora"


@pytest.fixture
def ana(transactional_db: None) -> User:
    return UserFactory(email="ana@example.com", language="fr", phone="+33612345678")


def verification(user: User, purpose: str, address: str) -> Verification:
    now = timezone.now()
    return Verification.objects.create(
        user=user, purpose=purpose, address=address, created_at=now, expires_at=now + timedelta(minutes=30)
    )


def ask(wanted: Verification) -> list[object]:
    return [taken for _, taken in verification_requested.send(Verification, verification=wanted)]


def everything_stored() -> str:
    """All that the database has of messages, as text."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT n::text, d::text FROM notifications_notification n, notifications_delivery d")
        return str(cursor.fetchall())


@pytest.mark.slow
@pytest.mark.parametrize(("purpose", "path"), [("email", "/verify-email/"), ("password", "/reset-password/")])
def test_a_mail_holds_the_link_and_the_database_does_not(
    mail_server: MailServer, sender: Sender, ana: User, purpose: str, path: str
) -> None:
    wanted = verification(ana, purpose, ana.email)
    assert True in ask(wanted)
    sender.wake()
    (mail,) = mail_server.wait_for(1, timeout=60)
    assert mail.recipients == ["ana@example.com"]
    body = mail.message.get_content()
    assert f"http://localhost:8000{path}?token={token_of(wanted.pk)}" in body
    assert "30 minutes" in body
    assert "Bonjour" in body
    assert sender.drain(20)
    stored = everything_stored()
    assert "⟦link⟧" in stored
    assert token_of(wanted.pk) not in stored
    assert code_of(wanted.pk) not in stored


def test_a_mail_to_an_address_that_is_not_verified_yet_repeats_nothing_its_sender_could_choose(
    mail_server: MailServer, sender: Sender, transactional_db: None
) -> None:
    attacker = UserFactory(email="victim@example.com", first_name="Click", last_name="http://evil.example")
    assert True in ask(verification(attacker, "email", attacker.email))
    sender.wake()
    (mail,) = mail_server.wait_for(1, timeout=60)
    assert "evil" not in str(mail.message)
    assert "Click" not in mail.message.get_content()


def test_a_code_goes_to_a_phone_as_a_text_message(settings: Any, ana: User) -> None:
    settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN = "AC" + "0" * 32, "token"
    settings.TWILIO_SMS_FROM = "+15005550006"
    wanted = verification(ana, "phone", ana.phone)
    assert True in ask(wanted)
    delivery = Delivery.objects.get()
    assert (delivery.channel, delivery.address, delivery.language) == ("sms", ana.phone, "fr")
    assert delivery.notification.texts["fr"]["sms"][0] == "⟦code⟧ est votre code Tocsin."


def test_a_code_for_a_phone_is_not_taken_where_no_text_messages_are_set_up(settings: Any, ana: User) -> None:
    settings.TWILIO_ACCOUNT_SID = ""
    assert True not in ask(verification(ana, "phone", ana.phone))
    assert not Notification.objects.exists()


def test_the_same_code_is_sent_once(ana: User) -> None:
    wanted = verification(ana, "email", ana.email)
    assert True in ask(wanted)
    assert True in ask(wanted)
    assert Delivery.objects.count() == Notification.objects.count() == 1


def test_the_owner_is_told_that_somebody_tried_to_register_with_their_address(ana: User) -> None:
    registration_repeated.send(User, user=ana)
    registration_repeated.send(User, user=ana)
    delivery = Delivery.objects.get()
    assert (delivery.channel, delivery.address, delivery.user) == ("email", ana.email, ana)
    assert delivery.notification.kind == "account.registration_repeated"


@pytest.mark.slow
@pytest.mark.parametrize(
    "channel", [name for name, each in registry.CHANNELS.items() if name not in ("email", "sms", "inbox")]
)
def test_whatever_else_is_asked_to_send_a_secret_kind_has_no_secret_to_send(
    sender: Sender, make_deliveries: Make, third_party: ThirdParty, ana: User, channel: str
) -> None:
    wanted = verification(ana, "password", ana.email)
    told = notification_of(
        kind="account.password_reset",
        data={"verification": str(wanted.pk)},
        context={"minutes": 1},
        source_type="verification",
        source_id=str(wanted.pk),
        dedup_key="1",
    )
    told.save()
    make_deliveries(1, third_party.url, channel=channel, notification=told)
    assert sender.drain(60)
    said = str([request.body for request in third_party.requests])
    assert token_of(wanted.pk) not in said
    assert code_of(wanted.pk) not in said


def test_a_secret_is_sent_to_the_address_it_is_to_prove_whatever_preferences_say(ana: User) -> None:
    wanted = verification(ana, "email", "new@example.com")
    assert True in ask(wanted)
    assert Delivery.objects.get().address == "new@example.com"
