"""What is old goes in slices, from which nothing that has to stay is taken, whoever is killed meanwhile."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Event, Thread

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config import slices
from config.slices import MOST, Old, Run, old_end

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
LOGS = Old(table="logs", age="made_at", by=("made_at", "id"), unless="it.is_kept")
IN_ORDER_OF_THE_KEY = Old(table="logs", age="made_at", unless="it.is_kept")


class Killed(BaseException):
    """As a process ends: nothing catches it."""


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "PAUSE_S", 0.0)


@pytest.fixture
def _logs(transactional_db: None) -> Iterator[None]:
    """20,000 rows, an hour apart, the newest first by their ids; every thousandth is to be kept."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE logs (id int PRIMARY KEY, made_at timestamptz, is_kept bool, text text DEFAULT '')"
        )
        cursor.execute(
            "INSERT INTO logs SELECT number, %s::timestamptz - number * interval '1 hour', number %% 1000 = 0"
            " FROM generate_series(1, 20000) AS number",
            [NOW],
        )
        cursor.execute("CREATE INDEX ON logs (made_at)")
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE logs")


def count(where: str = "true") -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM logs WHERE {where}")
        return int(cursor.fetchone()[0])


def hours_before(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


@pytest.mark.usefixtures("_logs")
class TestTwentyThousandRows:
    def test_they_go_in_slices_and_what_is_young_or_kept_stays(self) -> None:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert old_end(LOGS, before=hours_before(5000.5), run=Run(now=NOW)) == 15_000 - 15
        assert count("id <= 5000") == 5000
        assert (count("id > 5000"), count("id > 5000 AND is_kept")) == (15, 15)
        # 15,000 rows are seven and a half slices, and the last of them says that there is no more.
        assert len(queries) == 15_000 // MOST + 1 + 1
        assert all("LIMIT 2000" in query["sql"] for query in queries)

    def test_none_of_these_statements_reads_the_whole_table(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE logs")
            parameters = {"before": hours_before(19_999.5), "most": 10, "after_made_at": hours_before(9999)}
            for is_first in (True, False):
                statement = LOGS.statement(is_first=is_first)
                cursor.execute("EXPLAIN " + statement, {**parameters, "after_id": 9999})
                plan = "\n".join(line for (line,) in cursor.fetchall())
                assert "Seq Scan" not in plan, plan

    @pytest.mark.slow
    def test_others_get_the_database_between_two_slices(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(slices, "PAUSE_S", 0.05)
        began = time.monotonic()
        old_end(LOGS, before=hours_before(5000.5), run=Run(now=NOW))
        assert time.monotonic() - began >= 0.05 * (15_000 // MOST)

    def test_a_run_that_is_killed_between_two_slices_has_done_the_first_and_the_next_does_the_rest(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def kill(seconds: float) -> None:
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(slices.time, "sleep", kill)
            with pytest.raises(Killed):
                old_end(LOGS, before=hours_before(5000.5), run=Run(now=NOW))
        connection.close()
        assert count() == 20_000 - (MOST - 2)
        old_end(LOGS, before=hours_before(5000.5), run=Run(now=NOW))
        assert count() == 5000 + 15

    def test_a_run_whose_time_is_over_stops_after_a_slice_and_says_so(self) -> None:
        run = Run(now=NOW, for_s=0)
        assert old_end(LOGS, before=hours_before(5000.5), run=run) == MOST - 2
        assert run.is_cut
        rest = Run(now=NOW, for_s=60)
        old_end(LOGS, before=hours_before(5000.5), run=rest)
        assert not rest.is_cut

    def test_two_at_once_take_each_row_once_and_none_waits_for_the_other(self) -> None:
        totals: list[int] = []

        def delete() -> None:
            try:
                totals.append(old_end(LOGS, before=hours_before(5000.5), run=Run(now=NOW)))
            finally:
                connection.close()

        threads = [Thread(target=delete) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sum(totals) == 15_000 - 15
        assert count() == 5000 + 15

    def test_what_somebody_has_locked_is_passed_over_and_gone_the_next_time(self) -> None:
        locked, done = Event(), Event()

        def lock() -> None:
            with connection.cursor() as cursor:
                cursor.execute("BEGIN; SELECT FROM logs WHERE id = 19999 FOR UPDATE")
                locked.set()
                done.wait(30)
                cursor.execute("ROLLBACK")
            connection.close()

        thread = Thread(target=lock)
        thread.start()
        assert locked.wait(10)
        try:
            old_end(LOGS, before=hours_before(19_990.5), run=Run(now=NOW))
            assert count("id > 19990") == 2  # it, and one that is kept
        finally:
            done.set()
            thread.join(10)
        assert old_end(LOGS, before=hours_before(19_990.5), run=Run(now=NOW)) == 1

    def test_a_change_takes_the_place_of_the_deletion(self) -> None:
        change = Old(
            table="logs", age="made_at", by=("made_at", "id"), among="text = ''", change="text = 'old'"
        )
        assert old_end(change, before=hours_before(19_990.5), run=Run(now=NOW)) == 10
        assert (count(), count("text = 'old'")) == (20_000, 10)
        assert old_end(change, before=hours_before(19_990.5), run=Run(now=NOW)) == 0

    def test_an_order_by_the_key_ends_with_the_first_slice_in_which_nothing_is_old(self) -> None:
        with CaptureQueriesContext(connection) as queries:
            assert old_end(IN_ORDER_OF_THE_KEY, before=hours_before(5000.5), run=Run(now=NOW)) == 0
        assert len(queries) == 1
