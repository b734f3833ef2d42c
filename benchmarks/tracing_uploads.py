"""The uploads of the tracing benchmark: through the real web process, each request with 100,000 records."""

import http.client
import json
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np

from benchmarks import machine, town
from benchmarks.product import BenchmarkError, Product
from benchmarks.report import say

UPLOADS, UPLOAD_ROWS = 10, 100_000
PATH = "/api/v1/tracing/interactions/"

Do = Callable[..., dict[str, Any]]


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
    _sizes(do)
    return rates


def _sizes(do: Do) -> None:
    """Records of days that are over are loose rows until the night packs them."""
    loose, rows = do("sizes"), do("count")["rows"]
    night = do("packed")
    packed = do("sizes")
    say(
        f"  {(loose['table'] + loose['indexes']) / rows:.1f} bytes a row after the uploads, "
        f"{(packed['table'] + packed['indexes']) / rows:.1f} after packing in {night['seconds']:.0f} s"
    )


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
