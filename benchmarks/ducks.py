"""The search of SPEC 4.4 in DuckDB, set-based as well: what ours is compared with.

Each record is there under either device, sorted by device and start, so that its zone maps and merges
have the best of it; the statements are what an engineer at home in DuckDB would write.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import duckdb

LEAST_RECORD_S = 30
LOAD_SQL = """
CREATE TABLE seen AS
SELECT device, other, start, start + seconds AS finish FROM (
    SELECT my_id AS device, other_id AS other, start_s AS start, seconds FROM read_csv('{file}')
     UNION ALL
    SELECT other_id, my_id, start_s, seconds FROM read_csv('{file}')
) WHERE seconds >= 30 ORDER BY device, start
"""
# What a frontier's devices expose. By start, an interval adds to the union what reaches beyond all before it.
DEGREE_SQL = """
CREATE OR REPLACE TABLE reached AS
WITH clipped AS (
    SELECT case_id, seen.device, other, greatest(start, onset) AS start, least(finish, $until) AS finish
      FROM frontier JOIN seen ON seen.device = frontier.device
     WHERE finish > onset AND start < $until
), possible AS (
    SELECT case_id, device, other FROM clipped GROUP BY ALL HAVING sum(finish - start) >= $least
), added AS (
    SELECT case_id, device, other, start, greatest(0, finish - greatest(start, coalesce(
               max(finish) OVER (PARTITION BY case_id, device, other ORDER BY start
                                 ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), start))) AS seconds
      FROM clipped SEMI JOIN possible USING (case_id, device, other)
), exposed AS (
    SELECT case_id, other AS device, device AS via, min(start) AS onset, sum(seconds) AS seconds
      FROM added GROUP BY ALL HAVING sum(seconds) >= $least
)
SELECT case_id, device, min(onset) AS onset FROM exposed
 WHERE NOT EXISTS (
    SELECT 1 FROM known WHERE known.case_id = exposed.case_id AND known.device = exposed.device
 )
 GROUP BY ALL
"""


class Ducks:
    """An in-memory DuckDB with two threads, as many as ours has cores."""

    def __init__(self, csv: Path) -> None:
        self.connection = duckdb.connect(config={"threads": 2})
        self.connection.execute(LOAD_SQL.format(file=csv))

    def search(
        self, devices: Sequence[int], *, since: int, until: int, least_s: int, rounds: int
    ) -> tuple[float, set[tuple[int, int, int, int]]]:
        """Return the seconds it took, and (case, device, degree, onset) of everyone exposed."""
        run = self.connection.execute
        run("CREATE OR REPLACE TABLE frontier (case_id INTEGER, device INTEGER, onset BIGINT)")
        rows = ", ".join(f"({number}, {device}, {since})" for number, device in enumerate(devices))
        found: set[tuple[int, int, int, int]] = set()
        began = time.perf_counter()
        run(f"INSERT INTO frontier VALUES {rows}")
        run("CREATE OR REPLACE TABLE known AS SELECT case_id, device, 0 AS degree, onset FROM frontier")
        for degree in range(1, rounds + 1):
            run(DEGREE_SQL, {"until": until, "least": least_s})
            run(f"INSERT INTO known SELECT case_id, device, {degree}, onset FROM reached")
            run("CREATE OR REPLACE TABLE frontier AS FROM reached")
        answer = run("SELECT case_id, device, degree, onset FROM known WHERE degree > 0").fetchall()
        seconds = time.perf_counter() - began
        found.update(answer)
        return seconds, found
