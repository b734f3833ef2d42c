"""Fetches a calendar from an address that somebody gave: public ones only, bounded in size and time."""

import asyncio
from dataclasses import dataclass
from typing import Final

from django.conf import settings

from notifications.channels.message import Rejected, Unavailable
from notifications.channels.transport.session import Session

ETAG_MAX: Final = 300
LAST_MODIFIED_MAX: Final = 100
_NOT_MODIFIED: Final = 304


@dataclass(frozen=True, slots=True)
class Fetched:
    """``content`` is None where it is still the version asked about."""

    content: bytes | None
    etag: str = ""
    last_modified: str = ""


class Unfetched(Exception):
    """Why it couldn't be fetched, in words that hold neither the address nor what was there."""


def fetch(url: str, *, etag: str = "", last_modified: str = "") -> Fetched:
    """Return what is at an address.

    Args:
        etag, last_modified: what the server called the version that is known already.

    Raises:
        Unfetched: as it says.
    """
    headers = {"Accept": "text/calendar, text/plain;q=0.5, */*;q=0.1"}
    if etag:
        headers["If-None-Match"] = etag
    if last_modified:
        headers["If-Modified-Since"] = last_modified
    try:
        return asyncio.run(_fetched(url, headers))
    except (Rejected, Unavailable) as error:
        raise Unfetched(str(error)) from None


async def _fetched(url: str, headers: dict[str, str]) -> Fetched:
    limit = settings.ICAL_MAX_BYTES
    async with Session() as session:
        answer = await session.get(
            url, headers=headers, timeout_s=settings.ICAL_TIMEOUT_S, trusted=False, body_max_bytes=limit
        )
    if answer.status == _NOT_MODIFIED and len(headers) > 1:
        return Fetched(None)
    if not answer.is_success:
        words = "; redirects are not followed" if 300 <= answer.status < 400 else ""
        raise Unfetched(f"answered {answer.status}{words}")
    if not answer.is_whole:
        raise Unfetched(f"the answer has more than {limit} bytes, or did not end in time")
    etag, last_modified = (answer.headers.get(name, "") for name in ("etag", "last-modified"))
    return Fetched(
        answer.body,
        etag if len(etag) <= ETAG_MAX else "",
        last_modified if len(last_modified) <= LAST_MODIFIED_MAX else "",
    )
