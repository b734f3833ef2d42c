"""How the local third party answers: behaviours by name, switchable while it runs."""

import gzip
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.servers.third_party import Request


@dataclass(frozen=True, slots=True)
class Reply:
    """``head`` is everything that is sent at once; then ``endless``, again and again, ``pause_s`` apart."""

    head: bytes = b""
    #: Seconds to wait first; None: for ever.
    delay_s: float | None = 0
    #: Reset the connection instead of answering.
    abort: bool = False
    endless: bytes = b""
    pause_s: float = 0.0


Behaviour = Callable[["Request"], Reply]


def answer(status: int, *headers: str, body: bytes = b"{}") -> bytes:
    """Return an HTTP response."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *headers]
    if status in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:  # these have no body
        body = b""
    else:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def parse(text: str) -> Behaviour:
    """Return a behaviour by its name, with a value after a colon for some.

    ``ok``; ``status:503``; ``fail:N`` (503 so many times, then ok), ``fail_each:N`` (so for each delivery);
    ``hang`` (accepts, never answers); ``slow:MS``; ``huge``, ``trickle`` (endless bodies, fast and slow);
    ``bomb`` (a little gzip that unpacks to much); ``body:BYTES``; ``redirect:STATUS,URL``; ``reset``;
    ``retry_after:VALUE`` (429); ``limit:N,VALUE`` (the same, for more than N within a second); ``garbage``
    (not HTTP); ``cookie``; ``cut:N`` (``reset`` so many times, then ok); ``surplus:N`` (as many answers at
    once).

    Raises:
        ValueError: there is none of that name.
    """
    name, _, value = text.partition(":")
    if name == "limit":
        return _limited(*value.split(",", 1))
    if name == "cut":
        return _failing(int(value), per_delivery=False, failure=Reply(abort=True))
    if name in _COUNTING:
        return _failing(int(value), per_delivery=name == "fail_each")
    if name not in _FIXED:
        raise ValueError(f"no behaviour {text!r}; there are: {', '.join([*_FIXED, *_COUNTING, 'limit'])}")
    reply = _FIXED[name](value)
    return lambda request: reply


def _redirect(status: str, url: str) -> bytes:
    return answer(int(status), f"Location: {url}")


_OK = Reply(answer(200, "Content-Type: application/json"))
_UNAVAILABLE = Reply(answer(503))
_COUNTING = ("fail", "fail_each", "cut")
_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
_FIXED: dict[str, Callable[[str], Reply]] = {
    "ok": lambda _: _OK,
    "status": lambda value: Reply(answer(int(value))),
    "hang": lambda _: Reply(delay_s=None),
    "slow": lambda value: Reply(_OK.head, delay_s=float(value) / 1000),
    "huge": lambda _: Reply(_CHUNKED, endless=b"4000\r\n" + b"x" * 0x4000 + b"\r\n"),
    "trickle": lambda _: Reply(_CHUNKED, endless=b"1\r\nx\r\n", pause_s=0.05),
    "bomb": lambda _: Reply(answer(200, "Content-Encoding: gzip", body=gzip.compress(bytes(50_000_000)))),
    "body": lambda value: Reply(answer(200, body=b"x" * int(value))),
    "redirect": lambda value: Reply(_redirect(*value.split(",", 1))),
    "reset": lambda _: Reply(abort=True),
    "retry_after": lambda value: Reply(answer(429, f"Retry-After: {value}")),
    "garbage": lambda _: Reply(b"220 mail.example.com ESMTP\r\n"),
    "surplus": lambda value: Reply(_OK.head * int(value)),
    "cookie": lambda _: Reply(answer(200, "Set-Cookie: seen=1; Path=/")),
}


def _limited(most: str, retry_after: str) -> Behaviour:
    taken: deque[float] = deque()

    def behave(request: "Request") -> Reply:
        now = time.monotonic()
        while taken and taken[0] < now - 1:
            taken.popleft()
        if len(taken) >= int(most):
            return _FIXED["retry_after"](retry_after)
        taken.append(now)
        return _OK

    return behave


def _failing(times: int, *, per_delivery: bool, failure: Reply = _UNAVAILABLE) -> Behaviour:
    failures: Counter[str] = Counter()

    def behave(request: "Request") -> Reply:
        key = request.delivery_id if per_delivery else ""
        failures[key] += 1
        return failure if failures[key] <= times else _OK

    return behave
