"""Each delivery lies in the table of its month, with its attempts; the tables are there before the month."""

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone

from notifications.engine import claim
from notifications.history import months
from notifications.history.month import Month
from notifications.history.months import ATTEMPTS, DELIVERIES, Table
from notifications.ids import first_id
from notifications.models import Attempt, Delivery, Outgoing
from tests import planner
from tests.notifications.history.conftest import Tell

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def later(count: int) -> Month:
    """The month so many months from now."""
    month = Month.of(NOW)
    for _ in range(count):
        month = Month.of(month.end)
    return month


def places(table: Table) -> dict[UUID, str]:
    """Where each row lies, by the id of its delivery."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {table.key}, tableoid::regclass::text FROM {table.name}")
        return dict(cursor.fetchall())


@pytest.mark.parametrize(
    ("moment", "start", "end"),
    [
        ("2026-11-29", "2026-11-01", "2026-12-01"),
        ("2026-12-31T23:59:59.999999", "2026-12-01", "2027-01-01"),
        ("2028-02-29", "2028-02-01", "2028-03-01"),
        ("2027-01-01T00:59:59+01:00", "2026-12-01", "2027-01-01"),
    ],
)
def test_a_month_is_one_of_utc(moment: str, start: str, end: str) -> None:
    at, *bounds = (datetime.fromisoformat(each) for each in (moment, start, end))
    month = Month.of(at if at.tzinfo else at.replace(tzinfo=UTC))
    assert [month.start, month.end] == [each.replace(tzinfo=UTC) for each in bounds]
    assert str(month) == start[:7]


def test_the_months_follow_each_other_without_a_gap_and_are_made_ahead() -> None:
    for table in (DELIVERIES, ATTEMPTS):
        made = months.partitions(table)
        assert made[0].start is None
        assert [each.start for each in made[1:]] == [each.end for each in made[:-1]]
        assert made[-1].end == later(months.AHEAD).end


def test_a_row_lies_in_its_month_to_the_millisecond(tell: Tell) -> None:
    turn = later(1).end
    last, first = tell(turn - timedelta(milliseconds=1)), tell(turn)
    for table in (DELIVERIES, ATTEMPTS):
        assert places(table) == {last.pk: table.name_of(later(1)), first.pk: table.name_of(later(2))}


def test_months_are_made_in_time_and_once() -> None:
    assert months.make_ahead(NOW) == []
    made = months.make_ahead(later(1).start)
    name = f"{later(months.AHEAD + 1).start:%Y%m}"
    assert made == [f"notifications_delivery_p{name}", f"notifications_attempt_p{name}"]
    assert months.make_ahead(later(1).start) == []


@pytest.mark.slow
def test_after_a_long_pause_all_months_are_made_up_to_now() -> None:
    assert len(months.make_ahead(later(14).start)) == 2 * 14
    assert months.partitions(DELIVERIES)[-1].end == later(14 + months.AHEAD).end


@pytest.mark.slow
def test_rows_that_came_before_their_month_was_made_are_moved_there_whole(tell: Tell) -> None:
    early, much_later = later(months.AHEAD + 1), later(months.AHEAD + 5)
    waits, sent = tell(early.start, status="pending"), tell(early.end - timedelta(milliseconds=1))
    other = tell(much_later.start)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # as at the end of the transactions that made them
    before = list(Delivery.objects.order_by("pk").values())
    tries = list(Attempt.objects.order_by("pk").values())
    assert set(places(DELIVERIES).values()) == {DELIVERIES.rest}

    months.make_ahead(later(1).start)
    moved = DELIVERIES.name_of(early)
    assert places(DELIVERIES) == {waits.pk: moved, sent.pk: moved, other.pk: DELIVERIES.rest}
    assert places(ATTEMPTS) == {sent.pk: ATTEMPTS.name_of(early), other.pk: ATTEMPTS.rest}
    assert list(Delivery.objects.order_by("pk").values()) == before
    assert list(Attempt.objects.order_by("pk").values()) == tries

    months.make_ahead(later(5).start)
    assert places(DELIVERIES)[other.pk] == DELIVERIES.name_of(much_later)


SHAPE = """
SELECT relname, reloptions,
       (SELECT array_agg(regexp_replace(pg_get_indexdef(indexrelid), '.* USING', '') ORDER BY indexrelid)
          FROM pg_index WHERE indrelid = pg_class.oid),
       (SELECT array_agg(pg_get_constraintdef(oid) ORDER BY contype, conname) FROM pg_constraint
         WHERE conrelid = pg_class.oid AND contype IN ('c', 'f', 'p'))
  FROM pg_class JOIN pg_inherits ON inhrelid = pg_class.oid WHERE inhparent = %s::regclass ORDER BY relname
"""


@pytest.mark.parametrize("table", [DELIVERIES, ATTEMPTS])
def test_all_parts_are_kept_in_the_same_way_those_made_later_too(table: Table) -> None:
    months.make_ahead(later(2).start)
    with connection.cursor() as cursor:
        cursor.execute(SHAPE, [table.name])
        shapes = {name: shape for name, *shape in cursor.fetchall()}
    assert len(shapes) == 1 + months.AHEAD + 2 + 1
    for options, indexes, constraints in shapes.values():
        assert [options, indexes, constraints] == shapes[table.rest]
        # The key comes last: what is planned for an empty month uses it.
        assert indexes[-1] == (" btree (id)" if table is DELIVERIES else " btree (delivery_id, number)")
    if table is DELIVERIES:
        assert "fillfactor=50" in shapes[table.rest][0]


def plan(statement: str, parameters: list[object]) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, BUFFERS OFF) {statement}", parameters)
        return "\n".join(line for (line,) in cursor.fetchall())


def read(lines: str) -> set[str]:
    """The partitions of deliveries that a plan has looked for rows in."""
    scans = (line for line in lines.splitlines() if "Scan" in line and "never executed" not in line)
    return {found[1] for line in scans if (found := re.search(r" on (notifications_delivery_\S+)", line))}


@pytest.mark.slow
def test_a_list_newest_first_stops_in_the_month_that_fills_it(tell: Tell) -> None:
    for count in range(4):
        for second in range(20):
            tell(later(count).start + timedelta(days=1, seconds=second))
    statement = "SELECT id FROM notifications_delivery {} ORDER BY id DESC LIMIT 10"
    newest = {DELIVERIES.rest, DELIVERIES.name_of(later(months.AHEAD))}
    planner.prefer_indexes()
    assert read(plan(statement.format(""), [])) == newest
    until = "WHERE id < %s"
    assert read(plan(statement.format(until), [first_id(later(2).start)])) == {DELIVERIES.name_of(later(1))}


@pytest.mark.slow
def test_a_persons_list_stops_there_too(tell: Tell) -> None:
    person = tell(later(1).start).user
    for count in range(3):
        for second in range(5):
            tell(later(count).start + timedelta(days=1, seconds=second))
            Delivery.objects.filter(
                pk=tell(later(count).start + timedelta(days=2, seconds=second)).pk
            ).update(user=person)
    planner.prefer_indexes()
    of = "SELECT id FROM notifications_delivery WHERE user_id = %s ORDER BY id DESC LIMIT 5"
    lines = plan(of, [person.pk])
    assert read(lines) == {DELIVERIES.rest, *(DELIVERIES.name_of(later(count)) for count in (2, 3))}
    assert "Sort" not in lines
    assert "Merge Append" not in lines


def test_a_claim_looks_only_into_the_months_of_what_it_takes(tell: Tell) -> None:
    for count in range(3):
        tell(later(count).start, status="pending", address="https://hooks.example.com/")
    now = later(2).start - timedelta(seconds=1)
    Outgoing.objects.update(expires_at=later(3).end)
    lanes = [Outgoing.objects.values_list("lane", flat=True)[0]]
    rooms = {name: [10] for name in ("rooms", "critical", "standard")}
    since = {key: [NOW - timedelta(days=60)] for key in ("since_critical", "since_standard", "since_behind")}
    parameters = {"now": now, "lease_until": now, "lanes": lanes, **rooms, **since}
    planner.prefer_indexes()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, BUFFERS OFF) {claim.CLAIM}", parameters)
        lines = "\n".join(line for (line,) in cursor.fetchall())
    assert Outgoing.objects.filter(lease_until=now).count() == 2
    assert read(lines) == {f"{DELIVERIES.name}_past", DELIVERIES.name_of(later(1))}
