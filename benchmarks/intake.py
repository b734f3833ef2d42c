"""`make bench-intake`: alerts accepted over HTTP a second, against a bare DRF view that inserts a row.

Both are one uvicorn process with the same flags on the same PostgreSQL server, driven by the same
generator: 16 keep-alive connections in a closed loop. They take turns; the bare one does nothing
between its own, and ours is held still outside of its own. No worker and no scheduler runs, so that
nothing but accepting is measured; the jobs that the alerts enqueue stay in Redis. In a third turn the
alerts come in batches. Every alert that was accepted must be there afterwards.

Then Alertmanager's bodies of 1, 10 and 100 alerts, each of a new key, in turns with batches of as many.
"""

import argparse
import statistics
import sys
from typing import Any

from benchmarks import machine, product, report
from benchmarks.bare import server as bare
from benchmarks.children import complete, python
from benchmarks.product import BenchmarkError, Product
from benchmarks.report import Report, say

LEAST, LEAST_IN_BATCHES = 2.5, 20.0
BATCH = 100
# Alerts of one of Alertmanager's bodies, and the least share of the rate of batches of as many.
BODIES, LEAST_OF_BATCHES = (1, 10, 100), 0.7
CONNECTIONS = 16
SHOPS = 10


def accepted(
    url: str,
    headers: dict[str, str],
    tocsin: Product,
    seconds: float,
    *,
    batch: int | None = None,
    alertmanager: bool = False,
) -> dict[str, Any]:
    """Post alerts for so long, all of which must be accepted; return what the generator counted."""
    machine.settle()
    answer = complete(
        python("-m", "benchmarks.load"),
        question={
            "mode": "closed",
            "url": url,
            "headers": headers,
            "locations": [f"shop-{number}" for number in range(SHOPS)],
            "connections": CONNECTIONS,
            "seconds": seconds,
            "batch": batch,
            "alertmanager": alertmanager,
        },
        log=tocsin.stack.home / "load.log",
    )
    if set(answer["statuses"]) != {"201" if batch is None else "200"}:
        raise BenchmarkError(f"not every alert was accepted: {answer['statuses']} {answer['complaint']}")
    return answer


def check_stored(name: str, answers: list[dict[str, Any]], stored: int, batch: int = BATCH) -> None:
    posted = sum(
        answer["statuses"].get("201", 0) + batch * answer["statuses"].get("200", 0) for answer in answers
    )
    if stored != posted:
        raise BenchmarkError(f"{name}: {posted:,} alerts were accepted and {stored:,} are stored")


def benchmark(options: argparse.Namespace) -> Report:
    ours: list[dict[str, Any]] = []
    theirs: list[dict[str, Any]] = []
    batches: list[dict[str, Any]] = []
    with (
        product.running("intake", workers=0, scheduler=False) as tocsin,
        bare.bare_view(tocsin.database_url, tocsin.stack.home) as bare_url,
    ):
        # Nobody is told here, but a shop of nobody would be odd.
        shops = [f"shop-{number}" for number in range(SHOPS)]
        tocsin.seed({name: ["http://127.0.0.1:9/"] * 20 for name in (*shops, "alertmanager")})
        for number in range(1, options.rounds + 1):
            say(f"round {number} of {options.rounds}")
            ours.append(accepted(tocsin.alerts_url, tocsin.headers, tocsin, options.seconds))
            say(f"  ours: {ours[-1]['per_s']:,.0f} alerts/s")
            batches.append(
                accepted(tocsin.alerts_url + "batch/", tocsin.headers, tocsin, options.seconds, batch=BATCH)
            )
            say(f"  ours in batches of {BATCH}: {batches[-1]['per_s']:,.0f} alerts/s")
            with tocsin.paused():
                theirs.append(accepted(bare_url, {}, tocsin, options.seconds))
            say(f"  bare: {theirs[-1]['per_s']:,.0f} alerts/s")
        check_stored("ours", ours + batches, tocsin.count("true", "notifications_alert"))
        check_stored("bare", theirs, bare.count(tocsin.database_url))
        shares = alertmanagers(tocsin, options)
    return result(ours, batches, theirs, shares, options)


def alertmanagers(tocsin: Product, options: argparse.Namespace) -> dict[int, float]:
    """Return by size what bodies of Alertmanager reach of the rate of batches of as many alerts, in turns."""
    integrations = complete(
        python("-m", "benchmarks.seed_integrations"),
        question={"formats": ["alertmanager"]},
        log=tocsin.stack.home / "seed.log",
        env=tocsin.stack.env,
    )
    url = f"{tocsin.stack.base_url}/integrations/alertmanager/{integrations['told']['alertmanager']}/"
    shares, kept = {}, 0
    for size in BODIES:
        batches, bodies = [], []
        for _ in range(options.rounds):
            batches.append(
                accepted(tocsin.alerts_url + "batch/", tocsin.headers, tocsin, options.seconds, batch=size)
            )
            bodies.append(accepted(url, {}, tocsin, options.seconds, batch=size, alertmanager=True))
        rate, batch_rate = (statistics.median(each["per_s"] for each in some) for some in (bodies, batches))
        shares[size] = rate / batch_rate
        say(f"  Alertmanager, {size} a body: {rate:,.0f} alerts/s; batches: {batch_rate:,.0f}")
        found = tocsin.count("true", "escalation_alertoccurrence")
        check_stored(f"Alertmanager, {size} a body", bodies, found - kept, size)
        kept = found
    return shares


def result(
    ours: list[dict[str, Any]],
    batches: list[dict[str, Any]],
    theirs: list[dict[str, Any]],
    shares: dict[int, float],
    options: argparse.Namespace,
) -> Report:
    turns = {"ours": ours, f"in batches of {BATCH}": batches, "bare": theirs}
    rates = {name: statistics.median(each["per_s"] for each in some) for name, some in turns.items()}
    report.table(
        ["alerts/s", *(f"round {number + 1}" for number in range(options.rounds)), "median", "p50", "p99"],
        [
            [
                name,
                *(f"{each['per_s']:,.0f}" for each in some),
                f"{rates[name]:,.0f}",
                *percentiles([seconds for each in some for seconds in each["seconds"]]),
            ]
            for name, some in turns.items()
        ],
    )
    bare_rate = rates.pop("bare")
    ratio, in_batches = (rate / bare_rate for rate in rates.values())
    return Report(
        name="intake",
        unit="alerts/s",
        ours=rates["ours"],
        baselines={"bare": bare_rate},
        ratios={
            "bare": ratio,
            "batches": in_batches,
            **{f"Alertmanager's {size}": share for size, share in shares.items()},
        },
        musts={
            f"bare >= {LEAST}": ratio >= LEAST,
            f"batches >= {LEAST_IN_BATCHES:g}": in_batches >= LEAST_IN_BATCHES,
            f"Alertmanager's >= {LEAST_OF_BATCHES} of batches": min(shares.values()) >= LEAST_OF_BATCHES,
        },
    )


def percentiles(seconds: list[float]) -> tuple[str, str]:
    """The median and the 99th percentile, in words."""
    cuts = statistics.quantiles(seconds, n=100)
    return f"{cuts[49] * 1000:.1f} ms", f"{cuts[98] * 1000:.1f} ms"


def main() -> int:
    parser = report.parser(__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each turn, after a warm-up")
    parser.add_argument("--rounds", type=int, default=3)
    return report.run(benchmark, parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
