"""The events of the stream, as bytes of ``text/event-stream`` (HTML standard, section 9.2)."""

import random

import orjson

from notifications.inbox.items import Item

HEARTBEAT = b":\n\n"
# Spread out, so that those who lost a process don't all come back in the same instant.
RETRY_MS = (1_000, 3_000)


def retry(milliseconds: int | None = None) -> bytes:
    """Say how long a client is to wait before it comes back after a lost connection."""
    wait = random.randint(*RETRY_MS) if milliseconds is None else milliseconds  # noqa: S311
    return b"retry: %d\n\n" % wait


def notice(item: Item) -> bytes:
    return b"id: %d\nevent: notice\ndata: %b\n\n" % (item["number"], orjson.dumps(item))


def unread(count: int, *, at: int | None = None) -> bytes:
    """Say how many items are unread; ``at`` is from which number on the stream goes, if it begins."""
    place = b"" if at is None else b"id: %d\n" % at
    return b'%bevent: unread\ndata: {"unread":%d}\n\n' % (place, count)
