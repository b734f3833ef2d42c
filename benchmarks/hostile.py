"""`make bench-hostile`: what do bodies that mean harm cost the web process, and everybody else meanwhile?

Each bomb is sent to where records are uploaded, and generated ones to every endpoint of the OpenAPI schema
that takes a body: how long until the refusal? Then 300 bodies come a byte a second, half of them from nobody
known: when is the last one cut off? All the while an alert is posted every 20 ms, on a new connection each
time: its 99th percentile is compared with that of a quiet stretch. The web process's memory is watched too.
"""

import argparse
import http.client
import json
import re
import selectors
import socket
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil

from benchmarks import bombs, machine, product, report
from benchmarks.memory import PeakMemory
from benchmarks.product import ALERTS_PATH, BenchmarkError, Product
from benchmarks.report import Report, say

UPLOADS = "/api/v1/tracing/interactions/"
SHOP = "shop"
SCOPES = ("tracing:write", "alerts:write", "events:write", "escalations:write", "dating:write")
EVERY_S = 0.02
QUIET_S = 10.0
SLOW, SLOW_KNOWN_BYTES, SLOW_UNKNOWN_BYTES = 300, 990_000, 60_000
# What a body may take in all, by default.
DEADLINE_S = 60.0
MOST_REFUSAL_S, MOST_GROWTH_MB, MOST_P99_S = 1.0, 100.0, 0.3


class Others:
    """Somebody who posts an alert now and then, whatever else goes on."""

    def __init__(self, tocsin: Product) -> None:
        self.seconds: list[float] = []
        self.failures: list[str] = []
        self._tocsin = tocsin

    @contextmanager
    def at_work(self) -> Iterator[None]:
        stop = threading.Event()
        thread = threading.Thread(target=self._post_until, args=[stop], daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _post_until(self, stop: threading.Event) -> None:
        while not stop.wait(EVERY_S):
            began = time.perf_counter()
            try:
                self._tocsin.post_alert(SHOP)
            except (BenchmarkError, OSError) as error:
                self.failures.append(str(error))
            self.seconds.append(time.perf_counter() - began)

    def p99(self) -> float:
        return statistics.quantiles(self.seconds, n=100)[98]


def sent(
    tocsin: Product, key: str, method: str, path: str, media_type: str, body: bytes
) -> tuple[int, float]:
    """Send one body; return the status of the answer and the seconds until it was there."""
    connection = http.client.HTTPConnection("127.0.0.1", tocsin.stack.port, timeout=120)
    headers = {"Content-Type": media_type, "Authorization": f"Bearer {key}"}
    try:
        began = time.perf_counter()
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        response.read()
        return response.status, time.perf_counter() - began
    finally:
        connection.close()


def operations(tocsin: Product, key: str) -> list[tuple[str, str]]:
    """Return method and path of all that takes a body, by the product's own schema."""
    connection = http.client.HTTPConnection("127.0.0.1", tocsin.stack.port, timeout=120)
    connection.request("GET", "/api/schema/?format=json", headers={"Authorization": f"Bearer {key}"})
    schema: dict[str, Any] = json.loads(connection.getresponse().read())
    connection.close()
    some_id = "00000000-0000-0000-0000-000000000001"
    return [
        (method.upper(), re.sub(r"\{[^}]*\}", some_id, path))
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
        if isinstance(operation, dict) and "requestBody" in operation
    ]


def slow_bodies(tocsin: Product, key: str) -> float:
    """Begin bodies that come a byte a second; return the seconds until the server has cut off the last."""
    selector = selectors.DefaultSelector()
    began = time.monotonic()
    for number in range(SLOW):
        who, size = (
            (f"Authorization: Bearer {key}\r\n", SLOW_KNOWN_BYTES) if number % 2 else ("", SLOW_UNKNOWN_BYTES)
        )
        client = socket.create_connection(("127.0.0.1", tocsin.stack.port))
        head = f"POST {ALERTS_PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        client.sendall(f"{head}{who}Content-Length: {size}\r\n\r\n".encode())
        selector.register(client, selectors.EVENT_READ)
    ended_s = 0.0
    while selector.get_map() and time.monotonic() - began < DEADLINE_S * 2:
        for place, _ in selector.select(timeout=1):
            if _is_over(place.fileobj):
                selector.unregister(place.fileobj)
                ended_s = time.monotonic() - began
        for place in list(selector.get_map().values()):
            _trickle(place.fileobj)
    if left := len(selector.get_map()):
        say(f"  {left} of {SLOW} are still open after {DEADLINE_S * 2:.0f} s")
        return DEADLINE_S * 2
    return ended_s


def _is_over(client: Any) -> bool:
    try:
        over = client.recv(4096) == b""
    except ConnectionError:
        over = True
    if over:
        client.close()
    return over


def _trickle(client: Any) -> None:
    try:
        client.send(b" ")
    except ConnectionError:
        return  # the next look sees it


def harm(tocsin: Product, key: str) -> tuple[float, float]:
    """Send all of it; return the slowest refusal and when the last slow body was cut off, in seconds."""
    # A process that reads large uploads is there, as in one that has run for a while.
    sent(tocsin, key, "POST", UPLOADS, bombs.JSON, b"[" + b" " * 300_000 + b"]")
    rows, slowest = [], 0.0
    for name, media_type, body in bombs.uploads():
        status, seconds = sent(tocsin, key, "POST", UPLOADS, media_type, body)
        rows.append([name, f"{len(body):,}", status, f"{seconds:.2f}"])
        slowest = max(slowest, seconds)
    report.table(["upload", "bytes", "answer", "s"], rows)
    for method, path in operations(tocsin, key):
        for name, body in bombs.bodies():
            status, seconds = sent(tocsin, key, method, path, bombs.JSON, body)
            if status >= 500 or status < 400:
                raise BenchmarkError(f"{method} {path} answered {status} to {name}")
            if seconds > slowest:
                say(f"  slowest so far: {method} {path}, {name}: {seconds:.2f} s")
            slowest = max(slowest, seconds)
    cut_off_s = slow_bodies(tocsin, key)
    say(f"  the last of {SLOW} slow bodies was cut off after {cut_off_s:.1f} s")
    return slowest, cut_off_s


def benchmark(options: argparse.Namespace) -> Report:
    with product.running("hostile", workers=1, scheduler=False) as tocsin:
        tocsin.seed({SHOP: []})
        scopes = [word for scope in SCOPES for word in ("--scope", scope)]
        key = tocsin.stack.manage("create_api_key", "hostile", *scopes).stdout.split()[-1]
        quiet, meanwhile = Others(tocsin), Others(tocsin)
        machine.settle()
        with quiet.at_work():
            time.sleep(QUIET_S)
        web = tocsin.stack.processes["web"].pid
        before_mb = psutil.Process(web).memory_info().rss / 1e6
        with PeakMemory([web]) as memory, meanwhile.at_work():
            slowest, cut_off_s = harm(tocsin, key)
    growth_mb = memory.peak_mb - before_mb
    return result(quiet, meanwhile, slowest=slowest, cut_off_s=cut_off_s, growth_mb=growth_mb)


def result(quiet: Others, meanwhile: Others, *, slowest: float, cut_off_s: float, growth_mb: float) -> Report:
    rows: list[list[object]] = [
        ["slowest refusal, s", f"{slowest:.2f}"],
        ["memory of the web process, MB more", f"{growth_mb:.0f}"],
        ["other requests meanwhile, p99 ms", f"{meanwhile.p99() * 1000:.0f}"],
        ["the same before, p99 ms", f"{quiet.p99() * 1000:.0f}"],
        ["of them not answered with 201", len(meanwhile.failures)],
        ["last slow body cut off, s", f"{cut_off_s:.1f}"],
    ]
    report.table(["", ""], rows)
    musts = {
        f"refused within {MOST_REFUSAL_S:.0f} s": slowest <= MOST_REFUSAL_S,
        f"memory <= {MOST_GROWTH_MB:.0f} MB more": growth_mb <= MOST_GROWTH_MB,
        f"p99 of others <= {MOST_P99_S * 1000:.0f} ms": meanwhile.p99() <= MOST_P99_S,
        "all of others answered": not meanwhile.failures,
        f"slow bodies cut off within {DEADLINE_S:.0f} s": cut_off_s <= DEADLINE_S,
    }
    return Report(
        name="hostile",
        unit="ms",
        ours=meanwhile.p99() * 1000,
        baselines={"quiet": quiet.p99() * 1000},
        ratios={"quiet": quiet.p99() / meanwhile.p99()},
        musts=musts,
    )


def main() -> int:
    return report.run(benchmark, report.parser(__doc__).parse_args())


if __name__ == "__main__":
    sys.exit(main())
