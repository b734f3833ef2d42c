"""Links that are keys to what they lead to stand in no log, and neither do the queries of addresses."""

import logging
import re
from collections.abc import Mapping, MutableMapping
from typing import Any, Final

from django.core.exceptions import SuspiciousOperation

#: What stands in the place of a secret.
MASK: Final = "…"
# Below these, all that follows. tests/config/test_masking.py finds the routes with a token that are missing.
_LINKS: Final = (
    "dating/(?:join|room|invitations|calendars)|acknowledge|calendars|unsubscribe|"
    "integrations/(?:alertmanager|grafana|pagerduty|cloudevents|generic)"
)
_LINK: Final = re.compile(rf"(/(?:{_LINKS})/)[^\s\"'<>]+", re.IGNORECASE)
# A token in a path that no route has, such as one with a letter too much. Ids are shorter.
_LONG: Final = re.compile(r"/[\w:.=~%-]{40,}")
# Anchored to where a word begins: tried at each slash of a long path, it would take the square of its length.
_QUERY: Final = re.compile(r"(?<![^\s\"'<>])([^\s\"'<>/]*/[^\s?\"'<>]*\?)[^\s\"'<>]+")
#: Django logs what a request may not do under this, and the name of the exception.
_SECURITY: Final = "django.security."


def masked(text: str) -> str:
    """Return a text without the keys that links in it are, and without what stands behind a ``?``."""
    if "/" not in text:
        return text
    return _LONG.sub(f"/{MASK}", _LINK.sub(rf"\g<1>{MASK}", _QUERY.sub(rf"\g<1>{MASK}", text)))


def mask_fields(logger: Any, method: str, fields: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Mask every text of a log line, its traceback too; for structlog."""
    # The request that Django puts beside its lines shows its whole address.
    fields.pop("request", None)
    return {name: masked(value) if isinstance(value, str) else value for name, value in fields.items()}


class MaskRecords(logging.Filter):
    """Masks Django's records of requests themselves, for handlers beside ours, such as an error tracker's.

    What strangers may send as often as they like is no error of ours, which somebody is woken for.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = masked(record.getMessage()), ()
        record.__dict__.pop("request", None)
        if record.name.startswith(_SECURITY):
            record.levelno = min(record.levelno, logging.WARNING)
            record.levelname = logging.getLevelName(record.levelno)
        return True


def mask_requests() -> None:
    """Have those loggers mask what they log, whoever takes it."""
    # Django's loggers that name the path of a request, and keep the request itself beside it.
    kinds = [SuspiciousOperation]
    for kind in kinds:
        kinds += kind.__subclasses__()
    security = [_SECURITY + name for name in ("csrf", *(kind.__name__ for kind in kinds))]
    for name in ("django.request", *security):
        logger = logging.getLogger(name)
        if not any(isinstance(each, MaskRecords) for each in logger.filters):
            logger.addFilter(MaskRecords())
