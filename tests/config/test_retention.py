"""The job that ends what is old: on the slow queue, a part at a time, and no fault stops the other steps."""

import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime

import django_rq
import pytest
from django.db import connection
from psycopg import sql
from redis import Redis
from structlog.testing import capture_logs

from accounts.models import Shop, User
from config import clock, retention
from config.ends import APPS
from config.schedule import ENTRIES, Scheduler
from config.slices import Old, Run
from notifications import jobs, queue
from tests import planner
from tests.furnished import furnish
from tests.leaving import tables


def test_it_runs_every_hour_on_the_slow_queue() -> None:
    (entry,) = [entry for entry in ENTRIES if entry.job is retention.expire]
    minute, *rest = (entry.cron or "").split()
    assert (minute.isdigit(), rest) == (True, ["*"] * 4)
    assert queue.of(entry.job) == "slow"


def test_each_step_is_taken_though_one_before_it_fails(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []

    def broken(run: Run) -> int:
        raise ValueError("no such column")

    def whole(run: Run) -> int:
        taken.append(run.now)
        return 3

    monkeypatch.setattr(retention, "STEPS", (broken, whole))
    with capture_logs() as logs:
        retention.expire()
    assert len(taken) == 1
    assert [(line["event"], line["step"]) for line in logs] == [
        ("retention_failed", "tests.broken"),
        ("retention_ended", "tests.whole"),
    ]


def test_what_takes_long_goes_on_in_another_job_and_is_not_begun_again_meanwhile(
    db: None, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []

    def short(run: Run) -> int:
        taken.append("short")
        return 0

    def long(run: Run) -> int:
        taken.append("long")
        run.goes_on()
        return 1

    monkeypatch.setattr(retention, "STEPS", (short, long, short))
    monkeypatch.setattr(retention, "RUN_S", 0.0)
    retention.expire()
    assert taken == ["short", "long"]
    (job,) = django_rq.get_queue("slow").jobs
    assert (job.func, job.args) == (retention.expire, (1,))

    retention.expire()  # an hour later
    assert taken == ["short", "long"]

    monkeypatch.setattr(retention, "RUN_S", 60.0)
    job.perform()
    assert taken == ["short", "long", "long", "short"]
    retention.expire()
    assert taken[4:] == ["short", "long", "short"]


def content() -> dict[str, tuple[int, str]]:
    """How many rows each table has, and a digest of them."""
    found = {}
    with connection.cursor() as cursor:
        for table in tables():
            text = sql.Identifier(table)
            cursor.execute(
                sql.SQL(
                    "SELECT count(*), md5(string_agg({0}::text, E'\\n' ORDER BY {0}::text)) FROM {0}"
                ).format(text)
            )
            found[table] = cursor.fetchone()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("step", retention.STEPS, ids=lambda step: f"{step.__module__}.{step.__name__}")
def test_no_step_ends_what_was_made_today(owner: User, shop: Shop, step: Callable[[Run], int]) -> None:
    furnish(owner, shop)
    before = content()
    step(Run(now=clock.now()))
    # The step that erases addresses writes down how far it has come.
    assert {table for table, rows in content().items() if rows != before[table]} <= {"notifications_erasure"}


def test_every_step_does_nothing_on_an_empty_database(db: None) -> None:
    with capture_logs() as logs:
        retention.expire()
    assert logs == []


def test_what_an_older_version_registered_is_taken_away(redis: Redis) -> None:
    scheduler = Scheduler(connection=django_rq.get_connection())
    for job_id in ("tocsin-events-expire", "somebody-elses"):
        scheduler.schedule(datetime(2030, 1, 1, tzinfo=UTC), jobs.sweep, interval=60, id=job_id)
    scheduler.register_missing()
    registered = {each.decode() for each in redis.zrange(scheduler.scheduled_jobs_key, 0, -1)}
    assert "tocsin-retention" in registered
    assert registered & {"tocsin-events-expire", "somebody-elses"} == {"somebody-elses"}


def old_of(package: str) -> dict[str, Old]:
    """Return what the retention modules of an app say is old, by their names there."""
    modules = [module for name, module in sys.modules.items() if name.startswith(f"{package}.")]
    return {
        f"{package}{name.lower()}": value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, Old)
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "old",
    [pytest.param(old, id=name) for package in APPS for name, old in sorted(old_of(package).items())],
)
def test_each_slice_is_found_by_indexes_and_nothing_is_sorted_as_a_whole(db: None, old: Old) -> None:
    now = datetime.now(UTC)
    parameters = {"before": now, "dead_before": now, "brokers": ["events"], "most": 2000}
    planner.prefer_indexes()
    with connection.cursor() as cursor:
        # Where there is an index for it, none of this can be left.
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
        cursor.execute("EXPLAIN " + old.statement(is_first=True), parameters)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Seq Scan" not in plan, plan
    seen = plan.partition("CTE seen")[2].partition("CTE old")[0]
    assert re.search(r"Index (Only )?Scan", seen), plan
    assert "->  Sort " not in seen, plan
