"""`python -m tests.flows.chaos --minutes 10 [--seed N] [--only NAME …]`: disorder under load, for long.

Alerts keep coming while parts are killed, PostgreSQL fails over, takes no writes, ends sessions or has a full
disk, each in turn. Meanwhile an answer is 2xx, or 503 with `Retry-After`. At the end everyone must have
been told, under one id each, with repeats only of what was in flight, and the product's own audit must find
no gap.
"""

import argparse
import random
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import requests

from config import embedded
from config.processes import REPOSITORY, StackError
from tests.flows.disorders import DISORDERS, Disorders, missing
from tests.flows.product import Product, Shop
from tests.servers.postgres_pair import Pair

HOME = REPOSITORY / "var" / "chaos"
SHOPS = (1, 20, 500)
SHOP_WEIGHTS = (3, 5, 2)
ALERTS_PER_S = 2.0
PAUSE_S = (1.0, 6.0)
SETTLE_S = 180


class Cameras(threading.Thread):
    """Posts alerts until told to stop, each again and again until it is accepted."""

    def __init__(self, product: Product, shops: list[Shop], seed: int) -> None:
        super().__init__(daemon=True)
        self.expected: dict[str, list[str]] = {}
        self.repeats: Counter[str] = Counter()
        self.odd: list[str] = []
        self.stopping = threading.Event()
        self._product = product
        self._shops = shops
        self._chance = random.Random(seed)

    def run(self) -> None:
        with self._product.new_session() as session:
            session.headers.update(self._product.http.headers)
            while not self.stopping.wait(self._chance.expovariate(ALERTS_PER_S)):
                (shop,) = self._chance.choices(self._shops, SHOP_WEIGHTS)
                alert = shop.alert()
                while not self._post(session, alert):
                    time.sleep(0.2)
                self.expected[alert["alert_uuid"]] = shop.staff

    def _post(self, session: requests.Session, alert: dict[str, Any]) -> bool:
        try:
            answer = self._product.call("POST", "/webhooks/alerts/", json=alert, session=session)
        except requests.RequestException:
            self.repeats["no answer"] += 1
            return False
        if answer.ok:
            return True
        self.repeats[str(answer.status_code)] += 1
        if answer.status_code != 503 or "Retry-After" not in answer.headers:
            self.odd.append(f"{answer.status_code} {answer.text[:200]}")
        return False


def in_turn(names: Sequence[str], chance: random.Random) -> Iterator[str]:
    """Return every name before any comes again, in an order that changes."""
    while True:
        yield from chance.sample(names, len(names))


def run(minutes: float, seed: int, names: Sequence[str]) -> None:
    chance = random.Random(seed)
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - started:7.1f} s  {text}", flush=True)

    with (
        Pair(HOME / "pair", small_disks="full-disk" in names) as pair,
        Product(HOME, env={"DATABASE_URL": pair.url}) as product,
    ):
        product.third_party.behave("slow:100")
        cameras = Cameras(product, [product.shop(size) for size in SHOPS], seed)
        disorders = Disorders(product, pair, chance, say)
        counts: Counter[str] = Counter()
        cameras.start()
        end = time.monotonic() + minutes * 60
        for name in in_turn(names, chance):
            time.sleep(chance.uniform(*PAUSE_S))
            if time.monotonic() > end:
                break
            DISORDERS[name](disorders)
            disorders.check_alive()
            counts[name] += 1
            say(f"{len(cameras.expected)} alerts accepted, {len(product.third_party.requests)} told")
        cameras.stopping.set()
        cameras.join(timeout=60)
        say("no more alerts and no more disorder; settling")
        product.settle(SETTLE_S)
        product.wait_until_ready()
        assert not cameras.odd, f"{len(cameras.odd)} answers neither 2xx nor 503, such as {cameras.odd[0]}"
        product.assert_told_once(cameras.expected, may_repeat=disorders.held)
        product.audit()
        told = product.third_party.counts()
        say(
            f"{', '.join(f'{name} {count}x' for name, count in counts.items())}; "
            f"{len(cameras.expected)} alerts, posts repeated for {dict(cameras.repeats)}; "
            f"{len(told)} deliveries, {told.total() - len(told)} of them repeated, "
            f"of {len(disorders.held)} in flight at a crash; no gap"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument(
        "--only", nargs="+", choices=list(DISORDERS), metavar="NAME", help=", ".join(DISORDERS)
    )
    options = parser.parse_args()
    seed = random.randrange(2**32) if options.seed is None else options.seed
    names = options.only or list(DISORDERS)
    again = f"--seed {seed}" + (f" --only {' '.join(options.only)}" if options.only else "")
    print(f"chaos for {options.minutes:g} minutes; repeat it with {again}", flush=True)
    wipe(HOME)
    lacking = {name: reason for name in names if (reason := missing(name, HOME))}
    for name, reason in lacking.items():
        print(f"skipped: {name}: {reason}", flush=True)
    try:
        run(options.minutes, seed, [name for name in names if name not in lacking])
    except (AssertionError, StackError, embedded.EmbeddedError) as error:
        print(f"FAILED ({again}): {error}\nThe logs are in {HOME / 'logs'}.", file=sys.stderr)
        return 1
    return 0


def wipe(home: Path) -> None:
    """Remove what an earlier run left, even a killed one."""
    Pair(home / "pair").destroy()
    embedded.destroy(at=home)
    shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
