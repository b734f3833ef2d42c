"""SMTP connections: kept, replaced, secured, and which of their failures may pass."""

import asyncio
import ssl
import time
from importlib.resources import files
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from notifications.channels import registry
from notifications.channels.message import Receipt, Rejected, TooFast, Unavailable
from notifications.channels.transport import smtp
from notifications.channels.transport.session import Session
from tests.notifications.channels.conftest import MessageBuilder
from tests.servers.smtp import MailServer

CHANNEL = registry.get("email")
ANA = "ana@example.org"


async def test_a_connection_serves_many_mails(
    session: Session, mail_server: MailServer, message: MessageBuilder
) -> None:
    for _ in range(5):
        await CHANNEL.send(message(address=ANA), session)
    assert mail_server.connections == 1
    assert mail_server.commands == ["EHLO", *["MAIL", "RCPT", "DATA"] * 5]


@pytest.mark.slow
async def test_few_connections_are_kept(
    session: Session, mail_server: MailServer, message: MessageBuilder
) -> None:
    await asyncio.gather(*(CHANNEL.send(message(address=ANA), session) for _ in range(40)))
    assert len(mail_server.mails) == 40
    assert len(session.smtp._idle) <= smtp.IDLE_MAX


async def test_a_refused_mail_does_not_cost_the_connection(
    session: Session, mail_server: MailServer, message: MessageBuilder
) -> None:
    mail_server.fail("RCPT", "550")
    with pytest.raises(Rejected):
        await CHANNEL.send(message(address=ANA), session)
    mail_server.fail("RCPT", "ok")
    await CHANNEL.send(message(address=ANA), session)
    assert mail_server.connections == 1
    assert mail_server.commands == ["EHLO", "MAIL", "RCPT", "RSET", "MAIL", "RCPT", "DATA"]


async def test_a_connection_that_the_server_has_closed_is_replaced(
    session: Session, mail_server: MailServer, message: MessageBuilder
) -> None:
    begun: list[int] = []
    await CHANNEL.send(message(address=ANA), session)
    mail_server.drop_all()
    await CHANNEL.send(message(address=ANA, on_begin=lambda: begun.append(1)), session)
    assert len(mail_server.mails) == 2
    assert begun in ([1], [1, 1])  # again, should it be found out by MAIL FROM only


async def test_a_connection_closed_under_mail_from_is_replaced(
    session: Session, mail_server: MailServer, message: MessageBuilder
) -> None:
    begun: list[int] = []

    def on_begin() -> None:
        begun.append(1)
        if len(begun) == 1:
            mail_server.drop_all()

    await CHANNEL.send(message(address=ANA), session)
    await CHANNEL.send(message(address=ANA, on_begin=on_begin), session)
    assert len(mail_server.mails) == 2
    assert begun == [1, 1], "it may have been stopped while it connected anew"


async def test_a_connection_idle_for_long_is_asked_first(
    session: Session, mail_server: MailServer, message: MessageBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    await CHANNEL.send(message(address=ANA), session)
    monkeypatch.setattr(smtp, "IDLE_FRESH_S", 0.0)
    await CHANNEL.send(message(address=ANA), session)
    assert mail_server.commands[4:] == ["NOOP", "MAIL", "RCPT", "DATA"]


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("code", [421, 450, 451, 452, 500, 550, 552, 554])
async def test_refusals(
    session: Session, mail_server: MailServer, message: MessageBuilder, stage: str, code: int
) -> None:
    mail_server.fail(stage, str(code))
    with pytest.raises((Rejected, Unavailable), match=rf"answered {code} \(5\.1\.1\) to {stage}") as failure:
        await CHANNEL.send(message(address=ANA), session)
    assert isinstance(failure.value, Rejected) is (code >= 500)
    assert failure.value.status_code == code
    assert not isinstance(failure.value, TooFast)
    assert mail_server.mails == []


@pytest.mark.parametrize(
    ("answer", "too_fast"),
    [
        ("421 4.7.0 Too many connections from your host", True),
        ("421 Too many concurrent SMTP connections; please try again later.", True),
        ("450 4.7.1 Error: too many mails from 192.0.2.1", True),
        ("432 4.3.2 Concurrent connections limit exceeded", True),
        ("451 4.7.1 Rate limit exceeded", True),
        ("454 Throttling failure: Maximum sending rate exceeded.", True),
        ("450 4.2.0 Greylisted, see http://postgrey.example/", False),
        ("450 4.2.1 The user is receiving mail at a rate that prevents more from being delivered", False),
        ("452 4.5.3 Too many recipients", False),
        ("452 4.2.2 Mailbox full", False),
        ("451 4.3.0 Temporary failure", False),
    ],
)
async def test_a_server_that_is_sent_too_much_says_so_in_its_own_words(
    session: Session, mail_server: MailServer, message: MessageBuilder, answer: str, too_fast: bool
) -> None:
    mail_server.fail("RCPT", answer)
    with pytest.raises(Unavailable) as failure:
        await CHANNEL.send(message(address=ANA), session)
    assert isinstance(failure.value, TooFast) is too_fast
    assert "192.0.2.1" not in str(failure.value)


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA"])
async def test_a_dropped_connection_may_pass(
    session: Session, mail_server: MailServer, message: MessageBuilder, stage: str
) -> None:
    mail_server.fail(stage, "drop")
    with pytest.raises(Unavailable, match="closed the connection"):
        await CHANNEL.send(message(address=ANA), session)
    mail_server.fail(stage, "ok")
    assert await CHANNEL.send(message(address=ANA), session) == Receipt(250)


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA"])
async def test_the_timeout_covers_all_of_it(
    session: Session, mail_server: MailServer, message: MessageBuilder, settings: Settings, stage: str
) -> None:
    settings.CHANNEL_POLICIES = {"email": {"timeout_s": 0.3}}
    mail_server.fail(stage, "hang")
    started = time.monotonic()
    with pytest.raises(Unavailable, match=r"timed out after 0\.3 s"):
        await CHANNEL.send(message(address=ANA), session)
    assert time.monotonic() - started < 4
    mail_server.fail(stage, "ok")
    await CHANNEL.send(message(address=ANA), session)
    assert mail_server.connections == 2


async def test_a_log_in_that_fails_may_pass_since_it_is_not_the_mails_fault(
    session: Session, message: MessageBuilder, settings: Settings, mail_server: MailServer
) -> None:
    with MailServer(log_in=("tocsin", "right")) as server:
        settings.SMTP_PORT = server.port
        settings.SMTP_USERNAME, settings.SMTP_PASSWORD = "tocsin", "wrong-password"
        with pytest.raises(Unavailable, match="answered 535 before any mail") as failure:
            await CHANNEL.send(message(address=ANA), session)
        assert "wrong-password" not in str(failure.value)
        settings.SMTP_PASSWORD = "right"
        assert await CHANNEL.send(message(address=ANA), session) == Receipt(250)


async def test_starttls_is_insisted_on(
    session: Session, message: MessageBuilder, settings: Settings, mail_server: MailServer
) -> None:
    settings.SMTP_SECURITY = "starttls"
    with pytest.raises(Unavailable):
        await CHANNEL.send(message(address=ANA), session)
    assert "MAIL" not in mail_server.commands


async def test_a_certificate_that_nobody_vouches_for_is_not_accepted(
    session: Session, message: MessageBuilder, settings: Settings, mail_server: MailServer
) -> None:
    with MailServer(tls=_self_signed()) as server:
        settings.SMTP_PORT = server.port
        settings.SMTP_SECURITY = "starttls"
        with pytest.raises(Unavailable):
            await CHANNEL.send(message(address=ANA), session)
        assert server.mails == []


async def test_over_tls(
    session: Session,
    message: MessageBuilder,
    settings: Settings,
    mail_server: MailServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trusting = ssl.create_default_context(cafile=str(_certificates() / "server.crt"))
    trusting.check_hostname = False
    monkeypatch.setitem(session.smtp.__dict__, "_tls", trusting)
    with MailServer(tls=_self_signed()) as server:
        settings.SMTP_PORT = server.port
        settings.SMTP_SECURITY = "starttls"
        assert await CHANNEL.send(message(address=ANA), session) == Receipt(250)


def _certificates() -> Path:
    return Path(str(files("aiosmtpd.tests.certs")))


def _self_signed() -> ssl.SSLContext:
    """A certificate that aiosmtpd carries for its own tests."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificates() / "server.crt", _certificates() / "server.key")
    return context
