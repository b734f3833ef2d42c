"""A mail server (aiosmtpd) that records what it gets and fails as told."""

import asyncio
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.servers.threaded import ThreadedServer

# What a failing server says. It names the recipient, as real ones do.
REFUSAL = "{code} 5.1.1 <{address}>: no such user here"


@dataclass(frozen=True, slots=True)
class Mail:
    """One accepted mail; ``recipients`` and ``sender`` are the envelope's."""

    sender: str
    recipients: list[str]
    content: bytes
    received_at: float = field(default_factory=time.monotonic)

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.content, policy=default)


class MailServer(ThreadedServer):
    """An SMTP server. ``mails`` holds what it accepted, ``commands`` every command's name, in order.

    Args:
        log_in: the name and password that it knows; without TLS too, since this is a test.
        tls: offers STARTTLS with this certificate.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        log_in: tuple[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(port, host=host)
        self.mails: list[Mail] = []
        self.commands: list[str] = []
        #: How long it takes over each mail.
        self.takes_s = 0.0
        self._log_in = log_in
        self._tls = tls
        self._failures: dict[str, str] = {}
        self._open: set[_Connection] = set()

    def fail(self, stage: str, how: str) -> None:
        """Fail from now on at a stage: ``MAIL``, ``RCPT`` or ``DATA``.

        ``how`` is a code such as ``450``, a whole answer such as ``450 4.7.1 Slow down``, ``drop`` (close the
        connection), ``hang``, or ``ok`` again.
        """
        self._failures[stage] = how

    def drop_all(self) -> None:
        """Close every connection, as a server does with idle ones; return once that is done."""
        asyncio.run_coroutine_threadsafe(self._drop(), self._loop).result()

    def wait_for(self, count: int, timeout: float = 5.0) -> list[Mail]:
        """Return the mails once there are so many, or raise TimeoutError."""
        self.wait_until(
            lambda: len(self.mails) >= count, timeout, lambda: f"{len(self.mails)} of {count} mails"
        )
        return list(self.mails)

    def new_connection(self) -> asyncio.Protocol:
        connection = _Connection(
            self,
            hostname="localhost",
            loop=self._loop,
            tls_context=self._tls,
            auth_require_tls=False,
            authenticator=self._authenticate,
        )
        connection.on_end = lambda: self._open.discard(connection)
        self._open.add(connection)
        return connection

    def cut_connections(self) -> None:
        for connection in list(self._open):
            connection.cut()

    async def _drop(self) -> None:
        self.cut_connections()

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword
    ) -> AuthResult:
        given = (data.login.decode(), data.password.decode())
        return AuthResult(success=given == self._log_in, handled=False)

    # --- what aiosmtpd calls ---

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.commands.append("EHLO")
        session.host_name = hostname
        return responses

    async def handle_NOOP(self, server: SMTP, session: Session, envelope: Envelope, arg: str) -> str:
        self.commands.append("NOOP")
        return "250 OK"

    async def handle_RSET(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.commands.append("RSET")
        return "250 OK"

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.commands.append("QUIT")
        return "221 Bye"

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refusal := await self._fail("MAIL", server, address):
            return refusal
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refusal := await self._fail("RCPT", server, address):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if refusal := await self._fail("DATA", server, envelope.rcpt_tos[0]):
            return refusal
        await asyncio.sleep(self.takes_s)
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.append(Mail(envelope.mail_from or "", envelope.rcpt_tos, content))
        self.changed()
        return "250 OK"

    async def _fail(self, stage: str, server: SMTP, address: str) -> str | None:
        self.commands.append(stage)
        how = self._failures.get(stage, "ok")
        if how == "ok":
            return None
        if how == "hang":
            await asyncio.Event().wait()
        if how == "drop":
            assert isinstance(server, _Connection)
            server.cut()
            await asyncio.Event().wait()
        return REFUSAL.format(code=how, address=address) if how.isdigit() else how


class _Connection(SMTP):
    """aiosmtpd's connection, that notes every command and can be cut."""

    on_end: Callable[[], object]

    def cut(self) -> None:
        if self.transport:
            cast(asyncio.Transport, self.transport).abort()

    def connection_lost(self, error: Exception | None) -> None:
        self.on_end()
        super().connection_lost(error)
