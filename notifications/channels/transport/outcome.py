"""What an HTTP exchange came to, in words that hold no address and no secret."""

import errno
import os
import re
import socket
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from notifications.channels.message import Receipt, Rejected, TooFast, Unavailable
from notifications.channels.transport import http1
from notifications.channels.transport.guard import AddressRefused

TOO_FAST = 429
_MAY_PASS = frozenset({408, TOO_FAST})
_DELTA_SECONDS = re.compile(r"[0-9]{1,10}")


def may_pass(status: int) -> bool:
    """Whether a failure of this status may be gone at the next try."""
    return status in _MAY_PASS or status >= 500


def judged(answer: http1.Answer, *, now: datetime) -> Receipt:
    """Return the receipt of an answer by its status alone; raises what `refusal` returns."""
    if answer.is_success:
        return Receipt(answer.status)
    raise refusal(answer, now=now)


def refusal(
    answer: http1.Answer,
    *,
    now: datetime,
    words: str | None = None,
    about: str = "",
    too_fast: bool = False,
    wait_s: float | None = None,
    final: type[Rejected] = Rejected,
) -> Rejected | Unavailable:
    """Return what an answer that is no success means. Pure.

    429 is TooFast, 408 and 5xx are Unavailable, and anything else is final, a redirect too: none is followed.

    Args:
        words: what the body says, for after the status; None where it was not read.
        about: what was asked for, for before the status, such as ``no access token: ``.
        too_fast: the body says what 429 does.
        wait_s: the seconds that the body asks to wait; without it, those of ``Retry-After``.
        final: what it is where no other try would help.
    """
    status = answer.status
    if words is None:
        words = "; redirects are not followed" if 300 <= status < 400 else ""
    error = f"{about}answered {status}{words}"
    if not (too_fast or may_pass(status)):
        return final(error, status_code=status)
    passing = TooFast if too_fast or status == TOO_FAST else Unavailable
    wait_s = wait_s or retry_after_s(answer.retry_after, now=now)
    return passing(error, status_code=status, retry_after=wait_s)


def said(body: bytes) -> dict[str, Any]:
    """Return the JSON object that is an answer's body; an empty one where it is none, or was cut short."""
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return content if isinstance(content, dict) else {}


def retry_after_s(value: str | None, *, now: datetime) -> float | None:
    """Return the seconds that a ``Retry-After`` (RFC 9110, 10.2.3) asks for, None if it makes no sense."""
    if not value:
        return None
    if _DELTA_SECONDS.fullmatch(value.strip()):
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    # A date without a zone is in UTC: HTTP dates always are.
    seconds = (at if at.tzinfo else at.replace(tzinfo=UTC)) - now
    return max(seconds.total_seconds(), 0.0)


def failure(error: BaseException, *, timeout_s: float) -> Rejected | Unavailable:
    """Return what an exception of `http1` means, without its own text, which names the host or the URL."""
    cause = error.__cause__
    if isinstance(error, UnicodeError):
        return Rejected("address is not a usable URL")
    if isinstance(error, TimeoutError):
        return Unavailable(f"timed out after {timeout_s:g} s")
    if isinstance(error, http1.NotHTTP):
        return Unavailable("the answer is not HTTP")
    if isinstance(error, http1.NoConnection):
        if isinstance(cause, AddressRefused):
            return Rejected(str(cause))
        if isinstance(cause, socket.gaierror):
            return Unavailable("host name could not be resolved")
        if isinstance(cause, ssl.SSLCertVerificationError):
            # "Hostname mismatch, certificate is not valid for …" goes on to name the host.
            words = cause.verify_message.partition(",")[0] or "verification failed"
            return Unavailable(f"certificate not accepted: {words}")
        if isinstance(cause, ssl.SSLError):
            return Unavailable("TLS handshake failed")
        reason = _reason(cause) if isinstance(cause, OSError) else type(cause).__name__
        return Unavailable(f"no connection: {reason}")
    if isinstance(cause, OSError):
        return Unavailable(f"connection lost: {_reason(cause)}")
    return Unavailable("connection closed without an answer")


def _reason(error: OSError) -> str:
    """The system's own words for the error number: ``strerror`` can name the address."""
    number = error.errno or 0
    return os.strerror(number) if number in errno.errorcode else type(error).__name__
