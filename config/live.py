"""Answers that go on while a client stays, such as streams of inboxes; config.handler serves them."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from django.http import HttpResponse

# Of the answer that is a stream of events (HTML standard, section 9.2).
EVENT_STREAM: Final = "text/event-stream"
STREAM_HEADERS: Final = {
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",  # nginx would keep the events until it has a few kilobytes
}

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
# Answers a request whose status and headers are the given message.
Live = Callable[[Mapping[str, Any], Receive, Send], Awaitable[None]]


class LiveResponse(HttpResponse):
    """An answer that ``live`` goes on with for as long as the client stays, on the event loop.

    By then the request, this response, the thread and its connection to the database have been let go. Where
    there is no event loop (WSGI), the content is the whole answer.
    """

    def __init__(self, content: bytes, *, live: Live, **options: Any) -> None:
        super().__init__(content, **options)
        self.live = live
