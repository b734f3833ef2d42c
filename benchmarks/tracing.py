"""`make bench-tracing`: what issue 5 asks of intake and search, each against something in the same run.

A made-up town (benchmarks/town.py) is written to files. Its records are copied by a bare COPY into the
table that uploads go into, and read there by its indexes, case by case. Then the product imports and packs
them; they are searched case by case, against those bare reads; searched 1,000 at once, against DuckDB that
holds the same data sorted for it, which must find the same; and in turns with a town of a tenth of the size,
which shows how the search grows. Uploads go through the real web process.
"""

import argparse
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from subprocess import Popen
from typing import Any

import duckdb
import numpy as np

from benchmarks import machine, product, report, town
from benchmarks.children import ask, python, running
from benchmarks.ducks import Ducks
from benchmarks.product import BenchmarkError, Product
from benchmarks.report import Report, say
from benchmarks.tracing_uploads import uploads

ROWS = 10_000_000
CASES, SINGLE_CASES, SINGLE_ROUNDS, BATCH_ROUNDS = 1_000, 200, 3, 5
WARM_UP = 20
ROUNDS, LEAST_S = 3, 900
IMPORT_LEAST, UPLOAD_LEAST, SINGLE_MOST, DUCK_MOST, GROWTH_MOST, BYTES_MOST = 0.6, 0.3, 3.0, 2.0, 1.5, 90
PARTS = ("import", "search", "upload")

UPLOADED = (
    "my_id, other_id, start AS timestamp_start, start + seconds AS timestamp_end, seconds AS interval, "
    "-60 - distance_cm // 50 AS rssi, distance_cm / 100 AS distance, 'android' AS platform"
)
STORED = "my_id, other_id, start AS start_s, seconds, distance_cm"

Do = Callable[..., dict[str, Any]]


@dataclass(frozen=True)
class Files:
    """A town's records by start: as phones upload them, and as the table has them."""

    uploaded: Path
    stored: Path
    rows: int


def written(place: Path, name: str, rows: int, *, now: datetime, seed: int) -> Files:
    days = list(town.days(rows, now=now, seed=seed))
    records = {  # noqa: F841  (DuckDB finds it by its name)
        column: np.concatenate([getattr(day, column) for day in days])
        for column in ("my_id", "other_id", "start", "seconds", "distance_cm")
    }
    files = place / f"{name}-uploaded.csv", place / f"{name}-stored.csv"
    with duckdb.connect() as connection:
        for file, columns in zip(files, (UPLOADED, STORED), strict=True):
            connection.execute(f"COPY (SELECT {columns} FROM records) TO '{file}' (HEADER)")
    return Files(*files, sum(len(day.my_id) for day in days))


@contextmanager
def worker(tocsin: Product) -> Iterator[Do]:
    """The process that does our side's work; a call is an order with its arguments."""
    command = python("-m", "benchmarks.tracing_work")
    with running(command, log=tocsin.stack.home / "work.log", env=tocsin.stack.env, piped=True) as process:
        yield lambda name, **order: _answer(process, {"do": name, **order})


def _answer(process: Popen[str], order: dict[str, Any]) -> dict[str, Any]:
    machine.settle()
    return ask(process, order)


def copied(do: Do, files: Files) -> float:
    """Rows a second of a bare COPY into the empty table."""
    do("empty")
    bare = do("bare_copy", file=str(files.stored))
    if bare["rows"] != files.rows:
        raise BenchmarkError(f"{files.rows:,} rows became {bare['rows']:,}")
    say(f"  bare COPY {files.rows / bare['seconds']:,.0f} rows/s")
    return float(files.rows / bare["seconds"])


def imported(do: Do, files: Files) -> dict[str, float]:
    """Rows a second of the import into the empty table, and the bytes that they take then."""
    do("empty")
    ours = do("imported", file=str(files.uploaded))
    if ours["rows"] != files.rows:
        raise BenchmarkError(f"{files.rows:,} rows became {ours['rows']:,}")
    size = do("sizes")
    found = {
        "rate": files.rows / ours["seconds"],
        "bytes": (size["table"] + size["indexes"]) / files.rows,
    }
    say(
        f"  import {found['rate']:,.0f} rows/s, {found['bytes']:.1f} bytes a row, "
        f"{size['table'] / files.rows:.1f} of them the table's"
    )
    return found


def cases_of(rows: int, count: int) -> list[int]:
    devices = max(rows // town.ROWS_PER_DEVICE, 60)
    return np.random.default_rng(2).choice(np.arange(1, devices + 1), min(count, devices), False).tolist()


def terms(now: datetime) -> dict[str, int]:
    since = town.first_moment(now)
    return {"since": since, "until": since + town.DAYS * town.DAY_S, "rounds": ROUNDS, "least_s": LEAST_S}


def single(do: Do, rows: int, now: datetime) -> dict[str, float]:
    """Milliseconds of one case at a time, after some to warm up."""
    answer = do("single", devices=cases_of(rows, SINGLE_CASES + WARM_UP), **terms(now))
    return _shown(f"one case among {rows:,} records", answer["ours"])


def growth(do: Do, rows: int, place: Path, now: datetime) -> tuple[dict[str, float], dict[str, float]]:
    """Milliseconds of one case in a town of a tenth of the size, and in the town, in turns."""
    tenth = rows // 10
    with product.running("tracing-small", workers=0, scheduler=False) as other, worker(other) as do_small:
        imported(do_small, written(place, "small", tenth, now=now, seed=1))
        rounds = [(single(do_small, tenth, now), single(do, rows, now)) for _ in range(SINGLE_ROUNDS)]
    small, large = zip(*rounds, strict=True)
    return _median(small), _median(large)


def _median(found: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(each[name] for each in found) for name in found[0]}


def bare_reads(do: Do, rows: int, now: datetime) -> dict[str, float]:
    """Milliseconds of the bare reads for one case at a time, in the table as a bare COPY has filled it."""
    do("sizes")
    answer = do("bare_reads", devices=cases_of(rows, SINGLE_CASES + WARM_UP), **terms(now))
    return _shown(f"bare reads of {statistics.mean(answer['rows']):,.0f} rows", answer["bare"])


def _shown(name: str, seconds: list[float]) -> dict[str, float]:
    p50, p95 = np.percentile(np.array(seconds[WARM_UP:]) * 1000, [50, 95]).tolist()
    say(f"  {name}, ms: p50 {p50:.1f}, p95 {p95:.1f}")
    return {"p50": p50, "p95": p95}


def together(do: Do, rows: int, now: datetime, stored: Path) -> dict[str, float]:
    """Many cases at once and DuckDB with the same, in turns; both must find the same."""
    given = terms(now)
    devices = cases_of(rows, CASES)
    ducks = Ducks(stored)
    ours, theirs = [], []
    for number in range(BATCH_ROUNDS + 1):
        answer = do("batch", devices=devices, **given)
        machine.settle()
        seconds, found = ducks.search(devices, **given)
        if found != {tuple(each) for each in answer["found"]}:
            raise BenchmarkError("DuckDB finds others than ours does")
        if number:  # the first warms up both
            ours.append(answer["seconds"])
            theirs.append(seconds)
            say(f"  {len(devices):,} cases: ours {answer['seconds']:.2f} s, DuckDB {seconds:.2f} s")
    ducks.connection.close()
    return {
        "ours": statistics.median(ours),
        "duckdb": statistics.median(theirs),
        "exposures": len(answer["found"]),
    }


@dataclass
class Result:
    """What was measured, for the table and the report."""

    rows: list[list[str]] = field(default_factory=list)
    baselines: dict[str, float] = field(default_factory=dict)
    ratios: dict[str, float] = field(default_factory=dict)
    musts: dict[str, bool] = field(default_factory=dict)

    def at_least(self, name: str, ratio: float, least: float, must: str, *row: str) -> None:
        self.rows.append([*row, f"{ratio:.2f}"])
        self.ratios[name] = ratio
        self.musts[must] = ratio >= least

    def at_most(self, name: str, ratio: float, most: float, must: str, *row: str) -> None:
        self.rows.append([*row, f"{ratio:.2f}"])
        self.ratios[name] = 1 / ratio
        self.musts[must] = ratio <= most


def benchmark(options: argparse.Namespace) -> Report:
    now, parts, result, rate = datetime.now(UTC), options.parts, Result(), 0.0
    with product.running("tracing", workers=0, scheduler=False) as tocsin, worker(tocsin) as do:
        place = tocsin.stack.home
        say(f"a town of {options.rows:,} records")
        large = written(place, "large", options.rows, now=now, seed=1)
        bare = copied(do, large)
        reads = bare_reads(do, options.rows, now) if "search" in parts else {}
        if {"import", "search"} & set(parts):
            loaded = imported(do, large)
            rate = loaded["rate"]
            add_import(result, loaded, bare)
        if "search" in parts:
            before, after = growth(do, options.rows, place, now)
            add_searches(result, before, after, reads, together(do, options.rows, now, large.stored))
        if "upload" in parts:
            add_uploads(result, uploads(do, tocsin, now, options.rows), bare)
    return reported(result, rate)


def add_import(result: Result, loaded: dict[str, float], bare: float) -> None:
    result.baselines["copy"] = bare
    result.at_least(
        "import", loaded["rate"] / bare, IMPORT_LEAST, f"import >= {IMPORT_LEAST} of COPY",
        "import, rows/s", f"{loaded['rate']:,.0f}", f"bare COPY {bare:,.0f}",
    )  # fmt: skip
    result.rows.append(["bytes a row, as imported", f"{loaded['bytes']:.1f}", "", ""])
    result.musts[f"bytes a row <= {BYTES_MOST}"] = loaded["bytes"] <= BYTES_MOST


def add_searches(
    result: Result,
    before: dict[str, float],
    after: dict[str, float],
    reads: dict[str, float],
    batch: dict[str, float],
) -> None:
    result.baselines |= {"duckdb_s": batch["duckdb"], "bare_reads_p95_ms": reads["p95"]}
    result.at_most(
        "reads", after["p95"] / reads["p95"], SINGLE_MOST,
        f"one case, p95 <= {SINGLE_MOST:.0f} x bare reads",
        "one case, p95, ms", f"{after['p95']:.1f}", f"bare reads {reads['p95']:.1f}",
    )  # fmt: skip
    result.at_most(
        "duckdb", batch["ours"] / batch["duckdb"], DUCK_MOST, f"1,000 cases <= {DUCK_MOST:.0f} x DuckDB",
        "1,000 cases, s", f"{batch['ours']:.2f}", f"DuckDB {batch['duckdb']:.2f}",
    )  # fmt: skip
    result.at_most(
        "growth", after["p50"] / before["p50"], GROWTH_MOST,
        f"ten times the rows <= {GROWTH_MOST} x the time",
        "one case, p50, ms", f"{after['p50']:.1f}", f"a tenth of the rows {before['p50']:.1f}",
    )  # fmt: skip


def add_uploads(result: Result, rates: dict[str, float], bare: float) -> None:
    result.baselines["copy"] = bare
    compared = f"bare COPY {bare:,.0f}"
    result.at_least(
        "upload", rates["JSON"] / bare, UPLOAD_LEAST, f"upload >= {UPLOAD_LEAST} of COPY",
        "upload as JSON, rows/s", f"{rates['JSON']:,.0f}", compared,
    )  # fmt: skip
    result.rows.append(
        ["upload as CSV, rows/s", f"{rates['CSV']:,.0f}", compared, f"{rates['CSV'] / bare:.2f}"]
    )


def reported(result: Result, rate: float) -> Report:
    report.table(["work", "ours", "compared with", "ratio"], result.rows)
    return Report(
        name="tracing",
        unit="rows/s",
        ours=rate,
        baselines=result.baselines,
        ratios=result.ratios,
        musts=result.musts,
    )


if __name__ == "__main__":
    parser = report.parser(__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help="records of the town")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what to measure")
    sys.exit(report.run(benchmark, parser.parse_args()))
