"""What is known of the keys that a body names: read once for each, however often it has fired before.

Rows of their own instead of the models: these take ten times as long to make, and a storm brings thousands.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from config.sql import run_prepared
from config.statements import named
from escalation.models import Integration


@dataclass(slots=True)
class Group:
    """An open alert group; ``group_interval_s`` is its route's."""

    id: UUID
    key: str
    last_at: datetime
    state: str
    quiet: str
    rings_at: datetime | None
    occurrences: int = 0
    told_at: datetime | None = None
    acknowledged_at: datetime | None = None
    ended_by: str = ""
    ended_via: str = ""
    process_id: UUID | None = None
    group_interval_s: int | None = None
    #: Of a new one: what else is stored of it, by column.
    more: dict[str, Any] | None = None


@dataclass(slots=True)
class Alert:
    """A key within a group: firing unless it has ended."""

    id: UUID
    group_id: UUID
    key: str
    last_at: datetime
    began_at: datetime | None
    occurrences: int = 0
    ended_at: datetime | None = None
    #: Of a new one: what else is stored of it, by column.
    more: dict[str, Any] | None = None

    def is_repeated_by(self, at: datetime | None) -> bool:
        """Whether a trigger of what began then says the very same of what is firing."""
        return at is not None and at == self.began_at

    def covers(self, at: datetime | None) -> bool:
        """Whether a trigger of what began then says what is over with this: it began no later."""
        return bool(at and self.began_at and at <= self.began_at)

    def is_ended_by(self, at: datetime | None) -> bool:
        """Whether a resolve ends what is firing: one of an earlier time is about what was before."""
        return not (at and self.began_at and at < self.began_at)


_WHOSE: Final = {True: "integration_id = %(integration)s", False: "integration_id IS NULL"}
_COLUMNS: Final = {
    of: [field.name for field in fields(of) if field.name not in ("group_interval_s", "more")]
    for of in (Group, Alert)
}


def _columns(of: type[Group | Alert]) -> str:
    return ", ".join(f"it.{name}" for name in _COLUMNS[of])


# Locks in the order of ids, so that no two wait for each other.
_LOCK: Final = """
SELECT {it}, (SELECT group_interval_s FROM escalation_route AS route WHERE route.id = it.route_id)
  FROM escalation_alertgroup AS it
 WHERE id IN (
       SELECT group_id FROM escalation_groupedalert
        WHERE {whose} AND key = ANY (ARRAY(SELECT json_array_elements_text(%(keys)s))) AND ended_at IS NULL
        UNION
       SELECT id FROM escalation_alertgroup
        WHERE {whose} AND key = ANY (ARRAY(SELECT json_array_elements_text(%(groups)s)))
          AND state <> 'resolved')
   AND state <> 'resolved'
 ORDER BY id FOR UPDATE
"""
_LOCKS: Final = {is_one: _LOCK.format(it=_columns(Group), whose=whose) for is_one, whose in _WHOSE.items()}
named("groups.lock", "Lock the open groups of some keys.", _LOCKS[True])
named("groups.lock.own", "The same of what comes from no integration.", _LOCKS[False])

_NEWEST: Final = """
SELECT {it} FROM json_array_elements_text(%(keys)s) AS asked (key)
 CROSS JOIN LATERAL (
       SELECT * FROM escalation_groupedalert
        WHERE {whose} AND key = asked.key
        ORDER BY ended_at DESC NULLS FIRST LIMIT 1) AS it
"""
_NEWESTS: Final = {
    is_one: _NEWEST.format(it=_columns(Alert), whose=whose) for is_one, whose in _WHOSE.items()
}
_NEWEST_IDS: Final = {
    is_one: f"SELECT json_agg(newest.id) FROM ({newest}) AS newest"  # noqa: S608
    for is_one, newest in _NEWESTS.items()
}
named("groups.newest", "Fetch the newest alert of each key.", _NEWESTS[True])
named("groups.newest.own", "The same of what comes from no integration.", _NEWESTS[False])


def open_locked(integration: Integration | None, keys: Sequence[str], groups: Sequence[str]) -> list[Group]:
    """Lock and return the open groups in which these keys fire, or that have one of these keys themselves."""
    parameters = {**_whose(integration, keys), "groups": _array(groups)}
    return [Group(*row) for row in run_prepared(_LOCKS[integration is not None], parameters)]


def newest(integration: Integration | None, keys: Sequence[str]) -> dict[str, Alert]:
    """Return by key what is firing, or else what ended last."""
    rows = run_prepared(_NEWESTS[integration is not None], _whose(integration, keys))
    return {alert.key: alert for alert in (Alert(*row) for row in rows)}


def ids_newest_read(integration: Integration | None, keys: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """Return the statement, and its parameters, that finds the ids of these as one value: JSON, or NULL."""
    return _NEWEST_IDS[integration is not None], _whose(integration, keys)


def as_row(new: Group | Alert) -> dict[str, Any]:
    """Return all that is stored of a new group or alert."""
    return {name: getattr(new, name) for name in _COLUMNS[type(new)]} | (new.more or {})


def _whose(integration: Integration | None, keys: Sequence[str]) -> dict[str, Any]:
    asked = {"keys": _array(keys)}
    return {**asked, "integration": integration.pk} if integration else asked


def _array(keys: Sequence[str]) -> str:
    """Return keys as JSON, which costs less than to write PostgreSQL's arrays."""
    return orjson.dumps(keys).decode()
