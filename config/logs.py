"""Structured logging: an event name and fields, as JSON lines for machines or in colour for people."""

import logging
import re
from collections.abc import Mapping
from typing import Final

import structlog

from config.masking import mask_fields, mask_requests

# What moves a terminal's cursor, or turns its text around.
_MOVES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


_SHARED: Final[list[structlog.types.Processor]] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.stdlib.ExtraAdder(),
]
# One list: a logger that has written once keeps hold of it, also when logging is configured again.
_PROCESSORS: Final[list[structlog.types.Processor]] = [
    structlog.stdlib.filter_by_level,
    *_SHARED,
    structlog.processors.format_exc_info,
    structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
]


def configure(options: Mapping[str, str]) -> None:
    """Send structlog's and the standard library's records through one formatter.

    Args:
        options: ``level`` (a standard level name) and ``format`` (``json`` or ``console``).
    """
    structlog.configure(
        processors=_PROCESSORS,
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    render: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if options["format"] == "json"
        else structlog.dev.ConsoleRenderer()
    )
    tame: list[structlog.types.Processor] = [] if options["format"] == "json" else [_spell_out]
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                mask_fields,
                *tame,
                render,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(options["level"])
    mask_requests()
    # uvicorn has set up its own by now; of access it logs nothing unless it is told to.
    for name in ("uvicorn", "uvicorn.access"):
        logger = logging.getLogger(name)
        if logger.handlers:
            logger.handlers.clear()
            logger.propagate = True
    # RQ logs three lines a job, which at a thousand jobs a minute says nothing and costs much.
    logging.getLogger("rq").setLevel(logging.WARNING)
    logging.getLogger("rq_scheduler").setLevel(logging.WARNING)


def _spell_out(
    logger: structlog.types.WrappedLogger, name: str, event: structlog.types.EventDict
) -> structlog.types.EventDict:
    """Escape whatever a terminal would obey, as JSON does by itself. Only tracebacks have lines."""
    for key, value in event.items():
        if isinstance(value, str):
            lines = value if key == "exception" else value.replace("\n", "\\n")
            event[key] = _MOVES.sub(lambda match: ascii(match[0])[1:-1], lines)
    return event
