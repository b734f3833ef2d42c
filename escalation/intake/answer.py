"""What a client of an intake path is answered, and the answers of formats that ask for none in particular."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from escalation.intake.occurrence import Malformed

#: Asks a client to wait for so many seconds, where it listens to that.
WAIT: Final = {"Retry-After": "5"}


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, and a body to be sent as JSON; None: no body."""

    status: int
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def kept(count: int) -> Answer:
    """Say that so many occurrences are kept."""
    return Answer(HTTPStatus.OK, {"result": "kept", "occurrences": count})


def malformed(error: Malformed) -> Answer:
    return Answer(HTTPStatus.BAD_REQUEST, {"detail": str(error)})


def refused() -> Answer:
    """Say that the key or the signature is wrong."""
    return Answer(HTTPStatus.UNAUTHORIZED, {"detail": "The key or the signature is wrong."})


def too_many() -> Answer:
    """Ask to be sent to more slowly; for clients that repeat a 429."""
    body = {"detail": "Too many requests. Nothing was kept; try again."}
    return Answer(HTTPStatus.TOO_MANY_REQUESTS, body, WAIT)


def unavailable() -> Answer:
    """Say that nothing could be kept for now; each client repeats a 503."""
    return Answer(HTTPStatus.SERVICE_UNAVAILABLE, {"detail": "Nothing could be kept. Try again."}, WAIT)
