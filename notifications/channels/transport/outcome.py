"""What an HTTP exchange came to, in words that hold no address and no secret."""

import errno
import os
import re
import socket
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from notifications.channels.message import Receipt, Rejected, TooFast, Unavailable
from notifications.channels.transport import http1
from notifications.channels.transport.guard import AddressRefused

TOO_FAST = 429
_MAY_PASS = frozenset({408, TOO_FAST})
_DELTA_SECONDS = re.compile(r"[0-9]{1,10}")


def may_pass(status: int) -> bool:
    """Whether a failure of this status may be gone at the next try."""
    return status in _MAY_PASS or status >= 500


def passing(error: str, *, status: int, retry_after: float | None, too_fast: bool = False) -> Unavailable:
    """Return the failure of an answer that may pass; ``too_fast`` where its body says what 429 does."""
    kind = TooFast if too_fast or status == TOO_FAST else Unavailable
    return kind(error, status_code=status, retry_after=retry_after)


def receipt(status: int, retry_after: str | None, *, now: datetime) -> Receipt:
    """Return the receipt of an answer.

    Raises:
        Rejected: a redirect, which is not followed, or a 4xx that won't pass.
        TooFast: 429, with the seconds that ``Retry-After`` asks for.
        Unavailable: 408 or 5xx, with the same.
    """
    if 200 <= status < 300:
        return Receipt(status)
    if may_pass(status):
        raise passing(f"answered {status}", status=status, retry_after=retry_after_s(retry_after, now=now))
    if 300 <= status < 400:
        raise Rejected(f"answered {status}; redirects are not followed", status_code=status)
    raise Rejected(f"answered {status}", status_code=status)


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
        return _no_connection(cause)
    if isinstance(cause, OSError):
        return Unavailable(f"connection lost: {_reason(cause)}")
    return Unavailable("connection closed without an answer")


def _no_connection(cause: BaseException | None) -> Rejected | Unavailable:
    if isinstance(cause, AddressRefused):
        return Rejected(str(cause))
    if isinstance(cause, socket.gaierror):
        return Unavailable("host name could not be resolved")
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Unavailable(f"certificate not accepted: {_certificate_error(cause)}")
    if isinstance(cause, ssl.SSLError):
        return Unavailable("TLS handshake failed")
    reason = _reason(cause) if isinstance(cause, OSError) else type(cause).__name__
    return Unavailable(f"no connection: {reason}")


def _reason(error: OSError) -> str:
    """The system's own words for the error number: ``strerror`` can name the address."""
    number = error.errno or 0
    return os.strerror(number) if number in errno.errorcode else type(error).__name__


def _certificate_error(error: ssl.SSLCertVerificationError) -> str:
    # "Hostname mismatch, certificate is not valid for …" goes on to name the host.
    return error.verify_message.partition(",")[0] or "verification failed"
