"""SMTP connections, kept and used again: mail after mail goes out without greeting and log-in anew."""

import asyncio
import contextlib
import re
import ssl
import time
from collections.abc import Callable
from functools import cached_property

from aiosmtplib import (
    SMTP,
    SMTPConnectError,
    SMTPDataError,
    SMTPException,
    SMTPHeloError,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)
from django.conf import settings

from notifications.channels.message import Receipt, Rejected, TooFast, Unavailable

# Idle connections that are kept at most.
IDLE_MAX = 16
# Seconds after which an idle connection is asked whether it still lives before it is used.
IDLE_FRESH_S = 5.0
# Seconds that saying goodbye may take.
QUIT_TIMEOUT_S = 1.0

# RFC 3463, as in "550 5.1.1 <ana@example.com>: no such user". Of the rest nothing is kept: it names people.
_ENHANCED_CODE = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
# How servers say that they are sent too much at once. The code won't tell: 421, 432, 450, 451, 452 and 454
# are seen, each for other reasons too (a busy mailbox, greylisting). Too many recipients are another matter.
_TOO_FAST = re.compile(
    r"too many (?!(?:\w+ )?recipients)|\brate\b.*(limit|exceed)|(limit|exceed)\w*\b.*\brate\b"
    r"|concurren\w+ connections|throttl|too fast|slow down",
    re.IGNORECASE | re.DOTALL,
)
_STAGES: dict[type[SMTPResponseException], str] = {
    SMTPSenderRefused: "MAIL FROM",
    SMTPRecipientRefused: "RCPT TO",
    SMTPDataError: "DATA",
}


class SmtpPool:
    """Connections to the one server of settings.SMTP_*. Belongs to one event loop."""

    def __init__(self) -> None:
        #: Each with the time since when it is (time.monotonic).
        self._idle: list[tuple[SMTP, float]] = []

    async def send(
        self,
        *,
        sender: str,
        recipient: str,
        content: bytes,
        timeout_s: float,
        on_begin: Callable[[], None] | None = None,
    ) -> Receipt:
        """Send one mail to one person.

        Args:
            content: the whole message, headers included, in ASCII.
            timeout_s: seconds for all of it, connecting included.
            on_begin: called right before MAIL FROM is sent; again, where the connection turns out to be dead.

        Raises:
            Rejected: the server refused this mail with a 5xx.
            TooFast: a 4xx that says so.
            Unavailable: another 4xx, no connection, no log-in, or no answer in time.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await self._send(sender, recipient, content, on_begin)
        except (TimeoutError, SMTPTimeoutError):
            raise Unavailable(f"timed out after {timeout_s:g} s") from None
        except (SMTPException, OSError) as error:
            # "from None": a traceback of the cause would show the address.
            raise _failure(error) from None

    async def close(self) -> None:
        """Say goodbye on every idle connection."""
        idle, self._idle = self._idle, []
        await asyncio.gather(*(_quit(client) for client, _ in idle))

    async def _send(
        self, sender: str, recipient: str, content: bytes, on_begin: Callable[[], None] | None
    ) -> Receipt:
        client, is_fresh = await self._acquire()
        try:
            if on_begin:
                on_begin()
            try:
                await client.mail(sender)
            except (SMTPServerDisconnected, SMTPSenderRefused):
                # The server gave up an idle connection at this moment: nothing is sent yet, so do it anew.
                if is_fresh or client.is_connected:
                    raise
                client = await self._connect()
                if on_begin:  # again: a stop may have come while it connected
                    on_begin()
                await client.mail(sender)
            await client.rcpt(recipient)
            response = await client.data(content)
        except SMTPResponseException:
            await self._reset(client)
            raise
        except BaseException:
            client.close()
            raise
        self._release(client)
        return Receipt(response.code)

    async def _acquire(self) -> tuple[SMTP, bool]:
        """Return a connection, and whether it is new. The last used is the least likely to be gone."""
        while self._idle:
            client, since = self._idle.pop()
            if not client.is_connected:
                continue
            if time.monotonic() - since < IDLE_FRESH_S:
                return client, False
            try:
                await client.noop()
            except SMTPException:
                client.close()
            except BaseException:
                client.close()
                raise
            else:
                return client, False
        return await self._connect(), True

    def _release(self, client: SMTP) -> None:
        if client.is_connected and len(self._idle) < IDLE_MAX:
            self._idle.append((client, time.monotonic()))
        else:
            client.close()

    async def _reset(self, client: SMTP) -> None:
        """Give back a connection on which the server refused something; drop it where it won't start over."""
        try:
            if client.is_connected:
                await client.rset()
        except SMTPException:
            client.close()
        except BaseException:
            client.close()
            raise
        self._release(client)

    async def _connect(self) -> SMTP:
        security = settings.SMTP_SECURITY
        client = SMTP(
            hostname=settings.SMTP_HOST,
            port=settings.SMTP_PORT,
            username=settings.SMTP_USERNAME or None,
            password=settings.SMTP_PASSWORD or None,
            # Else it asks DNS for this machine's name, which can hang.
            local_hostname=settings.MAIL_FROM.rpartition("@")[2].strip("> ") or "localhost",
            timeout=None,
            use_tls=security == "tls",
            start_tls=security == "starttls",
            tls_context=None if security == "none" else self._tls,
        )
        await client.connect()
        try:
            # Now, so that on_begin is followed by MAIL FROM and by nothing else.
            if client.is_ehlo_or_helo_needed:
                try:
                    await client.ehlo()
                except SMTPHeloError:
                    await client.helo()
        except BaseException:
            client.close()
            raise
        return client

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        # Once: reading the certificates of all authorities takes tens of milliseconds.
        return ssl.create_default_context()


def _failure(error: SMTPException | OSError) -> Rejected | Unavailable:
    if isinstance(error, SMTPSenderRefused | SMTPRecipientRefused | SMTPDataError):
        match = _ENHANCED_CODE.match(error.message)
        detail = f" ({match[0]})" if match else ""
        text = f"answered {error.code}{detail} to {_STAGES[type(error)]}"
        if 500 <= error.code < 600:
            return Rejected(text, status_code=error.code)
        return _passing(error, text)
    if isinstance(error, SMTPResponseException):
        # Greeting, EHLO, STARTTLS or log-in: the server's trouble or the operator's, not this mail's.
        return _passing(error, f"answered {error.code} before any mail was sent")
    if isinstance(error, SMTPConnectError):
        return Unavailable("no connection to the mail server")
    if isinstance(error, SMTPServerDisconnected):
        return Unavailable("the mail server closed the connection")
    return Unavailable(f"mail server: {type(error).__name__}")


def _passing(error: SMTPResponseException, text: str) -> Unavailable:
    if 400 <= error.code < 500 and _TOO_FAST.search(error.message):
        return TooFast(f"{text}: too much at once", status_code=error.code)
    return Unavailable(text, status_code=error.code)


async def _quit(client: SMTP) -> None:
    with contextlib.suppress(SMTPException, OSError, TimeoutError):
        async with asyncio.timeout(QUIT_TIMEOUT_S):
            await client.quit()
    client.close()
