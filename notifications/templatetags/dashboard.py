"""The figures on the admin's first page."""

from datetime import timedelta
from typing import Any

import django_rq
from django import template
from redis.exceptions import RedisError

from config import clock
from notifications import selectors
from notifications.exposition import workers_alive
from notifications.models import Alert, Delivery

register = template.Library()
WINDOW = timedelta(hours=24)


@register.inclusion_tag("notifications/admin/dashboard.html")
def dashboard() -> dict[str, Any]:
    """Counts of the last day, the backlog, and who is at work."""
    now = clock.now()
    recent = selectors.deliveries_since(now - WINDOW)
    counts = selectors.counts_by_status(recent)
    return {
        "alerts": Alert.objects.filter(received_at__gte=now - WINDOW).count(),
        "statuses": [(label, value, counts.get(value, 0)) for value, label in Delivery.Status.choices],
        "backlog": selectors.due_backlog(now=now),
        "workers": _workers(),
    }


def _workers() -> int | None:
    try:
        return workers_alive(django_rq.get_connection(), now=clock.now())
    except RedisError:
        return None
