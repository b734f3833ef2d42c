"""Who is at work, and what waits for them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import django_rq
from django.conf import settings
from django.utils.translation import gettext_lazy
from redis.exceptions import RedisError

from notifications import selectors
from notifications.brokers import health
from notifications.exposition import workers_alive
from notifications.standstill import standstill
from notifications.web.console.panels import WORKING, Panel

#: What is due for longer, in seconds, is shown as a trouble.
LATE_S: Final = 120.0


def read(now: datetime) -> Mapping[str, Any]:
    due = selectors.due_backlog(now=now)
    known: dict[str, Any] = {"due": due, "is_late": due.oldest_age_s > LATE_S}
    connection = django_rq.get_connection()
    try:
        return known | {
            "workers": workers_alive(connection, now=now),
            "queues": [
                (name, django_rq.get_queue(name, connection=connection).count) for name in settings.RQ_QUEUES
            ],
            "brokers": health.finding(connection) if health.wanted() else None,
            "still": standstill(due, connection),
        }
    except RedisError:
        return known | {"away": True}


PANEL: Final = Panel("work", gettext_lazy("Who is at work"), "web/console/_work.html", read, WORKING)
