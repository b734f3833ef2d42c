"""Email: what the mail holds, and which addresses are accepted."""

import re
import time
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from pytest_django.fixtures import Settings

from notifications.channels import registry, unsubscribe_links
from notifications.channels.message import Receipt, Rejected
from notifications.channels.transport.session import Session
from tests.notifications.channels.conftest import MessageBuilder
from tests.servers.smtp import MailServer

CHANNEL = registry.get("email")
ANA = "ana@example.org"


async def test_what_the_mail_holds(
    session: Session, mail_server: MailServer, message: MessageBuilder
) -> None:
    sent = message(address=ANA, title="Vol à l'étalage", body="Rayon 4 — deux personnes.")
    assert await CHANNEL.send(sent, session) == Receipt(250)
    (mail,) = mail_server.mails
    assert mail.sender == "tocsin@example.com"
    assert mail.recipients == [ANA]
    assert mail.content.isascii()
    assert mail.message["From"] == "Tocsin <tocsin@example.com>"
    assert mail.message["To"] == ANA
    assert mail.message["Subject"] == "Vol à l'étalage"
    assert mail.message["Message-ID"] == f"<{sent.delivery_id}@example.com>"
    assert mail.message["Auto-Submitted"] == "auto-generated"
    assert abs(time.time() - mail.message["Date"].datetime.timestamp()) < 5
    text = mail.message.get_content().replace("\r\n", "\n")
    expected = (
        "Rayon 4 — deux personnes.\n\nhttps://media.example.com/clip.mp4\n\nNo more messages like this: "
    )
    assert text.startswith(expected)


@pytest.mark.parametrize(
    ("body", "data", "text"),
    [("Body", {}, "Body\n"), ("", {}, "Title\n"), ("", {"url": "https://x/"}, "Title\n\nhttps://x/\n")],
)
async def test_text_without_url_or_body(
    session: Session,
    mail_server: MailServer,
    message: MessageBuilder,
    body: str,
    data: dict[str, str],
    text: str,
) -> None:
    sent = message(address=ANA, title="Title", body=body, data=data, user_uuid=None)
    await CHANNEL.send(sent, session)
    assert mail_server.mails[0].message.get_content().replace("\r\n", "\n") == text


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "No more messages like this:"),
        ("fr", "Ne plus recevoir de tels messages :"),
        ("de", "No more messages like this:"),
    ],
)
async def test_what_can_be_switched_off_says_how(
    session: Session,
    mail_server: MailServer,
    message: MessageBuilder,
    settings: Settings,
    language: str,
    words: str,
) -> None:
    settings.PUBLIC_URL = "https://tocsin.example.com"
    sent = message(address=ANA, kind="stage.accepted", language=language)
    await CHANNEL.send(sent, session)
    (mail,) = mail_server.mails
    (url,) = re.findall(r"https://tocsin\.example\.com/unsubscribe/[^/\s]+/", mail.message.get_content())
    assert mail.message.get_content().replace("\r\n", "\n").endswith(f"\n\n{words} {url}\n")
    # As it is in the line: programs read it without decoding what others would be encoded as.
    assert f"\r\nList-Unsubscribe: <{url}>\r\n" in mail.content.decode()
    assert "\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in mail.content.decode()
    target = unsubscribe_links.target_of(url.split("/")[-2])
    assert target == unsubscribe_links.Target(sent.user_uuid, "stage.accepted", "email")


@pytest.mark.parametrize(
    "fields",
    [{"kind": "account.verify_email"}, {"kind": "test"}, {"kind": "stage.accepted", "user_uuid": None}],
)
async def test_what_nobody_can_switch_off_does_not(
    session: Session, mail_server: MailServer, message: MessageBuilder, fields: dict[str, Any]
) -> None:
    await CHANNEL.send(message(address=ANA, **fields), session)
    (mail,) = mail_server.mails
    assert "nsubscribe" not in mail.content.decode()


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r", "\x0b", "\x85", "\u2028"])
async def test_a_title_cannot_add_headers(
    session: Session, mail_server: MailServer, message: MessageBuilder, newline: str
) -> None:
    title = f"Hello{newline}Bcc: all@example.com{newline}{newline}Injected body"
    await CHANNEL.send(message(address=ANA, title=title), session)
    (mail,) = mail_server.mails
    assert mail.recipients == [ANA]
    assert mail.message["Bcc"] is None
    assert mail.message["Subject"] == "Hello Bcc: all@example.com Injected body"


@pytest.mark.parametrize(
    "address",
    [
        "ana@example.org\nBcc: all@example.com",
        "ana@example.org\r\nRCPT TO:<x@y.z>",
        "ana@example.org>\r\n",
        "ana@example.org, bob@example.org",
        "not an address",
        "",
    ],
)
async def test_an_address_cannot_add_anything(
    session: Session, mail_server: MailServer, message: MessageBuilder, address: str
) -> None:
    with pytest.raises(Rejected, match="not an email address"):
        await CHANNEL.send(message(address=address), session)
    assert mail_server.commands == []


async def test_lines_that_end_a_mail_are_text(
    session: Session, mail_server: MailServer, message: MessageBuilder
) -> None:
    body = "first\n.\nQUIT\n..\n" + "long " * 1000
    await CHANNEL.send(message(address=ANA, body=body, data={}, user_uuid=None), session)
    (mail,) = mail_server.mails
    assert mail.message.get_content().replace("\r\n", "\n") == body + "\n"


async def test_on_begin_comes_right_before_mail_from(
    session: Session, mail_server: MailServer, message: MessageBuilder
) -> None:
    seen: list[list[str]] = []
    for _ in range(2):
        await CHANNEL.send(
            message(address=ANA, on_begin=lambda: seen.append(list(mail_server.commands))), session
        )
    assert seen == [["EHLO"], ["EHLO", "MAIL", "RCPT", "DATA"]]


async def test_what_on_begin_raises_stops_the_mail(
    session: Session, mail_server: MailServer, message: MessageBuilder
) -> None:
    class Revoked(Exception):
        pass

    def on_begin() -> None:
        raise Revoked

    with pytest.raises(Revoked):
        await CHANNEL.send(message(address=ANA, on_begin=on_begin), session)
    assert mail_server.commands == ["EHLO"]


@pytest.mark.parametrize(
    ("address", "normal"),
    [
        ("ana@example.org", "ana@example.org"),
        ("Ana.B+shop@Example.ORG", "Ana.B+shop@example.org"),
        ("ana@exämple.org", "ana@xn--exmple-cua.org"),
    ],
)
def test_addresses_in_normal_form(address: str, normal: str) -> None:
    assert CHANNEL.normalised_address(address) == normal


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ana",
        "ana@",
        "@example.org",
        "a@b",
        "ana@example.org\n",
        "Ana <ana@example.org>",
        "a@b.org, c@d.org",
    ],
)
def test_addresses_that_are_refused(address: str) -> None:
    with pytest.raises(ValidationError):
        CHANNEL.normalised_address(address)


def test_the_lane_is_the_mail_server(settings: Settings) -> None:
    settings.SMTP_HOST, settings.SMTP_PORT = "Mail.example.com", 587
    assert CHANNEL.lane(ANA) == "smtp://mail.example.com:587"


ICS = "\r\n".join(
    ("BEGIN:VCALENDAR", "METHOD:REQUEST", "BEGIN:VEVENT", "SUMMARY:Soirée", "END:VEVENT", "END:VCALENDAR", "")
)


async def test_an_invitation_is_part_of_the_mail(
    session: Session, mail_server: MailServer, message: MessageBuilder
) -> None:
    await CHANNEL.send(message(address=ANA, body="Come!", data={"ics": ICS}), session)
    (mail,) = mail_server.mails
    assert mail.content.isascii()
    assert mail.message.get_body(("plain",)).get_content().startswith("Come!")
    other_form = next(part for part in mail.message.walk() if part.get_content_type() == "text/calendar")
    (attached,) = mail.message.iter_attachments()
    for part in (other_form, attached):
        assert part.get_content_type() == "text/calendar"
        assert part["Content-Type"].params["method"] == "REQUEST"
        assert part.get_content().replace("\r\n", "\n") == ICS.replace("\r\n", "\n")
    assert attached.get_filename() == "invitation.ics"


@pytest.mark.parametrize("ics", [None, 7, ["BEGIN:VCALENDAR"], "hello", "BEGIN:VCALENDAR\r\nEND:VCALENDAR"])
async def test_what_is_no_invitation_is_left_out(
    session: Session, mail_server: MailServer, message: MessageBuilder, ics: object
) -> None:
    await CHANNEL.send(message(address=ANA, data={"ics": ics}), session)
    assert mail_server.mails[0].message.get_content_type() == "text/plain"
