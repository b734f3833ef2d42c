"""What a migration does to the rows that are there, on a database of the state before it."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from notifications.history.month import Month
from notifications.ids import notification_id

BEFORE: Final = [("notifications", "0008_delivery_actions")]
AFTER: Final = [("notifications", "0009_inbox_items")]
QUEUED: Final = [("notifications", "0010_outgoing")]
ONE_INDEX: Final = [("notifications", "0015_one_index_of_keys")]
OF_KEYS: Final = """
SELECT indexdef LIKE '%%UNIQUE%%' FROM pg_indexes
 WHERE tablename = 'notifications_notification' AND indexdef LIKE '%%(dedup_key%%' ORDER BY 1
"""
MONTHS: Final = [("notifications", "0011_months")]
NOW: Final = datetime(2026, 3, 2, 12, tzinfo=UTC)
COLUMNS: Final = ("number", "read_at", "dismissed_at")


def latest() -> list[tuple[str, str]]:
    return MigrationExecutor(connection).loader.graph.leaf_nodes("notifications")


def migrate(target: list[tuple[str, str]]) -> Any:
    """Go there, forwards or back; returns the models as they are there."""
    executor = MigrationExecutor(connection)
    executor.migrate(target)
    return MigrationExecutor(connection).loader.project_state(target).apps


def fill(apps: Any) -> dict[str, Any]:
    """Make one delivery of each kind that an inbox has; returns their ids by name."""
    user = apps.get_model("accounts", "User").objects.create(email="ana@example.com")
    late = NOW + timedelta(hours=1)
    rows: dict[str, dict[str, Any]] = {
        "unread": {"status": "sent", "sent_at": NOW, "number": 1},
        "read": {"status": "sent", "sent_at": NOW, "number": 2, "read_at": late, "language": "fr"},
        "deleted": {"status": "sent", "sent_at": NOW, "number": 4, "dismissed_at": late},
        "read_and_deleted": {
            "status": "sent", "sent_at": NOW, "number": 5, "read_at": NOW, "dismissed_at": late,
        },
        "suppressed": {"status": "suppressed", "reason": "unsubscribed"},
        "planned": {"status": "pending", "revocable": True, "due_at": late},
        "stopped": {"status": "cancelled", "reason": "revoked", "revoked_at": NOW},
        "elsewhere": {"status": "sent", "sent_at": NOW, "channel": "webhook", "lane": "hooks.example.com"},
    }  # fmt: skip
    ids = {}
    for name, fields in rows.items():
        notification = apps.get_model("notifications", "Notification").objects.create(
            kind="test", title=name, dedup_key=name, data={}, source_type="test", source_id=name
        )
        common = {"channel": "inbox", "lane": "inbox", "due_at": NOW, "expires_at": late, "created_at": NOW}
        made = apps.get_model("notifications", "Delivery").objects.create(
            notification=notification, user=user, **common | fields
        )
        ids[name] = made.pk
    return ids


@pytest.mark.slow
def test_items_leave_the_deliveries_with_their_numbers_and_marks(scratch: None) -> None:
    apps = migrate(BEFORE)
    ids = fill(apps)
    delivery = apps.get_model("notifications", "Delivery").objects
    before = {row["id"]: row for row in delivery.values()}

    apps = migrate(AFTER)
    item, delivery = (apps.get_model("notifications", name).objects for name in ("InboxItem", "Delivery"))
    kept = ("user_id", "notification_id", "language", "created_at", *COLUMNS)
    assert {row.pop("delivery_id"): row for row in item.values()} == {
        ids[name]: {column: before[ids[name]][column] for column in kept}
        for name in ("unread", "read", "deleted", "read_and_deleted")
    }
    assert {row["id"]: row for row in delivery.values()} == {
        pk: {column: value for column, value in row.items() if column not in COLUMNS}
        for pk, row in before.items()
    }

    # What is marked since is not lost on the way back.
    item.filter(pk=ids["unread"]).update(read_at=NOW)
    before[ids["unread"]]["read_at"] = NOW
    delivery = migrate(BEFORE).get_model("notifications", "Delivery").objects
    assert {row["id"]: row for row in delivery.values()} == before
    migrate(AFTER)


# By name: the status and reason of a delivery before, and what of it is queued afterwards.
LATE: Final = NOW + timedelta(hours=1)
LIVE: Final[dict[str, dict[str, Any]]] = {
    "due": {"status": "pending"},
    "critical": {"status": "pending", "severity": "critical"},
    "retry": {"status": "pending", "reason": "retry", "attempts": 2, "failures": 2, "due_at": LATE},
    "held": {"status": "pending", "reason": "quiet_hours", "due_at": LATE},
    "for_digest": {"status": "pending", "reason": "digest", "due_at": LATE},
    "planned": {"status": "pending", "revocable": True, "due_at": LATE},
    "leased": {"status": "sending", "attempts": 1, "lease_until": LATE, "lost_leases": 3},
    "stopped": {
        "status": "sending",
        "attempts": 1,
        "lease_until": LATE,
        "revoked_at": NOW,
        "revocable": True,
    },
}
ENDED: Final[dict[str, dict[str, Any]]] = {
    "sent": {"status": "sent", "attempts": 1, "sent_at": NOW},
    "failed": {"status": "failed", "reason": "exhausted", "attempts": 3, "failures": 3},
    "expired": {"status": "expired", "reason": "too_old"},
    "cancelled": {"status": "cancelled", "reason": "stopped", "revoked_at": NOW},
    "suppressed": {"status": "suppressed", "reason": "level"},
}


def fill_queue(apps: Any) -> dict[str, Any]:
    """Make one delivery of each kind, of an alert in one shop; returns their ids by name."""
    model = apps.get_model
    user = model("accounts", "User").objects.create(email="ana@example.com")
    shop = model("accounts", "Shop").objects.create(slug="lyon", name="Lyon")
    ids = {}
    for name, fields in (LIVE | ENDED).items():
        alert = model("notifications", "Alert").objects.create(
            alert_uuid=uuid4(), url="https://x.example.com/", shop=shop, location="lyon", label="theft",
            time_spotted=NOW,
        )  # fmt: skip
        told = model("notifications", "Notification").objects.create(
            kind="alert", title=name, dedup_key=name, data={}, source_type="alert",
            source_id=str(alert.pk), severity=fields.get("severity", "standard"),
        )  # fmt: skip
        values = {key: value for key, value in fields.items() if key != "severity"}
        common = {"channel": "webhook", "lane": f"https://{name}", "due_at": NOW, "expires_at": LATE}
        delivery = model("notifications", "Delivery").objects.create(
            notification=told, user=user, **common | values
        )
        if values["status"] == "sent":
            model("notifications", "Attempt").objects.create(
                delivery_id=delivery.pk, number=1, started_at=NOW, duration_ms=1.0, outcome="sent"
            )
        ids[name] = delivery.pk
    return ids


@pytest.mark.slow
def test_what_is_live_is_queued_with_its_lease_and_what_has_ended_is_not(scratch: None) -> None:
    apps = migrate(AFTER)
    ids = fill_queue(apps)
    before = {row["id"]: row for row in apps.get_model("notifications", "Delivery").objects.values()}

    apps = migrate(QUEUED)
    outgoing, delivery, attempt, told, undelivered, shop = (
        apps.get_model("notifications" if name != "Shop" else "accounts", name).objects
        for name in ("Outgoing", "Delivery", "Attempt", "Notification", "Undelivered", "Shop")
    )
    copied = (
        "lane", "due_at", "expires_at", "revocable", "lease_until", "revoked_at", "attempts", "failures",
        "lost_leases",
    )  # fmt: skip
    user = before[ids["due"]]["user_id"]
    of_holding = {
        "held": {"held_for": user, "for_digest": False},
        "for_digest": {"held_for": user, "for_digest": True},
    }
    assert {row.pop("delivery_id"): row for row in outgoing.values()} == {
        ids[name]: {column: before[ids[name]][column] for column in copied}
        | {"priority": 0 if name == "critical" else 1}
        | of_holding.get(name, {"held_for": None, "for_digest": False})
        for name in LIVE
    }
    assert set(undelivered.values_list("pk", flat=True)) == {ids["failed"], ids["expired"]}
    statuses = dict(delivery.values_list("pk", "status"))
    assert statuses == {ids[name]: "pending" for name in LIVE} | {
        ids[name]: fields["status"] for name, fields in ENDED.items()
    }
    # What is being sent has an attempt that is not on record yet.
    assert delivery.get(pk=ids["leased"]).attempts == 0
    assert delivery.get(pk=ids["retry"]).attempts == 2
    for rows in (delivery, attempt, told):
        assert set(rows.values_list("shop", flat=True)) == {shop.get().pk}

    apps = migrate(AFTER)
    back = {row["id"]: row for row in apps.get_model("notifications", "Delivery").objects.values()}
    for name, pk in ids.items():
        kept = {column: before[pk][column] for column in (*copied, "status", "reason") if name in LIVE}
        assert {column: back[pk][column] for column in kept} == kept


@pytest.mark.slow
def test_a_notifications_key_is_in_one_index_and_still_there_once(scratch: None) -> None:
    def are_unique() -> list[bool]:
        with connection.cursor() as cursor:
            cursor.execute(OF_KEYS, [])
            return [is_unique for (is_unique,) in cursor.fetchall()]

    migrate(QUEUED)
    assert are_unique() == [False, True]
    told = migrate(ONE_INDEX).get_model("notifications", "Notification").objects
    assert are_unique() == [True]
    told.create(kind="alert", title="a", dedup_key="a", data={})
    with pytest.raises(IntegrityError, match="notification_once"):
        told.create(kind="alert", title="a", dedup_key="a", data={})


# Of an earlier month, of this one, of the next, and of one that nobody would make a table for ahead.
MOMENTS: Final = (timedelta(days=-100), timedelta(0), timedelta(days=31), timedelta(days=200))
SHAPE: Final = """
SELECT regexp_replace(relname, '_p[0-9]+$', '_month'), relkind, reloptions,
       (SELECT array_agg(pg_get_constraintdef(oid) ORDER BY contype, conname) FROM pg_constraint
         WHERE conrelid = pg_class.oid AND contype <> 'n'),
       (SELECT array_agg(attname || format_type(atttypid, atttypmod) || attnotnull ORDER BY attname)
          FROM pg_attribute WHERE attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped),
       (SELECT array_agg(pg_get_indexdef(indexrelid) ORDER BY 1) FROM pg_index
         WHERE indrelid = pg_class.oid AND relkind = 'p')
  FROM pg_class
 WHERE relname ~ '^notifications_(delivery|attempt)(_past|_rest|_p[0-9]+)?$' AND relkind IN ('r', 'p')
 ORDER BY relname
"""


def shape() -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(SHAPE)
        return list(cursor.fetchall())


def fill_months(apps: Any) -> dict[Any, datetime]:
    """Make one delivery of each kind for each of the moments, with attempts; returns their times."""
    model, now = apps.get_model, timezone.now()
    user = model("accounts", "User").objects.create(email="ana@example.com")
    times = {}
    for moment in (now + each for each in MOMENTS):
        for name, fields in (LIVE | ENDED).items():
            pk = notification_id(moment)
            told = model("notifications", "Notification").objects.create(
                id=pk,
                kind="alert",
                title=name,
                dedup_key=str(pk),
                data={},
                source_type="test",
                source_id=name,
            )
            queued = {
                key: value
                for key, value in fields.items()
                if key in ("due_at", "revocable", "lease_until", "attempts", "failures", "lost_leases")
            }
            status = "pending" if name in LIVE else fields["status"]
            delivery = model("notifications", "Delivery").objects.create(
                id=notification_id(moment), notification=told, user=user, channel="webhook", status=status,
                reason=fields.get("reason", ""), due_at=NOW, expires_at=LATE,
                attempts=fields.get("attempts", 0), revoked_at=fields.get("revoked_at"),
            )  # fmt: skip
            if name in LIVE:
                model("notifications", "Outgoing").objects.create(
                    delivery=delivery, lane=name, **{"due_at": NOW, "expires_at": LATE} | queued
                )
            if status in ("failed", "expired"):
                model("notifications", "Undelivered").objects.create(delivery=delivery)
            for number in range(1, delivery.attempts + 1):
                model("notifications", "Attempt").objects.create(
                    delivery_id=delivery.pk, number=number, started_at=NOW, duration_ms=1.0, outcome="sent"
                )
            times[delivery.pk] = moment
    return times


@pytest.mark.slow
def test_all_that_there_is_comes_into_its_month_and_back(scratch: None) -> None:
    fresh = shape()
    apps = migrate(QUEUED)
    flat = shape()
    times = fill_months(apps)
    names = ("Delivery", "Attempt", "Outgoing", "Undelivered")

    def rows(apps: Any) -> dict[str, list[Any]]:
        return {
            name: list(apps.get_model("notifications", name).objects.order_by("pk").values())
            for name in names
        }

    before = rows(apps)
    apps = migrate(MONTHS)
    assert rows(apps) == before
    migrate(latest())
    assert shape() == fresh
    migrate(MONTHS)
    past, ahead = Month.of(timezone.now()).end, timezone.now() + timedelta(days=190)
    with connection.cursor() as cursor:
        for table, key in (("notifications_delivery", "id"), ("notifications_attempt", "delivery_id")):
            cursor.execute(f"SELECT {key}, tableoid::regclass::text FROM {table}")
            found = dict(cursor.fetchall())
            assert len(found) == len(times) if key == "id" else found
            for pk, place in found.items():
                month = f"p{Month.of(times[pk]).start:%Y%m}" if times[pk] < ahead else "rest"
                assert place == f"{table}_{'past' if times[pk] < past else month}"

    apps = migrate(QUEUED)
    assert rows(apps) == before
    assert shape() == flat
    migrate(MONTHS)


@pytest.mark.slow
def test_what_lies_in_this_month_is_not_copied_nor_read_under_the_lock(scratch: None) -> None:
    fill_months(migrate(QUEUED))
    with connection.cursor() as cursor:
        # Where there is nothing of a later month, the table becomes the first part as it is.
        cursor.execute("DELETE FROM notifications_delivery WHERE id > uuidv7(interval '1 hour')")
        cursor.execute("DELETE FROM notifications_attempt WHERE delivery_id > uuidv7(interval '1 hour')")
        cursor.execute("SELECT pg_relation_filenode('notifications_delivery')")
        file = cursor.fetchone()
        cursor.execute("SET client_min_messages = debug1")
        said: list[str] = []
        connection.connection.add_notice_handler(lambda notice: said.append(notice.message_primary))
        migrate(MONTHS)
        cursor.execute("SELECT pg_relation_filenode('notifications_delivery_past')")
        assert cursor.fetchone() == file
    for table in ("delivery", "attempt"):
        proven = (
            f'partition constraint for table "notifications_{table}_past" is implied by existing constraints'
        )
        assert proven in said


@pytest.mark.slow
def test_contact_points_that_are_there_count_as_confirmed(scratch: None) -> None:
    apps = migrate([("notifications", "0016_broadcasts")])
    user = apps.get_model("accounts", "User").objects.create(email="ana@example.com")
    made = apps.get_model("notifications", "ContactPoint").objects.create(
        user=user, channel="email", address="ana@example.org", lane="smtp://localhost:25", created_at=NOW
    )
    apps = migrate([("notifications", "0017_confirmed_contact_points")])
    point = apps.get_model("notifications", "ContactPoint").objects.get(pk=made.pk)
    assert (point.confirmed_at, point.is_vouched) == (NOW, False)


@pytest.mark.slow
def test_attempts_that_are_in_their_deliveries_get_rows_on_the_way_back(scratch: None) -> None:
    apps = migrate(latest())
    told = apps.get_model("notifications", "Notification").objects.create(
        id=notification_id(NOW),
        kind="alert",
        title="",
        dedup_key="plain",
        data={},
        source_type="test",
        source_id="",
    )
    delivery = apps.get_model("notifications", "Delivery").objects.create(
        id=notification_id(NOW),
        notification=told,
        channel="webhook",
        status="sent",
        due_at=NOW,
        expires_at=NOW,
        sent_at=NOW,
        attempts=2,
        duration_ms=1.5,
        status_code=204,
    )
    columns = ("delivery_id", "number", "started_at", "duration_ms", "outcome", "status_code")
    expected = [(delivery.pk, 2, NOW, 1.5, "sent", 204)]
    for target in (latest(), [("notifications", "0020_departures")], latest()):
        apps = migrate(target)
        assert list(apps.get_model("notifications", "Attempt").objects.values_list(*columns)) == expected


@pytest.mark.slow
def test_only_webhooks_keep_how_they_are_batched(scratch: None) -> None:
    apps = migrate([("notifications", "0023_wire_headers")])
    user = apps.get_model("accounts", "User").objects.create(email="ana@example.com")
    for channel in ("email", "webhook"):
        apps.get_model("notifications", "ContactPoint").objects.create(
            user=user, channel=channel, lane=channel, linger_ms=5, batch_format="ndjson"
        )
    points = migrate(latest()).get_model("notifications", "ContactPoint").objects
    assert set(points.values_list("channel", "linger_ms", "batch_format")) == {
        ("email", 0, "cloudevents"),
        ("webhook", 5, "ndjson"),
    }
