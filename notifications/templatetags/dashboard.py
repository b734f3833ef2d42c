"""The figures on the admin's first page."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

import django_rq
from django import template
from redis.exceptions import RedisError

from config import clock
from notifications import selectors, troubles
from notifications.exposition import workers_alive
from notifications.models import Alert, Delivery

register = template.Library()
WINDOW = timedelta(hours=24)
#: What is due for longer than this, in seconds, is shown in red.
LATE_S = 120.0


@register.inclusion_tag("notifications/admin/dashboard.html")
def dashboard() -> dict[str, Any]:
    """Counts of the last day, the backlog, and who is at work."""
    now = clock.now()
    backlog = selectors.due_backlog(now=now)
    recent = selectors.deliveries_since(now - WINDOW)
    counts = selectors.counts_by_status(recent)
    workers = None
    with suppress(RedisError):
        workers = workers_alive(django_rq.get_connection(), now=now)
    return {
        "alerts": Alert.objects.filter(received_at__gte=now - WINDOW).count(),
        "statuses": [(label, value, counts.get(value, 0)) for value, label in Delivery.Status.choices],
        "backlog": backlog,
        "is_late": backlog.oldest_age_s > LATE_S,
        "troubles": troubles.known(),
        "workers": workers,
    }
