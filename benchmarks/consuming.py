"""Our side of `make bench-consume`: the consumer of `manage.py consume events`, in a process of its own.

Reads one line of JSON, consumes as many messages as it says, and answers with how long that took.
"""

import json
import sys
import time
from collections.abc import Sequence

import django

django.setup()

from django.db import connection  # noqa: E402

from accounts.models import User  # noqa: E402
from notifications.brokers import sources  # noqa: E402
from notifications.brokers.consumer import Consumer  # noqa: E402
from notifications.brokers.intake import Delivered  # noqa: E402
from notifications.models import Event, HandlerRun  # noqa: E402


class Counted(Consumer):
    """Stops once so many messages have been committed and acknowledged."""

    left = 0

    def _measure(self, done: Sequence[Delivered]) -> None:
        super()._measure(done)
        self.left -= len(done)
        if self.left <= 0:
            self.stop.set()


def main() -> None:
    order = json.loads(sys.stdin.readline())
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE accounts_user, notifications_event CASCADE")
    consumer = Counted(sources.get("events"))
    consumer.left = order["count"]
    started = time.perf_counter()
    consumer.run()
    took_s = time.perf_counter() - started
    counts = {model.__name__: model.objects.count() for model in (User, Event, HandlerRun)}
    print(json.dumps({"seconds": took_s, **counts}), flush=True)


if __name__ == "__main__":
    main()
