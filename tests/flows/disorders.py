"""What chaos does to a product at work, with a pair of PostgreSQL servers below it, one thing at a time."""

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import psycopg

from config import embedded
from config.processes import StackError
from tests.flows.product import IN_FLIGHT, Product, told_since
from tests.servers.clocks import fast_clock, has_compiler
from tests.servers.postgres_pair import Pair, may_mount

DOWN_S = (0.0, 3.0)
READ_ONLY_S = 15.0
CLOCK_AHEAD_S, CLOCK_WRONG_S = 60, 15.0
DISK_FULL_S = 8.0
EVERYTHING = "everything"

END_SESSIONS = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
 WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND random() < %(share)s
"""
# More log than the files that are there have room for.
FLOOD = "SELECT pg_logical_emit_message(false, 'chaos', repeat('x', 8 << 20)) FROM generate_series(1, 16)"


class Disorders:
    """Each method is one; it returns once the cause is gone.

    ``held`` are the deliveries that may come twice for it: what workers held when they died, and what was
    told so shortly before PostgreSQL died that the word of it may be lost.
    """

    def __init__(
        self, product: Product, pair: Pair, chance: random.Random, say: Callable[[str], None]
    ) -> None:
        self._product = product
        self._stack = product.stack
        self._pair = pair
        self._chance = chance
        self._say = say
        self.held: set[str] = set()

    def kill(self) -> None:
        """SIGKILL one part, or all of them, and bring it back."""
        servers = ["redis", "postgres", "standby"]
        victim = self._chance.choice([*self._stack.processes, *servers, EVERYTHING])
        down_s = self._chance.uniform(*DOWN_S)
        self._say(f"killing {victim}, for {down_s:.1f} s")
        names = [*self._stack.processes, *servers] if victim == EVERYTHING else [victim]
        self._chance.shuffle(names)
        killed_at = time.monotonic()
        for name in names:
            self._kill(name)
        time.sleep(down_s)
        if "postgres" in names:
            # Until it is killed itself or PostgreSQL is back, a worker goes on sending what it has claimed.
            self._hold_what_was_told_since(killed_at)
        self._pair.start_primary()
        self._pair.start_standby()
        self._stack.ensure_servers()
        if victim == EVERYTHING:
            self._hold_what_is_in_flight()
        for name in names:
            if name in self._stack.processes:
                self._stack.start(name)

    def fail_over(self) -> None:
        """The primary's machine dies, and comes back as the standby of the one that took over."""
        down_s = self._chance.uniform(*DOWN_S)
        self._say(f"failing over, after {down_s:.1f} s without a primary")
        killed_at = time.monotonic()
        self._pair.kill_primary()
        time.sleep(down_s)
        self._hold_what_was_told_since(killed_at)
        self._pair.fail_over()
        self._hold_what_is_in_flight()
        self._pair.rejoin()

    def read_only(self) -> None:
        """The primary takes no writes for a while; sessions that are open are ended, or find that out."""
        ends_sessions = self._chance.random() < 0.5
        self._say(f"read-only for {READ_ONLY_S:g} s, sessions {'ended' if ends_sessions else 'left open'}")
        self._set("default_transaction_read_only", "on")
        if ends_sessions:
            self._end_sessions(share=1)
        time.sleep(READ_ONLY_S)
        self._hold_what_is_in_flight()
        self._set("default_transaction_read_only", "off")

    def end_sessions(self) -> None:
        """An operator, or a pooler, ends sessions in the middle of whatever they do: nothing comes twice."""
        times = self._chance.randint(3, 12)
        self._say(f"ending sessions, {times} times")
        for _ in range(times):
            self._end_sessions(share=self._chance.uniform(0.2, 1))
            time.sleep(self._chance.uniform(0.05, 0.6))

    def fast_clock(self) -> None:
        """One worker's clock is ahead of all others: nothing comes twice."""
        worker = self._chance.choice([name for name in self._stack.processes if "worker" in name])
        self._say(f"{worker} has a clock that is {CLOCK_AHEAD_S} s ahead, for {CLOCK_WRONG_S:g} s")
        self._stack.restart(worker, fast_clock(CLOCK_AHEAD_S, build_in=self._product.home))
        time.sleep(CLOCK_WRONG_S)
        self._stack.restart(worker)

    def full_disk(self) -> None:
        """The primary's disk is full for a while, of other things or of its own log; that may end it."""
        if not self._pair.has_small_disk:  # but the standby has
            self.fail_over()
        floods = self._chance.random() < 0.5
        self._say(f"the disk is full for {DISK_FULL_S:g} s, {'of the log' if floods else 'of other things'}")
        full_at = time.monotonic()
        self._pair.fill_disk()
        try:
            if floods:
                self._flood()
            time.sleep(DISK_FULL_S)
        finally:
            self._pair.free_disk()
        self._hold_what_was_told_since(full_at)
        self._pair.start_primary()
        self._pair.start_standby()

    def check_alive(self) -> None:
        """Fail if a part has ended that nobody killed: each is to outlive the others."""
        for name, process in self._stack.processes.items():
            if process.poll() is not None:
                raise StackError(f"{name} ended by itself; its log:\n{self._stack.log_tail(name)}")

    def _kill(self, name: str) -> None:
        if name == "redis":
            self._stack.kill_redis()
        elif name == "postgres":
            embedded.kill("postgres", at=self._pair.primary.home)
        elif name == "standby":
            embedded.kill("postgres", at=self._pair.standby.home)
        else:
            self._stack.kill(name)
            if embedded.status(at=self._pair.primary.home).postgres:
                self._hold_what_is_in_flight()

    def _hold_what_is_in_flight(self) -> None:
        self.held |= {delivery for (delivery,) in self._pair.execute(IN_FLIGHT)}

    def _hold_what_was_told_since(self, lost_at: float) -> None:
        self.held |= told_since(self._product, lost_at)

    def _set(self, name: str, value: str) -> None:
        self._pair.execute(f"ALTER SYSTEM SET {name} = {value}")
        self._pair.execute("SELECT pg_reload_conf()")

    def _end_sessions(self, *, share: float) -> None:
        self._pair.execute(END_SESSIONS % {"share": share})

    def _flood(self) -> None:
        try:
            self._pair.execute(FLOOD)
        except psycopg.OperationalError as error:
            self._say(f"PostgreSQL says: {str(error).splitlines()[0]}")


#: By name.
DISORDERS: Final[dict[str, Callable[[Disorders], None]]] = {
    "kill": Disorders.kill,
    "fail-over": Disorders.fail_over,
    "read-only": Disorders.read_only,
    "end-sessions": Disorders.end_sessions,
    "fast-clock": Disorders.fast_clock,
    "full-disk": Disorders.full_disk,
}


def missing(name: str, home: Path) -> str:
    """Return what this machine lacks for a disorder; "" where it can be had."""
    if name == "fast-clock" and not has_compiler():
        return "no C compiler to build the clock with"
    if name == "full-disk" and not may_mount(home / "mounted"):
        return "no right to mount a file system that is small"
    return ""
