"""The history becomes a table for each month: deliveries by their ids, which begin with a time, and attempts."""

# ruff: noqa: S608  (names of tables, and bounds of our own)

from datetime import UTC, datetime
from uuid import UUID

from django.db import migrations
from django.db.migrations.exceptions import IrreversibleError

from config import clock

# Each table, and the column whose first 48 bits say the millisecond that a row belongs to.
TABLES = {"notifications_delivery": "id", "notifications_attempt": "delivery_id"}
# Months that are made ahead; from then on the scheduler does.
AHEAD = 3


def start_after(month, count):
    """The start of the month so many months later."""
    number = month.year * 12 + month.month - 1 + count
    return datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)


def first_id(moment):
    return UUID(int=int(moment.timestamp()) * 1000 << 80)


def check_bound(apps, schema_editor):
    """Have PostgreSQL check, beside whatever writes, that all there is lies before next month.

    It then need not do so under the lock of the next step. Where something lies beyond, it has to.
    """
    bound = first_id(start_after(clock.now(), 1))
    with schema_editor.connection.cursor() as cursor:
        for table, key in TABLES.items():
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {table}_past")
            cursor.execute(f"SELECT EXISTS (SELECT FROM {table} WHERE {key} >= %s)", [bound])
            if cursor.fetchone() == (False,):
                cursor.execute(
                    f"ALTER TABLE {table} ADD CONSTRAINT {table}_past CHECK ({key} < '{bound}') NOT VALID"
                )
                cursor.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {table}_past")


def forget_bound(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {table}_past")


def divide(apps, schema_editor):
    """Put what is there, as it is, below a parent, as everything until the end of this month."""
    now = clock.now()
    with schema_editor.connection.cursor() as cursor:
        # No table can be changed while checks of keys wait for the end of the transaction.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table, key in TABLES.items():
            options = _options(cursor, table)
            _put_below_a_parent(cursor, table, key)
            bound = first_id(start_after(now, 1))
            rest = f"{table}_rest"
            cursor.execute(f"CREATE TABLE {rest} (LIKE {table} INCLUDING ALL) {options}")
            _move(cursor, f"{table}_past", rest, f"{key} >= '{bound}'")
            cursor.execute(
                f"ALTER TABLE {table} ATTACH PARTITION {table}_past FOR VALUES FROM (MINVALUE) TO ('{bound}')"
            )
            cursor.execute(f"ALTER TABLE {table}_past DROP CONSTRAINT IF EXISTS {table}_past")
            for count in range(1, AHEAD + 1):
                start = start_after(now, count)
                name, first, last = f"{table}_p{start:%Y%m}", first_id(start), first_id(start_after(start, 1))
                cursor.execute(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL) {options}")
                _move(cursor, rest, name, f"{key} >= '{first}' AND {key} < '{last}'")
                cursor.execute(
                    f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{first}') TO ('{last}')"
                )
            cursor.execute(
                f"ALTER TABLE {table} ATTACH PARTITION {rest} FOR VALUES FROM ('{last}') TO (MAXVALUE)"
            )
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def _put_below_a_parent(cursor, table, key):
    """Make a parent as Django made the table, names included, so that later migrations find them."""
    keys, indexes = _keys(cursor, table), _indexes(cursor, table)
    cursor.execute(f"ALTER TABLE {table} RENAME TO {table}_past")
    for name, _ in indexes:
        cursor.execute(f'ALTER INDEX "{name}" RENAME TO "{_of_past(name)}"')
    cursor.execute(
        f"CREATE TABLE {table} (LIKE {table}_past INCLUDING ALL EXCLUDING INDEXES) PARTITION BY RANGE ({key})"
    )
    cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {table}_past")
    for _, definition in indexes:
        if definition is not None:
            cursor.execute(definition)
    # The primary key last: of two indexes that seem as good, PostgreSQL takes the newer one, and in a month
    # that has no rows yet all seem as good. What is planned then is still in use when the month has begun.
    cursor.execute(f"SELECT EXISTS (SELECT FROM {table}_past)")
    is_empty = cursor.fetchone() == (False,)
    for name, definition in keys:
        cursor.execute(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}')
        if is_empty and definition.startswith("PRIMARY KEY"):
            cursor.execute(f'ALTER TABLE {table}_past DROP CONSTRAINT "{_of_past(name)}"')
            cursor.execute(f'ALTER TABLE {table}_past ADD CONSTRAINT "{_of_past(name)}" {definition}')


def _move(cursor, origin, target, condition):
    cursor.execute(
        f"WITH moved AS (DELETE FROM {origin} WHERE {condition} RETURNING *)"
        f" INSERT INTO {target} SELECT * FROM moved"
    )


def unite(apps, schema_editor):
    """Put all rows back into the one table."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in TABLES:
            cursor.execute("SELECT to_regclass(%s)", [f"{table}_past"])
            if cursor.fetchone() == (None,):
                raise IrreversibleError(
                    f"{table}_past, which this would have back, has been dropped with its months."
                )
            names = [name for name, _ in _indexes(cursor, table)]
            cursor.execute(f"ALTER TABLE {table} DETACH PARTITION {table}_past")
            cursor.execute(f"INSERT INTO {table}_past SELECT * FROM {table}")
            cursor.execute(f"DROP TABLE {table}")
            cursor.execute(f"ALTER TABLE {table}_past RENAME TO {table}")
            for name in names:
                cursor.execute(f'ALTER INDEX "{_of_past(name)}" RENAME TO "{name}"')
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def _indexes(cursor, table):
    """Each index: its name and the statement that makes it; None for that of the primary key."""
    cursor.execute(
        "SELECT relname, CASE WHEN NOT indisprimary THEN pg_get_indexdef(indexrelid) END"
        "  FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE indrelid = %s::regclass",
        [table],
    )
    return cursor.fetchall()


def _keys(cursor, table):
    """The primary and the foreign keys: the name and the definition of each."""
    cursor.execute(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conrelid = %s::regclass AND contype IN ('p', 'f')",
        [table],
    )
    return cursor.fetchall()


def _options(cursor, table):
    """The storage parameters, which a parent can't have, and each of its parts must."""
    cursor.execute("SELECT array_to_string(reloptions, ', ') FROM pg_class WHERE oid = %s::regclass", [table])
    (options,) = cursor.fetchone()
    return f"WITH ({options})" if options else ""


def _of_past(name):
    return f"{name[:58]}_past"


class Migration(migrations.Migration):
    # So that the check of all rows is not under a lock.
    atomic = False
    dependencies = [("notifications", "0010_outgoing")]

    operations = [
        migrations.RunPython(check_bound, forget_bound, atomic=False),
        migrations.RunPython(divide, unite, atomic=True),
    ]
