"""What of each table is archived, and in which form; a row is a tuple of plain values in this order."""

from dataclasses import dataclass
from typing import Any, Final

import orjson

from notifications.engine.erasing import MASKS

#: The version of all this; whoever changes what a row, a record or a manifest says raises it.
FORMAT: Final = 1
_OPTIONS: Final = orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the database and the file that holds a month of it."""

    name: str
    source: str
    #: Column and kind: uuid, text, time, int, float, bool, json, or uuids.
    columns: tuple[tuple[str, str], ...]
    #: What is archived in place of a column that may say who somebody is: its name, and SQL.
    instead: tuple[tuple[str, str], ...] = ()

    @property
    def file(self) -> str:
        return f"{self.name}.parquet"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.columns)

    @property
    def select(self) -> str:
        """The columns as SQL, in their archived form."""
        casts = {"uuid": "::text", "json": "::text", "uuids": "::text[]"}
        columns = {name: f"{self.source}.{name}" for name in self.names} | dict(self.instead)
        return ", ".join(columns[name] + casts.get(kind, "") for name, kind in self.columns)

    def index(self, column: str) -> int:
        return self.names.index(column)

    def json(self, row: Row) -> bytes:
        """Return a row as canonical JSON: keys in order, times in UTC, JSON as PostgreSQL writes it."""
        values = {
            name: orjson.Fragment(value) if kind == "json" and value is not None else value
            for (name, kind), value in zip(self.columns, row, strict=True)
        }
        return orjson.dumps(values, option=_OPTIONS)


def _columns(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, kind) for name, _, kind in (each.partition(":") for each in text.split()))


# What is archived can't be erased any more, so it names people by their ids alone (docs/adr/0037). What an
# alert or an escalation says is about something that happened; any other text may be about somebody.
_IS_PUBLIC: Final = "notifications_notification.source_type IN ('alert', 'escalation')"

# Whoever acted is noted by their email.
_PERSON: Final = """(SELECT 'person ' || person.uuid FROM accounts_user AS person
    WHERE person.email = notifications_deliveryaction.by)"""


def _if_public(column: str, otherwise: str) -> tuple[str, str]:
    kept = f"notifications_notification.{column}"
    return column, f"(CASE WHEN {_IS_PUBLIC} THEN {kept} ELSE {otherwise} END)"


def _masked(column: str) -> str:
    for pattern, mask in MASKS:
        column = f"regexp_replace({column}, '{pattern}', '{mask}', 'g')"
    return column


ALERTS: Final = Table(
    "alerts",
    "notifications_alert",
    _columns(
        "alert_uuid:uuid url:text shop_id:uuid location:text label:text time_spotted:time received_at:time"
        " received_from_id:uuid fanned_out_at:time"
    ),
)
NOTIFICATIONS: Final = Table(
    "notifications",
    "notifications_notification",
    _columns(
        "id:uuid shop_id:uuid kind:text title:text body:text texts:json data:json severity:text"
        " source_type:text source_id:text dedup_key:text created_at:time"
    ),
    (
        _if_public("title", "''"),
        _if_public("body", "''"),
        _if_public("texts", "'{}'::jsonb"),
        _if_public("data", "'{}'::jsonb"),
    ),
)
DELIVERIES: Final = Table(
    "deliveries",
    "notifications_delivery",
    _columns(
        "id:uuid shop_id:uuid notification_id:uuid user_id:uuid contact_point_id:uuid channel:text"
        " address:text language:text status:text reason:text revocable:bool due_at:time expires_at:time"
        " revoked_at:time attempts:int replays:int created_at:time sent_at:time digest_id:uuid"
    ),
    (("address", "''"),),
)
ATTEMPTS: Final = Table(
    "attempts",
    "notifications_attempts",
    _columns(
        "delivery_id:uuid number:int shop_id:uuid started_at:time duration_ms:float outcome:text"
        " status_code:int error:text reference:text"
    ),
    (("error", _masked("notifications_attempts.error")),),
)
ACTIONS: Final = Table(
    "actions",
    "notifications_deliveryaction",
    _columns("id:uuid action:text by:text via:text at:time count:int left_out:int deliveries:uuids"),
    (("by", f"coalesce({_PERSON}, {_masked('notifications_deliveryaction.by')})"),),
)
TABLES: Final = (ALERTS, NOTIFICATIONS, DELIVERIES, ATTEMPTS, ACTIONS)


def record_json(
    *, delivery: bytes, attempts: list[bytes], notification: bytes | None, alert: bytes | None
) -> bytes:
    """Return the record of one delivery, which its proof is about, made of canonical rows."""
    values = {
        "format": FORMAT,
        "delivery": orjson.Fragment(delivery),
        "attempts": [orjson.Fragment(each) for each in attempts],
        "notification": orjson.Fragment(notification) if notification else None,
        "alert": orjson.Fragment(alert) if alert else None,
    }
    return orjson.dumps(values, option=_OPTIONS)
