"""`python -m tests.flows.chaos --minutes 10 [--seed N]`: kills parts at random under load, for long.

Alerts keep coming while it does. At the end everyone must have been told, under one id each, with
repeats only of what was in flight at a crash, and the product's own audit must find no gap.
"""

import argparse
import random
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import Any

import requests

from config import embedded
from config.processes import REPOSITORY, StackError
from tests.flows.product import Product, Shop, told_since

HOME = REPOSITORY / "var" / "chaos"
SHOPS = (1, 20, 500)
SHOP_WEIGHTS = (3, 5, 2)
ALERTS_PER_S = 2.0
PAUSE_S = (1.0, 6.0)
DOWN_S = (0.0, 3.0)
SETTLE_S = 180
EVERYTHING = "everything"


class Cameras(threading.Thread):
    """Posts alerts until told to stop, each again and again until it is accepted."""

    def __init__(self, product: Product, shops: list[Shop], seed: int) -> None:
        super().__init__(daemon=True)
        self.expected: dict[str, list[str]] = {}
        self.repeats = 0
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
                    self.repeats += 1
                    time.sleep(0.2)
                self.expected[alert["alert_uuid"]] = shop.staff

    def _post(self, session: requests.Session, alert: dict[str, Any]) -> bool:
        try:
            return self._product.post(alert, session=session) in (200, 201)
        except requests.RequestException:
            return False


class Killer:
    """Kills one part, or all of them, and brings it back; keeps what workers held when they died."""

    def __init__(self, product: Product, chance: random.Random) -> None:
        self._product = product
        self._stack = product.stack
        self._chance = chance
        self._started = time.monotonic()
        self.held: set[str] = set()
        self.kills = 0

    def strike(self) -> None:
        parts = [*self._stack.processes, "redis", "postgres", EVERYTHING]
        victim = self._chance.choice(parts)
        down_s = self._chance.uniform(*DOWN_S)
        told = len(self._product.third_party.requests)
        self.say(f"{told:>8} told; killing {victim}, for {down_s:.1f} s")
        names = list(self._stack.processes) if victim == EVERYTHING else [victim]
        if victim == EVERYTHING:
            names += ["redis", "postgres"]
            self._chance.shuffle(names)
        killed_at = time.monotonic()
        for name in names:
            self._kill(name)
        time.sleep(down_s)
        # Until it is killed itself or PostgreSQL is back, a worker goes on sending what it has claimed.
        self.held |= told_since(self._product, killed_at) if victim in ("postgres", EVERYTHING) else set()
        embedded.ensure_running(at=self._product.home)
        if victim == EVERYTHING:
            self.held |= self._product.in_flight()
        for name in names:
            if name in self._stack.processes:
                self._stack.start(name)
        self.kills += len(names)
        self.check_alive()

    def _kill(self, name: str) -> None:
        if name == "redis":
            self._stack.kill_redis()
        elif name == "postgres":
            self._stack.kill_postgres()
        else:
            self._stack.kill(name)
            if embedded.status(at=self._product.home).postgres:
                self.held |= self._product.in_flight()

    def check_alive(self) -> None:
        """Fail if a part has ended that nobody killed: each is to outlive the others."""
        for name, process in self._stack.processes.items():
            if process.poll() is not None:
                raise StackError(f"{name} ended by itself; its log:\n{self._stack.log_tail(name)}")

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self._started:7.1f} s  {text}", flush=True)


def run(minutes: float, seed: int) -> None:
    chance = random.Random(seed)
    with Product(HOME) as product:
        product.third_party.behave("slow:100")
        cameras = Cameras(product, [product.shop(size) for size in SHOPS], seed)
        killer = Killer(product, chance)
        cameras.start()
        end = time.monotonic() + minutes * 60
        while time.monotonic() < end:
            time.sleep(chance.uniform(*PAUSE_S))
            killer.strike()
        cameras.stopping.set()
        cameras.join(timeout=60)
        killer.say("no more alerts and no more kills; settling")
        product.settle(SETTLE_S)
        product.assert_told_once(cameras.expected, may_repeat=killer.held)
        product.audit()
        counts = product.third_party.counts()
        killer.say(
            f"{killer.kills} kills; {len(cameras.expected)} alerts ({cameras.repeats} posts repeated); "
            f"{len(counts)} deliveries, {counts.total() - len(counts)} of them repeated, "
            f"of {len(killer.held)} in flight at a crash; no gap"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    seed = random.randrange(2**32) if options.seed is None else options.seed
    print(f"chaos for {options.minutes:g} minutes; repeat it with --seed {seed}", flush=True)
    wipe(HOME)
    try:
        run(options.minutes, seed)
    except (AssertionError, StackError, embedded.EmbeddedError) as error:
        print(f"FAILED (--seed {seed}): {error}\nThe logs are in {HOME / 'logs'}.", file=sys.stderr)
        return 1
    return 0


def wipe(home: Path) -> None:
    """Remove what an earlier run left, even a killed one."""
    embedded.destroy(at=home)
    shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
