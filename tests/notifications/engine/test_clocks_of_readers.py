"""Who is sent a text reads its times by their own clock; programs are told UTC."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from pytest_django import Settings

from accounts.models import Shop, User
from notifications.engine.fanout import alert_fan_out
from notifications.engine.sender import Sender
from tests.factories import AlertFactory, ContactPointFactory
from tests.servers.smtp import MailServer
from tests.servers.third_party import ThirdParty

AT = datetime(2026, 3, 29, 0, 59, 20, tzinfo=UTC)


@pytest.fixture
def mail(settings: Settings) -> Iterator[MailServer]:
    with MailServer() as server:
        settings.SMTP_HOST, settings.SMTP_PORT = "127.0.0.1", server.port
        yield server


def test_mails_say_times_by_their_readers_clocks_and_webhooks_utc(
    sender: Sender, third_party: ThirdParty, owner: User, teammate: User, shop: Shop, mail: MailServer
) -> None:
    User.objects.filter(pk=owner.pk).update(time_zone="Europe/Paris")
    ContactPointFactory(user=owner, channel="email", address="paris@example.com")
    ContactPointFactory(user=owner, channel="webhook", address=third_party.url)
    ContactPointFactory(user=teammate, channel="email", address="utc@example.com")
    alert_fan_out(AlertFactory(shop=shop, time_spotted=AT).pk)
    assert sender.drain(60)
    said = {each.recipients[0]: each.message.get_body(("plain",)).get_content() for each in mail.wait_for(2)}
    assert "Spotted at 2026-03-29 01:59:20 (Europe/Paris)." in said["paris@example.com"]
    assert "Spotted at 2026-03-29 00:59:20 UTC." in said["utc@example.com"]
    (posted,) = third_party.requests
    assert "2026-03-29 00:59:20 UTC" in posted.json["data"]["body"]
