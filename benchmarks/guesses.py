"""`make bench-guesses`: does guessing passwords help anybody, or keep anybody out?

200 people register and log in from one address, as a school does. Then 100,000 guesses come for the accounts
of 100 of them, from 1,000 addresses, each address at each account; the right password is among them, once
an account, behind more wrong ones than its rate lets through. All the while the 200 log in again and again
from where they are. The addresses are what the proxy says, in a header: all of it goes to this machine.
"""

import argparse
import asyncio
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle

import aiohttp
import uvloop

from benchmarks import machine, product, report
from benchmarks.newcomer import newcomer
from benchmarks.product import BenchmarkError, Product
from benchmarks.report import Report, say

PEOPLE, ATTACKED, ADDRESSES = 200, 100, 1000
#: The rate of an account, 20 a minute by default, is used up by so many whatever else is answered meanwhile.
WRONG_FIRST = 100
AT_ONCE = 32
# Somebody logs in every so many seconds.
EVERY_S = 0.3
SCHOOL = "192.0.2.1"
LOG_IN = "/api/v1/auth/login/"
ENVIRONMENT = {"BEHIND_TLS_PROXY": "1", "REGISTER_RATE": "", "REGISTER_ACCOUNT_RATE": ""}
SEED = 20261130


@dataclass
class Answers:
    """How the guesses and the people were answered."""

    guesses: Counter[int] = field(default_factory=Counter)
    right_guesses: Counter[int] = field(default_factory=Counter)
    people: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)


class Door:
    """Where people and guessers log in, from whatever address the proxy names."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        self._session, self._base_url = session, base_url

    async def post(self, path: str, body: dict[str, str], *, address: str) -> int:
        headers = {"X-Forwarded-For": address, "X-Forwarded-Proto": "https"}
        async with self._session.post(f"{self._base_url}{path}", json=body, headers=headers) as answer:
            await answer.read()
            return answer.status

    async def log_in(self, person: dict[str, str], *, password: str, address: str) -> int:
        return await self.post(LOG_IN, {"email": person["email"], "password": password}, address=address)


async def settle_in(door: Door) -> list[dict[str, str]]:
    """Have everybody register, and those log in whose accounts will be attacked."""
    people = [newcomer() for _ in range(PEOPLE)]
    for person in people:
        status = await door.post("/api/v1/auth/register/", person, address=SCHOOL)
        if status != 201:
            raise BenchmarkError(f"a registration was answered with {status}")
    for person in people[:ATTACKED]:
        await door.log_in(person, password=person["password"], address=SCHOOL)
    return people


async def guess(door: Door, people: list[dict[str, str]], answers: Answers) -> None:
    """Guess at one account after the other, from every address."""
    chance = random.Random(SEED)
    for number, person in enumerate(people[:ATTACKED], 1):
        right_at = chance.randrange(WRONG_FIRST, ADDRESSES)
        places = iter(range(ADDRESSES))  # shared: each of those at work takes the next
        guessers = [guess_at(door, person, places, right_at, answers) for _ in range(AT_ONCE)]
        await asyncio.gather(*guessers)
        if number % 20 == 0:
            say(f"  {number * ADDRESSES:,} guesses, answers: {dict(answers.guesses)}")


async def guess_at(
    door: Door, person: dict[str, str], places: Iterator[int], right_at: int, answers: Answers
) -> None:
    for place in places:
        is_right = place == right_at
        password = person["password"] if is_right else f"guess {place}"
        address = f"198.18.{place // 250}.{place % 250}"
        status = await door.log_in(person, password=password, address=address)
        (answers.right_guesses if is_right else answers.guesses)[status] += 1


async def log_in_again(door: Door, people: list[dict[str, str]], answers: Answers) -> None:
    """Have one person after the other log in, for as long as nobody cancels it."""
    for person in cycle(people):
        began = time.perf_counter()
        answers.people[await door.log_in(person, password=person["password"], address=SCHOOL)] += 1
        answers.seconds.append(time.perf_counter() - began)
        await asyncio.sleep(EVERY_S)


async def attack(tocsin: Product) -> Answers:
    answers = Answers()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        door = Door(session, tocsin.stack.base_url)
        say(f"  {PEOPLE} people register")
        people = await settle_in(door)
        again = asyncio.create_task(log_in_again(door, people, answers))
        await guess(door, people, answers)
        while sum(answers.people.values()) < 2 * PEOPLE and not again.done():
            await asyncio.sleep(EVERY_S)
        again.cancel()
        await asyncio.wait([again])
        if not again.cancelled():
            again.result()
    return answers


def benchmark(options: argparse.Namespace) -> Report:
    with product.running("guesses", workers=1, scheduler=False, env=ENVIRONMENT) as tocsin:
        machine.settle()
        began = time.monotonic()
        answers = uvloop.run(attack(tocsin))
        took_s = time.monotonic() - began
    return result(answers, took_s)


def result(answers: Answers, took_s: float) -> Report:
    looked_at, refused = answers.guesses[401], answers.guesses[429]
    others = sum(answers.guesses.values()) - looked_at - refused
    people = sum(answers.people.values())
    p99_s = statistics.quantiles(answers.seconds, n=100)[98]
    rows: list[list[object]] = [
        ["wrong guesses that were looked at", f"{looked_at:,}"],
        ["wrong guesses refused unseen", f"{refused:,}"],
        ["right guesses let in", answers.right_guesses[200]],
        ["right guesses refused unseen", answers.right_guesses[429]],
        ["people who logged in", answers.people[200]],
        ["people refused", people - answers.people[200]],
        ["their p99, s", f"{p99_s:.2f}"],
        ["all of it, s", f"{took_s:.0f}"],
    ]
    report.table(["", ""], rows)
    musts = {
        "no guess helped": answers.right_guesses == {429: ATTACKED} and not others,
        "nobody with the right password refused": people == answers.people[200],
    }
    return Report(
        name="guesses",
        unit="looked at of 100,000",
        ours=looked_at,
        baselines={},
        ratios={},
        musts=musts,
    )


def main() -> int:
    return report.run(benchmark, report.parser(__doc__).parse_args())


if __name__ == "__main__":
    sys.exit(main())
