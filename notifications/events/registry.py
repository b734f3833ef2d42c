"""Who handles which events: functions in the ``handlers`` modules of the installed apps."""

import pkgutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Final

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import autodiscover_modules

from notifications.events import topics
from notifications.models import Event

MODULE: Final = "handlers"
NAME_MAX_LENGTH: Final = 100


@dataclass(frozen=True, slots=True)
class Handler:
    """A function that does something about events, and how often it may fail at one.

    ``knows``: whether it has anything to do for a routing key that its patterns match; None: always.
    """

    name: str
    function: Callable[[Event], None]
    patterns: tuple[str, ...]
    attempts: int
    knows: Callable[[str], bool] | None = None

    def wants(self, routing_key: str) -> bool:
        is_theirs = any(topics.matches(pattern, routing_key) for pattern in self.patterns)
        return is_theirs and (self.knows is None or self.knows(routing_key))


_handlers: dict[str, Handler] = {}


def handles(
    *patterns: str, attempts: int = 5, knows: Callable[[str], bool] | None = None
) -> Callable[[Callable[[Event], None]], Callable[[Event], None]]:
    """Register the decorated function for events whose routing key matches one of the patterns.

    Its name among the handlers is that of its app and its own: ``notifications.profile_make``. It runs in
    a transaction, at whose end it is marked as done: what it does to the database is done exactly once.

    Args:
        attempts: how often it is tried in all before its event becomes a dead letter.
        knows: whether it has anything to do for a routing key that matches; it is not asked about others.
            An event that no handler knows is stored and reported as unknown.

    Raises:
        ImproperlyConfigured: a pattern is none, or the name is taken.
    """

    def register(function: Callable[[Event], None]) -> Callable[[Event], None]:
        app = function.__module__.partition(".")[0]
        _add(Handler(f"{app}.{function.__name__}", function, patterns, attempts, knows))
        return function

    return register


def _add(handler: Handler) -> None:
    where = f"{handler.function.__module__}.{handler.function.__qualname__}"
    if not handler.patterns:
        raise ImproperlyConfigured(f"@handles on {where} names no pattern of routing keys.")
    for pattern in handler.patterns:
        if not isinstance(pattern, str) or not topics.is_pattern(pattern):
            raise ImproperlyConfigured(f"@handles({pattern!r}) on {where}: {topics.PATTERN_MESSAGE}")
    if handler.attempts < 1:
        raise ImproperlyConfigured(
            f"@handles(attempts={handler.attempts}) on {where}: it needs at least one."
        )
    if len(handler.name) > NAME_MAX_LENGTH:
        raise ImproperlyConfigured(f"The name {handler.name} is longer than {NAME_MAX_LENGTH} characters.")
    if taken := _handlers.get(handler.name):
        other = f"{taken.function.__module__}.{taken.function.__qualname__}"
        raise ImproperlyConfigured(f"Two event handlers are named {handler.name}: {other} and {where}.")
    _handlers[handler.name] = handler


def autodiscover() -> None:
    """Import the ``handlers`` module, or package with all that is in it, of every installed app."""
    autodiscover_modules(MODULE)
    for config in apps.get_app_configs():
        package = sys.modules.get(f"{config.name}.{MODULE}")
        for found in pkgutil.iter_modules(getattr(package, "__path__", ())):
            import_module(f"{config.name}.{MODULE}.{found.name}")


def get(name: str) -> Handler | None:
    return _handlers.get(name)


def names() -> list[str]:
    return sorted(_handlers)


def subscribers(routing_key: str) -> list[Handler]:
    """Return the handlers of a routing key's events."""
    return [handler for handler in _handlers.values() if handler.wants(routing_key)]
