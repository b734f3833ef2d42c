"""What runs by the clock: apps register their jobs, and ``config.schedule`` has the scheduler run them."""

from collections.abc import Callable
from dataclasses import dataclass

from django.apps import apps
from django.core.exceptions import AppRegistryNotReady


@dataclass(frozen=True, slots=True)
class Entry:
    """One periodic job: every so many seconds, or by a cron line (UTC)."""

    name: str
    job: Callable[[], None]
    every_s: int | None = None
    cron: str | None = None


_entries: dict[str, Entry] = {}


def register(
    name: str, job: Callable[[], None], *, every_s: int | None = None, cron: str | None = None
) -> None:
    """Have a job run by the clock; for apps, from their ``AppConfig.ready``."""
    _entries[name] = Entry(name, job, every_s, cron)


def entries() -> tuple[Entry, ...]:
    """Return what all apps have registered.

    Raises:
        AppRegistryNotReady: not all of them are ready yet. The scheduler would forget the others' jobs.
    """
    if not apps.ready:
        raise AppRegistryNotReady("Apps register their periodic jobs when they are ready.")
    return tuple(_entries.values())
