"""What readiness checks, and what a check finds: apps register checks, ``config.readiness`` runs them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import psycopg
from redis import Redis

#: Begins the detail of what is in order here, and yet is to be looked at.
WARNING: Final = "warning: "

Postgres = psycopg.Connection[tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Finding:
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Servers:
    """The servers as checks ask them, within a time limit; ``postgres`` opens a connection, to be closed."""

    redis: Redis
    postgres: Callable[[], Postgres]


Check = Callable[[Servers], Finding]
_checks: dict[str, Check] = {}
#: The checks of all apps, by the name of the component that each is about.
checks: Final[Mapping[str, Check]] = MappingProxyType(_checks)


def register(name: str, check: Check) -> None:
    """Have a component checked; for apps, from their ``AppConfig.ready``."""
    _checks[name] = check
