"""What a registration spends its time on: runs the view in this process, under a profile.

A program of its own, since it needs Django set up for the stack's database. Reads one line of JSON,
``{"registrations": n}``, and answers with ``{"milliseconds": {part: mean}}``.
"""

import cProfile
import json
import pstats
import sys

import django

django.setup()

from django.test import Client  # noqa: E402

from benchmarks.newcomer import newcomer  # noqa: E402

# Functions whose whole time, with what they call, is a part's; the rest is the remainder.
PARTS = {
    "hashing the password (argon2)": ("hashers.py", "make_password"),
    "the database": ("utils.py", "execute"),
    "enqueueing the jobs (Redis)": ("notifications/queue.py", "enqueue"),
}


def register(client: Client) -> None:
    answer = client.post("/auth/api/v1/register", newcomer(), content_type="application/json")
    if answer.status_code != 201:
        raise RuntimeError(f"answered with {answer.status_code}: {answer.content!r}")


def seconds_in(stats: pstats.Stats, file: str, function: str) -> float:
    """Return the cumulative seconds of a function, named by the end of its file's path."""
    return sum(
        cumulative
        for (path, _, name), (_, _, _, cumulative, _) in stats.stats.items()  # type: ignore[attr-defined]
        if name == function and path.endswith(file)
    )


def main() -> None:
    count = json.loads(sys.stdin.readline())["registrations"]
    client = Client(SERVER_NAME="localhost")
    register(client)
    profile = cProfile.Profile()
    profile.enable()
    for _ in range(count):
        register(client)
    profile.disable()
    stats = pstats.Stats(profile)
    total = seconds_in(stats, "registering.py", "register")
    parts = {name: seconds_in(stats, *place) for name, place in PARTS.items()}
    parts["everything else"] = total - sum(parts.values())
    answer = {name: seconds * 1000 / count for name, seconds in parts.items()}
    print(json.dumps({"milliseconds": answer}), flush=True)


if __name__ == "__main__":
    main()
