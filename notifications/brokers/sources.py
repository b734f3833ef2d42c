"""Where messages come from: what ``manage.py consume NAME`` reads, as settings.SOURCES has it."""

from dataclasses import dataclass, fields
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

SQS: Final = "sqs"
EXCHANGE_TYPES: Final = ("direct", "topic", "fanout", "headers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One queue, and how its messages are understood."""

    name: str
    #: amqp://, amqps:// or redis:// with all that kombu takes; sqs:// for settings.SQS_REGION. Empty: off.
    url: str
    queue: str
    #: The name of one of notifications.brokers.formats.
    format: str
    #: Declared if it is not there, and the queue bound to it by each of the keys. Empty: neither.
    exchange: str = ""
    exchange_type: str = "topic"
    keys: tuple[str, ...] = ()
    #: Queues that answers go to: declared too, and bound to the exchange by their own names.
    answers_to: tuple[str, ...] = ()
    #: Messages held at once; a batch is at most that many.
    prefetch: int = 200
    #: Messages of one group in their order (SQS FIFO).
    ordered: bool = False

    @property
    def is_sqs(self) -> bool:
        return urlsplit(self.url).scheme == SQS


def names() -> list[str]:
    """Return the names of the sources that are configured."""
    return sorted(name for name, given in settings.SOURCES.items() if given.get("url"))


def get(name: str) -> Source:
    """Return a source by its name; raises ImproperlyConfigured, which says what is wrong."""
    given = settings.SOURCES.get(name)
    if given is None:
        known = ", ".join(sorted(settings.SOURCES)) or "none"
        raise ImproperlyConfigured(f"There is no source {name!r}; there are: {known}.")
    if unknown := sorted(set(given) - {field.name for field in fields(Source)}):
        raise ImproperlyConfigured(f"SOURCES[{name!r}]: unknown: {', '.join(unknown)}.")
    lists = {key: tuple(given[key]) for key in ("keys", "answers_to") if key in given}
    fields_given: dict[str, Any] = {"name": name} | given | lists
    try:
        source = Source(**fields_given)
    except TypeError as error:
        raise ImproperlyConfigured(f"SOURCES[{name!r}]: {error}.") from None
    if source.exchange_type not in EXCHANGE_TYPES:
        raise ImproperlyConfigured(f"SOURCES[{name!r}]: no exchange type: {source.exchange_type!r}.")
    if not source.queue or not 1 <= source.prefetch <= 10_000:
        raise ImproperlyConfigured(f"SOURCES[{name!r}] needs a queue, and a prefetch of 1 to 10000.")
    if not source.url:
        raise ImproperlyConfigured(f"The source {name!r} has no broker: set its URL (docs/brokers.md).")
    return source
