"""`make bench-tracing`: what issue 5 asks of intake and search, each against something in the same run.

A made-up town (benchmarks/town.py) is written to files. Its records are copied by a bare COPY into the
table that the product uses, then imported by the product; searched case by case, against the bare index
reads of the same rows; searched 1,000 at once, against DuckDB that holds the same data sorted for it, which
must find the same; and a town of a tenth of the size shows how the search grows. Uploads go through the
real web process.
"""

import argparse
import http.client
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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

ROWS = 10_000_000
CASES, SINGLE_CASES, BATCH_ROUNDS = 1_000, 200, 3
ROUNDS, LEAST_S = 3, 900
UPLOADS, UPLOAD_ROWS = 10, 100_000
IMPORT_LEAST, UPLOAD_LEAST, SINGLE_MOST, DUCK_MOST, GROWTH_MOST, BYTES_MOST = 0.6, 0.3, 3.0, 2.0, 1.5, 90
PATH = "/api/v1/tracing/interactions/"

UPLOADED = (
    "my_id, other_id, start AS timestamp_start, start + seconds AS timestamp_end, seconds AS interval, "
    "-60 - distance_cm // 50 AS rssi, distance_cm / 100 AS distance, 'android' AS platform"
)
STORED = "my_id, other_id, start AS start_s, seconds, distance_cm"

Do = Callable[..., dict[str, Any]]


def written(place: Path, name: str, rows: int, *, now: datetime, seed: int) -> tuple[Path, Path, int]:
    """Write a town's records twice, by start: as phones upload them, and as the table has them."""
    days = list(town.days(rows, now=now, seed=seed))
    records = {  # noqa: F841  (DuckDB finds it by its name)
        column: np.concatenate([getattr(day, column) for day in days])
        for column in ("my_id", "other_id", "start", "seconds", "distance_cm")
    }
    files = place / f"{name}-uploaded.csv", place / f"{name}-stored.csv"
    with duckdb.connect() as connection:
        for file, columns in zip(files, (UPLOADED, STORED), strict=True):
            connection.execute(f"COPY (SELECT {columns} FROM records) TO '{file}' (HEADER)")
    return *files, sum(len(day.my_id) for day in days)


@contextmanager
def worker(tocsin: Product) -> Iterator[Do]:
    """The process that does our side's work; a call is an order with its arguments."""
    command = python("-m", "benchmarks.tracing_work")
    with running(command, log=tocsin.stack.home / "work.log", env=tocsin.stack.env, piped=True) as process:
        yield lambda name, **order: _answer(process, {"do": name, **order})


def _answer(process: Popen[str], order: dict[str, Any]) -> dict[str, Any]:
    machine.settle()
    return ask(process, order)


def loading(do: Do, files: tuple[Path, Path, int]) -> dict[str, float]:
    """Rows a second of a bare COPY and of the import, and the bytes that they take."""
    uploaded, stored, rows = files
    do("empty")
    bare = do("bare_copy", file=str(stored))
    do("empty")
    ours = do("imported", file=str(uploaded))
    if not bare["rows"] == ours["rows"] == rows:
        raise BenchmarkError(f"{rows:,} rows became {bare['rows']:,} and {ours['rows']:,}")
    size = do("sizes")
    say(f"  bare COPY {rows / bare['seconds']:,.0f} rows/s, import {rows / ours['seconds']:,.0f} rows/s")
    loose, packed = size["loose"] / rows, size["packed"] / rows
    say(f"  {loose:.1f} bytes a row, {packed:.1f} after packing in {size['seconds']:.0f} s")
    return {
        "bare": rows / bare["seconds"],
        "import": rows / ours["seconds"],
        "bytes": loose,
        "packed": packed,
    }


def cases_of(rows: int, count: int) -> list[int]:
    devices = max(rows // town.ROWS_PER_DEVICE, 60)
    return np.random.default_rng(2).choice(np.arange(1, devices + 1), min(count, devices), False).tolist()


def terms(now: datetime) -> dict[str, int]:
    since = town.first_moment(now)
    return {"since": since, "until": since + town.DAYS * town.DAY_S, "rounds": ROUNDS, "least_s": LEAST_S}


def single(do: Do, rows: int, now: datetime) -> dict[str, float]:
    """One case at a time, after some to warm up."""
    answer = do("single", devices=cases_of(rows, SINGLE_CASES + 20), **terms(now))
    ours, bare = (np.array(answer[name][20:]) * 1000 for name in ("ours", "bare"))
    found = {
        "p50": float(np.percentile(ours, 50)),
        "p95": float(np.percentile(ours, 95)),
        "bare p50": float(np.percentile(bare, 50)),
        "bare p95": float(np.percentile(bare, 95)),
        "rows": statistics.mean(answer["rows"]),
    }
    say("  one case, ms: " + ", ".join(f"{name} {value:,.1f}" for name, value in found.items()))
    return found


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


def uploads(do: Do, tocsin: Product, now: datetime, rows: int) -> dict[str, float]:
    """Rows a second of requests with 100,000 each, in JSON and in CSV; every one must be stored."""
    key = do("key")
    days = list(town.days(max(rows, UPLOADS * UPLOAD_ROWS * 2), now=now, seed=9))
    columns = [
        np.concatenate([getattr(day, name) for day in days])
        for name in ("my_id", "other_id", "start", "seconds", "distance_cm")
    ]
    # As they would come: each request brings records of all days.
    chosen = np.random.default_rng(4).permutation(len(columns[0]))[: 2 * UPLOADS * UPLOAD_ROWS]
    lines = list(zip(*(column[chosen].tolist() for column in columns), strict=True))
    rates = {}
    for place, (name, media_type, body_of) in enumerate(
        (("JSON", "application/json", _json), ("CSV", "text/csv", _csv))
    ):
        mine = lines[place * UPLOADS * UPLOAD_ROWS :][: UPLOADS * UPLOAD_ROWS]
        bodies = [body_of(mine[at : at + UPLOAD_ROWS]) for at in range(0, len(mine), UPLOAD_ROWS)]
        machine.settle()
        seconds = sum(_upload(tocsin, key["key"], media_type, body) for body in bodies)
        rates[name] = len(mine) / seconds
        say(f"  uploads as {name}: {rates[name]:,.0f} rows/s, {len(bodies[0]) / 1e6:.1f} MB each")
    if (stored := do("count")["rows"] - key["rows"]) != len(lines):
        raise BenchmarkError(f"{len(lines):,} records were uploaded and {stored:,} are stored")
    return rates


def _json(lines: list[tuple[int, ...]]) -> bytes:
    names = (
        "my_id",
        "other_id",
        "timestamp_start",
        "timestamp_end",
        "interval",
        "rssi",
        "distance",
        "platform",
    )
    return json.dumps([dict(zip(names, _fields(line), strict=True)) for line in lines]).encode()


def _csv(lines: list[tuple[int, ...]]) -> bytes:
    names = "my_id,other_id,timestamp_start,timestamp_end,interval,rssi,distance,platform"
    return "\n".join([names, *(",".join(map(str, _fields(line))) for line in lines)]).encode()


def _fields(line: tuple[int, ...]) -> tuple[Any, ...]:
    one, other, start, seconds, distance = line
    return one, other, start, start + seconds, seconds, -60 - distance // 50, distance / 100, "android"


def _upload(tocsin: Product, key: str, media_type: str, body: bytes) -> float:
    headers = {"Content-Type": media_type, "Authorization": f"Bearer {key}"}
    connection = http.client.HTTPConnection("127.0.0.1", tocsin.stack.port, timeout=120)
    try:
        began = time.perf_counter()
        connection.request("POST", PATH, body, headers)
        response = connection.getresponse()
        said = response.read()
        seconds = time.perf_counter() - began
    finally:
        connection.close()
    if response.status != 201:
        raise BenchmarkError(f"an upload was answered with {response.status}: {said[:300]!r}")
    return seconds


def benchmark(options: argparse.Namespace) -> Report:
    now = datetime.now(UTC)
    with product.running("tracing", workers=0, scheduler=False) as tocsin, worker(tocsin) as do:
        say(f"a town of {options.rows // 10:,} records, and one of {options.rows:,}")
        small = written(tocsin.stack.home, "small", options.rows // 10, now=now, seed=1)
        large = written(tocsin.stack.home, "large", options.rows, now=now, seed=1)
        loading(do, small)
        before = single(do, options.rows // 10, now)
        loaded = loading(do, large)
        after = single(do, options.rows, now)
        batch = together(do, options.rows, now, large[1])
        rates = uploads(do, tocsin, now, options.rows)
    return result(before, loaded, after, batch, rates)


def result(
    before: dict[str, float],
    loaded: dict[str, float],
    after: dict[str, float],
    batch: dict[str, float],
    rates: dict[str, float],
) -> Report:
    imports, upload = loaded["import"] / loaded["bare"], rates["JSON"] / loaded["bare"]
    reads, ducks = after["p95"] / after["bare p95"], batch["ours"] / batch["duckdb"]
    growth = after["p50"] / before["p50"]
    report.table(
        ["work", "ours", "compared with", "ratio"],
        [
            [
                "import, rows/s",
                f"{loaded['import']:,.0f}",
                f"bare COPY {loaded['bare']:,.0f}",
                f"{imports:.2f}",
            ],
            ["upload as JSON, rows/s", f"{rates['JSON']:,.0f}", "the same", f"{upload:.2f}"],
            [
                "upload as CSV, rows/s",
                f"{rates['CSV']:,.0f}",
                "the same",
                f"{rates['CSV'] / loaded['bare']:.2f}",
            ],
            [
                "one case, p95, ms",
                f"{after['p95']:.1f}",
                f"bare reads {after['bare p95']:.1f}",
                f"{reads:.2f}",
            ],
            ["1,000 cases, s", f"{batch['ours']:.2f}", f"DuckDB {batch['duckdb']:.2f}", f"{ducks:.2f}"],
            [
                "one case, p50, ms",
                f"{after['p50']:.1f}",
                f"a tenth of the rows {before['p50']:.1f}",
                f"{growth:.2f}",
            ],
            ["bytes a row", f"{loaded['packed']:.1f}", f"as imported {loaded['bytes']:.1f}", ""],
        ],
    )
    return Report(
        name="tracing",
        unit="rows/s",
        ours=loaded["import"],
        baselines={
            "copy": loaded["bare"],
            "duckdb_s": batch["duckdb"],
            "bare_reads_p95_ms": after["bare p95"],
        },
        ratios={
            "import": imports,
            "upload": upload,
            "reads": 1 / reads,
            "duckdb": 1 / ducks,
            "growth": 1 / growth,
        },
        musts={
            f"import >= {IMPORT_LEAST} of COPY": imports >= IMPORT_LEAST,
            f"upload >= {UPLOAD_LEAST} of COPY": upload >= UPLOAD_LEAST,
            f"one case, p95 <= {SINGLE_MOST:.0f} x bare reads": reads <= SINGLE_MOST,
            f"1,000 cases <= {DUCK_MOST:.0f} x DuckDB": ducks <= DUCK_MOST,
            f"ten times the rows <= {GROWTH_MOST} x the time": growth <= GROWTH_MOST,
            f"bytes a row <= {BYTES_MOST}": loaded["packed"] <= BYTES_MOST,
        },
    )


if __name__ == "__main__":
    parser = report.parser(__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help="records of the town")
    sys.exit(report.run(benchmark, parser.parse_args()))
